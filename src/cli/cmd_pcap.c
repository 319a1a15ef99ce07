/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/look.h"
#include "cli/pcap_ladder.h"
#include "cli/pcap_read.h"
#include "diag/cause.h"
#include "flow/flow.h"
#include "report/report.h"

struct pcap_cfg {
	bool json, conns, no_headers, verbose;
	unsigned fail_on; /* enum severity */
	const char *ladder, *svg;
};

static const struct pcap_cfg defaults = {.fail_on = SEV_WARN};

static const struct opt opts[] = {
	{.name = "json",
	 .letter = 'j',
	 OPT_IS_FLAG(struct pcap_cfg, json),
	 .help = "print one JSON document; with --conns an object a line, the summary last"},
	{.name = "conns",
	 .letter = 'c',
	 OPT_IS_FLAG(struct pcap_cfg, conns),
	 .help = "also print a line for each connection, in the order in which they ended"},
	{.name = "ladder",
	 .letter = 'l',
	 OPT_IS_STRING(struct pcap_cfg, ladder),
	 .metavar = "CONN",
	 .help = "instead: one connection segment by segment; its number in --conns, or ADDRESS:PORT of one end"},
	{.name = "svg",
	 OPT_IS_STRING(struct pcap_cfg, svg),
	 .metavar = "FILE",
	 .help = "draw the ladder into FILE, for a browser"},
	{.name = "fail-on",
	 .letter = 'f',
	 OPT_IS_ENUM(struct pcap_cfg, fail_on, severity_words),
	 .metavar = "info|warn|crit",
	 .help = "least severity that makes the exit code 1"},
	{.name = "no-headers",
	 OPT_IS_FLAG(struct pcap_cfg, no_headers),
	 .help = "judge by times and lengths only, as if all of it were encrypted"},
	{.name = "verbose",
	 .letter = 'v',
	 OPT_IS_FLAG(struct pcap_cfg, verbose),
	 .help = "print every fix with its precondition, not one screen"},
	{.type = OPT_END},
};

struct pcap_run {
	const struct pcap_cfg *cfg;
	FILE *out;
	struct style style, line_style; /* of all; of a line for each connection, which has its number before it */
	struct flows *flows;
	struct services services;
	int err; /* of services_add() */
	uint64_t n; /* connections handed over */
	/* --ladder */
	struct pcap_choice choice;
	struct pcap_ladder *ladder;
	struct pcap_reading reading;
};

/* ---- records ---- */

enum { NUMBER_WIDTH = 7, LINE_MAX_WIDTH = 400, LINE_MIN_WIDTH = 40 };

/* Lines are cut to fit a terminal, and nowhere else. */
static struct style line_style(FILE *out, struct style st)
{
	bool tty = fileno(out) >= 0 && isatty(fileno(out));

	st.width = !tty                                       ? LINE_MAX_WIDTH
		   : st.width > NUMBER_WIDTH + LINE_MIN_WIDTH ? st.width - NUMBER_WIDTH
							      : LINE_MIN_WIDTH;
	return st;
}

static void print_conn(struct pcap_run *r, const struct conn *c)
{
	struct json j;

	if (!r->cfg->json) {
		fprintf(r->out, "%6llu ", (unsigned long long)r->n);
		report_close_text(r->out, c, 0, &r->line_style);
		return;
	}
	json_begin(&j, r->out, false);
	json_object(&j);
	json_kv_uint(&j, "number", r->n);
	json_key(&j, "conn");
	report_close_json(&j, c, 0);
	json_object_end(&j);
	json_end(&j);
}

static void on_conn(void *arg, const struct conn *c)
{
	struct pcap_run *r = arg;

	r->n++;
	if (r->cfg->ladder) {
		if (!r->ladder && pcap_choice_is(&r->choice, r->n, c))
			r->ladder = pcap_ladder_new(c);
		return;
	}
	if (r->cfg->conns)
		print_conn(r, c);
	if (services_add(&r->services, c) != 0)
		r->err = -ENOMEM;
}

static int on_frame(void *arg, enum link_type type, const struct raw_frame *raw)
{
	struct pcap_run *r = arg;
	int err = flows_frame(r->flows, type, raw);

	return err ? err : r->err;
}

/* 0, or the exit code after a complaint. */
static int read_files(struct pcap_run *r, int argc, char *const *argv,
		      int (*frame)(void *, enum link_type, const struct raw_frame *), void *arg)
{
	struct why w = {""};
	int err;

	r->reading = (struct pcap_reading){.files = argv, .n = argc, .frame = frame, .arg = arg};
	err = pcap_read(&r->reading, &w);
	if (err == -ENOMEM && !w.text[0])
		return complain(EXIT_INTERNAL, "out of memory");
	return err ? complain(EXIT_USAGE, "%s", w.text) : 0;
}

/* ---- what it comes to ---- */

static void counts_text(const struct pcap_run *r)
{
	const struct flows_counts *n = flows_counts(r->flows);
	uint64_t unread = n->frames[FRAME_CUT] + n->frames[FRAME_BAD];

	fprintf(r->out, "%s TCP segments", num(n->frames[FRAME_TCP]).s);
	if (n->doubles)
		fprintf(r->out, "; %s segments were captured twice", num(n->doubles).s);
	if (n->frames[FRAME_FRAGMENT])
		fprintf(r->out, "; %s fragments left out", num(n->frames[FRAME_FRAGMENT]).s);
	if (unread)
		fprintf(r->out, "; %s packets cut too short or malformed", num(unread).s);
	if (n->evicted)
		fprintf(r->out, "; more than %d at a time, %s given up", LIVE_MAX, num(n->evicted).s);
	fputs("\n", r->out);
}

static void counts_json(struct json *j, const struct pcap_run *r)
{
	static const char *const names[N_FRAME_VERDICTS] = {
		[FRAME_TCP] = "tcp", [FRAME_OTHER] = "other",   [FRAME_FRAGMENT] = "fragments",
		[FRAME_CUT] = "cut", [FRAME_BAD] = "malformed",
	};
	const struct flows_counts *n = flows_counts(r->flows);

	json_key(j, "capture");
	json_object(j);
	for (int i = 0; i < N_FRAME_VERDICTS; i++)
		json_kv_uint(j, names[i], n->frames[i]);
	json_kv_uint(j, "octets", n->octets);
	json_kv_real(j, "seconds", (double)(n->last - n->first) / 1e9);
	json_kv_uint(j, "conns", n->conns);
	json_kv_uint(j, "conns_most", n->live_most);
	json_kv_uint(j, "doubles", n->doubles);
	json_kv_uint(j, "late", n->late);
	json_kv_uint(j, "stray", n->stray);
	json_kv_uint(j, "given_up", n->evicted);
	json_key(j, "damage");
	json_str(j, r->reading.damaged ? r->reading.damage.text : NULL);
	json_object_end(j);
}

static void summary(const struct pcap_run *r, const struct findings *f)
{
	struct json j;

	if (!r->cfg->json) {
		counts_text(r);
		report_services_text(r->out, &r->services, f, &r->style);
		return;
	}
	json_begin(&j, r->out, !r->cfg->conns);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	counts_json(&j, r);
	report_services_json(&j, &r->services, f);
	json_object_end(&j);
	json_end(&j);
}

static int verdict(const struct pcap_run *r, const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if ((unsigned)f->v[i].severity >= r->cfg->fail_on)
			return EXIT_FINDINGS;
	if (f->dropped && (unsigned)f->dropped_worst >= r->cfg->fail_on)
		return EXIT_FINDINGS;
	return r->reading.damaged || r->reading.back ? EXIT_INCOMPLETE : EXIT_FINE;
}

static int judge(struct pcap_run *r)
{
	const struct flows_counts *n = flows_counts(r->flows);
	struct findings f = {.v = NULL};
	int code;

	services_window(&r->services, n->first, n->last);
	if (r->err || causes_diagnose(&r->services, NULL, &f) != 0)
		return complain(EXIT_INTERNAL, "out of memory");
	if (r->reading.damaged)
		complain(EXIT_INCOMPLETE, "%s; what came before it counts", r->reading.damage.text);
	if (r->reading.back)
		complain(EXIT_INCOMPLETE,
			 "%s begins before %s ends: give files in the order in which they were captured",
			 r->reading.files[r->reading.back], r->reading.files[r->reading.back - 1]);
	summary(r, &f);
	code = verdict(r, &f);
	findings_done(&f);
	return code;
}

/* ---- one of them ---- */

static int ladder_frame(void *arg, enum link_type type, const struct raw_frame *raw)
{
	pcap_ladder_frame(arg, type, raw);
	return 0;
}

static int print_ladder(const struct pcap_run *r)
{
	const char *file = r->cfg->svg;
	bool written;
	FILE *f;

	if (!file) {
		pcap_ladder_print(r->ladder, r->out, false);
		return EXIT_FINE;
	}
	f = fopen(file, "w");
	if (!f)
		return complain(EXIT_INTERNAL, "--svg: %s: %s", file, strerror(errno));
	pcap_ladder_print(r->ladder, f, true);
	written = !ferror(f);
	if (fclose(f) || !written)
		return complain(EXIT_INTERNAL, "--svg: cannot write %s", file);
	return EXIT_FINE;
}

static int show_ladder(struct pcap_run *r, int argc, char *const *argv)
{
	int code;

	if (!r->ladder)
		return complain_usage("--ladder: no connection '%s' among the %llu of this capture; --conns lists them",
				      r->cfg->ladder, (unsigned long long)r->n);
	code = read_files(r, argc, argv, ladder_frame, r->ladder);
	return code ? code : print_ladder(r);
}

/* ---- the command ---- */

static int check(const struct pcap_cfg *c, int argc, char *const *argv, struct pcap_choice *choice)
{
	if (argc == 0)
		return complain_usage("which capture? FILE, or - for standard input");
	if (c->svg && !c->ladder)
		return complain_usage("--svg goes with --ladder");
	if (!c->ladder)
		return 0;
	if (c->json || c->conns)
		return complain_usage("--ladder and %s cannot be combined", c->json ? "--json" : "--conns");
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "-") == 0)
			return complain_usage("--ladder reads a capture twice: standard input cannot be");
	if (!pcap_choice_parse(c->ladder, choice))
		return complain_usage("--ladder: '%s' is neither a number nor ADDRESS:PORT", c->ladder);
	return 0;
}

static int look_through(struct pcap_run *r, int argc, char *const *argv)
{
	int code = read_files(r, argc, argv, on_frame, r);

	if (code)
		return code;
	flows_end(r->flows);
	return r->cfg->ladder ? show_ladder(r, argc, argv) : judge(r);
}

static void no_more(int signal) { (void)signal; }

/*
 * `tcpdump -w - | lastack pcap -`: ctrl-C is sent to both, ends the capture there, and what it was is to be told here. A
 * second one ends lastack.
 */
static void outlive_writer(int argc, char *const *argv)
{
	struct sigaction once = {.sa_handler = no_more, .sa_flags = SA_RESTART | (int)SA_RESETHAND};

	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "-") == 0)
			sigaction(SIGINT, &once, NULL);
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	const struct pcap_cfg *c = cfg;
	struct pcap_run r = {.cfg = c, .out = out, .style = look_style(out, c->verbose)};
	struct flows_cfg flows = {.done = on_conn, .arg = &r, .no_headers = c->no_headers};
	int code = check(c, argc, argv, &r.choice);

	if (code)
		return code;
	r.line_style = line_style(out, r.style);
	outlive_writer(argc, argv);
	if (getrandom(&flows.key, sizeof(flows.key), 0) != sizeof(flows.key))
		return complain(EXIT_INTERNAL, "getrandom: %s", strerror(errno));
	r.flows = flows_new(&flows);
	if (!r.flows)
		return complain(EXIT_INTERNAL, "out of memory");
	services_init(&r.services, flows.key.k1);
	code = look_through(&r, argc, argv);
	services_done(&r.services);
	pcap_ladder_free(r.ladder);
	flows_free(r.flows);
	return code;
}

const struct cmd cmd_pcap = {
	.name = "pcap",
	.args = "FILE...",
	.args_max = CMD_ARGS_ANY,
	.summary = "Say from captures who closed connections first, how and why",
	.description =
		"Reads captures (pcap or pcapng; Ethernet, Linux cooked, raw IP or loopback, VLAN tags) and tells for every "
		"service how its connections ended: who closed first, after how many requests, after how long an idle time, "
		"with which resets, and the cause as far as it can be known, with the setting to change. Several files are read "
		"as one capture that was cut into pieces. Nothing is sent and no privileges are needed.\n\n"
		"Packets may be cut short (tcpdump -s): HTTP/1 headers are read where they are there, and times and lengths do "
		"for the rest, so TLS is no obstacle; what cannot be decided without headers is said. A connection counts for the "
		"rules if its beginning and its end were captured. Packets captured twice (tcpdump -i any) count once. IP "
		"fragments are not put together, and tunnels are not looked into.\n\n"
		"Exit status: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage or no capture, 3 a file is damaged or "
		"out of order and nothing was found.",
	.examples = "lastack pcap web.pcap\n"
		    "    who closes, and why\n"
		    "sudo tcpdump -i any -s 256 -w - tcp port 443 | lastack pcap -\n"
		    "    on the way; ctrl-C ends it\n"
		    "lastack pcap web.pcap --conns --json | jq .conn\n"
		    "    every connection, for a program\n"
		    "lastack pcap web.pcap --ladder 10.0.0.1:40122 --svg conn.svg\n"
		    "    one connection, drawn\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct pcap_cfg),
	.run = run,
};

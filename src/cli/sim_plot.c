/* SPDX-License-Identifier: MIT */
#include "cli/sim_plot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/complain.h"
#include "report/svg.h"

enum { PAGE_WIDTH = 1280, ROW_HEIGHT = 300, HEAD = 56, MARGIN = 16, SAMPLE_MS = 20, RATE_MS = 500, LINES_MAX = 20 };
enum { PACKET = 1500, MSS = 1448 };
#define MBIT UINT64_C(1000000)
#define GOODPUT_SHARE 0.965 /* of what the link carries is payload: 1448 of 1500 octets */

static const struct scenario {
	const char *name, *title;
	struct transfer_cfg cfg;
} scenarios[] = {
	{"tail-drop",
	 "One flow, 100 Mbit/s, 40 ms, queue 500 kB: slow start, then an epoch from each tail drop to the next",
	 {.flows = 1, .length = 60 * NSEC_PER_S, .rate_bps = 100 * MBIT, .rtt = 40 * NSEC_PER_MS, .queue = 500000}},
	{"loss",
	 "One flow, 1 Gbit/s, 20 ms, 1 % of its packets lost at random",
	 {.flows = 1,
	  .length = 45 * NSEC_PER_S,
	  .rate_bps = 1000 * MBIT,
	  .rtt = 20 * NSEC_PER_MS,
	  .queue = 2500000,
	  .loss = 0.01}},
	{"fair-2",
	 "Two flows, 100 Mbit/s, 20 ms, queue 250 kB; the second begins 5 s later",
	 {.flows = 2,
	  .length = 60 * NSEC_PER_S,
	  .stagger = 5 * NSEC_PER_S,
	  .rate_bps = 100 * MBIT,
	  .rtt = 20 * NSEC_PER_MS,
	  .queue = 250000}},
	{"fair-10",
	 "Ten flows, 100 Mbit/s, 20 ms, queue 250 kB; one more every 500 ms",
	 {.flows = 10,
	  .length = 60 * NSEC_PER_S,
	  .stagger = NSEC_PER_S / 2,
	  .rate_bps = 100 * MBIT,
	  .rtt = 20 * NSEC_PER_MS,
	  .queue = 250000}},
	{"ecn",
	 "One flow with ECN, 100 Mbit/s, 40 ms, queue 500 kB that marks more and more packets above 200 kB: nothing is lost",
	 {.flows = 1,
	  .length = 60 * NSEC_PER_S,
	  .rate_bps = 100 * MBIT,
	  .rtt = 40 * NSEC_PER_MS,
	  .queue = 500000,
	  .mark_above = 200000}},
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]), FAIR_FROM_S = 15 };

/* ---- what is recorded ---- */

struct series {
	size_t n;
	double *x, *y;
};

struct record {
	size_t room; /* of each series */
	double *memory;
	struct series cwnd[TRANSFER_FLOWS_MAX], ssthresh[TRANSFER_FLOWS_MAX], rate[TRANSFER_FLOWS_MAX], queue;
	nsec_t rate_at[TRANSFER_FLOWS_MAX];
	uint64_t rate_octets[TRANSFER_FLOWS_MAX];
};

static void add(const struct record *r, struct series *s, nsec_t at, double y)
{
	must(s->n < r->room);
	s->x[s->n] = (double)at / NSEC_PER_S;
	s->y[s->n++] = y;
}

static void on_sample(void *arg, const struct transfer_sample *s)
{
	struct record *r = arg;
	unsigned i = s->flow;

	if (i == 0)
		add(r, &r->queue, s->at, (double)s->queue / PACKET);
	if (s->cwnd == 0)
		return;
	add(r, &r->cwnd[i], s->at, s->cwnd);
	if (s->ssthresh < INT32_MAX) /* before the first event there is none */
		add(r, &r->ssthresh[i], s->at, s->ssthresh);
	if (r->rate_at[i] == 0) {
		r->rate_at[i] = s->at;
		r->rate_octets[i] = s->delivered;
	} else if (s->at - r->rate_at[i] >= RATE_MS * NSEC_PER_MS) {
		double seconds = (double)(s->at - r->rate_at[i]) / NSEC_PER_S;

		add(r, &r->rate[i], s->at, (double)(s->delivered - r->rate_octets[i]) * 8 / seconds / 1e6);
		r->rate_at[i] = s->at;
		r->rate_octets[i] = s->delivered;
	}
}

static int record_begin(struct record *r, const struct transfer_cfg *cfg)
{
	struct series *all[3 * TRANSFER_FLOWS_MAX + 1];
	size_t n = 0;
	double *at;

	*r = (struct record){.room = (size_t)(cfg->length / cfg->every) + 2};
	for (unsigned i = 0; i < cfg->flows; i++) {
		all[n++] = &r->cwnd[i];
		all[n++] = &r->ssthresh[i];
		all[n++] = &r->rate[i];
	}
	all[n++] = &r->queue;
	r->memory = calloc(2 * n * r->room, sizeof(double));
	if (!r->memory)
		return -ENOMEM;
	at = r->memory;
	for (size_t i = 0; i < n; i++, at += 2 * r->room) {
		all[i]->x = at;
		all[i]->y = at + r->room;
	}
	return 0;
}

/* ---- charts ---- */

static const char *const colors[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
				     "#17becf", "#8c564b", "#e377c2", "#bcbd22", "#555555"};
static const char *color_of(unsigned flow) { return colors[flow % ARRAY_LEN(colors)]; }

static void add_line(struct svg_line *lines, size_t *n, const struct series *s, struct svg_line how)
{
	how.x = s->x;
	how.y = s->y;
	how.n = s->n;
	must(*n < LINES_MAX);
	lines[(*n)++] = how;
}

static void window_chart(FILE *f, const struct svg_box *at, const struct scenario *sc, const struct record *r)
{
	struct svg_line lines[LINES_MAX];
	const struct transfer_cfg *cfg = &sc->cfg;
	struct svg_chart c = {.title = "Congestion window",
			      .x_name = "time, s",
			      .y_name = "segments",
			      .x_max = (double)cfg->length / NSEC_PER_S,
			      .lines = lines};

	add_line(lines, &c.n_lines, &r->queue, (struct svg_line){.name = "queue", .color = "#dddddd"});
	for (unsigned i = 0; i < cfg->flows; i++) {
		const char *name = cfg->flows == 1 ? "cwnd" : NULL;
		static const char *const both[] = {"cwnd of flow 1", "of flow 2"};

		if (cfg->flows == 2)
			add_line(lines, &c.n_lines, &r->cwnd[i],
				 (struct svg_line){.name = both[i], .color = color_of(i), .width = 1.4});
		else
			add_line(lines, &c.n_lines, &r->cwnd[i],
				 (struct svg_line){.name = cfg->flows > 1 && i == 0 ? "cwnd of each flow" : name,
						   .color = color_of(i),
						   .width = cfg->flows > 1 ? 0.9 : 1.6});
	}
	if (cfg->flows == 1)
		add_line(lines, &c.n_lines, &r->ssthresh[0],
			 (struct svg_line){.name = "ssthresh", .color = "#d62728", .width = 1.2, .dashed = true});
	svg_chart(f, at, &c);
}

static void rate_chart(FILE *f, const struct svg_box *at, const struct scenario *sc, const struct record *r)
{
	const struct transfer_cfg *cfg = &sc->cfg;
	double rtt = (double)cfg->rtt / NSEC_PER_S, most = (double)cfg->rate_bps / 1e6 * GOODPUT_SHARE / cfg->flows;
	double level = cfg->loss > 0 ? transfer_cubic_model_bps(cfg->loss, rtt, MSS) / 1e6 : most;
	double ends[2] = {0, (double)cfg->length / NSEC_PER_S}, levels[2] = {level, level};
	struct series model = {2, ends, levels};
	struct svg_line lines[LINES_MAX];
	struct svg_chart c = {.title = "Goodput, means over 500 ms",
			      .x_name = "time, s",
			      .y_name = "Mbit/s",
			      .x_max = ends[1],
			      .lines = lines};

	for (unsigned i = 0; i < cfg->flows; i++)
		add_line(lines, &c.n_lines, &r->rate[i],
			 (struct svg_line){.name = i                ? NULL
						   : cfg->flows > 1 ? "each flow"
								    : "goodput",
					   .color = color_of(i),
					   .width = cfg->flows > 2 ? 0.9 : 1.6});
	add_line(lines, &c.n_lines, &model,
		 (struct svg_line){.name = cfg->loss > 0    ? "CUBIC's model, RFC 9438 5"
					   : cfg->flows > 1 ? "its share of the link"
							    : "what the link carries",
				   .color = "#222222",
				   .width = 1.2,
				   .dashed = true});
	svg_chart(f, at, &c);
}

static void row(FILE *f, unsigned number, const struct scenario *sc, const struct record *r,
		const struct transfer_result *res)
{
	double y = HEAD + (double)number * ROW_HEIGHT, half = (PAGE_WIDTH - 3.0 * MARGIN) / 2;
	struct svg_box left = {MARGIN, y + 30, half, ROW_HEIGHT - 38}, right = left;
	char text[256];

	right.x += half + MARGIN;
	snprintf(text, sizeof(text), "%c. %s", 'A' + (char)number, sc->title);
	svg_text(f, MARGIN + 8, y + 20, 15, text);
	if (sc->cfg.flows > 1)
		snprintf(text, sizeof(text), "%.2f Mbit/s, Jain's index %.4f", res->total_bps / 1e6, res->jain);
	else
		snprintf(text, sizeof(text), "%.2f Mbit/s", res->total_bps / 1e6);
	svg_text_right(f, PAGE_WIDTH - 2 * MARGIN, y + 20, 15, text);
	window_chart(f, &left, sc, r);
	rate_chart(f, &right, sc, r);
}

/* ---- figures ---- */

static double model_of(const struct transfer_cfg *c)
{
	return c->loss > 0 ? transfer_cubic_model_bps(c->loss, (double)c->rtt / NSEC_PER_S, MSS) / 1e6 : 0;
}

static void print_text(FILE *out, const struct transfer_result *res)
{
	fprintf(out, "%-10s %10s %10s %8s %8s %8s %8s %8s %9s\n", "", "Mbit/s", "model", "Jain", "packets", "dropped",
		"lost", "marked", "sent again");
	for (unsigned i = 0; i < N_SCENARIOS; i++) {
		const struct transfer_result *r = &res[i];
		char model[16] = "-";

		if (scenarios[i].cfg.loss > 0)
			snprintf(model, sizeof(model), "%.2f", model_of(&scenarios[i].cfg));
		fprintf(out, "%-10s %10.2f %10s %8.4f %8llu %8llu %8llu %8llu %9llu\n", scenarios[i].name,
			r->total_bps / 1e6, model, r->jain, (unsigned long long)r->sent, (unsigned long long)r->dropped,
			(unsigned long long)r->lost, (unsigned long long)r->marked,
			(unsigned long long)r->retransmitted);
	}
}

static void print_json(FILE *out, const struct transfer_result *res)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_key(&j, "scenarios");
	json_array(&j);
	for (unsigned i = 0; i < N_SCENARIOS; i++) {
		const struct transfer_result *r = &res[i];

		json_object(&j);
		json_kv_str(&j, "name", scenarios[i].name);
		json_kv_uint(&j, "flows", scenarios[i].cfg.flows);
		json_kv_real(&j, "mbit_per_s", r->total_bps / 1e6);
		json_kv_real(&j, "model_mbit_per_s", model_of(&scenarios[i].cfg));
		json_kv_real(&j, "jain", r->jain);
		json_kv_uint(&j, "packets", r->sent);
		json_kv_uint(&j, "dropped", r->dropped);
		json_kv_uint(&j, "lost", r->lost);
		json_kv_uint(&j, "marked", r->marked);
		json_kv_uint(&j, "retransmitted", r->retransmitted);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}

/* ---- the whole ---- */

static struct transfer_cfg whole(const struct scenario *sc, const struct transfer_cfg *wishes)
{
	struct transfer_cfg c = sc->cfg;

	c.seed = wishes->seed;
	c.n_set = wishes->n_set;
	memcpy(c.set, wishes->set, sizeof(c.set));
	c.buffer = 8 << 20;
	c.every = SAMPLE_MS * NSEC_PER_MS;
	c.counted_from = FAIR_FROM_S * NSEC_PER_S;
	return c;
}

static int one(FILE *svg, unsigned number, const struct transfer_cfg *wishes, struct transfer_result *ret)
{
	struct transfer_cfg cfg = whole(&scenarios[number], wishes);
	size_t size = transfer_size(&cfg);
	struct record r;
	struct transfer_ops ops = {&r, on_sample};
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = mem == MAP_FAILED ? -ENOMEM : record_begin(&r, &cfg);

	if (!err) {
		err = transfer_run(mem, &cfg, &ops, ret);
		if (!err)
			row(svg, number, &scenarios[number], &r, ret);
		free(r.memory);
	}
	if (mem != MAP_FAILED)
		munmap(mem, size);
	return err;
}

int sim_plot(FILE *svg, FILE *out, bool json, const struct transfer_cfg *wishes)
{
	struct transfer_result res[N_SCENARIOS];
	char head[160];

	snprintf(head, sizeof(head),
		 "lastack " LASTACK_VERSION ": long transfers over a bottleneck, in virtual time, seed %llu",
		 (unsigned long long)wishes->seed);
	svg_begin(svg, PAGE_WIDTH, HEAD + N_SCENARIOS * ROW_HEIGHT + MARGIN);
	svg_text(svg, MARGIN + 8, 34, 20, head);
	for (unsigned i = 0; i < N_SCENARIOS; i++) {
		int err = one(svg, i, wishes, &res[i]);

		if (err)
			return complain(EXIT_INTERNAL, "%s: %s", scenarios[i].name, strerror(-err));
	}
	svg_end(svg);
	if (json)
		print_json(out, res);
	else
		print_text(out, res);
	return EXIT_FINE;
}

/* SPDX-License-Identifier: MIT */
#include "cli/sim_show.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/text.h"

static const char *end_name(unsigned end)
{
	return end < N_EDGES ? edges[end].name : end == ENDED_RESTART ? "RESTART" : end == ENDED_LOST ? "LOST" : "NOT";
}

static unsigned edges_taken(const struct sim_totals *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_EDGES; i++)
		n += t->edge[i] > 0;
	return n;
}

struct command_text {
	char s[640];
};

/* The one command that plays the run again. */
static struct command_text replay(const struct sim_cfg *cfg, uint64_t seed)
{
	static const char *const faults[] = {"drawn", "none", "some", "all"};
	struct command_text t;
	size_t cap = sizeof(t.s);

	snprintf(t.s, cap, "lastack sim --seed %" PRIu64, seed);
	if (cfg->wishes.hosts)
		append(t.s, cap, " --hosts %u", cfg->wishes.hosts);
	if (cfg->wishes.policy >= 0)
		append(t.s, cap, " --policy %s", knob_word(KNOB_policy, cfg->wishes.policy));
	if (cfg->wishes.faults != SIM_FAULTS_DRAWN)
		append(t.s, cap, " --faults %s", faults[cfg->wishes.faults]);
	for (unsigned i = 0; i < cfg->wishes.n_set; i++)
		append(t.s, cap, "%s%s=%s", i ? "," : " --set '", cfg->wishes.set[i].name, cfg->wishes.set[i].value);
	append(t.s, cap, "%s --pcap failed.pcap", cfg->wishes.n_set ? "'" : "");
	return t;
}

/* ---- text ---- */

static void show_failure(FILE *out, const struct sim_cfg *cfg, const struct sim_jobs_result *r)
{
	const struct verdict *v = &r->failure.verdict;

	fprintf(out, "seed %" PRIu64 " failed\n", r->failure.seed);
	if (r->died_of) {
		fprintf(out, "  it ended by signal %d\n", r->died_of);
	} else {
		fprintf(out, "  rule     %s: %s\n", checkers[v->checker].name, checkers[v->checker].rule);
		fprintf(out, "  where    host %u", v->host + 1);
		if (v->local.port || v->remote.port)
			fprintf(out, ", %s to %s", endpoint_text(&v->local).s, endpoint_text(&v->remote).s);
		fprintf(out, ", at %.6f s\n  what     %s\n", (double)v->at / 1e9, v->why.text);
	}
	fprintf(out, "  again    %s\n", replay(cfg, r->failure.seed).s);
}

static void show_counts(FILE *out, const char *head, const char *const *names, const uint64_t *n, unsigned len)
{
	const char *sep = "";

	fprintf(out, "  %-12s ", head);
	for (unsigned i = 0; i < len; i++) {
		if (!n[i])
			continue;
		fprintf(out, "%s%s %s", sep, num(n[i]).s, names[i]);
		sep = ", ";
	}
	fputs(*sep ? "\n" : "none\n", out);
}

static void show_time_waits(FILE *out, const struct sim_totals *t)
{
	static const struct {
		unsigned end;
		const char *text;
	} rows[] = {{F5_20_2MSL, "by time"},      {TW_REOPEN, "by a SYN"},
		    {TW_CONNECT, "by connect()"}, {TW_RECYCLED, "for a newer one"},
		    {RST_TIME_WAIT, "by a RST"},  {ABORT_TIME_WAIT, "for want of room"}};

	fprintf(out, "  %-12s %s", "TIME_WAITs", num(t->edge[F5_17_FIN_WAIT_2_FIN] + t->edge[F5_18_CLOSING_ACKED]).s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (t->tw_ends[rows[i].end])
			fprintf(out, "%s %s %s", i ? "," : "; ended:", num(t->tw_ends[rows[i].end]).s, rows[i].text);
	fputc('\n', out);
}

static void show_edges(FILE *out, const struct sim_totals *t)
{
	unsigned taken = edges_taken(t);
	const char *sep = "; not: ";
	bool few = N_EDGES - taken <= 12; /* one run takes a few only: then a list says nothing */

	fprintf(out, "  %-12s %u of %u taken", "edges", taken, (unsigned)N_EDGES);
	for (unsigned i = 0; i < N_EDGES; i++)
		if (!t->edge[i] && few) {
			fprintf(out, "%s%s", sep, edges[i].name);
			sep = ", ";
		}
	fputc('\n', out);
}

static void show_success(FILE *out, uint64_t seed, uint64_t runs)
{
	if (runs == 1)
		fprintf(out, "1 run, seed %" PRIu64 ": every rule held\n", seed);
	else
		fprintf(out, "%s runs, seeds %" PRIu64 " to %" PRIu64 ": every rule held\n", num(runs).s, seed,
			seed + runs - 1);
}

void sim_show_text(FILE *out, const struct sim_cfg *cfg, uint64_t runs, const struct sim_jobs_result *r)
{
	const struct sim_totals *t = &r->sum;

	if (r->failed)
		show_failure(out, cfg, r);
	else
		show_success(out, cfg->seed, runs);
	if (!t->runs)
		return;
	fprintf(out, "  %-12s %s opened, %s accepted, %s without a port; %s carried\n", "connections",
		num(t->connects).s, num(t->accepts).s, num(t->no_port).s, bytes_text(t->payload).s);
	show_counts(out, "closed", ending_names, t->closes, N_ENDINGS);
	show_time_waits(out, t);
	fprintf(out, "  %-12s %s sent, %s arrived\n", "packets", num(t->packets).s, num(t->delivered).s);
	show_counts(out, "faults", fault_names, t->fault, N_FAULTS);
	show_edges(out, t);
	fprintf(out, "  %-12s %s of virtual time", "time", seconds_text((double)t->time / 1e9).s);
	if (r->seconds > 0)
		fprintf(out, " in %s, %s runs/s", seconds_text(r->seconds).s,
			rate_text((double)t->runs / r->seconds).s);
	fputc('\n', out);
}

/* ---- JSON ---- */

static void json_failure(struct json *j, const struct sim_cfg *cfg, const struct sim_jobs_result *r)
{
	const struct verdict *v = &r->failure.verdict;

	json_key(j, "failure");
	if (!r->failed) {
		json_null(j);
		return;
	}
	json_object(j);
	json_kv_uint(j, "seed", r->failure.seed);
	json_kv_int(j, "signal", r->died_of);
	if (!r->died_of) {
		json_kv_str(j, "checker", checkers[v->checker].name);
		json_kv_str(j, "rule", checkers[v->checker].rule);
		json_kv_str(j, "text", v->why.text);
		json_kv_uint(j, "host", v->host + 1U);
		json_kv_str(j, "local", endpoint_text(&v->local).s);
		json_kv_str(j, "remote", endpoint_text(&v->remote).s);
		json_kv_real(j, "at_s", (double)v->at / 1e9);
	}
	json_kv_str(j, "replay", replay(cfg, r->failure.seed).s);
	json_object_end(j);
}

static void json_counts(struct json *j, const char *key, const char *const *names, const uint64_t *n, unsigned len)
{
	json_key(j, key);
	json_object(j);
	for (unsigned i = 0; i < len; i++)
		json_kv_uint(j, names[i], n[i]);
	json_object_end(j);
}

static void json_ends(struct json *j, const char *key, const uint64_t *n)
{
	json_key(j, key);
	json_object(j);
	for (unsigned i = 0; i < N_ENDS; i++)
		if (n[i])
			json_kv_uint(j, end_name(i), n[i]);
	json_object_end(j);
}

static void json_edges(struct json *j, const struct sim_totals *t)
{
	json_key(j, "edges");
	json_object(j);
	for (unsigned i = 0; i < N_EDGES; i++)
		json_kv_uint(j, edges[i].name, t->edge[i]);
	json_object_end(j);
}

void sim_show_json(FILE *out, const struct sim_cfg *cfg, uint64_t runs, const struct sim_jobs_result *r)
{
	const struct sim_totals *t = &r->sum;
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_uint(&j, "schema", 1);
	json_kv_uint(&j, "seed", cfg->seed);
	json_kv_uint(&j, "runs", runs);
	json_kv_uint(&j, "runs_done", t->runs);
	json_failure(&j, cfg, r);
	json_kv_uint(&j, "connects", t->connects);
	json_kv_uint(&j, "accepts", t->accepts);
	json_kv_uint(&j, "no_port", t->no_port);
	json_kv_uint(&j, "payload_bytes", t->payload);
	json_kv_uint(&j, "socket_errors", t->errors);
	json_kv_uint(&j, "packets", t->packets);
	json_kv_uint(&j, "packets_arrived", t->delivered);
	json_kv_uint(&j, "events", t->events);
	json_kv_uint(&j, "old_octets", t->old_octets);
	json_counts(&j, "closes", ending_names, t->closes, N_ENDINGS);
	json_counts(&j, "faults", fault_names, t->fault, N_FAULTS);
	json_ends(&j, "connection_ends", t->ends);
	json_ends(&j, "time_wait_ends", t->tw_ends);
	json_edges(&j, t);
	json_kv_uint(&j, "edges_taken", edges_taken(t));
	json_kv_real(&j, "virtual_s", (double)t->time / 1e9);
	json_kv_real(&j, "seconds", r->seconds);
	json_object_end(&j);
	json_end(&j);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/bulk.h"
#include "cli/churn.h"
#include "cli/cmds.h"
#include "cli/complain.h"
#include "cli/goodput.h"
#include "lab/kernel_bulk.h"

enum { ROWS_MAX = 16, BATCHES = 161, BATCH = 2500, WARM = 1000, FEW = 50, TIME_WAIT_MAX = 60000000 };
enum { PORT_SAMPLES = 2000, PORT_BATCH = 8, RANGE = 65535 - 1024 + 1 };
enum { BULK_BATCHES = 41, BULK_BATCH = 32 << 20 };

struct bench_cfg {
	bool json, ipv6, no_timestamps;
	uint32_t buffer, kernel_seconds;
	const char *time_wait;
};

static const struct bench_cfg defaults = {
	.time_wait = "0,1000,100000,1000000,10000000", .buffer = BULK_BUFFER_DEFAULT, .kernel_seconds = 60};

static const struct opt opts[] = {
	{.name = "json", .letter = 'j', OPT_IS_FLAG(struct bench_cfg, json), .help = "print one JSON document"},
	{.name = "time-wait",
	 OPT_IS_STRING(struct bench_cfg, time_wait),
	 .metavar = "N,N,...",
	 .help = "churn: how many TIME_WAITs to hold meanwhile; 40 octets each"},
	{.name = "buffer",
	 OPT_IS_U32(struct bench_cfg, buffer, 2048, 1 << 30),
	 .metavar = "OCTETS",
	 .help = "bulk: each end's buffer, a power of two"},
	{.name = "no-timestamps",
	 OPT_IS_FLAG(struct bench_cfg, no_timestamps),
	 .help = "bulk: without RFC 7323 timestamps"},
	{.name = "kernel-seconds",
	 OPT_IS_U32(struct bench_cfg, kernel_seconds, 0, KERNEL_BULK_SECONDS_MAX),
	 .metavar = "S",
	 .help = "goodput: how long the kernel's own transfer runs, in real time (root); 0: leave it out"},
	{.name = "ipv6", .letter = '6', OPT_IS_FLAG(struct bench_cfg, ipv6), .help = "over IPv6"},
	{.type = OPT_END},
};

struct row {
	uint32_t time_wait;
	double connections_per_s, bytes_per_entry, rates[BATCHES];
	struct churn c;
};

/* CPU time of this process: what other processes take away on a busy machine does not count. */
static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double wall_seconds(void) /* no system call: for a microsecond or less */
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static int batch_holding(struct churn *c, size_t n, double *ret_rate)
{
	double start = cpu_seconds();
	int err = churn_many(c, n);

	*ret_rate = (double)n / (cpu_seconds() - start);
	return err;
}

/* As the peers are measured: few connections at a time; their TIME_WAITs, made in that time, are ended outside of it. */
static int batch_of_none(struct churn *c, size_t n, double *ret_rate)
{
	double took = 0;
	int err = 0;

	for (size_t done = 0; done < n && !err; done += FEW) {
		double start = cpu_seconds();

		err = churn_many(c, FEW);
		took += cpu_seconds() - start;
		churn_expire(c);
	}
	*ret_rate = (double)n / took;
	return err;
}

/* An engine whose store is filled to its steady state: from here on a connection makes one record and one expires. */
static int prepare_row(struct row *r, const struct bench_cfg *cfg, struct why *w)
{
	struct churn_cfg cc = {.time_wait = r->time_wait, .ipv6 = cfg->ipv6};
	int err = churn_init(&r->c, &cc, w);

	if (err)
		return err;
	if (r->time_wait)
		err = churn_many(&r->c, (uint64_t)r->time_wait + BATCH);
	if (!err)
		return 0;
	churn_done(&r->c);
	return why_errno(w, -err, "connection %llu", (unsigned long long)r->c.done);
}

/* A batch, after some that do not count: the other rows have had the caches meanwhile. */
static int measure_batch(struct row *r, size_t round, struct why *w)
{
	static const size_t lengths[] = {WARM, BATCH};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(lengths) && !err; i++)
		err = r->time_wait ? batch_holding(&r->c, lengths[i], &r->rates[round])
				   : batch_of_none(&r->c, lengths[i], &r->rates[round]);
	return err ? why_errno(w, -err, "connection %llu", (unsigned long long)r->c.done) : 0;
}

static int finish_row(struct row *r, struct why *w)
{
	struct la_usage use;

	la_usage(r->c.e, &use);
	if (use.time_wait4 + use.time_wait6 + 1 + r->time_wait / 1000 < r->time_wait) /* time is counted in ms */
		return why_errno(w, EPROTO, "only %u records are held", use.time_wait4 + use.time_wait6);
	r->bytes_per_entry = r->time_wait ? (double)(r->c.mem_size - r->c.bare_size) / r->time_wait : 0;
	return 0;
}

/*
 * The rows take turns, a batch each: what the machine does meanwhile happens to all of them. The first row's rate is the median of
 * its batches, that of another the same times the median of what its batches were of the first row's in the same turn: where
 * the machine has two speeds, two medians may be of different ones.
 */
static void settle_rates(struct row *rows, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		double ratios[BATCHES];

		for (size_t j = 0; j < BATCHES; j++)
			ratios[j] = rows[i].rates[j] / rows[0].rates[j];
		rows[i].connections_per_s = median(ratios, BATCHES);
	}
	rows[0].connections_per_s = median(rows[0].rates, BATCHES);
	for (size_t i = 1; i < n; i++)
		rows[i].connections_per_s *= rows[0].connections_per_s;
}

static int measure_churn(const struct bench_cfg *cfg, struct row *rows, size_t n, struct why *w)
{
	size_t ready = 0;
	int err = 0;

	for (; ready < n && !err; ready += !err)
		err = prepare_row(&rows[ready], cfg, w);
	for (size_t i = 0; i < BATCHES * n && !err; i++)
		err = measure_batch(&rows[i % n], i / n, w);
	for (size_t i = 0; i < n && !err; i++)
		err = finish_row(&rows[i], w);
	if (!err)
		settle_rates(rows, n);
	for (size_t i = 0; i < ready; i++)
		churn_done(&rows[i].c);
	return err;
}

static int parse_list(const char *text, uint32_t *list, size_t *ret_n)
{
	*ret_n = 0;
	for (const char *p = text; *p; p++) {
		char *end;
		unsigned long v = strtoul(p, &end, 10);

		if (end == p || (*end && *end != ',') || v > TIME_WAIT_MAX || *ret_n == ROWS_MAX)
			return -EINVAL;
		list[(*ret_n)++] = (uint32_t)v;
		p = end;
		if (!*p)
			break;
	}
	return *ret_n ? 0 : -EINVAL;
}

static void print_churn(FILE *out, const struct row *rows, size_t n)
{
	fprintf(out, "%12s  %14s  %12s  %12s\n", "TIME_WAIT", "connections/s", "of the first", "octets each");
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%12s  %14s  %12s  ", num(rows[i].time_wait).s, num((uint64_t)rows[i].connections_per_s).s,
			percent_text(rows[i].connections_per_s, rows[0].connections_per_s).s);
		if (rows[i].time_wait)
			fprintf(out, "%12.1f\n", rows[i].bytes_per_entry);
		else
			fprintf(out, "%12s\n", "-");
	}
}

static int run_churn(const struct bench_cfg *cfg, FILE *out)
{
	static struct row rows[ROWS_MAX];
	uint32_t list[ROWS_MAX];
	struct why w = {""};
	struct json j;
	size_t n;

	if (parse_list(cfg->time_wait, list, &n))
		return complain_usage("--time-wait takes up to %d numbers of at most %d, as in 0,1000,100000", ROWS_MAX,
				      TIME_WAIT_MAX);
	for (size_t i = 0; i < n; i++)
		rows[i].time_wait = list[i];
	if (measure_churn(cfg, rows, n, &w))
		return complain(EXIT_INTERNAL, "%s", w.text);
	if (!cfg->json) {
		print_churn(out, rows, n);
		return EXIT_FINE;
	}
	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_key(&j, "rows");
	json_array(&j);
	for (size_t i = 0; i < n; i++) {
		json_object(&j);
		json_kv_uint(&j, "time_wait", rows[i].time_wait);
		json_kv_real(&j, "connections_per_s", rows[i].connections_per_s);
		json_kv_real(&j, "bytes_per_entry", rows[i].bytes_per_entry);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
	return EXIT_FINE;
}

/* Median ns of one la_connect() while `held` ports of one destination are in TIME_WAIT. */
static int measure_connect(struct churn *c, uint32_t held, double *ret_ns)
{
	static double samples[PORT_SAMPLES];
	uint32_t room = RANGE - held;
	size_t batch = room == 0 || room > PORT_BATCH ? PORT_BATCH : room;
	struct la_endpoint to = churn_destination(c);
	la_sock s[PORT_BATCH];

	for (size_t i = 0; i < PORT_SAMPLES; i++) {
		int wanted = room ? -EINPROGRESS : -EADDRNOTAVAIL, said = wanted;
		double start;

		for (size_t j = 0; j < batch; j++)
			s[j] = churn_socket(c);
		start = wall_seconds();
		for (size_t j = 0; j < batch && said == wanted; j++)
			said = la_connect(c->e, s[j], &to);
		samples[i] = (wall_seconds() - start) / (double)batch * 1e9;
		for (size_t j = 0; j < batch; j++)
			la_close(c->e, s[j]);
		if (said != wanted)
			return said ? said : -EPROTO;
	}
	*ret_ns = median(samples, PORT_SAMPLES);
	return 0;
}

static const double port_uses[] = {0, 50, 90, 99, 99.9, 100};

static void print_ports(FILE *out, bool as_json, const double *ns)
{
	struct json j;

	if (!as_json) {
		fprintf(out, "%8s  %10s\n", "in use", "connect()");
		for (size_t i = 0; i < ARRAY_LEN(port_uses); i++)
			fprintf(out, "%6g %%  %7.0f ns%s\n", port_uses[i], ns[i],
				port_uses[i] < 100 ? "" : "  EADDRNOTAVAIL");
		return;
	}
	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_key(&j, "rows");
	json_array(&j);
	for (size_t i = 0; i < ARRAY_LEN(port_uses); i++) {
		json_object(&j);
		json_kv_real(&j, "in_use_percent", port_uses[i]);
		json_kv_real(&j, "connect_ns", ns[i]);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}

static int run_ports(const struct bench_cfg *cfg, FILE *out)
{
	struct churn_cfg cc = {.time_wait = RANGE, .ipv6 = cfg->ipv6, .one_destination = true};
	double ns[ARRAY_LEN(port_uses)];
	struct why w = {""};
	struct churn c;
	uint32_t held = 0;
	int err = churn_init(&c, &cc, &w);

	if (err)
		return complain(EXIT_INTERNAL, "%s", w.text);
	for (size_t i = 0; i < ARRAY_LEN(port_uses) && !err; i++) {
		for (; held < (uint32_t)(RANGE * port_uses[i] / 100) && !err; held++)
			err = churn_one(&c);
		if (!err)
			err = measure_connect(&c, held, &ns[i]);
	}
	churn_done(&c);
	if (err)
		return complain(EXIT_INTERNAL, "with %u ports in use: %s", held, strerror(-err));
	print_ports(out, cfg->json, ns);
	return EXIT_FINE;
}

/* ---- bulk ---- */

static int measure_bulk(struct bulk *b, double *ret_rate)
{
	double rates[BULK_BATCHES];
	int err = bulk_move(b, BULK_BATCH); /* slow start and cold caches */

	for (size_t i = 0; i < BULK_BATCHES && !err; i++) {
		double start = cpu_seconds();

		err = bulk_move(b, BULK_BATCH);
		rates[i] = BULK_BATCH / (cpu_seconds() - start) / 1e9;
	}
	*ret_rate = err ? 0 : median(rates, BULK_BATCHES);
	return err;
}

static int run_bulk(const struct bench_cfg *cfg, FILE *out)
{
	struct bulk_cfg bc = {.buffer = cfg->buffer, .ipv6 = cfg->ipv6, .timestamps = !cfg->no_timestamps};
	struct why w = {""};
	double rate, packets;
	struct bulk b;
	struct json j;

	if (bulk_init(&b, &bc, &w))
		return complain(EXIT_INTERNAL, "%s", w.text);
	if (measure_bulk(&b, &rate)) {
		bulk_done(&b);
		return complain(EXIT_INTERNAL, "after %llu octets nothing arrives any more",
				(unsigned long long)b.read);
	}
	packets = (double)b.packets / ((double)b.read / BULK_SEGMENT);
	bulk_done(&b);
	if (!cfg->json) {
		fprintf(out, "%.2f GB/s of payload, segments of %d octets, %.2f packets a segment\n", rate,
			BULK_SEGMENT, packets);
		return EXIT_FINE;
	}
	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_kv_real(&j, "gigabytes_per_s", rate);
	json_kv_real(&j, "packets_per_segment", packets);
	json_kv_uint(&j, "buffer", cfg->buffer);
	json_object_end(&j);
	json_end(&j);
	return EXIT_FINE;
}

static int run(const void *cfg, int argc, char *const *argv, FILE *out)
{
	if (argc == 1 && strcmp(argv[0], "bulk") == 0)
		return run_bulk(cfg, out);
	if (argc == 1 && strcmp(argv[0], "goodput") == 0)
		return goodput_run(out, ((const struct bench_cfg *)cfg)->json,
				   ((const struct bench_cfg *)cfg)->kernel_seconds);
	if (argc == 1 && strcmp(argv[0], "churn") == 0)
		return run_churn(cfg, out);
	if (argc == 1 && strcmp(argv[0], "ports") == 0)
		return run_ports(cfg, out);
	return complain_usage("say what to measure: lastack bench bulk, churn, goodput or ports");
}

const struct cmd cmd_bench = {
	.name = "bench",
	.args = "bulk|churn|goodput|ports",
	.summary = "Measure the engine: octets and connections a second, and what choosing a port costs",
	.description =
		"bulk: one engine talks to itself over IP packets in memory, on one core: one connection, one end writes all it "
		"can, the other reads all there is; segments of 1460 octets, checksums and timestamps on. CPU time, median of 41 "
		"batches of 32 MiB.\n\n"
		"churn: one engine talks to itself over IP packets in memory, on one core: connect, one octet, its echo, the "
		"client closes first, the server closes. Checksums, timestamps, PAWS, RFC 5961 and real initial sequence "
		"numbers are on. While it runs as many TIME_WAITs are held as asked: each connection leaves one and one "
		"expires, in virtual time; with 0, those of 50 connections at a time are ended outside the time that is measured, as for the peers. CPU time, medians of 21 batches.\n\n"
		"goodput: one flow in simulation, 1 Gbit/s, 20 ms, 1 % of its packets lost at random, beside CUBIC's model and beside "
		"this kernel over the same network (network namespaces with a relay between them, in real time); and how fairly "
		"2 and 10 flows share 100 Mbit/s.\n\n"
		"ports: what one la_connect() costs while part of the 64,512 ports of one destination is in TIME_WAIT; at "
		"100 % it fails with EADDRNOTAVAIL.",
	.examples = "lastack bench bulk\n"
		    "    how many octets a second go through one connection\n"
		    "lastack bench churn --time-wait 0,1000000\n"
		    "    what a million TIME_WAITs cost\n"
		    "lastack bench goodput --kernel-seconds 0\n"
		    "    simulation and model alone, without root\n"
		    "lastack bench ports\n"
		    "    what choosing a port costs as ports run out\n",
	.opts = opts,
	.defaults = &defaults,
	.cfg_size = sizeof(struct bench_cfg),
	.args_max = 1,
	.run = run,
};

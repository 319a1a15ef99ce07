/* SPDX-License-Identifier: MIT */
#include "cli/goodput.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/json.h"
#include "cli/complain.h"
#include "lab/kernel_bulk.h"
#include "sim/transfer.h"

enum { SEEDS = 15, MSS = 1448 };

static const struct transfer_cfg lossy = {
	.flows = 1,
	.length = 120 * NSEC_PER_S,
	.counted_from = 5 * NSEC_PER_S,
	.rate_bps = UINT64_C(1000000000),
	.rtt = 20 * NSEC_PER_MS,
	.queue = 2500000,
	.loss = 0.01,
	.buffer = 8 << 20,
};

static const struct transfer_cfg shared = {
	.seed = 1,
	.length = 120 * NSEC_PER_S,
	.stagger = NSEC_PER_S / 2,
	.counted_from = 20 * NSEC_PER_S,
	.rate_bps = UINT64_C(100000000),
	.rtt = 20 * NSEC_PER_MS,
	.queue = 250000,
	.buffer = 8 << 20,
};

static const unsigned flows[] = {2, 10};

struct figures { /* bits a second */
	double model, kernel, simulated, lowest, highest;
	double jain[ARRAY_LEN(flows)];
	bool has_kernel;
	struct why why; /* why there is no kernel */
};

static int transfer(const struct transfer_cfg *cfg, struct transfer_result *ret)
{
	size_t size = transfer_size(cfg);
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (mem == MAP_FAILED)
		return -errno;
	err = transfer_run(mem, cfg, NULL, ret);
	munmap(mem, size);
	return err;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int simulate(struct figures *f)
{
	double rates[SEEDS];
	struct transfer_result r = {0};
	int err = 0;

	for (unsigned i = 0; i < SEEDS && !err; i++) {
		struct transfer_cfg cfg = lossy;

		cfg.seed = i + 1;
		err = transfer(&cfg, &r);
		rates[i] = r.total_bps;
	}
	for (size_t i = 0; i < ARRAY_LEN(flows) && !err; i++) {
		struct transfer_cfg cfg = shared;

		cfg.flows = flows[i];
		err = transfer(&cfg, &r);
		f->jain[i] = r.jain;
	}
	if (err)
		return err;
	qsort(rates, SEEDS, sizeof(rates[0]), by_value);
	f->lowest = rates[0];
	f->simulated = rates[SEEDS / 2];
	f->highest = rates[SEEDS - 1];
	f->model = transfer_cubic_model_bps(lossy.loss, (double)lossy.rtt / NSEC_PER_S, MSS);
	return 0;
}

static void ask_kernel(struct figures *f, uint32_t seconds)
{
	struct kernel_bulk_cfg cfg = {.loss = lossy.loss,
				      .rtt = lossy.rtt,
				      .rate_bps = lossy.rate_bps,
				      .queue_bytes = lossy.queue,
				      .seconds = seconds,
				      .seed = 1,
				      .flows = 1,
				      .congestion = "cubic"};
	struct kernel_bulk_result r;

	if (seconds == 0) {
		why_set(&f->why, "not asked for");
		return;
	}
	f->has_kernel = kernel_bulk(&cfg, &r, &f->why) == 0;
	f->kernel = f->has_kernel ? r.goodput_bps : 0;
}

static double better(const struct figures *f) { return f->has_kernel && f->kernel > f->model ? f->kernel : f->model; }

static void print_text(FILE *out, const struct figures *f, uint32_t seconds)
{
	fprintf(out, "One flow, 1 %% of its packets lost at random, 20 ms, 1 Gbit/s\n");
	fprintf(out, "  CUBIC's model, RFC 9438 5       %6.2f Mbit/s\n", f->model / 1e6);
	if (f->has_kernel)
		fprintf(out, "  this kernel, CUBIC, %3u s       %6.2f Mbit/s\n", seconds, f->kernel / 1e6);
	else
		fprintf(out, "  this kernel, CUBIC                  -  (%s)\n", f->why.text);
	fprintf(out, "  lastack in simulation           %6.2f Mbit/s, median of %d seeds (%.2f to %.2f)\n",
		f->simulated / 1e6, SEEDS, f->lowest / 1e6, f->highest / 1e6);
	fprintf(out, "  lastack / the better of these   %6.3f (wanted at least 0.9)\n", f->simulated / better(f));
	fprintf(out, "Jain's index of flows over 100 Mbit/s, 20 ms, a queue of 250 kB (wanted above 0.95)\n");
	for (size_t i = 0; i < ARRAY_LEN(flows); i++)
		fprintf(out, "  %2u flows                        %6.4f\n", flows[i], f->jain[i]);
}

static void print_json(FILE *out, const struct figures *f)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_kv_real(&j, "model_mbit_per_s", f->model / 1e6);
	if (f->has_kernel)
		json_kv_real(&j, "kernel_mbit_per_s", f->kernel / 1e6);
	json_kv_real(&j, "lastack_mbit_per_s", f->simulated / 1e6);
	json_kv_real(&j, "lastack_of_the_better", f->simulated / better(f));
	json_key(&j, "fairness");
	json_array(&j);
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		json_object(&j);
		json_kv_uint(&j, "flows", flows[i]);
		json_kv_real(&j, "jain", f->jain[i]);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
}

int goodput_run(FILE *out, bool as_json, uint32_t kernel_seconds)
{
	struct figures f = {0};
	int err = simulate(&f);

	if (err)
		return complain(EXIT_INTERNAL, "a transfer failed: %s", strerror(-err));
	ask_kernel(&f, kernel_seconds);
	if (as_json)
		print_json(out, &f);
	else
		print_text(out, &f, kernel_seconds);
	return EXIT_FINE;
}

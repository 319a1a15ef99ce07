/* SPDX-License-Identifier: MIT */
/*
 * fuzz_saved.c - any bytes as a file for --from. What is accepted must come back from a second reading with the same
 * bytes, and every rule and every report must survive it.
 */
#include "diag/rule.h"
#include "obs/saved.h"
#include "report/report.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	char *data;
	size_t len;
};

static struct bytes written(const struct observation *o)
{
	struct bytes b = {NULL, 0};
	FILE *f = open_memstream(&b.data, &b.len);

	must(f);
	must(saved_write(f, o, NULL) == 0);
	fclose(f);
	return b;
}

static void check_round_trip(const struct observation *o)
{
	struct observation again = {.n = 0};
	struct bytes first = written(o), second;
	struct why w = {""};

	must(saved_read(first.data, first.len, &again, &w) == 0);
	second = written(&again);
	must(first.len == second.len);
	must(memcmp(first.data, second.data, first.len) == 0);
	free(first.data);
	free(second.data);
	observation_done(&again);
}

static void report(const struct observation *o, FILE *out)
{
	const struct style narrow = {.width = 40}, verbose = {.colour = true, .verbose = true, .width = 120};
	struct findings f = {.n = 0};

	must(diagnose(o, NULL, &f) == 0);
	report_doctor_text(out, o, &f, &narrow);
	report_doctor_text(out, o, &f, &verbose);
	report_doctor_json(out, o, &f);
	report_status_text(out, o, &verbose);
	report_status_json(out, o);
	report_states(out, o);
	findings_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *out;
	struct observation o = {.n = 0};
	char *copy = malloc(size ? size : 1); /* exactly as long: reading past it is seen */
	struct why w = {""};

	if (!out)
		out = fopen("/dev/null", "w");
	must(out && copy);
	if (size)
		memcpy(copy, data, size);
	if (saved_read(copy, size, &o, &w) == 0) {
		check_round_trip(&o);
		report(&o, out);
		observation_done(&o);
	} else {
		must(w.text[0] != '\0');
		must(o.n == 0);
	}
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* golden.h - text against files of tests/golden. A change shows up as a diff there: LASTACK_GOLDEN_UPDATE=1 writes them anew. */
#pragma once
#include "tests/unit/t.h"

#include <errno.h>
#include <stdlib.h>

#include "report/lines.h"

static inline char *read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &len, 0, in) < 0) {
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

static inline void check(const char *name, const char *text)
{
	char path[512];
	char *golden;

	snprintf(path, sizeof(path), GOLDEN_DIR "/%s", name);
	if (getenv("LASTACK_GOLDEN_UPDATE")) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fputs(text, out);
		assert_int_equal(fclose(out), 0);
	}
	golden = read_file(path);
	if (!golden)
		fail_msg("%s: %s", path, strerror(errno));
	assert_string_equal(text, golden);
	free(golden);
}

static inline void check_fits_a_screen(const char *text)
{
	unsigned lines = 0;

	for (const char *p = text; *p; lines++) {
		size_t len = strcspn(p, "\n");
		char line[512];

		assert_true(len < sizeof(line));
		snprintf(line, sizeof(line), "%.*s", (int)len, p);
		if (columns_of(line) > 80)
			fail_msg("%zu columns: %s", columns_of(line), line);
		p += len + (p[len] == '\n');
	}
	if (lines > 24)
		fail_msg("%u lines:\n%s", lines, text);
}

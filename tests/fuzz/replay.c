/* SPDX-License-Identifier: MIT */
/*
 * replay.c - runs a fuzz target over the files of the folders that are its arguments, with any compiler. A crash, a
 * failed must() or a sanitizer's report ends it; so does a folder without files, since then nothing was tested.
 */
#include "base/base.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *dir, const char *name)
{
	static uint8_t data[INPUT_MAX];
	char path[4096];
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	fprintf(stderr, "%s\n", path); /* the last line before a crash names its input */
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

static int run_folder(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	unsigned n = 0;
	int failed = 0;

	if (!dir) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		failed |= run_file(path, e->d_name);
		n++;
	}
	closedir(dir);
	printf("%s: %u inputs\n", path, n);
	return failed || n == 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++)
		failed |= run_folder(argv[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

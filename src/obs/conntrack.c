/* SPDX-License-Identifier: MIT */
#include "obs/conntrack.h"
#include <errno.h>
#include <stdlib.h>

#include "obs/procfile.h"

enum { COLUMNS_MAX = 64 };

bool conntrack_stat_parse(const char *text, struct conntrack *ret)
{
	const struct {
		const char *name;
		uint64_t *to;
	} want[] = {{"insert_failed", &ret->insert_failed},
		    {"drop", &ret->drop},
		    {"early_drop", &ret->early_drop},
		    {"found", &ret->found}};
	uint64_t *column[COLUMNS_MAX] = {NULL}, v;
	char line[1024], word[32];
	const char *cursor = line;
	bool rows = false;

	if (!next_line(&text, line, sizeof(line)))
		return false;
	for (size_t i = 0; i < COLUMNS_MAX && next_word(&cursor, word, sizeof(word)); i++)
		for (size_t k = 0; k < ARRAY_LEN(want); k++)
			if (strcmp(word, want[k].name) == 0)
				column[i] = want[k].to;
	while (next_line(&text, line, sizeof(line))) {
		cursor = line;
		for (size_t i = 0; i < COLUMNS_MAX && next_word(&cursor, word, sizeof(word)); i++) {
			if (!word_uint(word, 16, &v))
				break;
			rows = true;
			if (column[i])
				*column[i] += v;
		}
	}
	return rows;
}

static int number_read(const char *path, uint64_t *ret)
{
	char text[32], word[24];
	const char *cursor = text;
	ssize_t n = procfile_read(-1, path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	return next_word(&cursor, word, sizeof(word)) && word_uint(word, 10, ret) ? 0 : -EINVAL;
}

int conntrack_read(struct conntrack *ret, bool *stats)
{
	int err = number_read("/proc/sys/net/netfilter/nf_conntrack_count", &ret->count);
	char *text;

	*stats = false;
	if (err < 0)
		return err;
	err = number_read("/proc/sys/net/netfilter/nf_conntrack_max", &ret->max);
	if (err < 0)
		return err;
	ret->known = true;
	text = procfile_all("/proc/thread-self/net/stat/nf_conntrack", &err);
	*stats = text && conntrack_stat_parse(text, ret);
	free(text);
	ret->active = ret->count || ret->insert_failed || ret->drop || ret->early_drop || ret->found;
	return 0;
}

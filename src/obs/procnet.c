/* SPDX-License-Identifier: MIT */
#include "obs/procnet.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "obs/procfile.h"

static int counter_add(struct counters *c, const char *group, const char *name, uint64_t value)
{
	bool bare = strcmp(group, "TcpExt") == 0 || strcmp(group, "IpExt") == 0;
	struct counter row = {.value = value};
	void *v = c->v;
	int n = snprintf(row.name, sizeof(row.name), bare ? "%s%s" : "%s.%s", bare ? "" : group, name);

	if (n < 0 || (size_t)n >= sizeof(row.name) || c->n >= COUNTERS_MAX)
		return 0;
	if (vec_reserve(&v, &c->cap, c->n + 1, sizeof(*c->v)) < 0)
		return -ENOMEM;
	c->v = v;
	c->v[c->n++] = row;
	return 0;
}

/* names and values stand behind the same "Group:". */
static int pair_parse(const char *group, const char *names, const char *values, struct counters *c)
{
	char name[sizeof(((struct counter *)0)->name) + 1], value[24];

	while (next_word(&names, name, sizeof(name)) && next_word(&values, value, sizeof(value))) {
		uint64_t v;

		if (word_uint(value, 10, &v) && counter_add(c, group, name, v) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The group in front of a ':' and what follows it; false when the line has none. */
static bool group_split(const char *line, char *group, size_t cap, const char **rest)
{
	const char *cursor = line;
	size_t len;

	if (!next_word(&cursor, group, cap))
		return false;
	len = strlen(group);
	if (len < 2 || group[len - 1] != ':')
		return false;
	group[len - 1] = '\0';
	*rest = cursor;
	return true;
}

int counters_parse(const char *text, struct counters *c)
{
	char group[32], other[32];
	const char *names = NULL, *line = text;

	group[0] = '\0';
	while (*line) {
		const char *rest, *end = line + strcspn(line, "\n");

		if (!group_split(line, other, sizeof(other), &rest)) {
			names = NULL;
		} else if (names && strcmp(group, other) == 0) {
			/* words end at the newline, so both lines may be read in place */
			if (pair_parse(group, names, rest, c) < 0)
				return -ENOMEM;
			names = NULL;
		} else {
			memcpy(group, other, sizeof(group));
			names = rest;
		}
		line = end + (*end == '\n');
	}
	return 0;
}

void sockstat_parse(const char *text, struct sockstat *ret)
{
	const struct {
		const char *name;
		uint64_t *to;
	} field[] = {{"inuse", &ret->inuse},
		     {"tw", &ret->tw},
		     {"orphan", &ret->orphan},
		     {"alloc", &ret->alloc},
		     {"mem", &ret->mem_pages}};
	char line[256], word[24];

	while (next_line(&text, line, sizeof(line))) {
		const char *cursor = line;
		uint64_t v;

		if (!next_word(&cursor, word, sizeof(word)) || strcmp(word, "TCP:") != 0)
			continue;
		ret->known = true;
		while (next_word(&cursor, word, sizeof(word))) {
			const char *value = cursor;
			char number[24];

			if (!next_word(&cursor, number, sizeof(number)))
				break;
			if (!word_uint(number, 10, &v))
				cursor = value; /* not a pair: this word may itself be a name */
			for (size_t i = 0; i < ARRAY_LEN(field) && cursor != value; i++)
				if (strcmp(word, field[i].name) == 0)
					*field[i].to = v;
		}
	}
}

int counters_read(struct counters *ret)
{
	static const char *const file[] = {"/proc/thread-self/net/netstat", "/proc/thread-self/net/snmp"};

	for (size_t i = 0; i < ARRAY_LEN(file); i++) {
		int err;
		char *text = procfile_all(file[i], &err);

		if (text)
			err = counters_parse(text, ret);
		free(text);
		if (err < 0)
			return err;
	}
	counters_sort(ret);
	return 0;
}

int sockstat_read(struct sockstat *ret)
{
	char text[4096];
	ssize_t n = procfile_read(-1, "/proc/thread-self/net/sockstat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	sockstat_parse(text, ret);
	return ret->known ? 0 : -ENOENT;
}

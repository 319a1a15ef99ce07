/* SPDX-License-Identifier: MIT */
#include "obs/sysctl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "knob/knob.h"
#include "obs/procfile.h"

_Static_assert((int)N_KNOBS <= (int)KNOB_SLOTS, "every knob needs a slot in struct netns");

bool knob_text_parse(const char *text, unsigned word, int64_t *ret)
{
	char number[24];

	for (unsigned i = 0;; i++) {
		if (!next_word(&text, number, sizeof(number)))
			return false;
		if (i == word)
			return word_int(number, ret);
	}
}

static int by_low(const void *a_, const void *b_)
{
	const struct port_range *a = a_, *b = b_;

	return a->low != b->low ? (a->low < b->low ? -1 : 1) : (a->high > b->high) - (a->high < b->high);
}

/* "8080" or "9000-9010". */
static bool range_parse(const char *part, struct port_range *ret)
{
	char low[8], high[8];
	const char *dash = strchr(part, '-');
	uint64_t lo, hi;

	snprintf(low, sizeof(low), "%.*s", dash ? (int)(dash - part) : (int)strlen(part), part);
	snprintf(high, sizeof(high), "%s", dash ? dash + 1 : low);
	if (!word_uint(low, 10, &lo) || !word_uint(high, 10, &hi) || lo > hi || hi > UINT16_MAX)
		return false;
	*ret = (struct port_range){(uint16_t)lo, (uint16_t)hi};
	return true;
}

static void join(struct port_range *v, size_t *n)
{
	size_t out = 0;

	qsort(v, *n, sizeof(*v), by_low);
	for (size_t i = 1; i < *n; i++)
		if (v[i].low <= (uint32_t)v[out].high + 1)
			v[out].high = v[i].high > v[out].high ? v[i].high : v[out].high;
		else
			v[++out] = v[i];
	*n = out + 1;
}

int reserved_parse(const char *text, struct port_range **v, size_t *n)
{
	size_t cap = 0;
	void *grown = NULL;

	*v = NULL;
	*n = 0;
	for (size_t len; *text && *n < RESERVED_MAX; text += len + (text[len] != '\0')) {
		char part[16];
		struct port_range r;

		len = strcspn(text, ",\n");
		snprintf(part, sizeof(part), "%.*s", len < sizeof(part) ? (int)len : 0, text);
		if (!range_parse(part, &r))
			continue;
		if (vec_reserve(&grown, &cap, *n + 1, sizeof(r)) < 0) {
			free(grown);
			*v = NULL;
			*n = 0;
			return -ENOMEM;
		}
		*v = grown;
		(*v)[(*n)++] = r;
	}
	if (*n)
		join(*v, n);
	return 0;
}

int knobs_read(struct netns *ns)
{
	char text[256] = "", *list;
	struct knob_path last = {""};
	ssize_t len = -1;
	int err;

	for (enum knob_id id = 0; id < N_HOST_KNOBS; id++) {
		struct knob_path path = knob_path(id);

		if (knob_descs[id].scope == SCOPE_CONST) {
			ns->knob[id] = knob_descs[id].def;
			ns->knob_known[id] = true;
			continue;
		}
		if (strcmp(path.s, last.s) != 0)
			len = procfile_read(-1, path.s, text, sizeof(text));
		last = path;
		ns->knob_known[id] = len > 0 && knob_text_parse(text, knob_descs[id].word, &ns->knob[id]);
	}
	list = procfile_all("/proc/sys/net/ipv4/ip_local_reserved_ports", &err);
	err = list ? reserved_parse(list, &ns->reserved, &ns->n_reserved) : 0;
	free(list);
	return err;
}

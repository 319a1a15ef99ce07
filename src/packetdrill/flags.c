/* SPDX-License-Identifier: MIT */
#include "packetdrill/flags.h"

#include <stdlib.h>

static bool copy(char *dst, size_t cap, const char *src, size_t len)
{
	if (len >= cap)
		return false;
	memcpy(dst, src, len);
	dst[len] = '\0';
	return true;
}

static bool number(uint64_t *ret, const char *text, uint64_t max)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return end != text && *end == '\0' && *ret <= max;
}

static bool knob(struct flags *f, const char *name, size_t name_len, const char *value)
{
	if (f->n_knobs == FLAG_KNOBS_MAX || !memchr(name, '.', name_len) ||
	    !copy(f->knobs[f->n_knobs].name, sizeof(f->knobs[0].name), name, name_len) ||
	    !copy(f->knobs[f->n_knobs].value, sizeof(f->knobs[0].value), value, strlen(value)))
		return false;
	f->n_knobs++;
	return true;
}

static bool word(struct flags *f, const char *w)
{
	const char *value = strchr(w, '=');
	const size_t name_len = value ? (size_t)(value - w) : strlen(w);
	uint64_t mtu;

	if (!value) {
		f->report |= strcmp(w, "report") == 0;
		f->still |= strcmp(w, "still") == 0;
		return strcmp(w, "report") == 0 || strcmp(w, "still") == 0;
	}
	value++;
	if (strncmp(w, "seed=", 5) == 0)
		return number(&f->seed, value, UINT64_MAX);
	if (strncmp(w, "mtu=", 4) == 0) {
		if (!number(&mtu, value, UINT16_MAX))
			return false;
		f->mtu = (uint32_t)mtu;
		return true;
	}
	if (strncmp(w, "local=", 6) == 0)
		return copy(f->local, sizeof(f->local), value, strlen(value));
	if (strncmp(w, "pcap=", 5) == 0)
		return copy(f->pcap, sizeof(f->pcap), value, strlen(value));
	return knob(f, w, name_len, value);
}

bool flags_parse(struct flags *ret, const char *text)
{
	char w[384];

	*ret = (struct flags){.seed = 1};
	for (text = text ? text : "";; text += strlen(w)) {
		text += strspn(text, " ,");
		if (!*text)
			return true;
		if (!copy(w, sizeof(w), text, strcspn(text, " ,")) || !word(ret, w))
			return false;
	}
}

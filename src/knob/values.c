/* SPDX-License-Identifier: MIT */
#include "knob/values.h"
#include <errno.h>

/*
 * What differs from policy to policy. Where a Linux release had no such knob, the value that behaves as it did.
 *
 * RFC 9293: 3.4.2 MSL 2 min; 3.6.1 MUST-13 linger 2 MSL, which connect() may not cut short, MAY-2 a SYN that turns out
 * old leads back to TIME_WAIT; 3.8.3 MUST-23 try to open for at least 3 min. RFC 1337 3 fix F1. RFC 6298 2.4 RTO at
 * least 1 s, 5.5 backoff every time.
 * Linux: Documentation/networking/ip-sysctl.rst and this project's measurements on 6.18. tcp_tw_reuse 2 is the
 * default since 4.18 or 4.19; timestamps had no offset of their own before 4.10, which is value 2 today (with an offset
 * tcp_tw_recycle would refuse nearly everybody); 6 SYNs instead of 5 since 3.7; linear timeouts since 6.5; somaxconn 128
 * before 5.4; CUBIC since 2.6.19; tcp_ecn 2 since 2.6.31, no fallback before 4.2; ports end at 60999 since 4.2; ACKs for bad segments limited since 4.0; challenge ACKs 1000 a second from
 * 4.7 to 6.0, unlimited since (2.6 had none: the engine has no such mode).
 */
static const struct policy_row {
	enum knob_id id;
	int64_t value[N_POLICIES];
} policy_rows[] = {
	/* rfc9293, linux-2.6, linux-4.12, linux-6.18 */
	{KNOB_tw_full, {TW_FULL_RECYCLE_OLDEST, TW_FULL_SKIP, TW_FULL_SKIP, TW_FULL_SKIP}},
	{KNOB_tw_restore, {1, 0, 0, 0}},
	{KNOB_tw_ms, {240000, 60000, 60000, 60000}},
	{KNOB_rfc1337, {1, 0, 0, 0}},
	{KNOB_tw_reuse, {0, 0, 0, 2}},
	{KNOB_timestamps, {1, 2, 1, 1}},
	{KNOB_syn_retries, {7, 5, 6, 6}},
	{KNOB_synack_retries, {7, 5, 5, 5}},
	{KNOB_syn_linear_timeouts, {0, 0, 0, 4}},
	{KNOB_rto_min_ms, {1000, 200, 200, 200}},
	{KNOB_congestion, {CONGESTION_RENO, CONGESTION_CUBIC, CONGESTION_CUBIC, CONGESTION_CUBIC}},
	{KNOB_ecn, {2, 0, 2, 2}},
	{KNOB_ecn_fallback, {1, 0, 1, 1}},
	{KNOB_invalid_ratelimit_ms, {500, 0, 500, 500}},
	{KNOB_challenge_ack_limit, {INT32_MAX, INT32_MAX, 1000, INT32_MAX}},
	{KNOB_somaxconn, {4096, 128, 128, 4096}},
	{KNOB_port_low, {32768, 32768, 32768, 32768}}, /* a range is one thing */
	{KNOB_port_high, {60999, 61000, 60999, 60999}},
};

static const char *const policy_words[N_POLICIES] = {
	[POLICY_RFC9293] = "rfc9293",
	[POLICY_LINUX_2_6] = "linux-2.6",
	[POLICY_LINUX_4_12] = "linux-4.12",
	[POLICY_LINUX_6_18] = "linux-6.18",
};
static const char *const tw_full_words[N_TW_FULL] = {
	[TW_FULL_RECYCLE_OLDEST] = "recycle-oldest",
	[TW_FULL_SKIP] = "skip",
	[TW_FULL_REFUSE] = "refuse",
};
static const char *const congestion_words[N_CONGESTIONS] = {
	[CONGESTION_RENO] = "reno",
	[CONGESTION_CUBIC] = "cubic",
};

static const size_t offsets[N_KNOBS] = {
#define KNOB(field, ...) [KNOB_##field] = offsetof(struct knobs, field),
#include "knob/knobs.def"
#undef KNOB
};

int64_t knobs_get(const struct knobs *k, enum knob_id id)
{
	int64_t value;

	must(id < N_KNOBS);
	memcpy(&value, (const char *)k + offsets[id], sizeof(value));
	return value;
}

static void put(struct knobs *k, enum knob_id id, int64_t value)
{
	memcpy((char *)k + offsets[id], &value, sizeof(value));
}

void knobs_default(struct knobs *k)
{
	for (enum knob_id id = 0; id < N_KNOBS; id++)
		put(k, id, knob_descs[id].def == KNOB_BOOT ? INT32_MAX : knob_descs[id].def);
}

void knobs_policy(struct knobs *k, enum policy p)
{
	must(p < N_POLICIES);
	k->policy = p;
	for (size_t i = 0; i < ARRAY_LEN(policy_rows); i++)
		put(k, policy_rows[i].id, policy_rows[i].value[p]);
}

/* ---- words and numbers ---- */

const char *knob_word(enum knob_id id, int64_t value)
{
	if (id == KNOB_policy && value >= 0 && value < N_POLICIES)
		return policy_words[value];
	if (id == KNOB_tw_full && value >= 0 && value < N_TW_FULL)
		return tw_full_words[value];
	if (id == KNOB_congestion && value >= 0 && value < N_CONGESTIONS)
		return congestion_words[value];
	return NULL;
}

/* A part of somebody's text: not a string, it may hold anything. */
struct span {
	const char *at;
	size_t len;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct span trimmed(struct span s)
{
	while (s.len && is_blank(s.at[0]))
		s.at++, s.len--;
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* The first word of *s, which becomes the rest. */
static struct span next_word(struct span *s)
{
	struct span word = {s->at, 0};

	while (word.len < s->len && !is_blank(s->at[word.len]))
		word.len++;
	*s = trimmed((struct span){s->at + word.len, s->len - word.len});
	return word;
}

static bool says(struct span s, const char *word) { return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0; }

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* As the kernel's proc_get_long(): a minus is fine, a plus is not. */
static int number(struct span s, int64_t *ret)
{
	bool minus = s.len && s.at[0] == '-';
	size_t i = minus;
	int base = 10;
	int64_t n = 0;

	if (s.len - i > 2 && s.at[i] == '0' && (s.at[i + 1] | 0x20) == 'x') {
		base = 16;
		i += 2;
	} else if (s.len - i > 1 && s.at[i] == '0') {
		base = 8;
		i++;
	}
	if (i >= s.len)
		return -EINVAL;
	for (size_t k = i; k < s.len; k++)
		if (digit(s.at[k]) >= base)
			return -EINVAL;
	for (; i < s.len; i++)
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit(s.at[i]), &n))
			return -ERANGE;
	*ret = minus ? -n : n;
	return 0;
}

/* A word of the knob, or a number in its range. */
static int value_of(enum knob_id id, struct span s, int64_t *ret)
{
	int err;

	for (int64_t i = 0; knob_word(id, i); i++)
		if (says(s, knob_word(id, i))) {
			*ret = i;
			return 0;
		}
	err = number(s, ret);
	if (err)
		return err;
	return *ret < knob_descs[id].min || *ret > knob_descs[id].max ? -ERANGE : 0;
}

/* ---- setting ---- */

/* How many numbers the file has whose first is this knob: the others stand next to it in knobs.def. */
static unsigned words_of_file(enum knob_id id)
{
	unsigned n = 1;

	while (id + n < N_KNOBS && knob_descs[id + n].word == n)
		n++;
	return n;
}

/* n values for id and those after it. */
static int set_words(struct knobs *k, enum knob_id id, unsigned n, struct span value)
{
	struct knobs next = *k;
	struct span rest = trimmed(value);

	for (unsigned i = 0; i < n; i++) {
		struct span word = next_word(&rest);
		int64_t v;
		int err = value_of((enum knob_id)(id + i), word, &v);

		if (err)
			return err;
		put(&next, (enum knob_id)(id + i), v);
	}
	if (rest.len || next.port_low > next.port_high)
		return -EINVAL;
	if (id == KNOB_policy)
		knobs_policy(&next, (enum policy)next.policy);
	*k = next;
	return 0;
}

/* By kernel name only: a field name is no sysctl. */
static int find_name(struct span name)
{
	for (int i = 0; i < N_KNOBS; i++)
		if (knob_descs[i].word == 0 && says(name, knob_descs[i].name))
			return i;
	return -1;
}

int knobs_set(struct knobs *k, const char *name, const char *value)
{
	struct span v = {value, strlen(value)};
	int id = find_name((struct span){name, strlen(name)});

	if (id >= 0)
		return set_words(k, (enum knob_id)id, words_of_file((enum knob_id)id), v);
	id = knob_find(name);
	return id < 0 ? -ENOENT : set_words(k, (enum knob_id)id, 1, v);
}

/* ---- sysctl.conf ---- */

struct setting {
	int id; /* -1: nothing to set in this line */
	bool optional; /* "-name" */
	struct span value;
};

static struct setting line_parse(struct span line)
{
	struct setting s = {.id = -1};
	const char *equals = line.len ? memchr(line.at, '=', line.len) : NULL;
	char dotted[96];
	struct span name;

	line = trimmed(line);
	if (!line.len || line.at[0] == '#' || line.at[0] == ';' || !equals)
		return s;
	name = trimmed((struct span){line.at, (size_t)(equals - line.at)});
	s.value = trimmed((struct span){equals + 1, (size_t)(line.at + line.len - equals - 1)});
	s.optional = name.len && name.at[0] == '-';
	if (s.optional)
		name = trimmed((struct span){name.at + 1, name.len - 1});
	if (name.len > sizeof(dotted))
		return s;
	memcpy(dotted, name.at, name.len);
	for (size_t i = 0; i < name.len; i++)
		if (dotted[i] == '/')
			dotted[i] = '.';
	name.at = dotted;
	/* what has no dot is no sysctl: a constant of the kernel */
	s.id = name.len && memchr(dotted, '.', name.len) ? find_name(name) : -1;
	return s;
}

/* The lines for engine.policy, or all others. Returns how many were set; *ret_line is the line it came to. */
static int load(struct knobs *k, struct span text, bool policy, unsigned *ret_line)
{
	int n = 0;

	for (*ret_line = 1; text.len; ++*ret_line) {
		const char *newline = memchr(text.at, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.at) : text.len;
		struct setting s = line_parse((struct span){text.at, len});
		enum knob_id id = (enum knob_id)s.id;
		int err;

		text = (struct span){text.at + len + (newline != NULL), text.len - len - (newline != NULL)};
		if (s.id < 0 || (id == KNOB_policy) != policy)
			continue;
		err = set_words(k, id, words_of_file(id), s.value);
		if (err && !s.optional)
			return err;
		n += !err;
	}
	return n;
}

int knobs_load(struct knobs *k, const char *text, size_t len, unsigned *ret_line)
{
	struct knobs next = *k;
	struct span all = {text, len};
	unsigned line;
	int first = load(&next, all, true, &line), rest = first < 0 ? 0 : load(&next, all, false, &line);

	if (first >= 0 && rest >= 0) {
		*k = next;
		return first + rest;
	}
	if (ret_line)
		*ret_line = line;
	return first < 0 ? first : rest;
}

/* SPDX-License-Identifier: MIT */
#include "lab/interop/closing.h"

#include <errno.h>
#include <strings.h>

#define EITHER OPENER_EITHER
#define A OPENER_A
#define B OPENER_B
const struct closing closings[] = {
#define CLOSING(id_, opener_, what_, steps_, end_a, end_b, counters_a, counters_b)                                     \
	{.id = #id_,                                                                                                   \
	 .what = what_,                                                                                                \
	 .steps = steps_,                                                                                              \
	 .counters = {counters_a, counters_b},                                                                         \
	 .opener = opener_,                                                                                            \
	 .end = {ST_##end_a, ST_##end_b}},
#include "lab/interop/closings.def"
#undef CLOSING
};
#undef EITHER
#undef A
#undef B
const size_t n_closings = ARRAY_LEN(closings);

const struct counted_name counted_names[N_COUNTED] = {
#define COUNTED(field, name, kernel) [COUNTED_##field] = {name, kernel},
#include "lab/interop/counted.def"
#undef COUNTED
};

static bool counted_find(const char *name, size_t len, unsigned *ret)
{
	for (unsigned i = 0; i < N_COUNTED; i++)
		if (strlen(counted_names[i].name) == len && memcmp(counted_names[i].name, name, len) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

bool counts_parse(const char *text, struct counts *ret)
{
	struct counts c = {{0}};

	while (*text) {
		size_t name = strcspn(text, "=");
		unsigned i;

		if (!counted_find(text, name, &i) || text[name] != '=' || text[name + 1] < '0' || text[name + 1] > '9')
			return false;
		c.n[i] = (uint64_t)(text[name + 1] - '0');
		text += name + 2;
		if (*text && *text++ != ' ')
			return false;
	}
	*ret = c;
	return true;
}

static bool state_find(const char *name, enum sock_state *ret)
{
	static const char *const names[N_STATES] = {
#define STATE(id, number, json, netstat) [ST_##id] = #id,
#include "model/states.def"
#undef STATE
	};

	for (unsigned i = 0; i < N_STATES; i++)
		if (strcmp(names[i], name) == 0) {
			*ret = (enum sock_state)i;
			return true;
		}
	return false;
}

static bool verb_find(const char *name, enum verb *ret)
{
	static const char *const names[N_NAMED_VERBS] = {
		[V_CLOSE] = "close",       [V_SHUT] = "shut",       [V_SHUTBOTH] = "shutboth",
		[V_LINGER0] = "linger0",   [V_LINGER2] = "linger2", [V_LINGER2OFF] = "linger2off",
		[V_KNOCK] = "knock",       [V_CALL] = "call",       [V_HANGUP] = "hangup",
		[V_UNLISTEN] = "unlisten", [V_SEND] = "send",       [V_EOF] = "eof",
		[V_RESET] = "reset",       [V_DATA] = "data",       [V_READ] = "read",
		[V_LOSE] = "lose",         [V_AGAIN] = "again",
	};

	for (unsigned i = 0; i < N_NAMED_VERBS; i++)
		if (strcmp(names[i], name) == 0) {
			*ret = (enum verb)i;
			return true;
		}
	return false;
}

static bool parse(const char *word, struct step *s)
{
	*s = (struct step){.verb = V_HOLD};
	if (strcmp(word, "hold") == 0)
		return true;
	s->verb = V_FREE;
	if (strcmp(word, "free") == 0)
		return true;
	if (word[0] != 'a' && word[0] != 'b')
		return false;
	s->who = word[0] == 'b';
	s->verb = V_STATE;
	if (word[1] == '=')
		return state_find(word + 2, &s->state);
	return word[1] == '.' && verb_find(word + 2, &s->verb);
}

int step_next(const char **text, struct step *ret, char word[STEP_TEXT_MAX])
{
	const char *p = *text + strspn(*text, " ");
	size_t len = strcspn(p, " ");
	char buf[STEP_TEXT_MAX];
	struct step s;

	if (len == 0)
		return 0;
	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, p, len);
	buf[len] = 0;
	if (!parse(buf, &s))
		return -EINVAL;
	*ret = s;
	*text = p + len;
	if (word)
		memcpy(word, buf, sizeof(buf));
	return 1;
}

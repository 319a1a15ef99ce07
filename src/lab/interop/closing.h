/* SPDX-License-Identifier: MIT */
/* closing.h - closings.def as data, and its little language. Pure. */
#pragma once
#include "base/base.h"
#include "model/states.h"

enum closing_opener { OPENER_EITHER, OPENER_A, OPENER_B };

struct closing {
	const char *id, *what, *steps, *counters[2]; /* of a, of b */
	enum closing_opener opener;
	enum sock_state end[2];
};
extern const struct closing closings[];
extern const size_t n_closings;

enum counted {
#define COUNTED(field, name, kernel) COUNTED_##field,
#include "lab/interop/counted.def"
#undef COUNTED
	N_COUNTED
};
extern const struct counted_name {
	const char *name, *kernel;
} counted_names[N_COUNTED];

struct counts {
	uint64_t n[N_COUNTED];
};

/* "TW=1 OutRsts=2"; false: not that. Others are 0. */
bool counts_parse(const char *text, struct counts *ret);

enum verb {
	V_CLOSE,
	V_SHUT,
	V_SHUTBOTH,
	V_LINGER0,
	V_LINGER2,
	V_LINGER2OFF,
	V_SEND,
	V_EOF,
	V_RESET,
	V_DATA,
	V_READ,
	V_LOSE,
	V_AGAIN,
	V_KNOCK,
	V_CALL,
	V_HANGUP,
	V_UNLISTEN,
	N_NAMED_VERBS,
	V_STATE = N_NAMED_VERBS, /* await `state` */
	V_HOLD,
	V_FREE
};

struct step {
	enum verb verb;
	unsigned who; /* 0: a, 1: b */
	enum sock_state state;
};

enum { STEP_TEXT_MAX = 32 };

/*
 * The next step of *text, which moves on. 1; 0: there is none left; -EINVAL: it is none (*text stays). word, if not
 * NULL, gets it as it stands there.
 */
int step_next(const char **text, struct step *ret, char word[STEP_TEXT_MAX]);

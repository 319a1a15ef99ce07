/* SPDX-License-Identifier: MIT */
/* software.h - which program it is likely to be, and its settings by name. Private to diag/. */
#pragma once
#include "diag/rule.h"
#include "model/service.h"

enum software {
	SW_ANY, /* unknown */
#define SOFTWARE(id, name, server, agent, comm) SW_##id,
#include "diag/software.def"
#undef SOFTWARE
	N_SOFTWARE
};

enum cure {
	CURE_KEEP,
	CURE_ERRORS,
	CURE_ASK,
	CURE_REUSE,
	CURE_POOL,
	CURE_CAP,
	CURE_SERVER_IDLE,
	CURE_CLIENT_IDLE,
	CURE_EOF,
	CURE_PROBE,
	CURE_READ,
	CURE_LINGER,
	CURE_NO_RESET
};

const char *software_name(enum software s); /* "" for SW_ANY */

/*
 * The program at one end: by its process, where that is known, else by what was said. What was said may be another's
 * word: proxies hand on User-Agent: and Server:, so such a program is a hint (sure is false).
 */
struct program {
	enum software software; /* SW_ANY: not recognised */
	bool sure;
	bool python; /* its process is an interpreter of that name, and no program of the list runs in it as far as known */
	bool own; /* its process is known and none of these: compiled, as likely as not, so Go is told before Python */
	bool stranger; /* it is known to be none of these: its process or its word names another */
};
struct program program_of(const struct service *v, enum side side);
struct program program_of_opener(const struct service *v); /* the client, by who opened most */

struct likely {
	char s[160]; /* "; the default of nginx (...)", "; the default of X (...) or Y (...)"; "" nobody known */
};
/* Of all programs, or of p if it is known: what it said of itself counts for more than its habits. */
struct likely likely_server_idle(nsec_t t, struct program p);
struct likely likely_client_idle(nsec_t t, struct program p);
struct likely likely_requests(uint32_t n, struct program p);

/*
 * Adds the settings for this cure: that of p, and for whoever writes programs; where p is not sure those of the usual
 * proxies too; where it is unknown, for whoever writes programs first, then of all programs as far as there is room.
 */
void remedy_settings(struct finding *f, enum cure cure, struct program p);

/* A client that surely is one that asks for the close by default: adds what keeps it from that, and says so; else NULL. */
const char *remedy_asks(struct finding *f, struct program p);

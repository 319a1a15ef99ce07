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

/* By what was said, or by the process that closed or opened; SW_ANY: not recognised. */
enum software software_of_server(const struct service *v);
enum software software_of_client(const struct service *v);

struct likely {
	char s[160]; /* "; nginx does so by default (...)", "; X or Y ..."; "" nobody known */
};
struct likely likely_server_idle(nsec_t t);
struct likely likely_client_idle(nsec_t t);
struct likely likely_requests(uint32_t n);

/* Adds the settings for this cure: those of `s` and for programmers, or of all programs. */
void remedy_settings(struct finding *f, enum cure cure, enum software s);

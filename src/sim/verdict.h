/* SPDX-License-Identifier: MIT */
/* verdict.h - whether a run kept every rule of checkers.def; if not, which one broke first, where and when. */
#pragma once
#include "base/why.h"
#include "engine/lastack.h"

enum checker_id {
#define CHECKER(id, name, rule) CHECK_##id,
#include "sim/checkers.def"
#undef CHECKER
	N_CHECKERS
};

struct checker {
	const char *name, *rule;
};
extern const struct checker checkers[N_CHECKERS];

struct verdict { /* zero-initialise */
	bool failed;
	enum checker_id checker;
	nsec_t at; /* true time, from the start of the run */
	unsigned host;
	struct la_endpoint local, remote; /* all zero: the whole host */
	struct why why;
	nsec_t now; /* kept up to date by the net */
};

/* True if this is the first violation: then it is recorded, and the caller adds the sentence. Use FAIL(). */
bool verdict_take(struct verdict *v, enum checker_id id, unsigned host, const struct la_endpoint *local,
		  const struct la_endpoint *remote);

#define FAIL(v, id, host, local, remote, ...)                                                                          \
	(verdict_take(v, id, host, local, remote) ? why_set(&(v)->why, __VA_ARGS__) : (void)0)

struct endpoint_text {
	char s[64];
};
struct endpoint_text endpoint_text(const struct la_endpoint *at); /* "10.0.0.1:80", "[2001:db8::1]:80" */

/* SPDX-License-Identifier: MIT */
/* held.h - what the rules about sockets that stay too long have in common. Private to diag/. */
#pragma once
#include "diag/rule.h"

/* Sockets of h's kind on h's listener or towards h's destination, whoever has them, then and now. */
struct growth {
	bool known; /* both dumps are whole and the earlier one had such sockets */
	uint64_t before, now;
	double per_s; /* negative: they get fewer */
};
struct growth held_growth(const struct view *v, const struct holder *h);
bool is_growing(const struct growth *g);

struct held_text {
	char s[112];
};
struct held_text held_who(const struct view *v, int32_t proc); /* "nginx[812]", "an unknown process" */
struct held_text held_program(const struct view *v, int32_t proc); /* the same, but "the program": for remedies */
struct held_text held_place(const struct holder *h); /* "on *:8080", "to 10.0.0.1:443"; "" unknown */
struct held_text held_fds(const struct holder *h); /* " (fd 5, 6)"; "" unknown */
struct held_text held_growth_text(const struct view *v, const struct growth *g); /* "+4 in 1.0 s (14,400/h)" */

/* "800 of 1,000 descriptors", or, since a limit may be lowered under open ones, "65 descriptors, limit 64". */
struct held_text held_descriptors(const struct proc *p);

/* Who listened for l's local end an interval ago: on that address, else on the wildcard. NULL: nobody, or unknown. */
const struct listener *held_listener_before(const struct view *v, const struct listener *l);

/* "Restart ..." as a stopgap, with the command when systemd or docker started it. p NULL: no row. */
void remedy_restart(struct finding *f, const struct proc *p, const char *risk);

/* Room for more descriptors. p NULL or its limit unknown: no row. */
void remedy_more_fds(struct finding *f, const struct proc *p);

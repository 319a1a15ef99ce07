/* SPDX-License-Identifier: MIT */
/* rules.h - private to diag/: the rules' declarations, made from rules.def, and what several of them need. */
#pragma once
#include "diag/rule.h"
#include <stdio.h>

#define RULE(id) extern const struct rule rule_##id;
#include "diag/rules.def"
#undef RULE

/* What a rule sees of this namespace of the latest snapshot. */
struct view view_of(const struct observation *o, const struct netns *now);

/*
 * The order in which findings are told, and the reverse of that in which they go when there is no room: what asks for
 * action before mere remarks (info); within each, what fails now before what is about to, and so on.
 */
int telling_rank(enum severity severity, enum stage stage); /* less: earlier */

void findings_sort(struct findings *f);

/* knob_boot_value() in this namespace. */
int64_t view_boot_value(const struct view *v, enum knob_id id);

/* Writes a sentence into one of the fixed fields of a finding or remedy. */
#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

/* " (and 12 more destinations)" at the end of what the last finding says; nothing when n is 0. */
void finding_more(struct finding *last, size_t n, const char *noun);

/* What stands before a command so that it acts in this namespace: "" on the host, "nsenter -t PID -n ". */
struct ns_prefix {
	char s[N_TEXT + 32];
};
struct ns_prefix view_prefix(const struct view *v);

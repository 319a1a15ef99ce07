/* SPDX-License-Identifier: MIT */
/*
 * cause.h - why connections end: a cause looks at the closes of one service (model/service.h) and says who closes, why, and
 * what to do about it, as a finding like a rule's. Pure, and the same for captures and live records.
 */
#pragma once
#include "diag/rule.h"
#include "model/service.h"

/* Judges every service (by the cause with the id `only`, if not NULL); sorts what was found. 0 or -ENOMEM. */
int causes_diagnose(const struct services *s, const char *only, struct findings *ret);

/*
 * Takes what was found in closes into a doctor's findings on snapshot s: each says its service, in the namespace's name. INSUFFICIENT and what
 * belongs to namespaces that were not looked at stay out. `to` is sorted again, `closes` is changed.
 */
void causes_fold(struct findings *to, struct findings *closes, const struct snapshot *s);

/* Everything that `lastack explain` knows: rules, then causes. */
size_t known_rules(void);
const struct rule *known_rule(size_t i);
const struct rule *known_rule_find(const char *id); /* case does not matter; NULL if unknown */
bool rule_is_cause(const struct rule *r);
const char *cause_verdict(const struct rule *cause); /* "REQUEST_CAP" */

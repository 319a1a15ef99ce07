/* SPDX-License-Identifier: MIT */
/* closes.h - private to report/: pieces of what is said about closes. */
#pragma once
#include "diag/cause.h"
#include "report/report.h"

/* Why this one connection ended, in a few words; "" when nothing is remarkable. */
struct conn_why {
	char s[64];
};
struct conn_why conn_why(const struct conn *c);
const char *rst_words(enum rst_kind kind); /* "" when nothing is known */

bool finding_is_about(const struct finding *f, const struct service *v);

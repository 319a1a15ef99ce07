/* SPDX-License-Identifier: MIT */
/* parts.h - private to report/: pieces that several reports print. */
#pragma once
#include "base/json.h"
#include "diag/rule.h"
#include "report/lines.h"
#include "report/report.h"

enum {
	SCREEN_LINES = 23, /* a terminal of 24 keeps one for the prompt */
};

struct lines lines_of(FILE *out, const struct style *st);

/* "2026-11-21 03:24:02 UTC" and "2026-11-21T03:24:02Z" */
struct wall_text {
	char s[40];
};
struct wall_text wall_text(int64_t wall_s);
struct wall_text wall_json(int64_t wall_s);

/* One line about where and when: host, kernel, time, namespaces, interval. */
void put_host(struct lines *l, const struct observation *o);

/* One line of what could not be seen; every row in full when verbose. Nothing if nothing is missing. */
void put_missing(struct lines *l, const struct observation *o, bool verbose);

/* The address and port in so many columns: what does not fit loses the end of the address, never the port. */
struct ip_text ip_port_cut(struct ip addr, uint16_t port, size_t columns);

/* True if several namespaces were seen, or one that is not the host's: then text says which one it means. */
bool names_matter(const struct observation *o);

void json_states(struct json *j, const struct state_counts *c);
void json_missing(struct json *j, const struct missing *v, size_t n, const char *netns); /* rows only */
void json_header(struct json *j, const struct observation *o); /* schema, kernel, hostname, time, interval_s */
void json_findings(struct json *j, const struct findings *f); /* findings, dropped, dropped_worst */

/* SPDX-License-Identifier: MIT */
/*
 * closes.h - records of connections made by hand, judged. A test makes as many as it is about:
 *
 *	closes_init();
 *	closes_many(50, SIDE_SERVER, 10 * US, 1); // 50 connections of one request, server's FIN 10 us after the data
 *	assert_text(closes_one("CLOSE_PER_REQUEST_BY_SERVER")->what, "...");
 */
#pragma once
#include "tests/unit/t.h"

#include "diag/causes.h"
#include <stdio.h>

#define US UINT64_C(1000)
#define MS NSEC_PER_MS
#define S NSEC_PER_S

static struct services closes;
static struct findings closes_found;
static nsec_t closes_now, closes_step; /* when the next one begins, and how much later each */

static inline void closes_done(void)
{
	services_done(&closes);
	findings_done(&closes_found);
}

static inline void closes_init(void)
{
	closes_done();
	services_init(&closes, 1);
	closes_now = 100 * S;
	closes_step = 300 * MS;
}

/* The next connection: closed first by `first` with a FIN, `gap` after the last data; RTT 1 ms. */
static inline struct conn closes_next(enum side first, nsec_t gap, uint32_t requests)
{
	struct conn c = {.port = {(uint16_t)(30000 + closes.conns), 80},
			 .local = SIDE_NONE,
			 .seen = SEEN_SYN | SEEN_END,
			 .start = closes_now,
			 .how = END_FIN,
			 .first = first,
			 .exchanges = requests,
			 .rtt = MS};
	nsec_t last = c.start + 10 * MS;

	assert_true(ip_parse("10.0.0.1", &c.addr[SIDE_CLIENT]));
	assert_true(ip_parse("10.0.0.2", &c.addr[SIDE_SERVER]));
	if (requests) {
		c.last_data[SIDE_CLIENT] = last - MS;
		c.last_data[SIDE_SERVER] = last;
	}
	c.bytes[SIDE_CLIENT] = c.bytes[SIDE_SERVER] = 100ul * requests;
	c.fin[first] = (requests ? last : c.start) + gap;
	c.fin[side_other(first)] = c.fin[first] + MS;
	c.end = c.fin[first] + 2 * MS;
	closes_now += closes_step;
	return c;
}

static inline void closes_add(const struct conn *c) { assert_int_equal(services_add(&closes, c), 0); }

static inline void closes_many(unsigned n, enum side first, nsec_t gap, uint32_t requests)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(first, gap, requests);

		closes_add(&c);
	}
}

/* The same seen live at that end; of every third one exchange less. */
static inline void closes_many_live(unsigned n, enum side local, enum side first, uint16_t port, uint32_t exchanges,
				    bool one_less)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(first, MS, exchanges - (one_less && i % 3 == 0));

		c.local = local;
		c.port[SIDE_SERVER] = port;
		closes_add(&c);
	}
}

/* Closed with a RST instead, at the time of the FIN. */
static inline struct conn closes_next_rst(enum side first, nsec_t gap, enum rst_kind kind)
{
	struct conn c = closes_next(first, gap, 1);

	c.how = END_RST;
	c.rst_kind = kind;
	c.rst[first] = c.fin[first];
	memset(c.fin, 0, sizeof(c.fin));
	return c;
}

static inline void closes_many_rst(unsigned n, enum side first, nsec_t gap, enum rst_kind kind)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next_rst(first, gap, kind);

		closes_add(&c);
	}
}

/* The finding whose verdict begins so; NULL: none. Judges anew each time. */
static inline const struct finding *closes_find(const char *verdict)
{
	findings_done(&closes_found);
	assert_int_equal(causes_diagnose(&closes, NULL, &closes_found), 0);
	for (size_t i = 0; i < closes_found.n; i++)
		if (strncmp(closes_found.v[i].verdict, verdict, strlen(verdict)) == 0)
			return &closes_found.v[i];
	return NULL;
}

/* The same, which must be there. */
static inline const struct finding *closes_verdict(const char *verdict)
{
	static const struct finding none;
	const struct finding *f = closes_find(verdict);

	if (f)
		return f;
	for (size_t i = 0; i < closes_found.n; i++)
		print_message("%s: %s (%s)\n", closes_found.v[i].verdict, closes_found.v[i].what,
			      closes_found.v[i].evidence);
	fail_msg("no %s", verdict);
	return &none;
}

/* That one and no other. */
static inline const struct finding *closes_one(const char *verdict)
{
	const struct finding *f = closes_verdict(verdict);

	for (size_t i = 0; i < closes_found.n; i++)
		if (&closes_found.v[i] != f)
			fail_msg("%s: %s (%s)", closes_found.v[i].verdict, closes_found.v[i].what,
				 closes_found.v[i].evidence);
	return f;
}

static inline void closes_not(const char *verdict)
{
	const struct finding *f = closes_find(verdict);

	if (f)
		fail_msg("%s: %s (%s)", f->verdict, f->what, f->evidence);
}

static inline void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

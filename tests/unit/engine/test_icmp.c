/* SPDX-License-Identifier: MIT */
/* ICMP errors: RFC 9293 3.9.2.2, RFC 5927, and what Linux makes of type and code. */
#include "tests/unit/engine/peer.h"

#include <errno.h>

static int so_error(struct rig *r)
{
	int err = 0;
	size_t len = sizeof(err);

	assert_int_equal(la_getsockopt(r->h, r->s, LA_SO_ERROR, &err, &len), 0);
	return err;
}

static const struct {
	uint8_t type, code;
	int err;
	bool hard, v6;
} rows[] = {
	{3, 0, ENETUNREACH, false, false},   {3, 1, EHOSTUNREACH, false, false}, {3, 2, ENOPROTOOPT, true, false},
	{3, 3, ECONNREFUSED, true, false},   {3, 5, EOPNOTSUPP, false, false},   {3, 6, ENETUNREACH, true, false},
	{3, 7, EHOSTDOWN, true, false},      {3, 8, ENONET, true, false},        {3, 9, ENETUNREACH, true, false},
	{3, 10, EHOSTUNREACH, true, false},  {3, 11, ENETUNREACH, false, false}, {3, 12, EHOSTUNREACH, false, false},
	{3, 13, EHOSTUNREACH, true, false},  {3, 14, EHOSTUNREACH, true, false}, {3, 15, EHOSTUNREACH, true, false},
	{11, 0, EHOSTUNREACH, false, false}, {12, 0, EPROTO, false, false},      {1, 0, ENETUNREACH, false, true},
	{1, 1, EACCES, true, true},          {1, 2, EHOSTUNREACH, false, true},  {1, 3, EHOSTUNREACH, false, true},
	{1, 4, ECONNREFUSED, true, true},    {1, 5, EACCES, true, true},         {1, 6, EACCES, true, true},
	{3, 0, EHOSTUNREACH, false, true},   {4, 0, EPROTO, false, true},
};

TEST(syn_sent__linux__every_error_ends_it)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, SYN_SENT, .v6 = rows[i].v6);
		rig_icmp(&r, rows[i].type, rows[i].code, seq(ISS));
		EXPECT_TOOK(&r, ICMP_SYN_SENT);
		assert_int_equal(so_error(&r), rows[i].err);
		EXPECT_COUNT(&r, la_icmp_errors, 1);
		EXPECT_COUNT(&r, attempt_fails, 1);
	}
}

TEST(syn_sent__rfc9293__only_hard_errors_end_it_and_soft_ones_explain_the_timeout)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, SYN_SENT, .v6 = rows[i].v6, .knobs = "engine.policy = rfc9293");
		rig_icmp(&r, rows[i].type, rows[i].code, seq(ISS));
		assert_int_equal(r.e->edge_count[ICMP_SYN_SENT], rows[i].hard);
		if (!rows[i].hard) {
			EXPECT_STATE(&r, SYN_SENT);
			rig_pass(&r, 600 * NSEC_PER_S);
			EXPECT_TOOK(&r, TIMEOUT_SYN_SENT);
		}
		assert_int_equal(so_error(&r), rows[i].err);
	}
}

TEST(syn_sent__codes_that_are_none__say_nothing)
{
	static const struct {
		uint8_t type, code;
		bool v6;
	} none[] = {{3, 16, false}, {3, 255, false}, {1, 7, true}, {1, 255, true}};

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		RIG_AT_WITH(r, SYN_SENT, .v6 = none[i].v6);
		rig_icmp(&r, none[i].type, none[i].code, seq(ISS));
		EXPECT_STATE(&r, SYN_SENT);
		assert_int_equal(rig_conn(&r)->soft_error, 0);
	}
}

TEST(syn_received__child__is_dropped)
{
	RIG_AT(r, SYN_RECEIVED);
	rig_icmp(&r, 3, 1, seq(ISS));
	EXPECT_TOOK(&r, ICMP_SYN_RECEIVED);
	EXPECT_STATE(&r, CLOSED);
	EXPECT_COUNT(&r, listen_drops, 1);
	assert_int_equal(r.e->n_sockets, 1);
}

/* A request is no socket: Linux ends it at others than connect() (3/0, 3/1, 3/2, 3/3, 3/10 and 11/0 measured on 6.18). */
TEST(syn_received__child__linux_ends_it_at_some_only)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ends = rows[i].v6 ? rows[i].hard || rows[i].type == 4 : rows[i].type != 3 || rows[i].code <= 1;

		RIG_AT_WITH(r, SYN_RECEIVED, .v6 = rows[i].v6);
		rig_icmp(&r, rows[i].type, rows[i].code, seq(ISS));
		EXPECT_STATE(&r, ends ? CLOSED : SYN_RECEIVED);
		EXPECT_COUNT(&r, la_icmp_errors, ends);
		EXPECT_COUNT(&r, la_icmp_ignored, !ends);
		EXPECT_COUNT(&r, listen_drops, ends);
	}
}

TEST(syn_received__child__rfc9293_ends_it_at_hard_errors)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_AT_WITH(r, SYN_RECEIVED, .v6 = rows[i].v6, .knobs = "engine.policy = rfc9293");
		rig_icmp(&r, rows[i].type, rows[i].code, seq(ISS));
		EXPECT_STATE(&r, rows[i].hard ? CLOSED : SYN_RECEIVED);
		EXPECT_COUNT(&r, la_icmp_errors, 1);
	}
}

TEST(syn_received__simultaneous_open__the_holder_is_told)
{
	RIG_AT_WITH(r, SYN_RECEIVED, .active = true);
	rig_icmp(&r, 3, 3, seq(ISS));
	EXPECT_TOOK(&r, ICMP_SYN_RECEIVED);
	assert_int_equal(so_error(&r), ECONNREFUSED);
}

TEST(synchronized__no_error_ends_it__the_timeout_reports_it)
{
	static const enum state st[] = {ESTABLISHED, CLOSE_WAIT};

	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		RIG_AT(r, st[i]);
		la_send(r.h, r.s, "x", 1, 0);
		assert_true(rig_out(&r));
		rig_icmp(&r, 3, 3, seq(ISS + 1));
		EXPECT_STATE(&r, st[i]);
		EXPECT_COUNT(&r, la_icmp_errors, 1);
		assert_int_equal(rig_conn(&r)->so_error, 0);
		rig_pass(&r, 3000 * NSEC_PER_S);
		EXPECT_STATE(&r, CLOSED);
		assert_int_equal(so_error(&r), ECONNREFUSED);
	}
}

TEST(not_in_flight__is_ignored)
{
	RIG_AT(r, ESTABLISHED);
	rig_icmp(&r, 3, 3, seq(ISS + 1)); /* nothing is */
	rig_icmp(&r, 3, 3, seq(ISS));
	EXPECT_COUNT(&r, la_icmp_ignored, 2);
	la_send(r.h, r.s, "xyz", 3, 0);
	assert_true(rig_out(&r));
	rig_icmp(&r, 3, 3, seq(ISS));
	rig_icmp(&r, 3, 3, seq(ISS + 4));
	EXPECT_COUNT(&r, la_icmp_ignored, 4);
	EXPECT_COUNT(&r, la_icmp_errors, 0);
	rig_icmp(&r, 3, 3, seq(ISS + 3));
	EXPECT_COUNT(&r, la_icmp_errors, 1);
}

TEST(time_wait__is_not_touched)
{
	RIG_AT(r, TIME_WAIT);
	rig_icmp(&r, 3, 3, seq(ISS + 1));
	EXPECT_STATE(&r, TIME_WAIT);
	EXPECT_COUNT(&r, la_icmp_ignored, 1);
}

TEST(nobodys_connection__is_ignored)
{
	RIG(r);
	rig_icmp(&r, 3, 3, seq(ISS));
	r.at.us = addr_v4(9, 9, 9, 9); /* nor our address */
	rig_icmp(&r, 3, 3, seq(ISS));
	EXPECT_COUNT(&r, la_icmp_ignored, 2);
	EXPECT_SILENCE(&r);
}

/* MUST-55 and path MTU, which is yet to come: they count, and that is all. */
TEST(source_quench_and_too_big__change_nothing)
{
	RIG_AT(r, SYN_SENT);
	rig_icmp(&r, 4, 0, seq(ISS));
	rig_icmp(&r, 3, 4, seq(ISS));
	EXPECT_STATE(&r, SYN_SENT);
	assert_int_equal(rig_conn(&r)->soft_error, 0);
}

RUN(T(syn_sent__linux__every_error_ends_it),
    T(syn_sent__rfc9293__only_hard_errors_end_it_and_soft_ones_explain_the_timeout),
    T(syn_sent__codes_that_are_none__say_nothing), T(syn_received__child__is_dropped),
    T(syn_received__child__linux_ends_it_at_some_only), T(syn_received__child__rfc9293_ends_it_at_hard_errors),
    T(syn_received__simultaneous_open__the_holder_is_told), T(synchronized__no_error_ends_it__the_timeout_reports_it),
    T(not_in_flight__is_ignored), T(time_wait__is_not_touched), T(nobodys_connection__is_ignored),
    T(source_quench_and_too_big__change_nothing))

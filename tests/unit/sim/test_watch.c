/* SPDX-License-Identifier: MIT */
/* Every checker is told a history that breaks its rule, and one that does not. */
#include <stdlib.h>

#include "sim/audit.h"
#include "sim/net.h"
#include "tests/unit/t.h"

static struct verdict v;
static struct watch *w;
static struct la_endpoint a, b; /* at hosts 0 and 1 */

static void fresh(void)
{
	if (!w)
		w = calloc(1, sizeof(*w));
	v = (struct verdict){0};
	watch_init(w, &v);
	for (unsigned h = 0; h < 2; h++)
		w->rules[h] = (struct watch_rules){
			.tw_len = 60 * NSEC_PER_S, .reuse_delay = NSEC_PER_S, .port_low = 1000, .port_high = 1001};
	a = net_address(0, false, 1000);
	b = net_address(1, false, 80);
}

static void edge_at(unsigned host, unsigned id, nsec_t at)
{
	const struct edge *e = &edges[id];
	struct la_trace t = {
		.at = at, .edge = e->name, .from = state_name(e->from), .to = state_name(e->to), .cite = e->cite};

	t.local = host ? b : a;
	t.remote = host ? a : b;
	t.in_store = e->from == TIME_WAIT || e->to == TIME_WAIT;
	watch_edge(w, host, &t);
}

static void edge(unsigned host, unsigned id) { edge_at(host, id, 0); }

static struct seg seg_of(unsigned from, uint8_t flags, uint32_t number, uint32_t ack)
{
	const struct la_endpoint *src = from ? &b : &a, *dst = from ? &a : &b;
	struct seg s = {
		.src = addr_from_v6(src->addr), .dst = addr_from_v6(dst->addr), .sport = src->port, .dport = dst->port};

	s.flags = flags;
	s.seq = seq(number);
	s.ack = seq(ack);
	s.wnd = 1000;
	return s;
}

static void sends(unsigned from, uint8_t flags, uint32_t number, uint32_t ack)
{
	struct seg s = seg_of(from, flags, number, ack);

	watch_out(w, from, &s);
}

static struct seg arriving;

static void begins(unsigned from, enum input_kind kind, uint8_t flags, uint32_t number, uint32_t ack)
{
	arriving = seg_of(from, flags, number, ack);
	watch_in_begin(w, 1 - from, 0, kind, &arriving);
}

/* Host 0 calls host 1, both are established. ISS 100 and 500. */
static void open_both(void)
{
	fresh();
	edge(0, F5_03_ACTIVE_OPEN);
	sends(0, F_SYN, 100, 0);
	begins(0, IN_TCP, F_SYN, 100, 0);
	edge(1, F5_05_LISTEN_SYN);
	watch_in_end(w);
	sends(1, F_SYN | F_ACK, 500, 101);
	begins(1, IN_TCP, F_SYN | F_ACK, 500, 101);
	edge(0, F5_10_SYN_ACK);
	watch_in_end(w);
	sends(0, F_ACK, 101, 501);
	begins(0, IN_TCP, F_ACK, 101, 501);
	edge(1, F5_09_SYN_ACKED);
	watch_in_end(w);
	assert_false(v.failed);
}

/* Then host 0 closes, host 1 after it: TIME_WAIT at host 0. */
static void close_both(void)
{
	edge(0, F5_12_ESTAB_CLOSE);
	sends(0, F_FIN | F_ACK, 101, 501);
	begins(0, IN_TCP, F_FIN | F_ACK, 101, 501);
	edge(1, F5_13_ESTAB_FIN);
	watch_in_end(w);
	edge(1, F5_16_CLOSE_WAIT_CLOSE);
	sends(1, F_FIN | F_ACK, 501, 102);
	begins(1, IN_TCP, F_FIN | F_ACK, 501, 102);
	edge(0, F5_14_FIN_ACKED);
	edge(0, F5_17_FIN_WAIT_2_FIN);
	watch_in_end(w);
	sends(0, F_ACK, 102, 502);
	begins(0, IN_TCP, F_ACK, 102, 502);
	edge(1, F5_19_LAST_ACK_ACKED);
	watch_in_end(w);
}

static void says(enum checker_id id)
{
	if (!v.failed || v.checker != id)
		fail_msg("wanted %s, got %s: %s", checkers[id].name, v.failed ? checkers[v.checker].name : "nothing",
			 v.why.text);
}

TEST(a_whole_life__breaks_no_rule)
{
	open_both();
	close_both();
	assert_false(v.failed);
	assert_false(watch_was_protected(w, 0));
	assert_true(watch_was_protected(w, 1));
	edge_at(0, F5_20_2MSL, 60 * NSEC_PER_S);
	watch_rest(w);
	assert_false(v.failed);
	assert_true(watch_was_protected(w, 1));
}

TEST(an_edge_from_another_state__is_a_broken_chain)
{
	open_both();
	edge(0, F5_16_CLOSE_WAIT_CLOSE);
	says(CHECK_CHAIN);
	fresh();
	edge(0, F5_20_2MSL);
	says(CHECK_CHAIN);
}

TEST(a_second_connection_of_a_four_tuple__is_seen)
{
	open_both();
	edge(0, F5_03_ACTIVE_OPEN);
	says(CHECK_FOUR_TUPLE);
	open_both();
	close_both();
	edge(0, F5_03_ACTIVE_OPEN); /* beside a TIME_WAIT */
	says(CHECK_FOUR_TUPLE);
}

TEST(a_connection_beside_its_time_wait__is_seen)
{
	open_both();
	close_both();
	begins(1, IN_TCP, F_SYN, 9000, 0);
	edge(0, F5_05_LISTEN_SYN);
	watch_in_end(w); /* TW_REOPEN never came */
	says(CHECK_FOUR_TUPLE);
}

TEST(time_wait_without_a_fin_sent__is_seen)
{
	open_both();
	edge(0, F5_12_ESTAB_CLOSE);
	begins(1, IN_TCP, F_FIN | F_ACK, 501, 101);
	edge(0, F5_15_SIMULTANEOUS_CLOSE);
	edge(0, F5_18_CLOSING_ACKED);
	says(CHECK_TW_SIDE);
}

TEST(time_wait_on_the_second_side__is_seen)
{
	open_both();
	close_both();
	w->shadow[1].live = CLOSING; /* no chain of edges leads there: the rule stands on its own */
	w->shadow[1].fin_out = true;
	begins(0, IN_TCP, F_ACK, 102, 502);
	edge(1, F5_18_CLOSING_ACKED);
	says(CHECK_TW_SIDE);
}

TEST(a_short_time_wait__is_seen)
{
	open_both();
	close_both();
	edge_at(0, F5_20_2MSL, 60 * NSEC_PER_S - 1);
	says(CHECK_TW_LENGTH);
}

TEST(a_time_wait_that_the_fin_did_not_restart__is_seen)
{
	struct la_time_wait record = {.rcv_nxt = 502};
	struct shadow *s;

	for (uint32_t past = 502; past <= 503; past++) { /* the peer's FIN again, and the FIN of another connection */
		open_both();
		close_both();
		s = watch_find(w, 0, &a, &b);
		begins(1, IN_TCP, F_FIN | F_ACK, past - 1, 102);
		w->in_at = 30 * NSEC_PER_S;
		watch_in_end(w);
		watch_restarted(w, s, &record);
		edge_at(0, F5_20_2MSL, 60 * NSEC_PER_S);
		assert_int_equal(v.failed, past == 502);
	}
}

TEST(a_time_wait_ended_against_the_knobs__is_seen)
{
	static const unsigned ends[] = {RST_TIME_WAIT, TW_CONNECT, TW_RECYCLED};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		open_both();
		close_both();
		w->rules[0].rfc1337 = true;
		if (ends[i] == RST_TIME_WAIT)
			begins(1, IN_TCP, F_RST, 502, 0);
		edge_at(0, ends[i], NSEC_PER_S / 2);
		says(CHECK_TW_END);
	}
	open_both();
	close_both();
	w->rules[0].tw_reuse = 1;
	edge_at(0, TW_CONNECT, NSEC_PER_S);
	assert_false(v.failed);
}

TEST(a_reset_nobody_sent__is_seen)
{
	open_both();
	edge(1, RST_ESTABLISHED);
	says(CHECK_CAUSE);
	open_both();
	begins(0, IN_FORGED, F_RST, 101, 0);
	edge(1, RST_ESTABLISHED);
	says(CHECK_CAUSE);
	open_both();
	begins(0, IN_DAMAGED, F_RST, 101, 0);
	edge(1, RST_ESTABLISHED);
	says(CHECK_CAUSE);
	open_both();
	begins(0, IN_TCP, F_ACK, 101, 501);
	edge(1, RST_ESTABLISHED);
	says(CHECK_CAUSE);
	open_both();
	begins(0, IN_TCP, F_RST, 101, 0);
	edge(1, RST_ESTABLISHED);
	assert_false(v.failed);
}

TEST(numbers_out_of_bounds__are_seen)
{
	open_both();
	sends(0, F_ACK, 99, 501); /* before the ISS */
	says(CHECK_SEQUENCE);
	open_both();
	sends(0, F_FIN | F_ACK, 1102, 501); /* the window reaches to 1101, and one octet more may go */
	says(CHECK_SEQUENCE);
	open_both();
	sends(0, F_FIN | F_ACK, 1101, 501);
	assert_false(v.failed);
	fresh();
	edge(0, F5_03_ACTIVE_OPEN);
	sends(0, F_SYN, 100, 0);
	sends(0, F_SYN, 101, 0);
	says(CHECK_SEQUENCE);
}

TEST(an_iss_within_the_connection_before__is_seen)
{
	for (uint32_t iss = 102; iss <= 103; iss++) { /* it had sent up to 101, its FIN */
		open_both();
		close_both();
		begins(1, IN_TCP, F_SYN, 9000, 0);
		edge(0, F5_05_LISTEN_SYN);
		edge(0, TW_REOPEN);
		watch_in_end(w);
		sends(0, F_SYN | F_ACK, iss, 9001);
		assert_int_equal(v.failed, iss == 102);
	}
}

TEST(an_ack_of_what_never_came__is_seen)
{
	open_both();
	sends(0, F_ACK, 101, 502);
	says(CHECK_ACK);
	open_both();
	sends(0, F_ACK, 101, 500);
	says(CHECK_ACK);
}

TEST(a_window_taken_back__is_seen)
{
	struct seg s;

	open_both();
	s = seg_of(0, F_ACK, 101, 501);
	s.wnd = 998;
	watch_out(w, 0, &s);
	says(CHECK_WINDOW);
}

/* Host 1 answers the SYN with a cookie, and has forgotten it when the ACK comes. */
static void open_by_cookie(bool known)
{
	fresh();
	if (known) {
		struct seg s = seg_of(0, F_SYN, 100, 0);

		s.opts.has_wscale = true;
		s.opts.wscale = 2;
		edge(0, F5_03_ACTIVE_OPEN);
		watch_out(w, 0, &s);
		arriving = seg_of(1, F_SYN | F_ACK, 500, 101);
		arriving.opts.has_wscale = true;
		arriving.opts.wscale = 3;
		watch_out(w, 1, &arriving);
		watch_in_begin(w, 0, 0, IN_TCP, &arriving);
		edge(0, F5_10_SYN_ACK);
		watch_in_end(w);
		sends(0, F_ACK, 101, 501);
	}
	begins(0, IN_TCP, F_ACK, 101, 501);
	edge(1, F5_05_LISTEN_SYN);
	edge(1, F5_09_SYN_ACKED);
	watch_in_end(w);
	assert_false(v.failed);
}

/* What the ACK does not say is known from the other end. */
TEST(windows_of_a_connection_from_a_cookie__are_scaled)
{
	struct seg s;

	for (uint16_t wnd = 998; wnd <= 999; wnd++) { /* in units of 8 octets, of which one may be lost in rounding */
		open_by_cookie(true);
		sends(1, F_ACK, 501, 101);
		s = seg_of(1, F_ACK, 501, 101);
		s.wnd = wnd;
		watch_out(w, 1, &s);
		assert_int_equal(v.failed, wnd == 998);
	}
	for (uint32_t at = 501 + 4000; at <= 501 + 4001; at++) {
		open_by_cookie(true);
		sends(1, F_FIN | F_ACK, at, 101);
		assert_int_equal(v.failed, at == 501 + 4001);
	}
	open_by_cookie(false); /* nobody known sent that ACK */
	sends(1, F_FIN | F_ACK, 501 + 4001, 101);
	assert_false(v.failed);
}

TEST(words_from_the_dead__are_seen)
{
	open_both();
	close_both();
	sends(1, F_FIN | F_ACK, 501, 102);
	says(CHECK_SILENCE);
	fresh();
	sends(0, F_SYN, 1, 0);
	says(CHECK_SILENCE);
	fresh();
	sends(0, F_RST, 1, 0);
	sends(0, F_SYN | F_ACK, 1, 2); /* a cookie */
	assert_false(v.failed);
}

TEST(a_connection_that_stays__is_seen_at_the_end)
{
	open_both();
	watch_rest(w);
	says(CHECK_ENDED);
	open_both();
	close_both();
	watch_rest(w); /* its TIME_WAIT stays */
	says(CHECK_ENDED);
}

TEST(a_restart__ends_all_of_that_host)
{
	open_both();
	watch_restart(w, 0);
	watch_restart(w, 1);
	watch_rest(w);
	assert_false(v.failed);
	assert_false(watch_was_protected(w, 1));
}

TEST(ports__are_taken_when_all_are)
{
	fresh();
	edge(0, F5_03_ACTIVE_OPEN);
	assert_false(watch_ports_taken(w, 0, &b));
	a.port = 1001;
	edge(0, F5_03_ACTIVE_OPEN);
	assert_true(watch_ports_taken(w, 0, &b));
	assert_false(watch_ports_taken(w, 1, &b));
}

/* ---- audit ---- */

static void audited(const struct counts *c, const struct seen *s, const struct la_usage *u)
{
	v = (struct verdict){0};
	audit_counts(&v, 0, c, s, u);
}

TEST(counters_that_do_not_add_up__are_seen)
{
	struct la_usage u = {0};
	struct seen s = {0};
	struct counts zero = {0}, c;

	audited(&zero, &s, &u);
	assert_false(v.failed);
	/* One more of each of these is one too many. LaRepliesDropped and InErrs may be what they like. */
#define AUDITED(name)                                                                                                  \
	c = zero;                                                                                                      \
	c.name = 1;                                                                                                    \
	audited(&c, &s, &u);                                                                                           \
	assert_int_equal(v.failed, strcmp(#name, "LaRepliesDropped") != 0 && strcmp(#name, "InErrs") != 0);
#include "sim/audited.def"
#undef AUDITED
	s.edge[F5_03_ACTIVE_OPEN] = 1;
	audited(&zero, &s, &u);
	assert_true(v.failed);
}

TEST(what_is_left_in_the_end__is_seen)
{
	struct la_usage u;

	for (size_t i = 0; i < sizeof(u) / sizeof(uint32_t); i++) {
		memset(&u, 0, sizeof(u));
		((uint32_t *)&u)[i] = 1;
		v = (struct verdict){0};
		audit_rest(&v, 0, &u);
		says(CHECK_LEAK);
	}
}

/* ---- the data path ---- */

static void takes(unsigned from, struct seg s)
{
	arriving = s;
	watch_in_begin(w, 1 - from, 0, IN_TCP, &arriving);
	watch_in_end(w);
}

static struct seg text_of(unsigned from, uint32_t number, uint32_t len, unsigned tos)
{
	struct seg s = seg_of(from, F_ACK, number, from ? 101 : 501);

	s.len = len;
	s.tos = (uint8_t)tos;
	s.wnd = 60000;
	return s;
}

/* Host 1 acknowledges ack and tells of from .. to. */
static void tells(uint32_t ack, uint32_t from, uint32_t to)
{
	struct seg s = seg_of(1, F_ACK, 501, ack);

	s.opts.n_sack = 1;
	s.opts.sack[0].from = seq(from);
	s.opts.sack[0].to = seq(to);
	watch_out(w, 1, &s);
}

/* 101 to 200 are missing at host 1, 201 to 300 are there. */
static void open_with_gap(void)
{
	open_both();
	takes(0, text_of(0, 201, 100, 0));
}

TEST(sack_of_what_arrived__breaks_no_rule)
{
	open_with_gap();
	tells(101, 201, 301);
	takes(0, text_of(0, 201, 100, 0));
	tells(101, 201, 301);
	takes(0, text_of(0, 101, 100, 0));
	sends(1, F_ACK, 501, 301);
	tells(301, 101, 201); /* D-SACK */
	assert_false(v.failed);
}

TEST(sack_of_what_never_came__is_seen)
{
	open_with_gap();
	tells(101, 200, 301);
	says(CHECK_SACK);
	open_with_gap();
	tells(101, 201, 302);
	says(CHECK_SACK);
	open_with_gap();
	tells(101, 301, 201);
	says(CHECK_SACK);
}

TEST(sack_that_is_taken_back__is_seen)
{
	open_with_gap();
	tells(101, 201, 301);
	takes(0, text_of(0, 101, 100, 0));
	sends(1, F_ACK, 501, 201);
	says(CHECK_SACK);
	open_with_gap();
	tells(101, 201, 301);
	takes(0, text_of(0, 101, 150, 0));
	sends(1, F_ACK, 501, 251);
	says(CHECK_SACK);
}

/* As open_both(), and they agree on ECN, or do not. */
static void open_with_ecn(bool agrees)
{
	open_both();
	w->shadow[0].data = (struct data_shadow){.asked_out = true, .agreed_in = agrees};
	w->shadow[1].data = (struct data_shadow){.asked_in = true, .agreed_out = agrees};
	sends(0, F_ACK, 101, 501);
	takes(0, text_of(0, 101, 100, 2));
	sends(1, F_ACK, 501, 201);
	assert_false(v.failed);
}

static void sends_text(unsigned from, uint32_t number, uint32_t len, unsigned tos)
{
	struct seg s = text_of(from, number, len, tos);

	w->shadow[from].right = seq(60000);
	w->shadow[from].has_right = true;
	watch_out(w, from, &s);
}

TEST(ect_on_new_text__breaks_no_rule)
{
	open_with_ecn(true);
	sends_text(0, 101, 100, 2);
	sends_text(0, 101, 100, 0);
	sends_text(0, 201, 100, 2);
	assert_false(v.failed);
}

TEST(ect_where_it_must_not_be__is_seen)
{
	open_with_ecn(true);
	sends_text(0, 101, 100, 2);
	sends_text(0, 101, 100, 2); /* again */
	says(CHECK_ECN);
	open_with_ecn(true);
	sends_text(0, 101, 0, 2);
	says(CHECK_ECN);
	open_with_ecn(true);
	sends_text(0, 101, 100, 1);
	says(CHECK_ECN);
	open_with_ecn(false);
	sends_text(0, 101, 100, 2);
	says(CHECK_ECN);
}

TEST(an_echo__is_there_from_ce_to_cwr_and_not_else)
{
	open_with_ecn(true);
	takes(0, text_of(0, 201, 100, 3));
	sends(1, F_ACK | F_ECE, 501, 301);
	assert_false(v.failed);
	sends(1, F_ACK, 501, 301);
	says(CHECK_ECN);
	open_with_ecn(true);
	takes(0, text_of(0, 201, 100, 3));
	{
		struct seg s = text_of(0, 301, 100, 2);

		s.flags |= F_CWR;
		takes(0, s);
	}
	sends(1, F_ACK, 501, 401);
	assert_false(v.failed);
	open_with_ecn(true);
	sends(1, F_ACK | F_ECE, 501, 201);
	says(CHECK_ECN);
	open_with_ecn(false);
	sends(0, F_ACK | F_CWR, 101, 501);
	says(CHECK_ECN);
}

TEST(a_first_flight_of_more_than_ten__is_seen)
{
	open_both();
	for (uint32_t i = 0; i < 11; i++)
		sends_text(0, 101 + 10 * i, 10, 0);
	assert_false(v.failed);
	sends_text(0, 211, 10, 0);
	says(CHECK_FLIGHT);
	open_both();
	sends_text(0, 101, 10, 0);
	takes(1, seg_of(1, F_ACK, 501, 111));
	for (uint32_t i = 1; i < 30; i++)
		sends_text(0, 101 + 10 * i, 10, 0);
	assert_false(v.failed);
}

static void again_after(unsigned ms)
{
	v.now += ms * NSEC_PER_MS;
	sends_text(0, 101, 10, 0);
}

TEST(a_timer_that_does_not_wait_longer__is_seen)
{
	open_both();
	w->rules[0].rto_min = 200 * NSEC_PER_MS;
	again_after(0);
	again_after(10); /* a probe, or recovery */
	again_after(300);
	again_after(600);
	again_after(600);
	assert_false(v.failed);
	again_after(300);
	says(CHECK_PACE);
	open_both();
	w->rules[0].rto_min = 200 * NSEC_PER_MS;
	again_after(0);
	again_after(10);
	again_after(20);
	again_after(100);
	says(CHECK_PACE);
	open_both();
	again_after(0);
	again_after(10);
	again_after(300);
	takes(1, seg_of(1, F_ACK, 501, 101)); /* something came */
	again_after(1);
	again_after(1);
	assert_false(v.failed);
}

TEST(the_first_violation__is_the_one_that_is_told)
{
	v = (struct verdict){.now = 7};
	FAIL(&v, CHECK_ACK, 1, NULL, NULL, "first %d", 1);
	FAIL(&v, CHECK_LEAK, 0, NULL, NULL, "second");
	assert_string_equal(v.why.text, "first 1");
	assert_int_equal(v.checker, CHECK_ACK);
	assert_int_equal(v.at, 7);
}

RUN(T(a_whole_life__breaks_no_rule), T(an_edge_from_another_state__is_a_broken_chain),
    T(a_second_connection_of_a_four_tuple__is_seen), T(a_connection_beside_its_time_wait__is_seen),
    T(time_wait_without_a_fin_sent__is_seen), T(time_wait_on_the_second_side__is_seen), T(a_short_time_wait__is_seen),
    T(a_time_wait_that_the_fin_did_not_restart__is_seen), T(a_time_wait_ended_against_the_knobs__is_seen),
    T(a_reset_nobody_sent__is_seen), T(numbers_out_of_bounds__are_seen),
    T(an_iss_within_the_connection_before__is_seen), T(an_ack_of_what_never_came__is_seen),
    T(a_window_taken_back__is_seen), T(windows_of_a_connection_from_a_cookie__are_scaled),
    T(words_from_the_dead__are_seen), T(a_connection_that_stays__is_seen_at_the_end),
    T(a_restart__ends_all_of_that_host), T(ports__are_taken_when_all_are), T(counters_that_do_not_add_up__are_seen),
    T(what_is_left_in_the_end__is_seen), T(sack_of_what_arrived__breaks_no_rule), T(sack_of_what_never_came__is_seen),
    T(sack_that_is_taken_back__is_seen), T(ect_on_new_text__breaks_no_rule), T(ect_where_it_must_not_be__is_seen),
    T(an_echo__is_there_from_ce_to_cwr_and_not_else), T(a_first_flight_of_more_than_ten__is_seen),
    T(a_timer_that_does_not_wait_longer__is_seen), T(the_first_violation__is_the_one_that_is_told))

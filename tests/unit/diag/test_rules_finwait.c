/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

/* ---- FW001 ---- */

/* n orphans in FIN_WAIT_2 on *:80, beside time_wait TIME_WAITs. */
static void orphans(struct rig *r, uint32_t n, uint32_t time_wait)
{
	struct listener *l = rig_listener(r, NULL, 80);

	l->fin_wait_2_orphans = r->now->fin_wait_2_orphans = n;
	l->states.n[ST_FIN_WAIT_2] = r->now->states.n[ST_FIN_WAIT_2] = n;
	r->now->states.n[ST_TIME_WAIT] = time_wait;
}

TEST(FW001__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_FW001);
	rig_silent(&r);
}

TEST(FW001__99_orphans_silent__100_informs)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 99, 0);
	rig_eval(&r, &rule_FW001);
	rig_silent(&r);
	rig_init(&r);
	orphans(&r, 100, 0);
	rig_eval(&r, &rule_FW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "The peers of 100 closed connections have not closed their side");
	assert_text(rig_only(&r)->what, "100 of them on *:80");
	assert_text(rig_only(&r)->what, "ss -s and sockstat count them as timewait");
	assert_text(rig_only(&r)->evidence, "at most 60 s (tcp_fin_timeout 60)");
}

TEST(FW001__below_a_tenth_of_all__silent)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 1000, 9001);
	rig_eval(&r, &rule_FW001);
	rig_silent(&r);
	r.now->states.n[ST_TIME_WAIT] = 9000;
	rig_eval(&r, &rule_FW001);
	rig_only(&r);
}

TEST(FW001__ten_thousand__warns)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 9999, 0);
	rig_eval(&r, &rule_FW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	rig_init(&r);
	orphans(&r, 10000, 0);
	rig_eval(&r, &rule_FW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

TEST(FW001__fin_timeout_above_60__life_is_twice_what_exceeds_60)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 100, 0);
	rig_knob(&r, KNOB_fin_timeout_s, 80);
	rig_eval(&r, &rule_FW001);
	assert_text(rig_only(&r)->evidence, "at most 40 s = 2 x (T - 60)");
}

TEST(FW001__fin_timeout__is_offered_here_with_a_precondition)
{
	const struct remedy *m;
	struct rig r;

	rig_init(&r);
	rig_netns(&r, "3f2c1a", 4242);
	orphans(&r, 100, 0);
	rig_eval(&r, &rule_FW001);
	m = rig_remedy(rig_only(&r), "tcp_fin_timeout=15");
	assert_non_null(m);
	assert_text(m->command, "nsenter -t 4242 -n sysctl -w net.ipv4.tcp_fin_timeout=15");
	assert_text(m->precondition, "no peer");
	rig_knob(&r, KNOB_fin_timeout_s, 15);
	rig_eval(&r, &rule_FW001);
	assert_null(rig_remedy(rig_only(&r), "tcp_fin_timeout"));
}

TEST(FW001__fin_timeout_unknown__told_without_a_life)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 100, 0);
	rig_knob_unknown(&r, KNOB_fin_timeout_s);
	rig_eval(&r, &rule_FW001);
	assert_text(rig_only(&r)->evidence, "tcp_fin_timeout unknown");
	assert_null(rig_remedy(rig_only(&r), "sysctl"));
}

TEST(FW001__a_destination_has_most__is_named)
{
	struct rig r;

	rig_init(&r);
	orphans(&r, 100, 0);
	r.listeners[0].fin_wait_2_orphans = 40;
	rig_dest(&r, "10.0.0.1", "10.0.0.2", 443)->fin_wait_2_orphans = 60;
	rig_eval(&r, &rule_FW001);
	assert_text(rig_only(&r)->what, "60 of them to 10.0.0.2:443");
}

/* ---- FW002 ---- */

static struct holder *half_closed(struct rig *r, uint32_t n)
{
	int32_t proc = rig_proc(r, 77, "rsync");
	struct holder *h = rig_holder(r, HOLD_FIN_WAIT_2, n);

	h->proc = proc;
	h->local = rig_ip("0.0.0.0");
	h->lport = 873;
	h->oldest_ms = 60001;
	return h;
}

static void before_had(struct rig *r, uint32_t n)
{
	static struct holder then[RIG_ROWS];

	memcpy(then, r->holders, sizeof(then));
	then[0].n = n;
	r->before->holders = then;
}

TEST(FW002__99_that_do_not_grow__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
	half_closed(&r, 99);
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
}

TEST(FW002__100_that_do_not_grow__informs)
{
	struct rig r;

	rig_init(&r);
	half_closed(&r, 100);
	rig_eval(&r, &rule_FW002);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what,
		    "rsync[77] waits without a timer for the peers of 100 half-closed connections on *:873");
	assert_text(rig_only(&r)->raise, "rsync, ssh and LDAP");
}

TEST(FW002__grows_from_ten_on__warns)
{
	struct rig r;

	rig_init(&r);
	half_closed(&r, 9);
	before_had(&r, 8);
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
	r.holders[0].n = 10;
	rig_eval(&r, &rule_FW002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "+2 in 1.0 s");
}

TEST(FW002__not_older_than_a_minute__silent)
{
	struct rig r;

	rig_init(&r);
	half_closed(&r, 500)->oldest_ms = 60000;
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
	r.holders[0].oldest_ms = 0; /* unknown */
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
}

TEST(FW002__one_snapshot__only_the_many_are_told)
{
	struct rig r;

	rig_init(&r);
	half_closed(&r, 99);
	rig_once(&r);
	rig_eval(&r, &rule_FW002);
	rig_silent(&r);
	r.holders[0].n = 100;
	rig_eval(&r, &rule_FW002);
	assert_text(rig_only(&r)->evidence, "growth unknown");
}

TEST(FW002__keepalive_off__is_offered_for_dead_peers)
{
	struct rig r;

	rig_init(&r);
	half_closed(&r, 100);
	rig_eval(&r, &rule_FW002);
	assert_null(rig_remedy(rig_only(&r), "SO_KEEPALIVE"));
	r.holders[0].opts = (struct sockopts){.known = true, .linger_s = -1};
	rig_eval(&r, &rule_FW002);
	assert_non_null(rig_remedy(rig_only(&r), "SO_KEEPALIVE"));
}

/* ---- FW003 ---- */

static struct holder *stuck(struct rig *r, enum holder_kind kind, uint32_t n)
{
	struct holder *h = rig_holder(r, kind, n);

	h->orphan = true;
	h->local = rig_ip("0.0.0.0");
	h->lport = 80;
	h->peer = rig_ip("192.0.2.7");
	h->oldest_ms = 5001;
	h->queue_bytes = 4096;
	return h;
}

TEST(FW003__five_seconds_silent__more_informs)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_FW003);
	rig_silent(&r);
	stuck(&r, HOLD_FIN_WAIT_1_WINDOW, 1)->oldest_ms = 5000;
	rig_eval(&r, &rule_FW003);
	rig_silent(&r);
	r.holders[0].oldest_ms = 5001;
	rig_eval(&r, &rule_FW003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_text(rig_only(&r)->what, "1 close on *:80 stuck in FIN_WAIT_1");
	assert_text(rig_only(&r)->what, "the peer's window is zero, its program does not read; 4.0 KiB unsent");
	assert_text(rig_only(&r)->evidence, "FIN_WAIT_1 1 >= 1, the peer's window closed for about 5.0 s > 5 s");
	assert_no_text(rig_only(&r)->evidence, "last answer"); /* it answers every window probe */
}

TEST(FW003__ten__warns)
{
	struct rig r;

	rig_init(&r);
	stuck(&r, HOLD_FIN_WAIT_1_WINDOW, 9);
	rig_eval(&r, &rule_FW003);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	r.holders[0].n = 10;
	rig_eval(&r, &rule_FW003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

TEST(FW003__age_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	stuck(&r, HOLD_FIN_WAIT_1_PATH, 100)->oldest_ms = 0;
	rig_eval(&r, &rule_FW003);
	rig_silent(&r);
}

TEST(FW003__path__says_when_an_orphan_is_given_up)
{
	struct rig r;

	rig_init(&r);
	stuck(&r, HOLD_FIN_WAIT_1_PATH, 3);
	rig_eval(&r, &rule_FW003);
	assert_text(rig_only(&r)->what, "nobody answers");
	assert_text(rig_only(&r)->evidence, "FIN_WAIT_1 3 >= 1, last answer of the peer 5.0 s ago > 5 s");
	assert_text(rig_only(&r)->evidence, "8 retransmissions, about 108 s");
	assert_non_null(rig_remedy(rig_only(&r), "ss -tino state fin-wait-1 dst 192.0.2.7"));
	rig_knob(&r, KNOB_orphan_retries, 3);
	rig_eval(&r, &rule_FW003);
	assert_text(rig_only(&r)->evidence, "given up after 3 retransmissions");
	rig_knob_unknown(&r, KNOB_orphan_retries);
	rig_eval(&r, &rule_FW003);
	assert_no_text(rig_only(&r)->evidence, "given up");
}

TEST(FW003__process_still_has_it__orphan_rules_are_not_claimed)
{
	struct rig r;

	rig_init(&r);
	stuck(&r, HOLD_FIN_WAIT_1_PATH, 3)->orphan = false;
	rig_once(&r);
	rig_eval(&r, &rule_FW003);
	assert_no_text(rig_only(&r)->evidence, "given up");
}

/* ---- FW004 ---- */

TEST(FW004__half_of_the_limit_silent__more_warns)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
	r.now->sockstat.orphan = 65536;
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
	r.now->sockstat.orphan = 65537;
	rig_eval(&r, &rule_FW004);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "65,537 of at most 131,072 orphans");
	assert_string_equal(rig_only(&r)->netns, "");
	assert_non_null(rig_remedy(rig_only(&r), "tcp_max_orphans=262144"));
}

TEST(FW004__nine_tenths__crit_above)
{
	struct rig r;

	rig_init(&r);
	rig_knob(&r, KNOB_max_orphans, 100000);
	r.now->sockstat.orphan = 90000;
	rig_eval(&r, &rule_FW004);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	r.now->sockstat.orphan = 90001;
	rig_eval(&r, &rule_FW004);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
}

TEST(FW004__aborts_for_memory__crit_even_with_few_orphans)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnMemory", 5, 8);
	rig_eval(&r, &rule_FW004);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->confidence, CONF_MEDIUM);
	assert_text(rig_only(&r)->what, "3 closing sockets reset in the last 1.0 s");
	assert_null(rig_remedy(rig_only(&r), "tcp_max_orphans="));
}

/* A second namespace, "shop", in both snapshots; its counter moved from 0 to aborted. */
static void beside(struct rig *r, struct netns ns[2][2], struct counter counter[2], uint64_t aborted)
{
	rig_ready(r);
	for (int i = 0; i < 2; i++) {
		ns[i][0] = r->ns[i];
		ns[i][1] = r->ns[i];
		snprintf(ns[i][1].name, sizeof(ns[i][1].name), "shop");
		ns[i][1].inode++;
		ns[i][1].knob_known[KNOB_max_orphans] = false;
		snprintf(counter[i].name, sizeof(counter[i].name), "TCPAbortOnMemory");
		counter[i].value = i ? aborted : 0;
		ns[i][1].counters = (struct counters){.v = &counter[i], .n = 1, .cap = 1};
		r->o.s[i].netns = ns[i];
		r->o.s[i].n_netns = 2;
	}
}

TEST(FW004__aborts_in_the_second_namespace__are_told_and_it_is_named)
{
	struct counter counter[2] = {0};
	struct netns ns[2][2];
	struct findings f;
	struct rig r;

	rig_init(&r);
	beside(&r, ns, counter, 900);
	assert_int_equal(diagnose(&r.o, "FW004", &f), 0);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].netns, "shop");
	assert_int_equal(f.v[0].severity, SEV_CRIT);
	assert_text(f.v[0].what, "900 closing sockets reset in the last 1.0 s");
	assert_text(f.v[0].evidence, "tcp_max_orphans 131,072"); /* known in the first namespace only */
	findings_done(&f);
}

TEST(FW004__near_the_limit_with_two_namespaces__is_told_once_and_for_the_host)
{
	struct counter counter[2] = {0};
	struct netns ns[2][2];
	struct findings f;
	struct rig r;

	rig_init(&r);
	r.now->sockstat.orphan = 65537;
	beside(&r, ns, counter, 0);
	assert_int_equal(diagnose(&r.o, "FW004", &f), 0);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].netns, "");
	assert_int_equal(f.v[0].netns_inode, 0);
	assert_int_equal(f.v[0].severity, SEV_WARN);
	findings_done(&f);
}

TEST(FW004__aborts_in_the_past_or_one_snapshot__silent)
{
	struct rig r;

	rig_init(&r);
	rig_counter(&r, "TCPAbortOnMemory", 8, 8);
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
	rig_counter(&r, "TCPAbortOnMemory", 5, 8);
	rig_once(&r);
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
}

TEST(FW004__inputs_missing__silent_or_said)
{
	struct rig r;

	rig_init(&r);
	r.now->sockstat.orphan = 130000;
	rig_knob_unknown(&r, KNOB_max_orphans);
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
	rig_init(&r);
	r.now->sockstat.orphan = 130000;
	r.now->sockstat.known = false;
	rig_eval(&r, &rule_FW004);
	rig_silent(&r);
	r.now->sockstat.known = true;
	rig_counter_absent(&r, "TCPAbortOnMemory");
	rig_eval(&r, &rule_FW004);
	assert_text(rig_only(&r)->evidence, "TCPAbortOnMemory unknown");
}

RUN(T(FW001__quiet_host__silent), T(FW001__99_orphans_silent__100_informs), T(FW001__below_a_tenth_of_all__silent),
    T(FW001__ten_thousand__warns), T(FW001__fin_timeout_above_60__life_is_twice_what_exceeds_60),
    T(FW001__fin_timeout__is_offered_here_with_a_precondition), T(FW001__fin_timeout_unknown__told_without_a_life),
    T(FW001__a_destination_has_most__is_named), T(FW002__99_that_do_not_grow__silent),
    T(FW002__100_that_do_not_grow__informs), T(FW002__grows_from_ten_on__warns),
    T(FW002__not_older_than_a_minute__silent), T(FW002__one_snapshot__only_the_many_are_told),
    T(FW002__keepalive_off__is_offered_for_dead_peers), T(FW003__five_seconds_silent__more_informs),
    T(FW003__ten__warns), T(FW003__age_unknown__silent), T(FW003__path__says_when_an_orphan_is_given_up),
    T(FW003__process_still_has_it__orphan_rules_are_not_claimed), T(FW004__half_of_the_limit_silent__more_warns),
    T(FW004__nine_tenths__crit_above), T(FW004__aborts_for_memory__crit_even_with_few_orphans),
    T(FW004__aborts_in_the_second_namespace__are_told_and_it_is_named),
    T(FW004__near_the_limit_with_two_namespaces__is_told_once_and_for_the_host),
    T(FW004__aborts_in_the_past_or_one_snapshot__silent), T(FW004__inputs_missing__silent_or_said))

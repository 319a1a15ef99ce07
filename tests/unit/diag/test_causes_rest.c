/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/closes.h"

#include <errno.h>
#include <stdlib.h>

static void ignored(unsigned n, enum side closer, nsec_t how_long)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(closer, 2 * S + i * US, 1);

		c.fin[side_other(closer)] = c.fin[closer] + how_long;
		c.end = c.fin[side_other(closer)];
		closes_add(&c);
	}
}

TEST(KA009__fin_stands_for_seconds__leak)
{
	const struct finding *f;

	closes_init();
	ignored(60, SIDE_SERVER, 5 * S);
	f = closes_verdict("PEER_IGNORES_FIN");
	assert_non_null(f);
	assert_int_equal(f->stage, STAGE_LEAKING);
	assert_says(f->what, "the client does not close when the server has");
	closes_verdict("SERVER_IDLE_TIMEOUT 2.00s");
}

TEST(KA009__a_second_or_less_or_four__silent)
{
	closes_init();
	ignored(60, SIDE_SERVER, S);
	closes_not("PEER_IGNORES_FIN");
	closes_init();
	ignored(4, SIDE_CLIENT, 5 * S);
	closes_not("PEER_IGNORES_FIN");
	ignored(1, SIDE_CLIENT, 5 * S);
	closes_verdict("PEER_IGNORES_FIN");
}

/* One in ten with parts that were not seen: the answer may be among them. One in eleven: a doubt like another. */
TEST(KA009__source_that_loses__low)
{
	for (unsigned whole = 45; whole <= 50; whole += 5) {
		closes_init();
		ignored(whole, SIDE_SERVER, 5 * S);
		for (unsigned i = 0; i < 5; i++) {
			struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

			c.seen |= SEEN_HOLES;
			closes_add(&c);
		}
		assert_int_equal(closes_verdict("PEER_IGNORES_FIN")->confidence, whole == 45 ? CONF_LOW : CONF_MEDIUM);
		assert_int_equal(closes_verdict("SERVER_IDLE_TIMEOUT")->confidence, CONF_MEDIUM);
		if (whole == 45)
			assert_says(closes_verdict("PEER_IGNORES_FIN")->raise, "5 of 50");
	}
}

/* When a FIN was sent, and after what, is not known of such: neither idle nor ignored. */
TEST(KA009__around_the_fin_not_seen__silent)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.fin[SIDE_CLIENT] = c.fin[SIDE_SERVER] + 5 * S;
		c.seen |= SEEN_HOLES | SEEN_VAGUE;
		closes_add(&c);
	}
	closes_not("PEER_IGNORES_FIN");
	closes_not("SERVER_IDLE_TIMEOUT");
}

TEST(KA009__half_closed_by_design__silent)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_CLIENT, US, 1);

		c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] + 20 * S;
		c.end = c.fin[SIDE_SERVER];
		c.half_close_data = c.end - MS;
		closes_add(&c);
	}
	closes_not("PEER_IGNORES_FIN");
}

TEST(KA009__pool_that_looks_when_it_needs_one__is_stale_reuse)
{
	closes_init();
	ignored(34, SIDE_SERVER, 2 * S);
	closes_verdict("PEER_IGNORES_FIN");
	for (unsigned i = 0; i < 17; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.late_data = c.fin[SIDE_SERVER] + S;
		c.rst_kind = RST_LATE_DATA;
		c.rst[SIDE_SERVER] = c.late_data;
		closes_add(&c);
	}
	closes_verdict("STALE_REUSE");
	closes_not("PEER_IGNORES_FIN");
}

TEST(KA009__still_open_at_the_end__counts)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.seen = SEEN_SYN;
		c.how = END_OPEN;
		c.fin[SIDE_CLIENT] = 0;
		c.end = c.fin[SIDE_SERVER] + 8 * S;
		closes_add(&c);
	}
	closes_verdict("PEER_IGNORES_FIN");
}

static void ends_together(unsigned n, nsec_t after)
{
	closes_step = MS;
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_CLIENT, (nsec_t)i * 7 * MS, 20 + i);

		c.fin[SIDE_CLIENT] = 100 * S + after;
		c.fin[SIDE_SERVER] = c.fin[SIDE_CLIENT] + US;
		c.end = c.fin[SIDE_SERVER];
		closes_add(&c);
	}
}

TEST(KA011__all_at_once_in_ten_seconds__harmless)
{
	closes_init();
	ends_together(50, 10 * S);
	assert_int_equal(closes_one("MASS_CLOSE")->severity, SEV_INFO);
}

TEST(KA011__window_below_ten_seconds__insufficient)
{
	closes_init();
	ends_together(50, 10 * S - 10 * MS);
	assert_says(closes_one("INSUFFICIENT")->raise, "10 s or more");
}

TEST(KA011__two_in_ten_closed_before__silent)
{
	closes_init();
	for (unsigned i = 0; i < 13; i++)
		closes_many(1, SIDE_CLIENT, (nsec_t)i * 300 * MS, 20);
	closes_now = 100 * S;
	ends_together(50, 30 * S);
	closes_not("MASS_CLOSE");
}

TEST(KA012__nothing_but_one_reused_connection)
{
	const struct finding *f;

	closes_init();
	closes_many(1, SIDE_CLIENT, US, 300);
	f = closes_one("INSUFFICIENT");
	assert_int_equal(f->severity, SEV_INFO);
	assert_says(f->what, "1 connection began and ended");
	assert_says(f->what, "up to 300 requests");
}

static void refused(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_CLIENT, US, 0);

		memset(c.fin, 0, sizeof(c.fin));
		c.how = END_FAILED_OPEN;
		c.rst_kind = RST_REFUSED;
		closes_add(&c);
	}
}

TEST(KA013__refused__nothing_listens)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 20; i++)
		closes_many(1, SIDE_CLIENT, US, 3 + i);
	refused(20);
	f = closes_one("OPENS_FAIL");
	assert_says(f->what, "20 of 40 connections could not be opened; 20 refused by a RST: nothing listens there");
	assert_says(f->remedies[0].action, "Start the service");
	assert_int_equal(f->severity, SEV_INFO);
	closes_many(1, SIDE_CLIENT, US, 3);
	assert_says(closes_one("INSUFFICIENT")->what, "no cause stands out");
}

TEST(KA013__nine_in_ten_of_fifty__a_warning)
{
	closes_init();
	refused(50);
	assert_int_equal(closes_one("OPENS_FAIL")->severity, SEV_WARN);
	closes_init();
	refused(49);
	assert_int_equal(closes_one("OPENS_FAIL")->severity, SEV_INFO);
	closes_init();
	refused(9);
	assert_says(closes_one("INSUFFICIENT")->evidence, "(0 seen in part); 9 failed to open, 9 of them refused");
}

static void failed(unsigned n, bool no_syn)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn c = closes_next(SIDE_CLIENT, US, 0);

		memset(c.fin, 0, sizeof(c.fin));
		c.how = END_FAILED_OPEN;
		c.no_syn = no_syn;
		closes_add(&c);
	}
}

TEST(KA013__no_syn__is_not_told_as_silence)
{
	const struct finding *f;

	closes_init();
	failed(10, true);
	f = closes_one("OPENS_FAIL");
	assert_says(f->what, "10 of 10 connections could not be opened; 10 failed here before a SYN was sent");
	assert_null(strstr(f->what, "no answer"));
	assert_int_equal(f->n_remedies, 1);
	assert_says(f->remedies[0].action, "connect()");
}

TEST(KA013__no_answer__look_for_what_drops)
{
	closes_init();
	failed(10, false);
	assert_says(closes_one("OPENS_FAIL")->what, "10 got no answer");
	assert_says(closes_one("OPENS_FAIL")->remedies[0].action, "drops its SYNs");
}

TEST(KA012__no_request_in_any__as_health_checks)
{
	closes_init();
	closes_many(20, SIDE_CLIENT, US, 0);
	assert_says(closes_one("INSUFFICIENT")->what, "20 connections ended without an answered request");
}

TEST(KA012__data_one_way_only__are_no_health_checks)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_CLIENT, MS, 0);

		c.bytes[i < 30 ? SIDE_CLIENT : SIDE_SERVER] = i < 31 ? 2500 : 0;
		closes_add(&c);
	}
	f = closes_one("INSUFFICIENT");
	assert_says(f->what, "without an answered request; 31 of them carried data");
}

TEST(KA012__resets_and_a_common_end__are_told)
{
	const struct finding *f;

	closes_init();
	ends_together(45, 9 * S);
	for (unsigned i = 0; i < 5; i++) {
		struct conn c = closes_next_rst(SIDE_CLIENT, US, RST_UNREAD);

		c.rst[SIDE_CLIENT] = c.end = 109 * S;
		closes_add(&c);
	}
	f = closes_one("INSUFFICIENT");
	assert_says(f->evidence, "of 50 closes the client began 100 %, the server 0 %; 10 % by RST; closed together");
}

TEST(no_port__is_PORT001_at_certainty)
{
	const struct finding *f;
	struct conn c;

	closes_init();
	c = closes_next(SIDE_CLIENT, US, 0);
	c.how = END_FAILED_OPEN;
	c.error = EADDRNOTAVAIL;
	c.opener.pid = 812;
	memcpy(c.opener.comm, "shop", 5);
	closes_add(&c);
	closes_add(&c);
	closes_verdict("");
	f = &closes_found.v[0];
	assert_string_equal(f->rule->id, "PORT001");
	assert_int_equal(f->confidence, CONF_CERTAIN);
	assert_int_equal(f->severity, SEV_CRIT);
	assert_string_equal(f->process, "shop[812]");
	assert_says(f->what, "failed 2 times");
}

TEST(only__judges_by_one_cause)
{
	struct findings f;

	closes_init();
	ignored(60, SIDE_SERVER, 5 * S);
	assert_int_equal(causes_diagnose(&closes, "ka009", &f), 0);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].rule->id, "KA009");
	findings_done(&f);
}

TEST(merge__sorts_and_keeps_what_was_dropped)
{
	struct findings a, b;

	closes_init();
	ignored(60, SIDE_SERVER, 5 * S);
	assert_int_equal(causes_diagnose(&closes, "KA006", &a), 0);
	assert_int_equal(causes_diagnose(&closes, "KA009", &b), 0);
	b.dropped = 3;
	b.dropped_worst = SEV_WARN;
	findings_merge(&a, &b);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.v[0].rule->id, "KA009");
	assert_int_equal(a.dropped, 3);
	assert_int_equal(a.dropped_worst, SEV_WARN);
	findings_done(&a);
	findings_done(&b);
}

static void in_two_namespaces(unsigned n)
{
	for (unsigned i = 0; i < 2 * n; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
		c.netns = i % 2 ? 8 : 7;
		c.port[SIDE_CLIENT] = (uint16_t)(30000 + i / 2);
		if (i % 2)
			c.closer = (struct conn_proc){.pid = 9, .comm = "nginx"};
		closes_now -= i % 2 ? 0 : closes_step;
		closes_add(&c);
	}
}

/* The container that tells it better was not looked at: then the other one does. */
TEST(fold__both_ends_in_two_namespaces__one_of_them_looked_at)
{
	struct netns ns[] = {{.name = "a", .inode = 7}, {.name = "b", .inode = 8}};
	struct snapshot host = {.netns = ns};

	for (size_t n = 1; n <= 2; n++) {
		struct findings doctor = {.v = calloc(FINDINGS_MAX, sizeof(*doctor.v))};

		assert_non_null(doctor.v);
		closes_init();
		in_two_namespaces(60);
		closes_verdict("SERVER_IDLE_TIMEOUT");
		host.n_netns = n;
		causes_fold(&doctor, &closes_found, &host);
		assert_int_equal(doctor.n, 1);
		assert_string_equal(doctor.v[0].netns, n == 1 ? "a" : "b");
		findings_done(&doctor);
	}
}

TEST(fold__says_service_and_namespace__leaves_out_what_tells_nothing)
{
	struct netns ns = {.name = "host", .inode = 7};
	struct snapshot host = {.netns = &ns, .n_netns = 1};
	struct findings doctor = {.v = calloc(FINDINGS_MAX, sizeof(*doctor.v))};

	assert_non_null(doctor.v);
	closes_init();
	for (unsigned i = 0; i < 180; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.local = SIDE_SERVER;
		c.netns = i % 3 == 0 ? 7 : 8; /* 8 was not looked at */
		if (i % 3 == 2)
			c.port[SIDE_SERVER] = 81;
		closes_add(&c);
	}
	closes_many(3, SIDE_SERVER, US, 1);
	assert_true(closes_find("SERVER_IDLE_TIMEOUT") && closes_find("INSUFFICIENT"));
	causes_fold(&doctor, &closes_found, &host);
	assert_int_equal(doctor.n, 1);
	assert_string_equal(doctor.v[0].netns, "host");
	assert_says(doctor.v[0].what, "on 10.0.0.2:80: the server closes connections that were idle for 2.00 s");
	findings_done(&doctor);
}

TEST(fold__both_ends_on_this_host__the_view_that_names_a_process)
{
	struct netns ns = {.name = "host", .inode = 7};
	struct snapshot host = {.netns = &ns, .n_netns = 1};
	struct findings doctor = {.v = calloc(FINDINGS_MAX, sizeof(*doctor.v))};

	assert_non_null(doctor.v);
	closes_init();
	for (unsigned i = 0; i < 120; i++) {
		struct conn c = closes_next(SIDE_SERVER, 2 * S, 1);

		c.netns = 7;
		c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
		if (c.local == SIDE_SERVER) {
			c.closer.pid = 812;
			memcpy(c.closer.comm, "nginx", 6);
		}
		closes_add(&c);
	}
	closes_verdict("SERVER_IDLE_TIMEOUT");
	assert_int_equal(closes_found.n, 2);
	causes_fold(&doctor, &closes_found, &host);
	assert_int_equal(doctor.n, 1);
	assert_string_equal(doctor.v[0].process, "nginx[812]");
	assert_string_equal(doctor.v[0].service, "on 10.0.0.2:80");
	findings_done(&doctor);
}

/* The same connections once more, as the other end's socket saw them. */
static void both_ends(const struct conn *c, const char *closer)
{
	struct conn end = *c;

	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		end.local = (enum side)side;
		end.closer = (struct conn_proc){0};
		if (side == (int)c->first) {
			end.closer.pid = 812;
			SAY(end.closer.comm, "%s", closer);
		}
		closes_add(&end);
	}
}

TEST(both_ends__one_cause__told_of_the_end_that_knows_the_process)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, US, 1);

		both_ends(&c, "nginx");
	}
	assert_non_null(closes_find("CLOSE_PER_REQUEST_BY_SERVER"));
	assert_int_equal(closes_found.n, 2);
	for (size_t i = 0; i < 2; i++) {
		f = &closes_found.v[i];
		assert_says(f->what, "nginx[812] closes after each request"); /* of the client's end too */
		assert_string_equal(f->same_as, f->service[0] == 't' ? "on 10.0.0.2:80" : "");
	}
}

TEST(both_ends__causes_of_each_side__each_at_its_own_end)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c =
			closes_next_rst(i % 2 ? SIDE_CLIENT : SIDE_SERVER, MS, i % 2 ? RST_LINGER_0 : RST_UNREAD);

		both_ends(&c, i % 2 ? "haproxy" : "nginx");
	}
	assert_non_null(closes_find("LINGER0"));
	assert_int_equal(closes_found.n, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct finding *f = &closes_found.v[i];
		bool own = f->by_client == (f->service[0] == 't');

		assert_string_equal(f->same_as, own ? "" : f->by_client ? "to 10.0.0.2:80" : "on 10.0.0.2:80");
	}
}

/* One end has too little to tell; the other does: nothing more is said of it. */
/* Through TLS the server's own end does not see how long it was idle; its clients' end does. */
TEST(both_ends__one_is_surer__so_is_what_is_told)
{
	const struct finding *f;

	closes_init();
	for (unsigned i = 0; i < 120; i++) {
		struct conn c = closes_next(SIDE_SERVER, 5 * S, 3);

		c.local = i % 2 ? SIDE_SERVER : SIDE_CLIENT;
		if (i % 2) {
			c.closer = (struct conn_proc){.pid = 812, .comm = "nginx"};
			c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER];
		}
		closes_add(&c);
	}
	assert_non_null(closes_find("SERVER_IDLE_TIMEOUT"));
	assert_int_equal(closes_found.n, 2);
	f = &closes_found.v[closes_found.v[0].same_as[0] ? 1 : 0];
	assert_string_equal(f->service, "on 10.0.0.2:80");
	assert_int_equal(f->confidence, CONF_HIGH);
	assert_says(f->evidence, "surer from the other end");
}

TEST(both_ends__nothing_to_tell_of_one__the_other_is_named)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_SERVER, US, 1);

		c.local = i < 55 ? SIDE_SERVER : SIDE_CLIENT;
		closes_add(&c);
	}
	assert_string_equal(closes_verdict("INSUFFICIENT")->same_as, "on 10.0.0.2:80");
	assert_string_equal(closes_verdict("CLOSE_PER_REQUEST_BY_SERVER")->same_as, "");
}

TEST(process__named_without_its_pid_where_there_are_many)
{
	closes_init();
	for (unsigned i = 0; i < 60; i++) {
		struct conn c = closes_next(SIDE_CLIENT, MS, 1);

		c.local = SIDE_CLIENT;
		c.closer.pid = 1000 + i;
		memcpy(c.closer.comm, "curl", 5);
		closes_add(&c);
	}
	assert_string_equal(closes_one("CLOSE_PER_REQUEST_BY_CLIENT")->process, "curl");
	for (unsigned i = 0; i < 90; i++) {
		struct conn c = closes_next(SIDE_CLIENT, MS, 1);

		c.local = SIDE_CLIENT;
		c.closer.pid = 7;
		memcpy(c.closer.comm, "shop", 5);
		closes_add(&c);
	}
	assert_string_equal(closes_one("CLOSE_PER_REQUEST_BY_CLIENT")->process, "shop[7]");
}

static nsec_t any_time(struct rng *rng) { return rng_chance(rng, 0.3) ? 0 : 100 * S + rng_u64(rng) % (400 * S); }

static void any_side(struct conn *c, enum side side, struct rng *rng)
{
	c->fin[side] = any_time(rng);
	c->rst[side] = rng_chance(rng, 0.7) ? 0 : any_time(rng);
	c->last_data[side] = any_time(rng);
	c->bytes[side] = rng_u64(rng) >> rng_below(rng, 64);
}

/* Nothing of it need make sense, as in a capture that somebody forged. */
static struct conn any_conn(struct rng *rng)
{
	struct conn c = closes_next(rng_chance(rng, 0.5) ? SIDE_CLIENT : SIDE_SERVER, 0, 0);

	c.port[SIDE_SERVER] = (uint16_t)(80 + rng_below(rng, 4));
	c.local = (enum side)rng_below(rng, 3);
	c.seen = rng_below(rng, 64);
	c.how = (enum conn_end)rng_below(rng, END_FAILED_OPEN + 1);
	c.first = (enum side)rng_below(rng, 3);
	c.rst_kind = (enum rst_kind)rng_below(rng, N_RST_KINDS);
	c.exchanges = (uint32_t)(rng_u64(rng) >> (32 + rng_below(rng, 32)));
	c.responses = rng_below(rng, 3);
	c.http = rng_below(rng, 256);
	c.start = any_time(rng);
	c.end = any_time(rng);
	c.late_data = rng_chance(rng, 0.8) ? 0 : any_time(rng);
	c.half_close_data = rng_chance(rng, 0.8) ? 0 : any_time(rng);
	c.idle_failed = rng_chance(rng, 0.8) ? 0 : any_time(rng);
	c.idle_survived = any_time(rng) % (50 * S);
	c.unanswered = rng_chance(rng, 0.2);
	c.error = rng_chance(rng, 0.5) ? EADDRNOTAVAIL : 0;
	c.closer.pid = c.opener.pid = rng_below(rng, 3);
	any_side(&c, SIDE_CLIENT, rng);
	any_side(&c, SIDE_SERVER, rng);
	return c;
}

TEST(any_records__every_verdict_has_its_proof_and_what_would_raise_it)
{
	struct rng rng;

	for (uint64_t seed = 0; seed < 60; seed++) {
		rng_seed(&rng, seed);
		closes_init();
		for (unsigned i = 0; i < 400; i++) {
			struct conn c = any_conn(&rng);

			closes_add(&c);
		}
		closes_find("");
		for (size_t i = 0; i < closes.n; i++) {
			size_t about = 0;

			for (size_t k = 0; k < closes_found.n; k++)
				about += strcmp(closes_found.v[k].service, service_text(closes.v[i]).s) == 0;
			assert_true(about > 0 || !closes.v[i]->conns); /* nothing is passed over in silence */
		}
		for (size_t k = 0; k < closes_found.n; k++) {
			const struct finding *f = &closes_found.v[k];

			assert_true(f->what[0] && f->evidence[0] && f->service[0]);
			assert_true(f->raise[0] || f->confidence == CONF_CERTAIN);
		}
	}
}

TEST(known__every_id_is_found_whatever_its_case)
{
	for (size_t i = 0; i < known_rules(); i++)
		assert_ptr_equal(known_rule_find(known_rule(i)->id), known_rule(i));
	assert_string_equal(known_rule_find("ka001")->id, "KA001");
	assert_true(rule_is_cause(known_rule_find("ka001")));
	assert_false(rule_is_cause(known_rule_find("PORT001")));
	assert_string_equal(cause_verdict(known_rule_find("rst005")), "LINGER0");
	assert_null(known_rule_find("KA999"));
}

RUN(T(KA012__data_one_way_only__are_no_health_checks), T(both_ends__one_cause__told_of_the_end_that_knows_the_process),
    T(both_ends__causes_of_each_side__each_at_its_own_end), T(both_ends__one_is_surer__so_is_what_is_told),
    T(both_ends__nothing_to_tell_of_one__the_other_is_named), T(KA009__source_that_loses__low),
    T(KA009__around_the_fin_not_seen__silent), T(KA009__fin_stands_for_seconds__leak),
    T(KA009__a_second_or_less_or_four__silent), T(KA009__half_closed_by_design__silent),
    T(KA009__pool_that_looks_when_it_needs_one__is_stale_reuse), T(KA009__still_open_at_the_end__counts),
    T(KA011__all_at_once_in_ten_seconds__harmless), T(KA011__window_below_ten_seconds__insufficient),
    T(KA011__two_in_ten_closed_before__silent), T(KA012__nothing_but_one_reused_connection),
    T(KA013__refused__nothing_listens), T(KA013__nine_in_ten_of_fifty__a_warning),
    T(KA013__no_syn__is_not_told_as_silence), T(KA013__no_answer__look_for_what_drops),
    T(KA012__no_request_in_any__as_health_checks), T(KA012__resets_and_a_common_end__are_told),
    T(no_port__is_PORT001_at_certainty), T(only__judges_by_one_cause), T(merge__sorts_and_keeps_what_was_dropped),
    T(fold__both_ends_in_two_namespaces__one_of_them_looked_at),
    T(fold__says_service_and_namespace__leaves_out_what_tells_nothing),
    T(fold__both_ends_on_this_host__the_view_that_names_a_process),
    T(process__named_without_its_pid_where_there_are_many),
    T(any_records__every_verdict_has_its_proof_and_what_would_raise_it), T(known__every_id_is_found_whatever_its_case))

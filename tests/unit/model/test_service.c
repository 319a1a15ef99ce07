/* SPDX-License-Identifier: MIT */
#include "model/service.h"
#include "tests/unit/t.h"

#include <errno.h>
#include <stdio.h>

#define MS NSEC_PER_MS
#define S NSEC_PER_S

static struct services all;

static struct conn whole(nsec_t start, nsec_t life, uint32_t requests)
{
	struct conn c = {.port = {40000, 80},
			 .local = SIDE_NONE,
			 .seen = SEEN_SYN | SEEN_END,
			 .start = start,
			 .end = start + life,
			 .how = END_FIN,
			 .first = SIDE_SERVER,
			 .exchanges = requests};

	assert_true(ip_parse("10.0.0.9", &c.addr[SIDE_CLIENT]));
	assert_true(ip_parse("10.0.0.2", &c.addr[SIDE_SERVER]));
	c.last_data[SIDE_SERVER] = start + life - 2 * MS;
	c.fin[SIDE_SERVER] = start + life - MS;
	c.fin[SIDE_CLIENT] = start + life;
	return c;
}

static void add(const struct conn *c) { assert_int_equal(services_add(&all, c), 0); }

static struct service *only(void)
{
	assert_int_equal(all.n, 1);
	return all.v[0];
}

TEST(services__one_for_each_address_port_side_and_namespace)
{
	struct conn c = whole(S, S, 1);

	services_init(&all, 1);
	add(&c);
	c.port[SIDE_CLIENT]++;
	assert_true(ip_parse("10.0.0.10", &c.addr[SIDE_CLIENT]));
	add(&c);
	assert_string_equal(service_text(only()).s, "10.0.0.2:80");
	c.port[SIDE_SERVER] = 81;
	add(&c);
	c.local = SIDE_CLIENT;
	add(&c);
	c.netns = 7;
	add(&c);
	assert_true(ip_parse("10.0.0.3", &c.addr[SIDE_SERVER]));
	add(&c);
	assert_int_equal(all.n, 5);
	assert_int_equal(all.v[0]->conns, 2);
	assert_string_equal(service_text(all.v[2]).s, "to 10.0.0.2:81");
	services_done(&all);
}

TEST(services__past_the_limit__are_counted)
{
	struct conn c = whole(S, S, 1);

	services_init(&all, 2);
	for (unsigned i = 0; i < SERVICES_MAX + 10; i++) {
		c.port[SIDE_SERVER] = (uint16_t)(1 + i);
		add(&c);
		add(&c);
	}
	assert_int_equal(all.n, SERVICES_MAX);
	assert_int_equal(all.dropped, 20);
	assert_int_equal(all.conns, 2 * (SERVICES_MAX + 10));
	services_done(&all);
}

/* A service that comes after a port scan is judged all the same; one with a record to its name stays. */
TEST(services__past_the_limit__a_scan_makes_room)
{
	struct conn c = whole(S, S, 1), scan = whole(S, S, 0);
	uint64_t seen = 0;

	scan.how = END_FAILED_OPEN;
	scan.first = SIDE_NONE;
	services_init(&all, 18);
	c.port[SIDE_SERVER] = 60000;
	add(&c);
	for (unsigned i = 0; i < 5 * SERVICES_MAX; i++) {
		scan.port[SIDE_SERVER] = (uint16_t)(1 + i);
		add(&scan);
	}
	for (unsigned port = 50000; port < 50500; port++) {
		c.port[SIDE_SERVER] = (uint16_t)port;
		for (unsigned i = 0; i < 20; i++)
			add(&c);
	}
	assert_int_equal(all.n, SERVICES_MAX);
	assert_int_equal(all.v[0]->port, 60000);
	for (size_t i = 0; i < all.n; i++) {
		assert_int_equal(all.v[i]->index, i);
		seen += all.v[i]->conns;
		if (all.v[i]->port >= 50000 && all.v[i]->port < 50500)
			assert_int_equal(all.v[i]->whole, 20);
		else if (all.v[i]->port != 60000)
			assert_int_equal(all.v[i]->failed, 1);
	}
	assert_int_equal(all.conns, 1 + 5 * SERVICES_MAX + 500 * 20);
	assert_int_equal(all.conns, seen + all.dropped);
	c.port[SIDE_SERVER] = 60000;
	add(&c);
	assert_int_equal(all.v[0]->conns, 2);
	services_done(&all);
}

/* Nine failed opens tell nothing, ten are OPENS_FAIL; one for want of a port is PORT001. */
TEST(services__past_the_limit__ten_failed_opens_stay)
{
	for (unsigned n = 9; n <= 10; n++) {
		struct conn c = whole(S, S, 0);

		c.how = END_FAILED_OPEN;
		c.first = SIDE_NONE;
		services_init(&all, 19);
		for (unsigned i = 0; i < SERVICES_MAX * n; i++) {
			c.port[SIDE_SERVER] = (uint16_t)(1 + i % SERVICES_MAX);
			add(&c);
		}
		c = whole(S, S, 1);
		c.port[SIDE_SERVER] = 60000;
		add(&c);
		assert_int_equal(all.dropped, n == 9 ? 9 : 1);
		services_done(&all);
	}
	for (unsigned no_port = 0; no_port <= 1; no_port++) {
		struct conn c = whole(S, S, 0);

		c.how = END_FAILED_OPEN;
		c.first = SIDE_NONE;
		c.error = no_port ? EADDRNOTAVAIL : 0;
		services_init(&all, 20);
		for (unsigned i = 0; i <= SERVICES_MAX; i++) {
			c.port[SIDE_SERVER] = (uint16_t)(1 + i);
			add(&c);
		}
		assert_int_equal(all.v[0]->port, no_port ? 1 : 1 + SERVICES_MAX);
		services_done(&all);
	}
}

TEST(requests__are_counted_over_whole_connections)
{
	static const uint32_t carried[] = {0, 1, 1, 2, 3, 4, 5, 8, 9, 100, 100};
	struct conn c;

	services_init(&all, 3);
	for (size_t i = 0; i < ARRAY_LEN(carried); i++) {
		c = whole(S, S, carried[i]);
		add(&c);
	}
	c = whole(S, S, 1000);
	c.seen = SEEN_END;
	add(&c);
	assert_int_equal(only()->whole, 11);
	assert_int_equal(service_used(only()), 10);
	assert_int_equal(only()->most, 100);
	assert_int_equal(only()->at_most, 2);
	assert_int_equal(only()->by_requests[0], 1);
	assert_int_equal(only()->by_requests[1], 2);
	assert_int_equal(only()->by_requests[2], 1);
	assert_int_equal(only()->by_requests[3], 2); /* 3-4 */
	assert_int_equal(only()->by_requests[4], 2); /* 5-8 */
	assert_int_equal(only()->by_requests[5], 1); /* 9-16 */
	assert_int_equal(only()->by_requests[8], 2); /* 65-128 */
	assert_int_equal(only()->requests, 1233);
	c = whole(S, S, UINT32_MAX);
	add(&c);
	assert_int_equal(only()->by_requests[REQUEST_BUCKETS - 1], 1);
	services_done(&all);
}

TEST(closes__prompt_at_2_ms__idle_above_half_a_second)
{
	struct conn c = whole(S, 10 * S, 1);
	const struct closes *k;

	services_init(&all, 4);
	c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - CLOSE_PROMPT;
	add(&c);
	k = &only()->closes[SIDE_SERVER];
	assert_int_equal(k->prompt, 1);
	assert_int_equal(k->single, 1);
	c.last_data[SIDE_SERVER]--;
	add(&c);
	assert_int_equal(k->prompt, 1);
	c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - CLOSE_IDLE;
	add(&c);
	assert_int_equal(k->idle.seen, 0);
	c.last_data[SIDE_SERVER]--;
	add(&c);
	assert_int_equal(k->idle.seen, 1);
	assert_int_equal(k->gap.seen, 4);
	c.exchanges = 0;
	add(&c);
	assert_int_equal(k->unused, 1);
	assert_int_equal(k->gap.seen, 4);
	assert_int_equal(k->fin, 5);
	assert_int_equal(service_closed(only()), 5);
	services_done(&all);
}

TEST(closes__fin_then_rst_by_the_same_side_within_1_ms)
{
	struct conn c = whole(S, 10 * S, 1);
	const struct closes *k;

	services_init(&all, 5);
	c.rst[SIDE_SERVER] = c.fin[SIDE_SERVER] + FIN_THEN_RST;
	add(&c);
	k = &only()->closes[SIDE_SERVER];
	assert_int_equal(k->fin_then_rst, 1);
	c.rst[SIDE_SERVER]++;
	add(&c);
	assert_int_equal(k->fin_then_rst, 1);
	c.rst[SIDE_SERVER]--;
	c.late_data = c.rst[SIDE_SERVER]; /* that is why it was sent */
	add(&c);
	assert_int_equal(k->fin_then_rst, 1);
	assert_int_equal(k->cut_short, 0);
	c.seen |= SEEN_HEADERS;
	add(&c);
	assert_int_equal(k->cut_short, 1);
	services_done(&all);
}

TEST(closes__rst_without_fin__by_kind)
{
	struct conn c = whole(S, 10 * S, 1);
	const struct closes *k;

	services_init(&all, 6);
	memset(c.fin, 0, sizeof(c.fin));
	c.how = END_RST;
	c.rst_kind = RST_CLEAN;
	c.rst[SIDE_SERVER] = c.last_data[SIDE_SERVER] + RST_PROMPT;
	add(&c);
	k = &only()->closes[SIDE_SERVER];
	assert_int_equal(k->rst, 1);
	assert_int_equal(k->rst_kind[RST_CLEAN], 1);
	assert_int_equal(k->rst_prompt, 1);
	c.rst[SIDE_SERVER]++;
	c.unanswered = true;
	add(&c);
	assert_int_equal(k->rst_prompt, 1);
	assert_int_equal(k->unanswered, 1);
	assert_int_equal(k->fin, 0);
	services_done(&all);
}

TEST(closes__close_notify_before_the_fin__is_the_close)
{
	struct conn c = whole(S, 10 * S, 1);

	services_init(&all, 6);
	c.first = SIDE_CLIENT;
	c.fin[SIDE_CLIENT] = c.fin[SIDE_SERVER];
	c.notify[SIDE_SERVER] = c.fin[SIDE_SERVER];
	add(&c);
	assert_int_equal(only()->closes[SIDE_SERVER].fin, 1);
	assert_int_equal(only()->closes[SIDE_SERVER].notified, 1);
	assert_int_equal(only()->closes[SIDE_SERVER].gap.seen, 1);
	assert_int_equal(only()->closes[SIDE_SERVER].ignored.seen, 0);
	assert_int_equal(only()->closes[SIDE_CLIENT].fin, 0);
	assert_int_equal(only()->closes[SIDE_CLIENT].ignored.seen, 1);
	services_done(&all);
}

TEST(closes__rst_to_who_said_close_notify__loses_nothing)
{
	struct conn c = whole(S, 10 * S, 1);
	const struct closes *k;

	services_init(&all, 6);
	c.rst[SIDE_SERVER] = c.fin[SIDE_SERVER];
	memset(c.fin, 0, sizeof(c.fin));
	c.how = END_RST;
	c.rst_kind = RST_UNREAD;
	c.notify[SIDE_CLIENT] = c.rst[SIDE_SERVER];
	add(&c);
	k = only()->closes;
	assert_int_equal(k[SIDE_CLIENT].fin, 1);
	assert_int_equal(k[SIDE_SERVER].rst, 0);
	c.notify[SIDE_SERVER] = c.rst[SIDE_SERVER] - 1; /* both did */
	add(&c);
	assert_int_equal(k[SIDE_SERVER].fin, 1);
	assert_int_equal(k[SIDE_SERVER].rst, 0);
	c.notify[SIDE_CLIENT]++; /* too late to be meant */
	add(&c);
	assert_int_equal(k[SIDE_SERVER].rst, 1);
	services_done(&all);
}

TEST(stale__request_after_an_idle_close_met_a_rst)
{
	struct conn c = whole(S, 10 * S, 3);

	services_init(&all, 7);
	c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - 2 * S;
	add(&c);
	assert_int_equal(only()->stale, 0);
	c.late_data = c.fin[SIDE_SERVER] + S;
	add(&c);
	assert_int_equal(only()->stale, 1);
	c.unanswered = true; /* an upload cut short is another story */
	add(&c);
	assert_int_equal(only()->stale, 1);
	c.unanswered = false;
	c.last_data[SIDE_SERVER] = c.fin[SIDE_SERVER] - CLOSE_PROMPT; /* nor is this one idle */
	add(&c);
	assert_int_equal(only()->stale, 1);
	services_done(&all);
}

TEST(headers__who_asked_for_the_close)
{
	struct conn c = whole(S, S, 1);

	services_init(&all, 8);
	c.http = HTTP_REQUEST_10;
	add(&c);
	assert_int_equal(only()->ask_request_10, 0); /* headers were not read */
	c.seen |= SEEN_HEADERS;
	add(&c);
	assert_int_equal(only()->ask_request_10, 1);
	c.http = HTTP_REQUEST_10 | HTTP_REQUEST_KEEP;
	add(&c);
	c.http = HTTP_REQUEST_10 | HTTP_REQUEST_CLOSE | HTTP_RESPONSE_CLOSE;
	add(&c);
	c.http = HTTP_RESPONSE_CLOSE;
	add(&c);
	c.http = HTTP_RESPONSE_10;
	add(&c);
	c.http = HTTP_REQUEST_CLOSE | HTTP_RESPONSE_CUT; /* said is said */
	add(&c);
	c.http = HTTP_RESPONSE_CLOSE | HTTP_REQUEST_CUT; /* who asked may have been cut off */
	add(&c);
	c.http = HTTP_REQUEST_10 | HTTP_REQUEST_CUT;
	add(&c);
	assert_int_equal(only()->headers, 6);
	assert_int_equal(only()->ask_request_10, 1);
	assert_int_equal(only()->ask_request, 2);
	assert_int_equal(only()->ask_response, 2);
	services_done(&all);
}

TEST(names__the_majority_wins)
{
	static const char *const said[] = {"caddy", "nginx", "nginx", "caddy", "nginx", "", "nginx"};
	struct conn c = whole(S, S, 1);

	services_init(&all, 9);
	c.seen |= SEEN_HEADERS;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		memset(c.server, 0, sizeof(c.server));
		memcpy(c.server, said[i], strlen(said[i]));
		add(&c);
	}
	assert_string_equal(only()->server, "nginx");
	assert_true(only()->server_lead > 0);
	services_done(&all);
}

static void add_closed_by(uint32_t pid, const char *comm)
{
	struct conn c = whole(S, S, 1);

	c.local = SIDE_SERVER;
	c.closer.pid = pid;
	snprintf(c.closer.comm, sizeof(c.closer.comm), "%s", comm);
	add(&c);
}

static struct conn_proc closed_most(void)
{
	const struct closes *k = &only()->closes[SIDE_SERVER];

	return talkers_most(&k->by, k->fin);
}

TEST(talkers__more_than_half__named_with_a_pid_that_has_half)
{
	services_init(&all, 10);
	add_closed_by(0, ""); /* nobody is guessed */
	assert_string_equal(closed_most().comm, "");
	add_closed_by(77, "nginx");
	assert_string_equal(closed_most().comm, ""); /* half */
	add_closed_by(77, "nginx");
	assert_string_equal(closed_most().comm, "nginx");
	assert_int_equal(closed_most().pid, 77);
	add_closed_by(78, "nginx");
	assert_int_equal(closed_most().pid, 77);
	add_closed_by(78, "nginx");
	assert_string_equal(closed_most().comm, "nginx");
	assert_int_equal(closed_most().pid, 0);
	services_done(&all);
}

/* Whoever comes last inherits the place and the count of others, but no certainty. */
TEST(talkers__many_processes_of_one_name__are_that_name)
{
	services_init(&all, 16);
	for (uint32_t pid = 1; pid <= 60; pid++)
		add_closed_by(pid, "worker");
	for (unsigned i = 0; i < 4; i++)
		add_closed_by(99, "nginx");
	assert_string_equal(closed_most().comm, "worker");
	assert_int_equal(closed_most().pid, 0);
	services_done(&all);
}

TEST(talkers__many_names__nobody)
{
	char name[8];

	services_init(&all, 17);
	for (uint32_t pid = 1; pid <= 60; pid++) {
		snprintf(name, sizeof(name), "w%u", pid);
		add_closed_by(pid, name);
	}
	for (unsigned i = 0; i < 20; i++)
		add_closed_by(99, "nginx");
	assert_string_equal(closed_most().comm, "");
	services_done(&all);
}

TEST(clients__the_most_frequent_is_found_among_many)
{
	struct conn c = whole(S, S, 1);

	services_init(&all, 15);
	for (unsigned i = 0; i < 1000; i++) {
		const uint8_t stranger[4] = {11, 0, (uint8_t)(i >> 8), (uint8_t)i}, friend[4] = {10, 0, 0, 9};

		c.addr[SIDE_CLIENT] = ip_v4(i % 4 ? friend : stranger);
		add(&c);
	}
	assert_int_equal(service_top_client(only()), 750);
	services_done(&all);
}

TEST(ignored__how_long_a_fin_stood__not_where_something_was_still_due)
{
	struct conn c = whole(S, 10 * S, 1);

	services_init(&all, 16);
	c.fin[SIDE_CLIENT] = c.fin[SIDE_SERVER] + 5 * S;
	add(&c);
	assert_int_equal(only()->closes[SIDE_SERVER].ignored.seen, 1);
	assert_int_equal(samples_quantile(&only()->closes[SIDE_SERVER].ignored, 0.5), 5 * S);
	c.half_close_data = c.fin[SIDE_CLIENT];
	add(&c);
	assert_int_equal(only()->closes[SIDE_SERVER].ignored.seen, 1);
	assert_int_equal(only()->closes[SIDE_SERVER].half_close, 1);
	c = whole(S, 10 * S, 1);
	c.first = SIDE_CLIENT;
	c.unanswered = true;
	add(&c);
	assert_int_equal(only()->closes[SIDE_CLIENT].ignored.seen, 0);
	services_done(&all);
}

TEST(open__with_a_fin__is_still_closing)
{
	struct conn c = whole(S, 10 * S, 1);

	services_init(&all, 17);
	c.seen &= ~(uint32_t)SEEN_END;
	c.how = END_OPEN;
	add(&c);
	c.first = SIDE_NONE;
	add(&c);
	assert_int_equal(only()->open, 2);
	assert_int_equal(only()->closing, 1);
	assert_int_equal(only()->closes[SIDE_SERVER].fin, 1);
	services_done(&all);
}

TEST(failed_opens__no_port_names_the_process)
{
	struct conn c = whole(S, S, 0);

	services_init(&all, 11);
	c.how = END_FAILED_OPEN;
	c.first = SIDE_NONE;
	c.rst_kind = RST_REFUSED;
	add(&c);
	c.rst_kind = RST_NONE;
	c.error = EADDRNOTAVAIL;
	c.opener.pid = 5;
	add(&c);
	assert_int_equal(only()->failed, 2);
	assert_int_equal(only()->refused, 1);
	assert_int_equal(only()->no_port, 1);
	assert_int_equal(only()->no_port_by.pid[0].proc.pid, 5);
	assert_int_equal(only()->whole, 0);
	services_done(&all);
}

TEST(window__from_the_records_or_as_the_source_says)
{
	struct conn c = whole(5 * S, S, 1);

	services_init(&all, 12);
	assert_true(services_window_s(&all) <= 0);
	add(&c);
	c = whole(2 * S, S, 1);
	add(&c);
	assert_true(services_window_s(&all) > 3.9 && services_window_s(&all) < 4.1);
	services_window(&all, S, 11 * S);
	assert_true(services_window_s(&all) > 9.9 && services_window_s(&all) < 10.1);
	services_done(&all);
}

TEST(samples__quantiles__exact_when_few_and_fair_when_many)
{
	struct samples s = {0};
	struct rng rng;
	nsec_t half;

	rng_seed(&rng, 1);
	assert_int_equal(samples_quantile(&s, 0.5), 0);
	for (nsec_t v = 100; v >= 1; v--)
		samples_add(&s, v, &rng);
	assert_int_equal(samples_quantile(&s, 0), 1);
	assert_int_equal(samples_quantile(&s, 1), 100);
	assert_in_range(samples_quantile(&s, 0.5), 50, 51);
	for (nsec_t v = 101; v <= 100000; v++)
		samples_add(&s, v, &rng);
	half = samples_quantile(&s, 0.5);
	assert_in_range(half, 35000, 65000);
	assert_int_equal(s.seen, 100000);
	assert_int_equal(samples_n(&s), SAMPLES);
}

TEST(spans__mass_close_is_dense_and_replaces_nothing)
{
	struct conn c;

	services_init(&all, 13);
	for (nsec_t i = 0; i < 100; i++) { /* all open within a second, all closed together */
		c = whole(S + i * 10 * MS, 20 * S - i * 10 * MS, 50);
		add(&c);
	}
	assert_true(spans_densest(&only()->spans, 100 * MS) > 0.99);
	assert_true(spans_replaced(&only()->spans) <= 0);
	services_done(&all);
	services_init(&all, 14);
	for (nsec_t i = 0; i < 100; i++) { /* one after the other */
		c = whole(S + i * S, S / 2, 1);
		add(&c);
	}
	assert_true(spans_densest(&only()->spans, 100 * MS) < 0.02);
	assert_true(spans_replaced(&only()->spans) > 0.85);
	services_done(&all);
}

RUN(T(services__past_the_limit__a_scan_makes_room), T(services__past_the_limit__ten_failed_opens_stay),
    T(services__one_for_each_address_port_side_and_namespace), T(services__past_the_limit__are_counted),
    T(requests__are_counted_over_whole_connections), T(closes__prompt_at_2_ms__idle_above_half_a_second),
    T(closes__fin_then_rst_by_the_same_side_within_1_ms), T(closes__rst_without_fin__by_kind),
    T(closes__close_notify_before_the_fin__is_the_close), T(closes__rst_to_who_said_close_notify__loses_nothing),
    T(stale__request_after_an_idle_close_met_a_rst), T(headers__who_asked_for_the_close), T(names__the_majority_wins),
    T(talkers__more_than_half__named_with_a_pid_that_has_half), T(talkers__many_processes_of_one_name__are_that_name),
    T(talkers__many_names__nobody), T(clients__the_most_frequent_is_found_among_many),
    T(ignored__how_long_a_fin_stood__not_where_something_was_still_due), T(open__with_a_fin__is_still_closing),
    T(failed_opens__no_port_names_the_process), T(window__from_the_records_or_as_the_source_says),
    T(samples__quantiles__exact_when_few_and_fair_when_many), T(spans__mass_close_is_dense_and_replaces_nothing))

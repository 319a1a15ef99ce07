/* SPDX-License-Identifier: MIT */
#include "model/conn.h"
#include "tests/unit/t.h"

static struct conn closed_by(enum side first, nsec_t last_client, nsec_t last_server, nsec_t fin)
{
	struct conn c = {.seen = SEEN_SYN | SEEN_END, .start = 10, .end = fin + 5, .how = END_FIN, .first = first};

	c.last_data[SIDE_CLIENT] = last_client;
	c.last_data[SIDE_SERVER] = last_server;
	c.fin[first] = fin;
	return c;
}

TEST(zeroed__is_a_record_of_which_nothing_is_known)
{
	struct conn c = {0};
	nsec_t t;

	c.first = SIDE_NONE;
	assert_false(conn_is_whole(&c));
	assert_int_equal(conn_closed_at(&c), 0);
	assert_false(conn_gap(&c, &t));
	assert_false(conn_fin_ignored(&c, &t));
	assert_int_equal(conn_requests(&c), 0);
	c.first = SIDE_CLIENT; /* as zeroed */
	assert_int_equal(conn_closed_at(&c), 0);
	assert_false(conn_gap(&c, &t));
	assert_false(conn_fin_ignored(&c, &t));
}

TEST(whole__began_and_ended_while_we_looked)
{
	struct conn c = {.seen = SEEN_SYN};

	assert_false(conn_is_whole(&c));
	c.seen = SEEN_END;
	assert_false(conn_is_whole(&c));
	c.seen |= SEEN_SYN;
	assert_true(conn_is_whole(&c));
}

TEST(closed_at__the_first_fin_or_rst_of_the_side_that_closed_first)
{
	struct conn c = closed_by(SIDE_SERVER, 20, 30, 50);

	c.fin[SIDE_CLIENT] = 60;
	assert_int_equal(conn_closed_at(&c), 50);
	c.rst[SIDE_SERVER] = 55;
	assert_int_equal(conn_closed_at(&c), 50);
	c.fin[SIDE_SERVER] = 0;
	assert_int_equal(conn_closed_at(&c), 55);
	c.first = SIDE_NONE;
	assert_int_equal(conn_closed_at(&c), 0);
}

TEST(closer__who_said_close_notify_before_any_fin__else_who_sent_the_first)
{
	struct conn c = closed_by(SIDE_CLIENT, 20, 30, 50);

	assert_int_equal(conn_closer(&c), SIDE_CLIENT);
	c.notify[SIDE_SERVER] = 51;
	assert_int_equal(conn_closer(&c), SIDE_CLIENT);
	c.notify[SIDE_SERVER] = 50;
	assert_int_equal(conn_closer(&c), SIDE_SERVER);
	c.notify[SIDE_CLIENT] = 50;
	assert_int_equal(conn_closer(&c), SIDE_CLIENT);
	c.notify[SIDE_SERVER] = 49;
	assert_int_equal(conn_closer(&c), SIDE_SERVER);
	c.first = SIDE_NONE;
	assert_int_equal(conn_closer(&c), SIDE_NONE);
}

TEST(gap__from_the_newest_data_of_either_side)
{
	struct conn c = closed_by(SIDE_SERVER, 20, 30, 50);
	nsec_t gap = 7;

	assert_true(conn_gap(&c, &gap));
	assert_int_equal(gap, 20);
	c.last_data[SIDE_CLIENT] = 44;
	assert_true(conn_gap(&c, &gap));
	assert_int_equal(gap, 6);
	c.last_data[SIDE_CLIENT] = 51; /* a record that contradicts itself */
	assert_false(conn_gap(&c, &gap));
	assert_int_equal(gap, 6);
}

TEST(gap__data_that_seem_later_by_less_than_the_grain__none)
{
	struct conn c = closed_by(SIDE_SERVER, 20, 53, 50);
	nsec_t gap;

	c.grain = 2;
	assert_false(conn_gap(&c, &gap));
	c.grain = 3;
	assert_true(conn_gap(&c, &gap));
	assert_int_equal(gap, 0);
}

TEST(gap__without_data__from_the_beginning_if_it_was_seen)
{
	struct conn c = closed_by(SIDE_CLIENT, 0, 0, 50);
	nsec_t gap;

	assert_true(conn_gap(&c, &gap));
	assert_int_equal(gap, 40);
	c.seen = SEEN_END;
	assert_false(conn_gap(&c, &gap));
}

TEST(requests__responses_where_headers_were_read_else_exchanges_without_tls)
{
	struct conn c = {.exchanges = 5, .responses = 9};

	assert_int_equal(conn_requests(&c), 5);
	c.tls_exchanges = 2;
	assert_int_equal(conn_requests(&c), 3);
	c.tls_exchanges = 6;
	assert_int_equal(conn_requests(&c), 0);
	c.seen = SEEN_HEADERS;
	assert_int_equal(conn_requests(&c), 9);
}

TEST(fin_ignored__until_the_other_side_answers_or_the_end)
{
	struct conn c = closed_by(SIDE_SERVER, 20, 30, 50);
	nsec_t t = 0;

	c.end = 90;
	assert_false(conn_fin_ignored(&c, &t)); /* it ended, and the answer was not seen */
	c.how = END_OPEN;
	assert_true(conn_fin_ignored(&c, &t));
	assert_int_equal(t, 40);
	c.rst[SIDE_CLIENT] = 80;
	assert_true(conn_fin_ignored(&c, &t));
	assert_int_equal(t, 30);
	c.fin[SIDE_CLIENT] = 70;
	assert_true(conn_fin_ignored(&c, &t));
	assert_int_equal(t, 20);
	c.in_state[ST_FIN_WAIT_1] = 5; /* the client's own */
	c.local = SIDE_CLIENT;
	assert_true(conn_fin_ignored(&c, &t));
	assert_int_equal(t, 20);
	c.local = SIDE_SERVER;
	assert_true(conn_fin_ignored(&c, &t));
	assert_int_equal(t, 15);
	c.in_state[ST_FIN_WAIT_1] = 21; /* the FIN never came there */
	assert_false(conn_fin_ignored(&c, &t));
	c.fin[SIDE_SERVER] = 0; /* it closed with a RST */
	c.rst[SIDE_SERVER] = 50;
	assert_false(conn_fin_ignored(&c, &t));
}

TEST(names__are_known_for_every_value)
{
	struct conn c = {.port = {40000, 80}};

	assert_true(ip_parse("10.0.0.2", &c.addr[SIDE_SERVER]));
	assert_string_equal(conn_service_text(&c).s, "10.0.0.2:80");
	assert_int_equal(side_other(SIDE_CLIENT), SIDE_SERVER);
	assert_int_equal(side_other(SIDE_SERVER), SIDE_CLIENT);
	for (int i = 0; i <= SIDE_NONE; i++)
		assert_non_null(side_name((enum side)i));
	for (int i = 0; i <= END_FAILED_OPEN; i++)
		assert_non_null(conn_end_name((enum conn_end)i));
	for (int i = 0; i < N_RST_KINDS; i++)
		assert_non_null(rst_kind_name((enum rst_kind)i));
	for (int i = 0; i <= CALL_EXIT; i++)
		assert_non_null(close_call_name((enum close_call)i));
	assert_string_equal(rst_kind_name(RST_NO_SOCKET), "no_socket");
}

RUN(T(zeroed__is_a_record_of_which_nothing_is_known), T(whole__began_and_ended_while_we_looked),
    T(closed_at__the_first_fin_or_rst_of_the_side_that_closed_first),
    T(closer__who_said_close_notify_before_any_fin__else_who_sent_the_first),
    T(gap__from_the_newest_data_of_either_side), T(gap__data_that_seem_later_by_less_than_the_grain__none),
    T(gap__without_data__from_the_beginning_if_it_was_seen),
    T(requests__responses_where_headers_were_read_else_exchanges_without_tls),
    T(fin_ignored__until_the_other_side_answers_or_the_end), T(names__are_known_for_every_value))

/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "obs/procnet.h"

static struct counters parse(const char *text)
{
	struct counters c = {NULL, 0, 0};

	assert_int_equal(counters_parse(text, &c), 0);
	counters_sort(&c);
	return c;
}

static uint64_t value(const struct counters *c, const char *name)
{
	uint64_t v = UINT64_MAX;

	assert_true(counters_get(c, name, &v));
	return v;
}

static bool has(const struct counters *c, const char *name)
{
	uint64_t v;

	return counters_get(c, name, &v);
}

TEST(counters__netstat_and_snmp_groups__are_named_as_rules_ask_for_them)
{
	struct counters c = parse("TcpExt: TW TWRecycled\nTcpExt: 11 2\nIpExt: InOctets\nIpExt: 5\n"
				  "Tcp: ActiveOpens OutRsts\nTcp: 13 18446744073709551615\n");

	assert_int_equal(c.n, 5);
	assert_int_equal(value(&c, "TW"), 11);
	assert_int_equal(value(&c, "TWRecycled"), 2);
	assert_int_equal(value(&c, "InOctets"), 5);
	assert_int_equal(value(&c, "Tcp.ActiveOpens"), 13);
	assert_true(value(&c, "Tcp.OutRsts") == UINT64_MAX);
	free(c.v);
}

TEST(counters__names_nobody_knows__are_kept)
{
	struct counters c = parse("NewExt: Foo\nNewExt: 3\nTcpExt: TCPTomorrow\nTcpExt: 4\n");

	assert_int_equal(value(&c, "NewExt.Foo"), 3);
	assert_int_equal(value(&c, "TCPTomorrow"), 4);
	free(c.v);
}

TEST(counters__fewer_values_than_names__keep_the_pairs)
{
	struct counters c = parse("TcpExt: A B C\nTcpExt: 1 2\nTcpExt: D\nTcpExt: 4 5 6\n");

	assert_int_equal(c.n, 3);
	assert_int_equal(value(&c, "B"), 2);
	assert_int_equal(value(&c, "D"), 4);
	assert_false(has(&c, "C"));
	free(c.v);
}

TEST(counters__values_of_another_group__are_not_paired)
{
	struct counters c = parse("Tcp: A\nUdp: B\nUdp: 7\n");

	assert_int_equal(c.n, 1);
	assert_int_equal(value(&c, "Udp.B"), 7);
	free(c.v);
}

TEST(counters__negative_and_broken_values__are_left_out)
{
	struct counters c = parse("Tcp: MaxConn Bad Good\nTcp: -1 1x 9\n");

	assert_int_equal(c.n, 1);
	assert_int_equal(value(&c, "Tcp.Good"), 9);
	free(c.v);
}

TEST(counters__cut_or_garbled_text__is_survived)
{
	static const char whole[] = "TcpExt: TW PAWSEstab\nTcpExt: 1 22\n";

	for (size_t cut = 0; cut < sizeof(whole); cut++) {
		char text[sizeof(whole)];
		struct counters c;

		memcpy(text, whole, cut);
		text[cut] = '\0';
		c = parse(text);
		assert_in_range(c.n, 0, 2);
		free(c.v);
	}
	assert_int_equal(parse("\n:\n: :\nTcpExt:\nTcpExt:\nno colon\n").n, 0);
}

TEST(counters__name_too_long_to_hold__is_left_out)
{
	struct counters c = parse("TcpExt: Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa B\nTcpExt: 1 2\n");

	assert_int_equal(c.n, 1);
	assert_int_equal(value(&c, "B"), 2);
	free(c.v);
}

TEST(sockstat__tcp_line__is_read_by_name)
{
	struct sockstat s = {.known = false};

	sockstat_parse("sockets: used 16\nTCP: inuse 1 orphan 2 tw 3 future 9 alloc 4 mem 259\nUDP: inuse 7 mem 8\n",
		       &s);
	assert_true(s.known);
	assert_int_equal(s.inuse, 1);
	assert_int_equal(s.orphan, 2);
	assert_int_equal(s.tw, 3);
	assert_int_equal(s.alloc, 4);
	assert_int_equal(s.mem_pages, 259);
}

TEST(sockstat__name_without_a_number__costs_only_that_name)
{
	struct sockstat s = {.known = false};

	sockstat_parse("TCP: inuse orphan 2 tw", &s);
	assert_true(s.known);
	assert_int_equal(s.inuse, 0);
	assert_int_equal(s.orphan, 2);
	assert_int_equal(s.tw, 0);
}

TEST(sockstat__no_tcp_line__is_unknown)
{
	struct sockstat s = {.known = false};

	sockstat_parse("sockets: used 16\nTCP6: inuse 3\n", &s);
	assert_false(s.known);
}

TEST(live__this_kernel__has_the_counters_and_sockstat)
{
	struct counters c = {NULL, 0, 0};
	struct sockstat s = {.known = false};

	assert_int_equal(counters_read(&c), 0);
	assert_true(has(&c, "TW"));
	assert_true(has(&c, "Tcp.ActiveOpens"));
	assert_int_equal(sockstat_read(&s), 0);
	assert_true(s.known);
	free(c.v);
}

RUN(T(counters__netstat_and_snmp_groups__are_named_as_rules_ask_for_them), T(counters__names_nobody_knows__are_kept),
    T(counters__fewer_values_than_names__keep_the_pairs), T(counters__values_of_another_group__are_not_paired),
    T(counters__negative_and_broken_values__are_left_out), T(counters__cut_or_garbled_text__is_survived),
    T(counters__name_too_long_to_hold__is_left_out), T(sockstat__tcp_line__is_read_by_name),
    T(sockstat__name_without_a_number__costs_only_that_name), T(sockstat__no_tcp_line__is_unknown),
    T(live__this_kernel__has_the_counters_and_sockstat))

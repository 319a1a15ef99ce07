/* SPDX-License-Identifier: MIT */
#include "model/ip.h"
#include "tests/unit/t.h"

static void round_trip(const char *text, const char *canonical)
{
	struct ip a = {0}, b = {0};

	assert_true(ip_parse(text, &a));
	assert_string_equal(ip_text(a).s, canonical);
	assert_true(ip_parse(canonical, &b));
	assert_true(ip_eq(a, b));
}

TEST(ip__text_is_rfc_5952)
{
	round_trip("10.0.0.1", "10.0.0.1");
	round_trip("::", "::");
	round_trip("::1", "::1");
	round_trip("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");
	round_trip("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one zero group is not shortened */
	round_trip("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"); /* the longest run */
	round_trip("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"); /* the first of equal runs */
	round_trip("FE80::A", "fe80::a");
	round_trip("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
	round_trip("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8");
	round_trip("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
}

TEST(ip__v4_mapped_is_held_as_ipv4)
{
	struct ip a = {0};

	assert_true(ip_parse("::ffff:192.0.2.7", &a));
	assert_int_equal(a.family, 4);
	assert_string_equal(ip_text(a).s, "192.0.2.7");
}

TEST(ip_parse__refuses_what_is_no_address)
{
	static const char *const bad[] = {"",
					  "1.2.3",
					  "1.2.3.4.5",
					  "256.1.1.1",
					  "1.2.3.1234",
					  "1..2.3",
					  "a.b.c.d",
					  ":",
					  ":::",
					  "1::2::3",
					  "1:2:3:4:5:6:7",
					  "1:2:3:4:5:6:7:8:9",
					  "12345::",
					  "::g",
					  "1:",
					  ":1:2:3:4:5:6:7",
					  "::1.2.3.4:5",
					  "1:2:3:4:5:6:7:8::",
					  "1:2:3:4:5:6:7:1.2.3.4",
					  "::1 ",
					  "1.2.3.4 "};
	struct ip a = {.family = 9};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (ip_parse(bad[i], &a))
			fail_msg("%s was taken for %s", bad[i], ip_text(a).s);
		assert_int_equal(a.family, 9);
	}
}

TEST(ip__loopback_any_and_ports)
{
	struct ip lo = {0}, lo6 = {0}, any = {.family = 4}, any6 = {.family = 6}, other = {0};

	assert_true(ip_parse("127.3.4.5", &lo) && ip_parse("::1", &lo6) && ip_parse("128.0.0.1", &other));
	assert_true(ip_is_loopback(lo) && ip_is_loopback(lo6));
	assert_false(ip_is_loopback(other) || ip_is_loopback(any6));
	assert_true(ip_is_any(any) && ip_is_any(any6) && !ip_is_any(lo6));
	assert_string_equal(ip_port_text(lo, 80).s, "127.3.4.5:80");
	assert_string_equal(ip_port_text(lo6, 80).s, "[::1]:80");
	assert_string_equal(ip_port_text(any, 80).s, "*:80");
	assert_string_equal(ip_port_text(any6, 65535).s, "[::]:65535");
}

RUN(T(ip__text_is_rfc_5952), T(ip__v4_mapped_is_held_as_ipv4), T(ip_parse__refuses_what_is_no_address),
    T(ip__loopback_any_and_ports))

/* SPDX-License-Identifier: MIT */
#include "model/ip.h"
#include "tests/unit/t.h"

TEST(ip__v4_mapped_is_held_as_ipv4)
{
	struct ip a = {0};

	assert_true(ip_parse("::ffff:192.0.2.7", &a));
	assert_int_equal(a.family, 4);
	assert_string_equal(ip_text(a).s, "192.0.2.7");
	assert_false(ip_parse("::ffff:192.0.2", &a));
	assert_int_equal(a.family, 4); /* untouched */
	assert_string_equal(ip_text((struct ip){0}).s, "-");
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

RUN(T(ip__v4_mapped_is_held_as_ipv4), T(ip__loopback_any_and_ports))

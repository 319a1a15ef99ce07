/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "base/inet.h"

TEST(inet_text__as_rfc_5952_spells_it)
{
	static const char *const pair[][2] = {
		{"10.0.0.1", "10.0.0.1"},
		{"255.255.255.255", "255.255.255.255"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::FFFF:C000:0201", "192.0.2.1"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
		{"FE80::A", "fe80::a"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
		uint8_t a[16], back[16];

		assert_true(inet_parse(pair[i][0], a));
		assert_string_equal(inet_text(a).s, pair[i][1]);
		assert_true(inet_parse(pair[i][1], back));
		assert_memory_equal(a, back, 16);
	}
}

TEST(inet_parse__what_is_no_address__refused_and_nothing_touched)
{
	static const char *const wrong[] = {
		"",
		" ",
		"1",
		"1.2.3",
		"1.2.3.",
		"1.2.3.4.",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.0004",
		".1.2.3",
		"1..2.3",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.-4",
		"+1.2.3.4",
		"1.2.3.4/24",
		"0x1.2.3.4",
		":",
		":::",
		"1",
		"1:",
		":1",
		"1:2",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:",
		"1:2:3:4:5:6:7:8:",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		"1:::2",
		"::1:",
		":1::",
		"12345::",
		"::12345",
		"g::",
		"::%1",
		"fe80::1%eth0",
		"[::1]",
		"::1 ",
		"1:2:3:4:5:6:7::8",
		"::1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8::",
		"1:2:3:4:5:6:7:1.2.3.4",
		"::1.2.3",
		"::1.2.3.4:5",
		"1.2.3.4::",
		"::1.2.3.256",
		"::ffff:1.2.3.4.5",
		"1:2:3:4:5:1.2.3.4",
		"256.1.1.1",
		"1.2.3.1234",
		"a.b.c.d",
		":1:2:3:4:5:6:7",
		"::g",
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t a[16] = {9, 9}, before[16] = {9, 9};

		if (inet_parse(wrong[i], a))
			fail_msg("\"%s\" is taken for %s", wrong[i], inet_text(a).s);
		assert_memory_equal(a, before, 16);
	}
}

RUN(T(inet_text__as_rfc_5952_spells_it), T(inet_parse__what_is_no_address__refused_and_nothing_touched))

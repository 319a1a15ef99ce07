/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"
#include "wire/addr.h"

static struct addr of(const char *text)
{
	struct addr a;

	if (!addr_parse(text, &a))
		fail_msg("%s is refused", text);
	return a;
}

TEST(addr__ipv4_is_held_mapped)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 1, 2, 3};
	struct addr a = addr_v4(10, 1, 2, 3), b = addr_from_v4(mapped + 12), c = addr_from_v6(mapped);

	assert_memory_equal(a.b, mapped, 16);
	assert_true(addr_eq(&a, &b) && addr_eq(&a, &c));
	assert_true(addr_is_v4(&c));
}

TEST(addr__families_do_not_mix)
{
	struct addr four = of("1.2.3.4"), compatible = of("::102:304"), six = of("2001:db8::1");

	assert_false(addr_is_v4(&compatible));
	assert_false(addr_is_v4(&six));
	assert_false(addr_eq(&four, &compatible));
}

TEST(addr__equal_only_if_every_octet_is)
{
	struct addr a = of("2001:db8::1"), b = a;

	for (size_t i = 0; i < 16; i++) {
		b.b[i] ^= 1;
		assert_false(addr_eq(&a, &b));
		b.b[i] ^= 1;
	}
	assert_true(addr_eq(&a, &b));
}

TEST(addr__kinds)
{
	static const struct {
		const char *text;
		bool any, loopback, unicast;
	} row[] = {
		{"0.0.0.0", true, false, false},
		{"::", true, false, false},
		{"127.0.0.1", false, true, true},
		{"127.255.255.254", false, true, true},
		{"::1", false, true, true},
		{"::2", false, false, true},
		{"128.0.0.1", false, false, true},
		{"10.0.0.1", false, false, true},
		{"223.255.255.255", false, false, true},
		{"224.0.0.1", false, false, false},
		{"239.255.255.255", false, false, false},
		{"240.0.0.1", false, false, true},
		{"255.255.255.255", false, false, false},
		{"255.255.255.254", false, false, true},
		{"ff02::1", false, false, false},
		{"fe80::1", false, false, true},
		{"2001:db8::1", false, false, true},
		{"7f00::1", false, false, true},
		{"e000::", false, false, true},
		{"0.0.0.1", false, false, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = of(row[i].text);

		if (addr_is_any(&a) != row[i].any || addr_is_loopback(&a) != row[i].loopback ||
		    addr_is_unicast(&a) != row[i].unicast)
			fail_msg("%s", row[i].text);
	}
}

TEST(addr__text_is_that_of_rfc_5952)
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
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
		struct addr a = of(pair[i][0]), back;

		assert_string_equal(addr_text(&a).s, pair[i][1]);
		back = of(pair[i][1]);
		assert_true(addr_eq(&a, &back));
	}
}

TEST(addr__what_is_no_address_is_refused_and_nothing_is_touched)
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
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct addr a = addr_v4(9, 9, 9, 9), before = a;

		if (addr_parse(wrong[i], &a))
			fail_msg("\"%s\" is taken for %s", wrong[i], addr_text(&a).s);
		assert_true(addr_eq(&a, &before));
	}
}

RUN(T(addr__ipv4_is_held_mapped), T(addr__families_do_not_mix), T(addr__equal_only_if_every_octet_is), T(addr__kinds),
    T(addr__text_is_that_of_rfc_5952), T(addr__what_is_no_address_is_refused_and_nothing_is_touched))

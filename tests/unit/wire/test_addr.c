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

RUN(T(addr__ipv4_is_held_mapped), T(addr__families_do_not_mix), T(addr__equal_only_if_every_octet_is), T(addr__kinds))

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "engine/addrs.h"
#include "tests/unit/t.h"

static struct addrs *new_addrs(uint32_t max)
{
	void *mem = malloc(addrs_size(max));

	assert_non_null(mem);
	memset(mem, 0xa5, addrs_size(max));
	return addrs_init(mem, max);
}

static struct addr text(const char *s)
{
	struct addr a;

	assert_true(addr_parse(s, &a));
	return a;
}

static int add(struct addrs *a, const char *s)
{
	struct addr x = text(s);

	return addrs_add(a, &x);
}

static int find(struct addrs *a, const char *s)
{
	struct addr x = text(s);

	return addrs_find(a, &x);
}

TEST(add__numbers_from_0_and_find_gives_them_back)
{
	struct addrs *a = new_addrs(4);

	assert_int_equal(find(a, "10.0.0.1"), -1);
	assert_int_equal(find(a, "::"), -1);
	assert_int_equal(add(a, "10.0.0.1"), 0);
	assert_int_equal(add(a, "2001:db8::1"), 1);
	assert_int_equal(add(a, "10.0.0.2"), 2);
	for (int i = 0; i < 2; i++) { /* the second time from what was found last */
		assert_int_equal(find(a, "10.0.0.1"), 0);
		assert_int_equal(find(a, "10.0.0.1"), 0);
		assert_int_equal(find(a, "2001:db8::1"), 1);
		assert_int_equal(find(a, "10.0.0.2"), 2);
		assert_int_equal(find(a, "10.0.0.3"), -1);
		assert_int_equal(find(a, "::"), -1);
	}
	assert_string_equal(addr_text(addrs_get(a, 1)).s, "2001:db8::1");
	free(a);
}

TEST(add__refuses_what_is_there_what_is_not_unicast_and_what_is_too_much)
{
	struct addrs *a = new_addrs(2);

	assert_int_equal(add(a, "0.0.0.0"), -EINVAL);
	assert_int_equal(add(a, "::"), -EINVAL);
	assert_int_equal(add(a, "224.0.0.1"), -EINVAL);
	assert_int_equal(add(a, "255.255.255.255"), -EINVAL);
	assert_int_equal(add(a, "ff02::1"), -EINVAL);
	assert_int_equal(add(a, "10.0.0.1"), 0);
	assert_int_equal(add(a, "10.0.0.1"), -EEXIST);
	assert_int_equal(add(a, "10.0.0.2"), 1);
	assert_int_equal(add(a, "10.0.0.3"), -ENOSPC);
	assert_int_equal(add(a, "10.0.0.2"), -EEXIST);
	assert_int_equal(find(a, "10.0.0.3"), -1);
	free(a);
}

TEST(first__keeps_families_apart_and_prefers_its_own_kind)
{
	struct addrs *a = new_addrs(8);

	assert_int_equal(addrs_first(a, false, false), -1);
	assert_int_equal(addrs_first(a, true, true), -1);
	assert_int_equal(add(a, "127.0.0.1"), 0);
	assert_int_equal(addrs_first(a, false, false), 0); /* nothing better */
	assert_int_equal(addrs_first(a, true, true), -1);
	assert_int_equal(add(a, "10.0.0.1"), 1);
	assert_int_equal(add(a, "10.0.0.2"), 2);
	assert_int_equal(add(a, "127.0.0.2"), 3);
	assert_int_equal(addrs_first(a, false, false), 1);
	assert_int_equal(addrs_first(a, false, true), 0);
	assert_int_equal(add(a, "2001:db8::1"), 4);
	assert_int_equal(addrs_first(a, true, true), 4);
	assert_int_equal(add(a, "::1"), 5);
	assert_int_equal(addrs_first(a, true, true), 5);
	assert_int_equal(addrs_first(a, true, false), 4);
	free(a);
}

TEST(many__all_are_found)
{
	enum { MANY = 65534 };
	struct addrs *a = new_addrs(MANY);

	for (unsigned i = 0; i < MANY; i++) {
		struct addr x = addr_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i);

		assert_int_equal(addrs_add(a, &x), i);
	}
	for (unsigned i = 0; i <= UINT16_MAX; i++) {
		struct addr x = addr_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i);

		assert_int_equal(addrs_find(a, &x), i < MANY ? (int)i : -1);
	}
	free(a);
}

RUN(T(add__numbers_from_0_and_find_gives_them_back),
    T(add__refuses_what_is_there_what_is_not_unicast_and_what_is_too_much),
    T(first__keeps_families_apart_and_prefers_its_own_kind), T(many__all_are_found))

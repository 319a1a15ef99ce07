/* SPDX-License-Identifier: MIT */
/* t.h - cmocka with less noise. A test is TEST(name) { ... }; names read as sentences. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after the four above: cmocka does not include what it uses */

#define TEST(name) static void name(void **state_)
#define RUN(...)                                                                                                       \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const struct CMUnitTest tests[] = {__VA_ARGS__};                                                       \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                      \
	}
#define T(name) cmocka_unit_test(name)

/* SPDX-License-Identifier: MIT */
/* append.c - apart from text.c, which needs the mathematical library: liblastack does not. */
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>

size_t append(char *buf, size_t cap, const char *fmt, ...)
{
	size_t used = strnlen(buf, cap);
	va_list ap;

	must(used < cap);
	va_start(ap, fmt);
	vsnprintf(buf + used, cap - used, fmt, ap);
	va_end(ap);
	return strlen(buf);
}

/* SPDX-License-Identifier: MIT */
#include "base/why.h"
#include <stdarg.h>
#include <stdio.h>

void why_set(struct why *w, const char *fmt, ...)
{
	va_list ap;

	if (!w)
		return;
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

void why_prefix(struct why *w, const char *fmt, ...)
{
	struct why old;
	va_list ap;
	int n;

	if (!w)
		return;
	old = *w;
	va_start(ap, fmt);
	n = vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(w->text))
		snprintf(w->text + n, sizeof(w->text) - (size_t)n, ": %s", old.text);
}

int why_errno(struct why *w, int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	must(err > 0);
	if (!w)
		return -err;
	va_start(ap, fmt);
	n = vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(w->text))
		snprintf(w->text + n, sizeof(w->text) - (size_t)n, ": %s", strerror(err));
	return -err;
}

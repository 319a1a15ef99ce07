/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct text num(uint64_t v)
{
	char digits[24];
	struct text t;
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, v), out = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			t.s[out++] = ',';
		t.s[out++] = digits[i];
	}
	t.s[out] = '\0';
	return t;
}

struct text rate_text(double per_s)
{
	struct text t;

	if (!isfinite(per_s) || per_s < 0)
		snprintf(t.s, sizeof(t.s), "?");
	else if (per_s < 9.95)
		snprintf(t.s, sizeof(t.s), "%.1f", per_s);
	else
		return num((uint64_t)llround(fmin(per_s, 1e18)));
	return t;
}

struct text percent_text(double part, double whole)
{
	struct text t;
	double p = part * 100 / whole;

	if (!(whole > 0))
		snprintf(t.s, sizeof(t.s), "- %%");
	else if (p != 0 && fabs(p) < 9.95)
		snprintf(t.s, sizeof(t.s), "%.1f %%", p);
	else
		snprintf(t.s, sizeof(t.s), "%.0f %%", fmin(p, 1e9));
	return t;
}

struct text seconds_text(double s)
{
	struct text t;

	if (!isfinite(s))
		snprintf(t.s, sizeof(t.s), "never");
	else if (s < 9.95)
		snprintf(t.s, sizeof(t.s), "%.1f s", fmax(s, 0));
	else if (s < 120)
		snprintf(t.s, sizeof(t.s), "%.0f s", s);
	else if (s < 2 * 3600)
		snprintf(t.s, sizeof(t.s), "%.0f min", s / 60);
	else if (s < 48 * 3600)
		snprintf(t.s, sizeof(t.s), "%d h %d min", (int)(s / 3600), (int)fmod(s / 60, 60));
	else
		snprintf(t.s, sizeof(t.s), "%.0f d", fmin(s / 86400, 1e9));
	return t;
}

struct text bytes_text(uint64_t bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	struct text t;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < ARRAY_LEN(unit); u++)
		v /= 1024;
	snprintf(t.s, sizeof(t.s), u && v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return t;
}

void copy_printable(char *dst, size_t cap, const char *src)
{
	size_t i = 0;

	must(cap > 0);
	for (; i + 1 < cap && src[i]; i++)
		dst[i] = src[i];
	dst[i] = '\0';
	for (char *c = dst; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
}

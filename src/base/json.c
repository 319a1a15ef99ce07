/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include <inttypes.h>
#include <math.h>

static void newline(struct json *j)
{
	if (!j->pretty)
		return;
	fputc('\n', j->out);
	for (unsigned i = 0; i < j->depth; i++)
		fputs("  ", j->out);
}

/* What has to stand between the last thing written and the next value or key. */
static void separate(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->after_value[j->depth])
		fputc(',', j->out);
	if (j->depth)
		newline(j);
	j->after_value[j->depth] = true;
}

void json_begin(struct json *j, FILE *out, bool pretty) { *j = (struct json){.out = out, .pretty = pretty}; }

void json_end(struct json *j)
{
	must(j->depth == 0);
	fputc('\n', j->out);
}

static void open_level(struct json *j, char bracket)
{
	separate(j);
	fputc(bracket, j->out);
	must(j->depth + 1 < JSON_DEPTH_MAX);
	j->after_value[++j->depth] = false;
}

static void close_level(struct json *j, char bracket)
{
	bool had_elements = j->after_value[j->depth];

	must(j->depth > 0);
	must(!j->after_key);
	j->depth--;
	if (had_elements)
		newline(j);
	fputc(bracket, j->out);
}

void json_object(struct json *j) { open_level(j, '{'); }
void json_object_end(struct json *j) { close_level(j, '}'); }
void json_array(struct json *j) { open_level(j, '['); }
void json_array_end(struct json *j) { close_level(j, ']'); }

/* Length of the valid UTF-8 sequence at s, 0 if there is none (RFC 3629: no surrogates, no overlong forms). */
static unsigned utf8_len(const unsigned char *s)
{
	unsigned char lo = 0x80, hi = 0xbf;
	unsigned n;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	if (s[0] == 0xed)
		hi = 0x9f;
	if (s[0] == 0xf0)
		lo = 0x90;
	if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (unsigned i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

static void quoted(struct json *j, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', j->out);
	while (*s) {
		unsigned n = 1;

		if (*s == '"' || *s == '\\')
			fprintf(j->out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", j->out);
		else if (*s == '\t')
			fputs("\\t", j->out);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(j->out, "\\u%04x", *s);
		else if (*s < 0x80)
			fputc(*s, j->out);
		else if ((n = utf8_len(s)) != 0)
			fwrite(s, 1, n, j->out);
		else
			fputs("\xef\xbf\xbd", j->out);
		s += n ? n : 1;
	}
	fputc('"', j->out);
}

void json_key(struct json *j, const char *key)
{
	must(j->depth > 0);
	must(!j->after_key);
	separate(j);
	quoted(j, key);
	fputs(j->pretty ? ": " : ":", j->out);
	j->after_key = true;
}

void json_null(struct json *j)
{
	separate(j);
	fputs("null", j->out);
}

void json_str(struct json *j, const char *s)
{
	if (!s) {
		json_null(j);
		return;
	}
	separate(j);
	quoted(j, s);
}

void json_int(struct json *j, int64_t v)
{
	separate(j);
	fprintf(j->out, "%" PRId64, v);
}

void json_uint(struct json *j, uint64_t v)
{
	separate(j);
	fprintf(j->out, "%" PRIu64, v);
}

void json_real(struct json *j, double v)
{
	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	separate(j);
	fprintf(j->out, "%.6g", v);
}

void json_bool(struct json *j, bool v)
{
	separate(j);
	fputs(v ? "true" : "false", j->out);
}

void json_kv_str(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_str(j, s);
}

void json_kv_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void json_kv_uint(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_uint(j, v);
}

void json_kv_real(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_real(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}

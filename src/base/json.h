/* SPDX-License-Identifier: MIT */
/*
 * json.h - a streaming JSON writer (RFC 8259). It allocates nothing and keeps no tree: calls become bytes at once.
 *
 * In an object every value is preceded by json_key(); in an array it is not. Strings may hold any bytes: what is not
 * valid UTF-8 is written as U+FFFD, control characters are escaped, so a hostile process name cannot break the output.
 */
#pragma once
#include "base/base.h"
#include <stdio.h>

enum { JSON_DEPTH_MAX = 16 };

/* Hidden, since jansson exports functions of the same names: the dynamic linker must never mix the two. */
#pragma GCC visibility push(hidden)

struct json {
	FILE *out; /* borrowed */
	unsigned depth;
	bool after_value[JSON_DEPTH_MAX]; /* a comma is due before the next element */
	bool after_key;
	bool pretty; /* one element a line, two spaces a level */
};

void json_begin(struct json *j, FILE *out, bool pretty);
void json_end(struct json *j); /* newline; every level must have been closed */

void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);

void json_str(struct json *j, const char *s); /* NULL is written as null */
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_real(struct json *j, double v); /* not finite is written as null */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

/* json_key and a value in one call. */
void json_kv_str(struct json *j, const char *key, const char *s);
void json_kv_int(struct json *j, const char *key, int64_t v);
void json_kv_uint(struct json *j, const char *key, uint64_t v);
void json_kv_real(struct json *j, const char *key, double v);
void json_kv_bool(struct json *j, const char *key, bool v);

#pragma GCC visibility pop

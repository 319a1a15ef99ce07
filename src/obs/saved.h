/* SPDX-License-Identifier: MIT */
/*
 * saved.h - an observation as a JSON file, so that what was seen on one machine can be diagnosed on another.
 * {"schema":1,"kind":"lastack-observation",...}. Writer and reader walk the same field tables.
 */
#pragma once
#include "base/why.h"
#include "model/snapshot.h"
#include <stdio.h>

enum { SAVED_BYTES_MAX = 256 << 20 };

/* 0 or -errno. Does not close out. */
int saved_write(FILE *out, const struct observation *o, struct why *w);

/* Writes path through a temporary file beside it and rename(2), mode 0600: never half a file. "-" is stdout. */
int saved_write_file(const char *path, const struct observation *o, struct why *w);

/*
 * Never trusts the file: every index, count and enum is checked, unknown fields are ignored, absent ones are zero.
 * 0; -EINVAL (not a lastack observation, with the reason and place in w), -EFBIG, -ENOMEM, or open/read's error.
 * On failure ret is untouched.
 */
int saved_read_file(const char *path, struct observation *ret, struct why *w); /* "-" is stdin */
int saved_read(const char *json, size_t len, struct observation *ret, struct why *w);

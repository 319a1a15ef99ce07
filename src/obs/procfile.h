/* SPDX-License-Identifier: MIT */
/* procfile.h - reading the small text files of /proc whole, into bounded memory. They are hostile like any input. */
#pragma once
#include "base/base.h"
#include <sys/types.h>

enum { PROCFILE_MAX = 1 << 20 };

/* Reads at most cap - 1 bytes below dirfd (AT_FDCWD allowed) and ends them with NUL. The length or -errno. */
ssize_t procfile_read(int dirfd, const char *path, char *buf, size_t cap);

/* The whole file, at most PROCFILE_MAX bytes of it; NUL-terminated, to be freed by the caller. NULL: *err is -errno. */
char *procfile_all(const char *path, int *err);

/*
 * Walks text line by line without changing it. *cursor is where the next line starts; false at the end. The line is
 * copied into buf, cut to fit, without its newline.
 */
bool next_line(const char **cursor, char *buf, size_t cap);

/* The next word of *cursor up to a space or tab, copied and cut; false when the line has no more. */
bool next_word(const char **cursor, char *buf, size_t cap);

/* A whole word as a number: false when it is no number, has a tail or does not fit. */
bool word_uint(const char *word, int base, uint64_t *ret);
bool word_int(const char *word, int64_t *ret);

/* SPDX-License-Identifier: MIT */
#include "obs/procfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t read_to_end(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n + 1 < cap) {
		ssize_t got = read(fd, buf + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return (ssize_t)n;
}

ssize_t procfile_read(int dirfd, const char *path, char *buf, size_t cap)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	must(cap > 0);
	if (fd < 0)
		return -errno;
	n = read_to_end(fd, buf, cap);
	close(fd);
	return n;
}

char *procfile_all(const char *path, int *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t cap = 16384, n = 0;
	char *buf = NULL;

	if (fd < 0) {
		*err = -errno;
		return NULL;
	}
	for (;;) {
		char *grown = realloc(buf, cap);
		ssize_t got;

		*err = -ENOMEM;
		if (!grown)
			goto fail;
		buf = grown;
		got = read_to_end(fd, buf + n, cap - n);
		*err = (int)got;
		if (got < 0)
			goto fail;
		n += (size_t)got;
		if (n + 1 < cap || cap >= PROCFILE_MAX)
			break;
		cap *= 2;
	}
	*err = 0;
	close(fd);
	return buf;
fail:
	free(buf);
	close(fd);
	return NULL;
}

static void copy_cut(char *buf, size_t cap, const char *from, size_t len)
{
	must(cap > 0);
	if (len > cap - 1)
		len = cap - 1;
	memcpy(buf, from, len);
	buf[len] = '\0';
}

bool next_line(const char **cursor, char *buf, size_t cap)
{
	const char *line = *cursor;
	size_t len = strcspn(line, "\n");

	if (!*line)
		return false;
	copy_cut(buf, cap, line, len);
	*cursor = line + len + (line[len] == '\n');
	return true;
}

bool next_word(const char **cursor, char *buf, size_t cap)
{
	const char *word = *cursor + strspn(*cursor, " \t");
	size_t len = strcspn(word, " \t\n");

	if (!len)
		return false;
	copy_cut(buf, cap, word, len);
	*cursor = word + len;
	return true;
}

bool word_uint(const char *word, int base, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	/* strtoull takes "-1", " 1" and "+1" for numbers. */
	if (!((*word >= '0' && *word <= '9') || (base == 16 && strchr("abcdefABCDEF", *word) && *word)))
		return false;
	errno = 0;
	v = strtoull(word, &end, base);
	if (errno || *end)
		return false;
	*ret = v;
	return true;
}

bool word_int(const char *word, int64_t *ret)
{
	long long v;
	char *end;

	if (!(*word >= '0' && *word <= '9') && !(*word == '-' && word[1] >= '0' && word[1] <= '9'))
		return false;
	errno = 0;
	v = strtoll(word, &end, 10);
	if (errno || *end)
		return false;
	*ret = v;
	return true;
}

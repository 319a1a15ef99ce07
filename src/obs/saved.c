/* SPDX-License-Identifier: MIT */
#include "obs/saved.h"
#include "base/mem.h"
#include "base/text.h"
#include "obs/saved_fields.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VALUES_MAX = 8 << 20, /* jansson needs up to 250 bytes for two bytes of the file */
	READ_BLOCK = 1 << 16,
};

/*
 * jansson builds a tree, recursively: both its memory and its stack are bounded here, from the brackets and commas
 * outside strings. What begins otherwise jansson refuses at its first byte, and says so better.
 */
static int check_size(const char *json, size_t len, struct why *w)
{
	size_t values = 0;
	unsigned depth = 0;
	bool in_string = false;
	size_t start = 0;

	while (start < len && strchr(" \t\r\n", json[start]) && json[start])
		start++;
	if (start == len || (json[start] != '{' && json[start] != '['))
		return 0;
	for (size_t i = start; i < len; i++) {
		char c = json[i];

		if (in_string) {
			if (c == '\\')
				i++;
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[' || c == ',') {
			values++;
			depth += c != ',';
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
		if (depth > SAVED_DEPTH_MAX) {
			why_set(w, "nested deeper than any lastack observation");
			return -EINVAL;
		}
	}
	if (values > VALUES_MAX) {
		why_set(w, "more than %d values", VALUES_MAX);
		return -EFBIG;
	}
	return 0;
}

static int bad_json(size_t len, const json_error_t *e, struct why *w)
{
	char text[JSON_ERROR_TEXT_LENGTH];

	copy_printable(text, sizeof(text), e->text);
	if (len == 0)
		why_set(w, "the file is empty");
	else if (json_error_code(e) == json_error_premature_end_of_input)
		why_set(w, "the file is cut off after %zu bytes", len);
	else
		why_set(w, "not JSON: line %d, column %d: %s", e->line, e->column, text);
	return json_error_code(e) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
}

int saved_read(const char *json, size_t len, struct observation *ret, struct why *w)
{
	struct observation o = {0};
	json_error_t e;
	json_t *root;
	int err = check_size(json, len, w);

	if (err)
		return err;
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		return bad_json(len, &e, w);
	err = saved_get(root, &o, w);
	json_decref(root);
	if (err)
		observation_done(&o);
	else
		*ret = o;
	return err;
}

static int read_all(int fd, char **ret, size_t *ret_len, struct why *w)
{
	CLEANUP(free_p) char *buf = NULL;
	size_t cap = 0, len = 0;
	ssize_t got = 1;

	while (got) {
		if (vec_reserve((void **)&buf, &cap, len + READ_BLOCK, 1))
			return why_errno(w, ENOMEM, "cannot read");
		got = read(fd, buf + len, READ_BLOCK);
		if (got < 0 && errno != EINTR)
			return why_errno(w, errno, "cannot read");
		len += got > 0 ? (size_t)got : 0;
		if (len > SAVED_BYTES_MAX)
			return why_errno(w, EFBIG, "more than %d MiB", SAVED_BYTES_MAX >> 20);
	}
	*ret = buf;
	*ret_len = len;
	buf = NULL;
	return 0;
}

int saved_read_file(const char *path, struct observation *ret, struct why *w)
{
	CLEANUP(free_p) char *buf = NULL;
	bool is_stdin = strcmp(path, "-") == 0;
	size_t len = 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return why_errno(w, errno, "cannot open %s", path);
	err = read_all(fd, &buf, &len, w);
	if (!is_stdin)
		close(fd);
	if (!err)
		err = saved_read(buf, len, ret, w);
	if (err)
		why_prefix(w, "%s", is_stdin ? "standard input" : path);
	return err;
}

/* A pipe or a device is written as it is: a rename would put a file in its place. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int write_to_fd(int fd, const char *path, const struct observation *o, struct why *w)
{
	FILE *out = fdopen(fd, "w");
	int err;

	if (!out) {
		err = why_errno(w, errno, "%s", path);
		close(fd);
		return err;
	}
	err = saved_write(out, o, w);
	if (err)
		why_prefix(w, "%s", path);
	if (fclose(out) && !err)
		err = why_errno(w, errno, "cannot write %s", path);
	return err;
}

static int write_beside(const char *path, const struct observation *o, struct why *w)
{
	CLEANUP(free_p) char *temporary = NULL;
	int fd, err;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return why_errno(w, ENOMEM, "%s", path);
	}
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return why_errno(w, errno, "cannot create a file beside %s", path);
	err = write_to_fd(fd, path, o, w);
	if (!err && rename(temporary, path))
		err = why_errno(w, errno, "cannot rename to %s", path);
	if (err)
		unlink(temporary);
	return err;
}

int saved_write_file(const char *path, const struct observation *o, struct why *w)
{
	CLEANUP(free_p) char *real = NULL;
	int fd;

	if (strcmp(path, "-") == 0)
		return saved_write(stdout, o, w);
	if (is_special(path)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? why_errno(w, errno, "cannot open %s", path) : write_to_fd(fd, path, o, w);
	}
	real = realpath(path, NULL); /* behind a symbolic link, so that the link stays */
	return write_beside(real ? real : path, o, w);
}

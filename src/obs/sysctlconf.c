/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "knob/knob.h"
#include "obs/procfile.h"
#include "obs/sysctl.h"

static const char *const folders[] = {"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d",
				      "/lib/sysctl.d"};
static const char last_file[] = "/etc/sysctl.conf";

struct conf_file {
	char name[96]; /* without its folder: what hides and what sorts */
	size_t folder;
};

struct conf_files {
	struct conf_file *v;
	size_t n, cap;
};

struct reader {
	const char *root;
	struct config_line *v;
	size_t n, cap;
};

/* Cuts what stands between first and last that is neither space nor tab; returns its length. */
static size_t trim(const char **from, size_t len)
{
	size_t lead = strspn(*from, " \t\r");

	if (lead >= len)
		return 0;
	*from += lead;
	for (len -= lead; len && strchr(" \t\r\n", (*from)[len - 1]);)
		len--;
	return len;
}

bool config_line_parse(const char *line, struct config_line *ret)
{
	const char *name = line, *equals = strchr(line, '='), *value;
	struct config_line row = {.name = ""};
	char text[sizeof(row.value)];
	size_t len;
	int id;

	if (!equals)
		return false;
	len = trim(&name, (size_t)(equals - line));
	if (len && *name == '-') {
		name++;
		len = trim(&name, len - 1);
	}
	if (!len || len >= sizeof(row.name) || *name == '#' || *name == ';')
		return false;
	memcpy(row.name, name, len);
	/* the first separator tells which of the two spellings it is; none of our names has the other one inside */
	for (char *c = row.name; *c; c++)
		if (*c == '/')
			*c = '.';
	/* knob_find also takes our own field names, which are no sysctls and have no dot, and the engine's knobs */
	id = knob_find(row.name);
	if (!strchr(row.name, '.') || id < 0 || id >= N_HOST_KNOBS)
		return false;
	value = equals + 1;
	len = trim(&value, strlen(value));
	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), value);
	copy_printable(row.value, sizeof(row.value), text);
	*ret = row;
	return true;
}

static int file_read(struct reader *r, const char *path)
{
	char full[512], line[512];
	const char *cursor;
	uint32_t number = 0;
	int err = 0;
	char *text;

	snprintf(full, sizeof(full), "%s%s", r->root, path);
	text = procfile_all(full, &err);
	if (!text)
		return err == -ENOMEM ? err : 0;
	for (cursor = text, err = 0; next_line(&cursor, line, sizeof(line)) && r->n < CONFIG_LINES_MAX;) {
		struct config_line row;
		void *v = r->v;

		number++;
		if (!config_line_parse(line, &row))
			continue;
		copy_printable(row.file, sizeof(row.file), path);
		row.line = number;
		err = vec_reserve(&v, &r->cap, r->n + 1, sizeof(row));
		if (err < 0)
			break;
		r->v = v;
		r->v[r->n++] = row;
	}
	free(text);
	return err;
}

static bool is_hidden(const struct conf_files *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].name, name) == 0)
			return true;
	return false;
}

static int folder_list(const char *root, size_t folder, struct conf_files *f)
{
	char path[512];
	struct dirent *e;
	int err = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", root, folders[folder]);
	d = opendir(path);
	if (!d)
		return 0;
	while (err == 0 && f->n < CONFIG_FILES_MAX && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		void *v = f->v;

		if (len <= strlen(".conf") || len >= sizeof(f->v->name) || e->d_name[0] == '.' ||
		    strcmp(e->d_name + len - strlen(".conf"), ".conf") != 0 || is_hidden(f, e->d_name))
			continue;
		err = vec_reserve(&v, &f->cap, f->n + 1, sizeof(*f->v));
		if (err < 0)
			break;
		f->v = v;
		memcpy(f->v[f->n].name, e->d_name, len + 1);
		f->v[f->n++].folder = folder;
	}
	closedir(d);
	return err;
}

static int by_file_name(const void *a, const void *b)
{
	return strcmp(((const struct conf_file *)a)->name, ((const struct conf_file *)b)->name);
}

struct identity {
	dev_t dev;
	ino_t ino;
};

/* False for what is no regular file: a link to /dev/null is how an administrator hides a file. */
static bool identify(const char *root, const char *path, struct identity *ret)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", root, path);
	if (stat(full, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*ret = (struct identity){st.st_dev, st.st_ino};
	return true;
}

static int files_read(struct reader *r, const struct conf_files *f)
{
	struct identity last = {0}, *seen = calloc(f->n + 1, sizeof(*seen));
	bool has_last = identify(r->root, last_file, &last);
	size_t n = 0;
	int err = 0;

	if (!seen)
		return -ENOMEM;
	if (has_last)
		seen[n++] = last; /* Debian's sysctl.d/99-sysctl.conf is a link to it: name the file people edit */
	for (size_t i = 0; i < f->n && err == 0; i++) {
		struct identity id;
		char path[160];
		bool again = false;

		snprintf(path, sizeof(path), "%s/%s", folders[f->v[i].folder], f->v[i].name);
		if (!identify(r->root, path, &id))
			continue;
		for (size_t k = 0; k < n; k++)
			again |= seen[k].dev == id.dev && seen[k].ino == id.ino;
		if (again)
			continue;
		seen[n++] = id;
		err = file_read(r, path);
	}
	free(seen);
	return err == 0 && has_last ? file_read(r, last_file) : err;
}

int config_read(const char *root, struct config_line **v, size_t *n)
{
	struct reader r = {.root = root ? root : ""};
	struct conf_files f = {NULL, 0, 0};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) && err == 0; i++)
		err = folder_list(r.root, i, &f);
	if (f.n)
		qsort(f.v, f.n, sizeof(*f.v), by_file_name);
	if (err == 0)
		err = files_read(&r, &f);
	free(f.v);
	if (err < 0) {
		free(r.v);
		return err;
	}
	*v = r.v;
	*n = r.n;
	return 0;
}

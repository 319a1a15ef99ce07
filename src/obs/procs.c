/* SPDX-License-Identifier: MIT */
#include "obs/procs.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "obs/procfile.h"

enum { CONTAINER_ID = 64, CONTAINER_ID_SHORT = 12 };

/* A run of exactly 64 hexadecimal digits: what every runtime names its containers. The last one is the innermost. */
static const char *container_id(const char *path)
{
	const char *found = NULL;

	while (*path) {
		size_t run = strspn(path, "0123456789abcdef");

		if (run == CONTAINER_ID)
			found = path;
		path += run;
		path += strcspn(path, "0123456789abcdef");
	}
	return found;
}

static void container_parse(const char *path, char container[N_TEXT])
{
	static const char *const lxc[] = {"/lxc.payload.", "/lxc/"};
	const char *id = container_id(path);
	char text[N_TEXT];

	if (id) {
		snprintf(text, sizeof(text), "%.*s", CONTAINER_ID_SHORT, id);
		copy_printable(container, N_TEXT, text);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(lxc); i++) {
		const char *at = strstr(path, lxc[i]);

		if (!at)
			continue;
		at += strlen(lxc[i]);
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(at, "/"), at);
		copy_printable(container, N_TEXT, text);
		return;
	}
}

void cgroup_parse(const char *text, char cgroup[128], char container[N_TEXT])
{
	char line[4096];
	int best = 0; /* how good the cgroup chosen so far is */

	cgroup[0] = container[0] = '\0';
	while (next_line(&text, line, sizeof(line))) {
		char *controllers = strchr(line, ':'), *path;
		int good;

		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		controllers++;
		if (strcmp(path, "/") == 0)
			good = 1;
		else
			good = !*controllers ? 4 : strcmp(controllers, "name=systemd") == 0 ? 3 : 2;
		if (good > best) {
			copy_printable(cgroup, 128, path);
			best = good;
		}
		if (!container[0])
			container_parse(path, container);
	}
}

uint32_t fd_limit_parse(const char *text)
{
	static const char title[] = "Max open files";
	char line[256], word[24];

	while (next_line(&text, line, sizeof(line))) {
		const char *cursor = line + strlen(title);
		uint64_t v;

		if (strncmp(line, title, strlen(title)) != 0 || !next_word(&cursor, word, sizeof(word)))
			continue;
		if (strcmp(word, "unlimited") == 0)
			return UINT32_MAX;
		if (!word_uint(word, 10, &v))
			return 0;
		return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
	}
	return 0;
}

uint32_t socket_inode_parse(const char *link)
{
	static const char head[] = "socket:[";
	char digits[16];
	uint64_t v;
	size_t len;

	if (strncmp(link, head, strlen(head)) != 0)
		return 0;
	link += strlen(head);
	len = strspn(link, "0123456789");
	if (!len || len >= sizeof(digits) || strcmp(link + len, "]") != 0)
		return 0;
	memcpy(digits, link, len);
	digits[len] = '\0';
	return word_uint(digits, 10, &v) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

uint64_t proc_netns(int32_t pid)
{
	static const char head[] = "net:[";
	char path[64], link[64];
	uint64_t v;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= (ssize_t)strlen(head) || strncmp(link, head, strlen(head)) != 0)
		return 0;
	link[n - (link[n - 1] == ']')] = '\0';
	return word_uint(link + strlen(head), 10, &v) ? v : 0;
}

bool proc_read(int32_t pid, struct proc *ret)
{
	char path[64], text[8192];
	struct proc p = {.pid = pid, .netns = proc_netns(pid)};

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (procfile_read(-1, path, text, sizeof(text)) <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	copy_printable(p.comm, sizeof(p.comm), text);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (procfile_read(-1, path, text, sizeof(text)) > 0)
		cgroup_parse(text, p.cgroup, p.container);
	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	if (procfile_read(-1, path, text, sizeof(text)) > 0)
		p.fd_limit = fd_limit_parse(text);
	*ret = p;
	return true;
}

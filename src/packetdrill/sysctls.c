/* SPDX-License-Identifier: MIT */
/* sysctls.c - scripts configure the stack with sysctl(8) in a namespace of their own; the engine takes over what it knows of it. */
#include "packetdrill/stack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const folders[] = {"net/ipv4", "net/core"};

/* In pages of the whole machine, not in octets of an engine: no setting of a namespace. */
static bool is_of_machine(const char *name) { return strcmp(name, "tcp_mem") == 0; }

static bool read_value(const char *path, char *buf, size_t cap)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, cap - 1);
	syscall(SYS_close, fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

static void load(struct stack *s, const char *folder, const char *file)
{
	char path[384], value[256], line[1024];
	int len;

	snprintf(path, sizeof(path), "/proc/sys/%s/%s", folder, file);
	if (is_of_machine(file) || !read_value(path, value, sizeof(value)))
		return;
	len = snprintf(line, sizeof(line), "net.%s.%s = %s\n", strchr(folder, '/') + 1, file, value);
	/* One the engine has not, or a value it has not (bbr): it keeps its own. */
	if (len > 0 && (size_t)len < sizeof(line))
		(void)la_knobs_load(s->engine, line, (size_t)len, NULL);
}

void sysctls_load(struct stack *s)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char path[64];
		struct dirent *d;
		DIR *dir;

		snprintf(path, sizeof(path), "/proc/sys/%s", folders[i]);
		dir = opendir(path);
		if (!dir)
			continue;
		while ((d = readdir(dir)) != NULL)
			if (d->d_type == DT_REG)
				load(s, folders[i], d->d_name);
		closedir(dir);
	}
	for (unsigned i = 0; i < s->flags.n_knobs; i++)
		(void)la_knob_set(s->engine, s->flags.knobs[i].name, s->flags.knobs[i].value);
}

/* SPDX-License-Identifier: MIT */
/* part_nginx.c - the engine fetches from nginx, and below it this kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab/interop/http_client.h"
#include "lab/interop/octets.h"
#include "lab/interop/parts.h"

enum { PORT = 80, PATIENCE_MS = 30000, LOOK_MS = 20 };

static const uint64_t sizes[] = {0, 1, 1460, 100000, 5000000};

static const struct {
	const char *what;
	size_t first, n;
	bool last_closes;
} fetches[] = {
	{"five files over one connection, the engine closes", 0, ARRAY_LEN(sizes), false},
	{"five files over one connection, nginx closes", 0, ARRAY_LEN(sizes), true},
	{"one large file, nginx closes", 4, 1, true},
	{"an empty file, the engine closes", 0, 1, false},
};

/* ---- nginx ---- */

static bool write_octets(FILE *f, uint64_t n)
{
	uint8_t buf[16384];

	for (uint64_t at = 0; at < n; at += sizeof(buf)) {
		size_t len = n - at < sizeof(buf) ? (size_t)(n - at) : sizeof(buf);

		octets_fill(n, at, buf, len);
		if (fwrite(buf, 1, len, f) != len)
			return false;
	}
	return true;
}

static bool write_files(struct rig *r)
{
	const char *dir = r->record->dir;
	char path[160];

	snprintf(path, sizeof(path), "%s/octets", dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return rig_fail(r, "create %s: %s", path, strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		FILE *f;
		bool ok;

		snprintf(path, sizeof(path), "%s/octets/%llu", dir, (unsigned long long)sizes[i]);
		f = fopen(path, "we");
		ok = f && write_octets(f, sizes[i]);
		if ((f && fclose(f)) || !ok)
			return rig_fail(r, "write %s: %s", path, strerror(errno));
	}
	return true;
}

/* One process that stays in the foreground and writes nowhere but below dir. */
static bool write_conf(struct rig *r, char *path, size_t cap)
{
	const char *dir = r->record->dir;
	FILE *f;

	snprintf(path, cap, "%s/nginx.conf", dir);
	f = fopen(path, "we");
	if (!f)
		return rig_fail(r, "write %s: %s", path, strerror(errno));
	fprintf(f, "daemon off; master_process off; pid %s/nginx.pid; error_log stderr;\n", dir);
	fprintf(f, "events { worker_connections 64; }\nhttp {\n\taccess_log off; root %s;\n", dir);
	for (const char *const *what = (const char *const[]){"client_body", "proxy", "fastcgi", "uwsgi", "scgi", NULL};
	     *what; what++)
		fprintf(f, "\t%s_temp_path %s/temp;\n", *what, dir);
	fputs("\tserver {\n", f);
	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six))
		fprintf(f, "\t\tlisten %s:%d;\n", rig_host(SIDE_KERNEL, six), PORT);
	fputs("\t}\n}\n", f);
	return fclose(f) == 0 || rig_fail(r, "write %s: %s", path, strerror(errno));
}

static bool over(void *arg) { return ((const struct program *)arg)->out.fd == 0; }

static bool listens(struct rig *r)
{
	struct snapshot s;
	const struct netns *ns = rig_look(r, &s);
	unsigned wanted = 0, found = 0;

	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six))
		wanted++;
	for (size_t i = 0; ns && i < ns->n_listeners; i++)
		found += ns->listeners[i].listening && ns->listeners[i].port == PORT;
	snapshot_done(&s);
	return found == wanted;
}

static bool nginx_up(struct rig *r, const char *nginx, struct program *p)
{
	static char name[] = "nginx", conf[] = "-c", prefix[] = "-p", log[] = "-e", to[] = "stderr";
	char path[160], dir[128];
	char *argv[] = {name, prefix, dir, conf, path, log, to, NULL};
	const nsec_t until = drive_clock() + PATIENCE_MS * NSEC_PER_MS;

	snprintf(dir, sizeof(dir), "%s/", r->record->dir);
	if (!write_files(r) || !write_conf(r, path, sizeof(path)) || !program_start(r, p, nginx, argv))
		return false;
	while (!listens(r)) /* that a program listens is an event for nobody */
		if (rig_wait(r, over, p, LOOK_MS) || drive_clock() > until)
			return rig_fail(r, "nginx does not listen: see nginx -t with a configuration of its own");
	return true;
}

/* ---- the engine ---- */

static bool is_done(void *arg) { return ((const struct http_client *)arg)->done; }

static bool fetch(struct rig *r, size_t i, bool six)
{
	struct http_client *c CLEANUP(free_p) = calloc(1, sizeof(*c));
	struct la_endpoint to = rig_at(SIDE_KERNEL, six, PORT);
	const char *what = fetches[i].what;
	int err;

	if (!c)
		return rig_fail(r, "no memory");
	c->sizes = sizes + fetches[i].first;
	c->n_sizes = fetches[i].n;
	c->last_closes = fetches[i].last_closes;
	c->host = rig_host(SIDE_KERNEL, six);
	err = http_fetch(c, r->d, &to);
	if (err)
		return rig_fail(r, "%s: the engine cannot connect: %s", what, strerror(-err));
	if (!rig_wait(r, is_done, c, PATIENCE_MS)) {
		end_close(&c->end);
		return rig_fail(r, "%s: stands still after %zu of %zu files", what, c->got, c->n_sizes);
	}
	return !c->error[0] || rig_fail(r, "%s: %s", what, c->error);
}

static bool fetch_all(struct rig *r)
{
	unsigned n = 0;

	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six))
		for (size_t i = 0; i < ARRAY_LEN(fetches); i++, n += (unsigned)fetches[i - 1].n)
			if (!fetch(r, i, six))
				return false;
	snprintf(r->note, sizeof(r->note), "%u files with equal hashes; nginx closes first, and the engine", n);
	return true;
}

bool part_nginx(struct rig *r, bool *ret_skip)
{
	struct program p = {.pid = 0};
	char path[64];
	bool ok;

	if (!program_find("nginx", path, sizeof(path))) {
		*ret_skip = true;
		return rig_fail(r, "nginx is not installed");
	}
	ok = nginx_up(r, path, &p) && fetch_all(r);
	program_stop(&p);
	return ok;
}

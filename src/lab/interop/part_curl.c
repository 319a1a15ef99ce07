/* SPDX-License-Identifier: MIT */
/* part_curl.c - curl, and below it this kernel, fetches from the web server on the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/text.h"
#include "lab/interop/http_server.h"
#include "lab/interop/octets.h"
#include "lab/interop/parts.h"

enum { PORT = 80, FILES_MAX = 5, WORDS_MAX = 16, PATIENCE_MS = 30000, CURL_NOT_FOUND = 22 };

static const struct fetch {
	const char *what;
	const char *option, *value; /* of curl; NULL none */
	uint64_t size[FILES_MAX];
	unsigned n;
	unsigned connections; /* curl keeps one unless told otherwise */
	bool head; /* headers only */
	int status;
} fetches[] = {
	{"five files over one connection", NULL, NULL, {0, 1, 1460, 100000, 5000000}, 5, 1, false, 0},
	{"HTTP/1.0: the engine closes first", "--http1.0", NULL, {0, 70000}, 2, 2, false, 0},
	{"Connection: close", "-H", "Connection: close", {1, 1000000}, 2, 2, false, 0},
	{"HEAD", "--head", NULL, {100000}, 1, 1, true, 0},
	{"a slow reader", "--limit-rate", "3M", {2000000}, 1, 1, false, 0},
	{"what is not there", NULL, NULL, {HTTP_OCTETS_MAX + 1}, 1, 1, false, CURL_NOT_FOUND},
};

static bool run_curl(struct rig *r, const char *curl, const struct fetch *f, bool six, struct program *p)
{
	static char never[] = "-q", name[] = "curl", quiet[] = "-sS", fail[] = "--fail", direct[] = "--noproxy",
		    all[] = "*";
	char url[FILES_MAX][96], option[32], value[32];
	char *argv[WORDS_MAX + 1] = {name, never, quiet, fail, direct, all};
	unsigned n = 6;

	if (f->option) {
		snprintf(option, sizeof(option), "%s", f->option);
		argv[n++] = option;
	}
	if (f->value) {
		snprintf(value, sizeof(value), "%s", f->value);
		argv[n++] = value;
	}
	for (unsigned i = 0; i < f->n; i++) {
		snprintf(url[i], sizeof(url[i]), "http://%s/octets/%llu", rig_host(SIDE_ENGINE, six),
			 (unsigned long long)f->size[i]);
		argv[n++] = url[i];
	}
	must(n <= WORDS_MAX);
	return program_start(r, p, curl, argv) && program_await(r, p, PATIENCE_MS);
}

static bool got_all(struct rig *r, const struct fetch *f, const struct program *p)
{
	uint64_t hash = OCTETS_HASH, bytes = 0;
	const int status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 128 + WTERMSIG(p->status);

	if (status != f->status)
		return rig_fail(r, "%s: curl ended with status %d, not %d", f->what, status, f->status);
	for (unsigned i = 0; i < f->n && status == 0 && !f->head; i++) {
		hash = octets_hash_of(hash, f->size[i], f->size[i]);
		bytes += f->size[i];
	}
	if (f->head ? p->bytes == 0 : p->bytes != bytes)
		return rig_fail(r, "%s: curl got %llu octets, not %llu", f->what, (unsigned long long)p->bytes,
				(unsigned long long)bytes);
	if (!f->head && p->hash != hash)
		return rig_fail(r, "%s: curl got octets with another hash", f->what);
	return true;
}

static bool none_open(void *arg) { return http_server_open(arg) == 0; }

static bool fetch_one(struct rig *r, struct http_server *s, const char *curl, const struct fetch *f, bool six)
{
	uint64_t before = s->accepted;
	struct program p = {.pid = 0};

	if (!run_curl(r, curl, f, six, &p) || !got_all(r, f, &p))
		return false;
	if (s->accepted - before != f->connections)
		return rig_fail(r, "%s: curl opened %u connections, not %u", f->what, (unsigned)(s->accepted - before),
				f->connections);
	return rig_wait(r, none_open, s, PATIENCE_MS) ||
	       rig_fail(r, "%s: curl has ended, but the engine keeps its connection", f->what);
}

static bool fetch_all(struct rig *r, struct http_server *s, const char *curl)
{
	unsigned n = 0;

	for (int six = rig_family(r, -1); six >= 0; six = rig_family(r, six)) {
		struct la_endpoint at = rig_at(SIDE_ENGINE, six, PORT);
		bool ok = http_serve(s, r->d, &at) == 0 || rig_fail(r, "the engine cannot listen");

		for (size_t i = 0; i < ARRAY_LEN(fetches) && ok; i++, n++)
			ok = fetch_one(r, s, curl, &fetches[i], six);
		http_server_close(s);
		if (!ok)
			return false;
	}
	snprintf(r->note, sizeof(r->note), "%u runs of curl: kept and closed connections, HEAD, a slow reader", n);
	return true;
}

bool part_curl(struct rig *r, bool *ret_skip)
{
	char path[64];
	struct http_server *s;
	bool ok;

	if (!program_find("curl", path, sizeof(path))) {
		*ret_skip = true;
		return rig_fail(r, "curl is not installed");
	}
	s = calloc(1, sizeof(*s));
	ok = s ? fetch_all(r, s, path) : rig_fail(r, "no memory");
	free(s);
	return ok;
}

/* SPDX-License-Identifier: MIT */
#include "obs/trace.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "obs/netns.h"
#include "obs/procfile.h"
#include "obs/trace_event.h"

enum {
	HELD = 256,
	SOCKETS_MIN = 1 << 19, /* 8 MiB of buckets; entries take memory when there are sockets */
	SOCKETS_MAX = 1 << 22,
	RING_MIN = 8 << 20, /* 40,000 records: 0.4 s of 50,000 connections a second seen from both ends */
	RING_MAX = 16 << 20, /* mapped twice by libbpf, so that twice as much may count as ours */
};

struct trace {
	struct trace_load *load;
	uint64_t netns; /* inode; 0: all */
	bool all; /* no socket is passed over */
	uint64_t gone; /* ends that nobody was told of */
	struct ring_buffer *ring;
	struct trace_names *names;
	struct trace_source source;
	void (*sink)(void *ctx, const struct conn *c);
	void *ctx;
	struct trace_ports ports;
	struct conn held[HELD]; /* a RST of ours may still explain them */
	size_t n_held, n_old; /* the first n_old were there before this look */
};

static void let_go(struct trace *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		t->sink(t->ctx, &t->held[i]);
	memmove(t->held, t->held + n, (t->n_held - n) * sizeof(t->held[0]));
	t->n_held -= n;
}

static void on_close(struct trace *t, const struct event_close *e)
{
	struct conn c;

	if (!trace_close(&t->source, e, &c))
		return;
	if (!trace_close_is_open(e)) {
		t->sink(t->ctx, &c);
		return;
	}
	if (t->n_held == HELD)
		let_go(t, HELD / 2);
	t->held[t->n_held++] = c;
}

static void on_rst(struct trace *t, const struct event_rst *e)
{
	struct conn c;

	for (size_t i = t->n_held; i-- > 0;)
		if (t->held[i].cookie == e->t.cookie) {
			trace_close_amend(&t->held[i], e);
			return;
		}
	if (trace_late_rst(&t->source, e, &c))
		t->sink(t->ctx, &c);
}

/* Only our own programs write to the ring; the sizes are checked all the same. */
static int on_record(void *ctx, void *data, size_t size)
{
	const __u32 *kind = data;

	if (size >= sizeof(struct event_close) && (*kind == EVENT_CLOSE || *kind == EVENT_CLOSING))
		on_close(ctx, data);
	else if (size >= sizeof(struct event_proc) && *kind == EVENT_PROC)
		trace_names_put(((struct trace *)ctx)->names, data);
	else if (size >= sizeof(struct event_rst) && *kind == EVENT_RST)
		on_rst(ctx, data);
	return 0;
}

static uint32_t power_of_two(uint64_t v, uint32_t min, uint32_t max)
{
	uint32_t p = min;

	while (p < v && p < max)
		p *= 2;
	return p;
}

/* TCP sockets of the whole machine: of /proc/net/sockstat "alloc", which counts all namespaces. */
static uint64_t sockets_now(void)
{
	char text[1024];
	ssize_t n = procfile_read(-1, "/proc/net/sockstat", text, sizeof(text));
	const char *alloc = n > 0 ? strstr(text, " alloc ") : NULL;

	return alloc ? strtoull(alloc + 7, NULL, 10) : 0;
}

static nsec_t jiffy(void)
{
	struct timespec tick = {0, 4000000};

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick); /* its resolution is a jiffy */
	return (nsec_t)tick.tv_nsec + (nsec_t)tick.tv_sec * NSEC_PER_S;
}

static int start(struct trace *t, const struct trace_cfg *cfg, struct why *w)
{
	uint64_t sockets = sockets_now();
	const struct trace_load_cfg load = {
		.netns = (uint32_t)cfg->netns,
		.cgroup = cfg->cgroup,
		.sockets = power_of_two(sockets * 8, SOCKETS_MIN, SOCKETS_MAX),
		.ring = power_of_two(sockets * 2 * sizeof(struct event_close), RING_MIN, RING_MAX),
		.jiffy = jiffy(),
	};
	int err = trace_load_new(&load, &t->load, w);

	t->netns = cfg->netns;
	t->all = !cfg->netns && !cfg->cgroup;
	if (err)
		return err;
	t->ring = ring_buffer__new(trace_load_ring(t->load), on_record, t, NULL);
	if (!t->ring)
		return why_errno(w, errno ? errno : ENOMEM, "BPF ring buffer");
	err = trace_load_attach(t->load, w);
	t->source = (struct trace_source){
		.jiffy = load.jiffy,
		.parts = trace_load_parts(t->load),
		.names = t->names,
		.ports = &t->ports,
	};
	return err;
}

int trace_new(const struct trace_cfg *cfg, struct trace **ret, struct why *w)
{
	struct trace *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (t)
		t->names = calloc(1, sizeof(*t->names));
	if (t && t->names)
		err = start(t, cfg, w);
	if (err) {
		trace_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	ring_buffer__free(t->ring);
	trace_load_free(t->load);
	free(t->names);
	free(t);
}

int trace_poll(struct trace *t, unsigned ms, void (*sink)(void *ctx, const struct conn *c), void *ctx)
{
	int n;

	t->sink = sink;
	t->ctx = ctx;
	if (ms)
		poll(NULL, 0, (int)ms);
	t->n_old = t->n_held;
	n = ring_buffer__consume(t->ring);
	let_go(t, t->n_old < t->n_held ? t->n_old : t->n_held);
	return n < 0 ? n : 0;
}

/* Asks in one namespace after the other. A namespace that went meanwhile, or may not be entered, has nothing to tell. */
static int ask_each(struct trace *t, const struct netns_list *l, int home)
{
	int err = 0;

	for (size_t i = 0; i < l->n && !err; i++) {
		int fd;

		if (t->netns && l->v[i].inode != t->netns)
			continue;
		fd = netns_open(l->v[i].path, NULL);
		if (fd < 0)
			continue;
		if (netns_enter(fd, NULL) == 0)
			err = trace_load_rest(t->load);
		netns_return(home);
		close(fd);
	}
	return err;
}

int trace_rest(struct trace *t, void (*sink)(void *ctx, const struct conn *c), void *ctx)
{
	struct netns_list l = {NULL, 0, 0, false};
	struct timespec now;
	int err, home;

	if (!trace_load_parts(t->load).rest)
		return 0;
	home = netns_open("/proc/self/ns/net", NULL);
	if (home < 0)
		return home;
	clock_gettime(CLOCK_MONOTONIC, &now);
	err = netns_list(&l);
	if (!err)
		err = ask_each(t, &l, home);
	if (!err && t->all)
		t->gone = trace_load_gone(t->load, (nsec_t)now.tv_sec * NSEC_PER_S + (nsec_t)now.tv_nsec);
	netns_list_done(&l);
	close(home);
	return err ? err : trace_poll(t, 0, sink, ctx);
}

struct trace_parts trace_parts(const struct trace *t) { return trace_load_parts(t->load); }

struct trace_lost trace_lost(const struct trace *t)
{
	struct trace_lost lost = trace_load_lost(t->load);

	lost.ends = t->gone;
	return lost;
}

uint64_t trace_lost_conns(const struct trace *t)
{
	struct trace_lost lost = trace_lost(t);

	return lost.records + lost.sockets + lost.ends;
}

/* SPDX-License-Identifier: MIT */
#include "obs/watch.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "knob/knob.h"
#include "obs/diag.h"
#include "obs/procfile.h"
#include "obs/procs.h"
#include "obs/sockopts.h"

enum {
	CANDIDATES_MAX = 4096,
	LOOKS_PER_LIST = 5, /* looks until processes are listed and sockets are dumped again */
	RECENT_S = 10,
};

/* A destination that needs a name. */
struct sought {
	uint64_t netns;
	struct ip src, dst;
	uint16_t dport;
	uint32_t inode; /* of the live socket seen last */
	bool found;
	struct proc proc;
};

/* A namespace that has some. */
struct place {
	uint64_t inode;
	struct diag *diag;
};

struct watch {
	struct sought v[WATCH_DESTS_MAX];
	size_t n, n_found;
	struct place place[WATCH_DESTS_MAX];
	size_t n_places;
	struct owners
		*owners; /* sockets that were asked already and are none of ours stay in here, so nobody asks again */
	struct owners_walk walk;
	int32_t candidate[CANDIDATES_MAX]; /* processes in those namespaces */
	size_t n_candidates;
	unsigned looks;
	uint64_t cpu; /* spent in all looks */
	const struct place *dumped; /* whose rows come in */
	bool no_memory;
};

/* When nobody has connected lately, nobody is there to be found. TIME_WAITs outside the range may be of any age. */
static bool is_alive(const struct dest *d)
{
	uint64_t n = state_counts_sum(&d->states) - d->tw_in_range;

	for (size_t i = 0; i < RECENT_S; i++)
		n += d->tw_ages.s[i];
	return n > 0;
}

bool watch_wants(const struct netns *ns, const struct dest *d)
{
	uint64_t used = (uint64_t)d->ports_low_parity + d->ports_other_parity;
	int64_t range = 0;

	if (d->proc >= 0 || !is_alive(d))
		return false;
	if (ns->knob_known[KNOB_port_low] && ns->knob_known[KNOB_port_high])
		range = ns->knob[KNOB_port_high] - ns->knob[KNOB_port_low] + 1;
	return d->states.n[ST_TIME_WAIT] >= WATCH_TIME_WAITS_MIN ||
	       (range > 0 && used && used * 100 >= (uint64_t)range * WATCH_PORTS_PERCENT);
}

static const struct netns_ref *ref_of(const struct netns_list *l, uint64_t inode)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].inode == inode)
			return &l->v[i];
	return NULL;
}

/* NULL: it cannot be entered any more. */
static struct diag *diag_inside(const struct netns_ref *ref, int own_fd)
{
	struct diag *d = NULL;
	int fd;

	if (ref->inode == netns_inode(own_fd))
		return diag_open(&d, NULL) == 0 ? d : NULL;
	fd = netns_open(ref->path, NULL);
	if (fd < 0)
		return NULL;
	if (netns_inode(fd) == ref->inode && netns_enter(fd, NULL) == 0) {
		if (diag_open(&d, NULL) < 0)
			d = NULL;
		netns_return(own_fd);
	}
	close(fd);
	return d;
}

static void add_place(struct watch *w, const struct netns *ns, const struct netns_list *refs, int own_fd)
{
	const struct netns_ref *ref = ref_of(refs, ns->inode);
	size_t before = w->n;

	for (size_t i = 0; ref && i < ns->n_dests && w->n < WATCH_DESTS_MAX; i++) {
		const struct dest *d = &ns->dests[i];

		if (watch_wants(ns, d))
			w->v[w->n++] =
				(struct sought){.netns = ns->inode, .src = d->src, .dst = d->dst, .dport = d->dport};
	}
	if (w->n == before)
		return;
	w->place[w->n_places].inode = ns->inode;
	w->place[w->n_places].diag = diag_inside(ref, own_fd);
	if (w->place[w->n_places].diag)
		w->n_places++;
	else
		w->n = before;
}

int watch_new(const struct snapshot *first, const struct netns_list *refs, int own_fd, struct hash_key key,
	      struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));

	*ret = NULL;
	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < first->n_netns; i++)
		add_place(w, &first->netns[i], refs, own_fd);
	if (!w->n) {
		watch_free(w);
		return 0;
	}
	if (owners_new(key, &w->owners) < 0) {
		watch_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_places; i++)
		diag_close(w->place[i].diag);
	owners_free(w->owners);
	free(w->walk.procs);
	free(w);
}

static struct sought *sought_of(struct watch *w, uint64_t netns, struct ip src, struct ip dst, uint16_t dport)
{
	for (size_t i = 0; i < w->n; i++) {
		struct sought *s = &w->v[i];

		if (s->dport == dport && s->netns == netns && ip_eq(s->dst, dst) && ip_eq(s->src, src))
			return s;
	}
	return NULL;
}

static void found(struct watch *w, struct sought *s, const struct proc *p)
{
	s->found = true;
	s->proc = *p;
	w->n_found++;
}

static void row(void *ctx, const struct diag_row *r)
{
	struct watch *w = ctx;
	struct sought *s = r->inode ? sought_of(w, w->dumped->inode, r->src, r->dst, r->dport) : NULL;

	if (s && !s->found)
		s->inode = r->inode;
}

static void reset(void *ctx) { (void)ctx; }

static int dump(struct watch *w)
{
	const struct diag_query live = {.states = DIAG_STATE(ST_ESTABLISHED) | DIAG_STATE(ST_SYN_SENT) |
						  DIAG_STATE(ST_FIN_WAIT_1) | DIAG_STATE(ST_CLOSE_WAIT)};
	const struct diag_sink sink = {row, reset, w};
	bool torn;

	for (size_t i = 0; i < w->n; i++)
		w->v[i].inode = 0;
	for (size_t i = 0; i < w->n_places; i++) {
		w->dumped = &w->place[i];
		if (diag_dump(w->place[i].diag, &live, &sink, &torn, NULL) == 0)
			continue;
		diag_close(w->place[i].diag);
		w->place[i--] = w->place[--w->n_places];
	}
	for (size_t i = 0; i < w->n; i++)
		if (owners_want(w->owners, w->v[i].inode) < 0)
			return -ENOMEM;
	return 0;
}

static bool is_place(const struct watch *w, uint64_t netns)
{
	for (size_t i = 0; i < w->n_places; i++)
		if (w->place[i].inode == netns)
			return true;
	return false;
}

/* A descriptor may live for less time than a dump takes: ask sockets that no dump showed whom they are connected to. */
static void ask(struct watch *w, uint64_t netns, int process, const struct strangers *s, size_t i)
{
	int sock = tcp_borrow(process, s->fd[i]);
	bool settled = sock == -ENOTSOCK || sock == -EPERM || sock == -ENOSYS;

	if (sock >= 0) {
		struct sock_facts f = sock_facts(sock);
		struct sought *d = sought_of(w, netns, f.local, f.peer, f.pport);
		struct proc p;

		close(sock);
		settled = f.peer.family != 0;
		if (settled && d && !d->found && proc_read(s->pid, &p))
			found(w, d, &p);
	}
	if (settled && owners_seen(w->owners, s->inode[i]) < 0)
		w->no_memory = true;
}

static bool strangers(void *ctx, const struct strangers *s, int32_t index)
{
	struct watch *w = ctx;
	uint64_t netns = proc_netns(s->pid);
	int process;

	(void)index;
	if (w->n_found == w->n || !is_place(w, netns))
		return false;
	process = pidfd(s->pid);
	if (process < 0)
		return false;
	for (size_t i = 0; i < s->n_kept; i++)
		ask(w, netns, process, s, i);
	close(process);
	return false;
}

static void list_candidates(struct watch *w)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	w->n_candidates = 0;
	while (d && w->n_candidates < CANDIDATES_MAX && (e = readdir(d))) {
		uint64_t pid;

		if (word_uint(e->d_name, 10, &pid) && pid <= INT32_MAX && (pid_t)pid != getpid() &&
		    is_place(w, proc_netns((int32_t)pid)))
			w->candidate[w->n_candidates++] = (int32_t)pid;
	}
	if (d)
		closedir(d);
}

static int walk(struct watch *w)
{
	int err;

	w->walk.pids = w->candidate;
	w->walk.n_pids = w->n_candidates;
	w->walk.strangers = strangers;
	w->walk.strangers_min = 1;
	w->walk.ctx = w;
	err = owners_walk(w->owners, &w->walk);
	if (w->no_memory || err == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		int32_t proc;
		int fd;

		if (!w->v[i].found && owners_find(w->owners, w->v[i].inode, &proc, &fd))
			found(w, &w->v[i], &w->walk.procs[proc]);
	}
	return 0;
}

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_S + (uint64_t)t.tv_nsec;
}

int watch_look(struct watch *w, nsec_t elapsed)
{
	uint64_t before = cpu_now(), allowed = elapsed / 100 * WATCH_CPU_PERCENT;
	int err = 0;

	if (w->n_found == w->n || !w->n_places || w->cpu >= allowed)
		return 0;
	if (w->looks++ % LOOKS_PER_LIST == 0) {
		err = dump(w);
		list_candidates(w);
	}
	/* a connection may live for microseconds only: one glance would miss it, so all that is allowed is spent */
	while (err == 0 && w->n_candidates && w->n_found < w->n && w->cpu + (cpu_now() - before) < allowed)
		err = walk(w);
	w->cpu += cpu_now() - before;
	return err;
}

static int32_t proc_index(struct snapshot *s, const struct proc *p)
{
	struct proc *grown;

	for (size_t i = 0; i < s->n_procs; i++)
		if (s->procs[i].pid == p->pid)
			return (int32_t)i;
	grown = reallocarray(s->procs, s->n_procs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->procs = grown;
	s->procs[s->n_procs] = *p;
	return (int32_t)s->n_procs++;
}

static struct dest *dest_of(const struct netns *ns, const struct sought *want)
{
	for (size_t i = 0; i < ns->n_dests; i++) {
		struct dest *d = &ns->dests[i];

		if (d->dport == want->dport && ip_eq(d->dst, want->dst) && ip_eq(d->src, want->src))
			return d;
	}
	return NULL;
}

int watch_apply(const struct watch *w, struct snapshot *s)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct sought *want = &w->v[i];

		for (size_t k = 0; want->found && k < s->n_netns; k++) {
			struct dest *d = s->netns[k].inode == want->netns ? dest_of(&s->netns[k], want) : NULL;

			if (!d || d->proc >= 0)
				continue;
			d->proc = proc_index(s, &want->proc);
			if (d->proc < 0) {
				d->proc = -1;
				return -ENOMEM;
			}
		}
	}
	return 0;
}

static int carry(const struct snapshot *from, const struct netns *before, struct snapshot *to, struct netns *now)
{
	for (size_t i = 0; i < now->n_dests && i < WATCH_DESTS_MAX; i++) {
		struct dest *d = &now->dests[i];
		const struct dest *was =
			d->proc < 0 ? dest_of(before, &(struct sought){.src = d->src, .dst = d->dst, .dport = d->dport})
				    : NULL;
		const struct proc *p = was ? snapshot_proc(from, was->proc) : NULL;
		int32_t index = p ? proc_index(to, p) : -1;

		if (index == -ENOMEM)
			return -ENOMEM;
		if (p)
			d->proc = index;
	}
	return 0;
}

int watch_carry(const struct snapshot *from, struct snapshot *to)
{
	for (size_t i = 0; i < from->n_netns; i++)
		for (size_t k = 0; k < to->n_netns; k++)
			if (from->netns[i].inode == to->netns[k].inode &&
			    carry(from, &from->netns[i], to, &to->netns[k]) < 0)
				return -ENOMEM;
	return 0;
}

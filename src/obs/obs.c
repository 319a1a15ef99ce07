/* SPDX-License-Identifier: MIT */
#include "obs/obs.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "knob/knob.h"
#include "obs/attribute.h"
#include "obs/caps.h"
#include "obs/closers.h"
#include "obs/netns.h"
#include "obs/procfile.h"
#include "obs/scan.h"
#include "obs/sysctl.h"
#include "obs/watch.h"

enum { TICK_MS = 100 };

static const char own_path[] = "/proc/thread-self/ns/net";

struct obs {
	enum obs_scope scope;
	enum obs_depth depth;
	char *root;
	struct hash_key key;
	int own_fd; /* the namespace to come back to */
	uint64_t own_inode;
	int target_fd; /* OBS_NETNS_PID and _NAME: stays open, so the namespace cannot go away; else -1 */
	uint64_t target_inode;
	struct netns_list refs; /* of the latest snapshot */
	const struct closers *closers;
	bool only_self; /* all was asked for, but we may not enter others */
};

bool obs_scope_parse(const char *word, struct obs_cfg *ret)
{
	uint64_t pid;

	if (strcmp(word, "all") == 0) {
		ret->scope = OBS_NETNS_ALL;
		return true;
	}
	if (strcmp(word, "self") == 0) {
		ret->scope = OBS_NETNS_SELF;
		return true;
	}
	if (word[0] && !word[strspn(word, "0123456789")]) {
		if (!word_uint(word, 10, &pid) || pid < 1 || pid > INT32_MAX)
			return false;
		ret->scope = OBS_NETNS_PID;
		ret->pid = (int32_t)pid;
		return true;
	}
	if (!word[0] || word[0] == '-' || word[0] == '.' || strchr(word, '/') || strlen(word) >= N_TEXT)
		return false;
	ret->scope = OBS_NETNS_NAME;
	ret->name = word;
	return true;
}

/* ---- opening ---- */

static int open_pid(struct obs *o, int32_t pid, struct why *w)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	o->target_fd = netns_open(path, w);
	if (o->target_fd >= 0)
		return 0;
	if (o->target_fd == -ENOENT)
		why_set(w, "there is no process %d", pid);
	if (o->target_fd != -EACCES && o->target_fd != -EPERM)
		return o->target_fd;
	why_set(w, "no permission to look into the network namespace of process %d", pid);
	return -EPERM;
}

/* A name of `ip netns`, or one that we gave in an earlier snapshot: a container id, "host", "nginx[812]". */
static int open_name(struct obs *o, const char *name, struct why *w)
{
	static const char *const folder[] = {"/run/netns", "/var/run/netns"};
	struct netns_list l;
	int err;

	for (size_t i = 0; i < ARRAY_LEN(folder); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", folder[i], name);
		o->target_fd = netns_open(path, w);
		if (o->target_fd >= 0)
			return 0;
		if (o->target_fd != -ENOENT)
			return o->target_fd;
	}
	err = netns_list(&l);
	for (size_t i = 0; err == 0 && i < l.n && o->target_fd < 0; i++)
		if (strcmp(l.v[i].name, name) == 0)
			o->target_fd = netns_open(l.v[i].path, w);
	if (err == 0)
		netns_list_done(&l);
	if (err < 0)
		return why_errno(w, -err, "looking for network namespaces");
	if (o->target_fd >= 0)
		return 0;
	why_set(w, "there is no network namespace named %s", name);
	return -ENOENT;
}

static int open_target(struct obs *o, const struct obs_cfg *cfg, struct why *w)
{
	int err = 0;

	if (cfg->scope == OBS_NETNS_PID)
		err = open_pid(o, cfg->pid, w);
	else if (cfg->scope == OBS_NETNS_NAME)
		err = open_name(o, cfg->name, w);
	if (err < 0 || o->target_fd < 0)
		return err;
	o->target_inode = netns_inode(o->target_fd);
	if (o->target_inode == o->own_inode)
		return 0;
	err = netns_enter(o->target_fd, w);
	if (err == 0)
		netns_return(o->own_fd);
	return err;
}

int obs_new(const struct obs_cfg *cfg, struct obs **ret, struct why *w)
{
	struct obs *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return why_errno(w, ENOMEM, "obs");
	*o = (struct obs){.scope = cfg->scope, .depth = cfg->depth, .own_fd = -1, .target_fd = -1};
	o->root = strdup(cfg->root ? cfg->root : "");
	err = o->root ? 0 : why_errno(w, ENOMEM, "obs");
	if (err == 0 && getrandom(&o->key, sizeof(o->key), 0) != sizeof(o->key))
		err = why_errno(w, EIO, "getrandom");
	if (err == 0) {
		o->own_fd = netns_open(own_path, w);
		err = o->own_fd < 0 ? o->own_fd : 0;
	}
	if (err == 0) {
		o->own_inode = netns_inode(o->own_fd);
		o->only_self = cfg->scope == OBS_NETNS_ALL && !has_capability(CAP_SYS_ADMIN);
		err = open_target(o, cfg, w);
	}
	if (err < 0) {
		obs_free(o);
		return err;
	}
	*ret = o;
	return 0;
}

void obs_free(struct obs *o)
{
	if (!o)
		return;
	if (o->own_fd >= 0)
		close(o->own_fd);
	if (o->target_fd >= 0)
		close(o->target_fd);
	netns_list_done(&o->refs);
	free(o->root);
	free(o);
}

/* ---- one snapshot ---- */

static nsec_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_S + (nsec_t)t.tv_nsec;
}

static void identify(struct snapshot *s)
{
	struct utsname u;
	struct timespec t;
	int major = 0, minor = 0;

	s->taken_at = monotonic();
	clock_gettime(CLOCK_REALTIME, &t);
	s->wall_s = t.tv_sec;
	if (uname(&u) < 0)
		return;
	copy_printable(s->kernel, sizeof(s->kernel), u.release);
	copy_printable(s->hostname, sizeof(s->hostname), u.nodename);
	s->kernel_version = kernel_version_parse(u.release, &major, &minor) ? KV(major, minor) : 0;
}

static bool in_scope(const struct obs *o, uint64_t inode)
{
	switch (o->scope) {
	case OBS_NETNS_ALL:
		return !o->only_self || inode == o->own_inode;
	case OBS_NETNS_SELF:
		return inode == o->own_inode;
	case OBS_NETNS_PID:
	case OBS_NETNS_NAME:
		return inode == o->target_inode;
	}
	must_not_reach("scope");
}

uint64_t obs_netns(const struct obs *o)
{
	switch (o->scope) {
	case OBS_NETNS_ALL:
		return 0;
	case OBS_NETNS_SELF:
		return o->own_inode;
	case OBS_NETNS_PID:
	case OBS_NETNS_NAME:
		return o->target_inode;
	}
	must_not_reach("scope");
}

void obs_closers(struct obs *o, const struct closers *c) { o->closers = c; }

/* What a snapshot needs while it is made. */
struct making {
	struct obs *o;
	struct snapshot *s;
	struct scan_cfg scan;
	struct suspects **suspects; /* of each namespace */
	unsigned gone, refused; /* namespaces */
	struct why refusal;
};

/* Enters if need be. 1: entered, 0: it is our own, -ENOENT: gone, -EPERM and others. */
static int enter(const struct obs *o, const struct netns_ref *ref, struct why *w)
{
	int fd = -1, err;

	if (ref->inode == o->own_inode)
		return 0;
	if (o->target_fd < 0 || ref->inode != o->target_inode) {
		fd = netns_open(ref->path, w);
		if (fd >= 0 && netns_inode(fd) != ref->inode) {
			close(fd);
			return -ENOENT; /* the process died and its pid belongs to another one */
		}
		if (fd < 0)
			return fd == -ESRCH ? -ENOENT : fd;
	}
	err = netns_enter(fd < 0 ? o->target_fd : fd, w);
	if (fd >= 0)
		close(fd);
	return err < 0 ? err : 1;
}

static int visit(struct making *m, const struct netns_ref *ref)
{
	struct netns *ns = &m->s->netns[m->s->n_netns];
	struct why w = {""};
	int entered = enter(m->o, ref, &w), err;

	if (entered == -ENOENT) {
		m->gone++;
		return 0;
	}
	if (entered < 0) {
		m->refused++;
		m->refusal = w;
		return 0;
	}
	ns->inode = ref->inode;
	ns->pid = ref->pid;
	memcpy(ns->name, ref->name, sizeof(ns->name));
	err = scan_netns(&m->scan, ns, &m->suspects[m->s->n_netns], m->s);
	m->s->n_netns++;
	if (entered)
		netns_return(m->o->own_fd);
	return err;
}

/* Without /proc of others the list may lack the namespace that was asked for, but it is open already. */
static int visit_target(struct making *m)
{
	struct netns_ref ref = {.inode = m->o->target_inode};

	snprintf(ref.name, sizeof(ref.name), "net:[%llu]", (unsigned long long)ref.inode);
	return m->o->target_fd >= 0 && m->s->n_netns == 0 ? visit(m, &ref) : 0;
}

/* Knobs that only the first namespace has are the machine's: tell them in every namespace. */
static void share_global_knobs(struct snapshot *s, const struct netns *first)
{
	for (enum knob_id id = 0; id < N_HOST_KNOBS; id++) {
		const struct netns *from = first->knob_known[id] ? first : NULL;

		if (knob_descs[id].scope != SCOPE_GLOBAL)
			continue;
		for (size_t i = 0; i < s->n_netns && !from; i++)
			from = s->netns[i].knob_known[id] ? &s->netns[i] : NULL;
		for (size_t i = 0; i < s->n_netns && from; i++)
			if (!s->netns[i].knob_known[id]) {
				s->netns[i].knob[id] = from->knob[id];
				s->netns[i].knob_known[id] = true;
			}
	}
}

static uint64_t ehash_entries(const struct snapshot *s, const struct netns *first)
{
	const struct netns *from = first->knob_known[KNOB_ehash_entries] ? first : NULL;
	int64_t v;

	for (size_t i = 0; i < s->n_netns; i++)
		if (s->netns[i].knob_known[KNOB_ehash_entries] && (!from || strcmp(s->netns[i].name, "host") == 0))
			from = &s->netns[i];
	v = from ? from->knob[KNOB_ehash_entries] : 0;
	return (uint64_t)(v < 0 ? -v : v);
}

/* As a rule a namespace ends with its last process, and then there is nothing to see any more. */
static int note_gone(struct making *m)
{
	char why[128];

	if (!m->gone)
		return 0;
	snprintf(why, sizeof(why), "the process that led into %u of %zu has ended meanwhile", m->gone, m->o->refs.n);
	return note(&m->s->missing, &m->s->n_missing, false, "network namespaces that were just ending", why,
		    "what was in them, if other processes keep them");
}

static int note_scope(struct making *m)
{
	static const char what[] = "other network namespaces";
	static const char lost[] = "everything in containers and other namespaces";
	char why[128];

	if (m->o->only_self)
		return note(&m->s->missing, &m->s->n_missing, true, what, "no CAP_SYS_ADMIN; run as root", lost);
	if (m->refused) {
		snprintf(why, sizeof(why), "%u of %zu: %s", m->refused, m->o->refs.n, m->refusal.text);
		return note(&m->s->missing, &m->s->n_missing, true, what, why, lost);
	}
	if (m->o->refs.cut && m->o->scope == OBS_NETNS_ALL)
		return note(&m->s->missing, &m->s->n_missing, true, what, "more than 4,096 of them", lost);
	return 0;
}

/* The first namespace has knobs that the others lack, so it is asked even when it is not in scope. */
static int first_knobs(const struct obs *o, struct netns *ret)
{
	const struct netns_ref *first = &o->refs.v[0];
	int entered, err;

	if (in_scope(o, first->inode))
		return 0;
	entered = enter(o, first, NULL);
	if (entered < 0)
		return 0;
	err = knobs_read(ret);
	if (entered)
		netns_return(o->own_fd);
	return err;
}

static int scan_all(struct making *m)
{
	struct netns first = {.inode = 0};
	const struct netns_list *l = &m->o->refs;
	int err = first_knobs(m->o, &first);

	for (size_t i = 0; i < l->n && err == 0; i++)
		if (in_scope(m->o, l->v[i].inode))
			err = visit(m, &l->v[i]);
	if (err == 0)
		err = visit_target(m);
	share_global_knobs(m->s, &first);
	m->s->ehash_entries = ehash_entries(m->s, &first);
	free(first.reserved);
	if (err == 0)
		err = note_gone(m);
	return err == 0 ? note_scope(m) : err;
}

static int make(struct making *m)
{
	struct snapshot *s = m->s;
	int err;

	netns_list_done(&m->o->refs);
	err = netns_list(&m->o->refs);
	if (err < 0)
		return err;
	s->netns = calloc(m->o->refs.n + 1, sizeof(*s->netns));
	m->suspects = calloc(m->o->refs.n + 1, sizeof(struct suspects *));
	if (!s->netns || !m->suspects)
		return -ENOMEM;
	if (m->o->depth >= OBS_OWNERS && owners_new(m->scan.key, &m->scan.owners) < 0)
		return -ENOMEM;
	err = scan_all(m);
	if (err == 0 && s->n_netns == 0)
		return m->refused ? -EPERM : -ENOENT;
	if (err == 0)
		err = config_read(m->o->root, &s->config, &s->n_config);
	if (err == 0 && m->o->depth >= OBS_OWNERS)
		err = attribute(s, m->scan.owners, m->scan.suspects ? m->suspects : NULL);
	if (err == 0 && m->scan.closers)
		err = closers_apply(m->scan.closers, s);
	return err;
}

int obs_snapshot(struct obs *o, struct snapshot *ret, struct why *w)
{
	struct snapshot s = {0};
	struct making m = {
		.o = o, .s = &s, .scan = {.key = o->key, .suspects = o->depth >= OBS_LEAKS, .closers = o->closers}};
	int err;

	identify(&s);
	m.scan.kernel_version = s.kernel_version;
	err = make(&m);
	for (size_t i = 0; m.suspects && i < s.n_netns; i++)
		suspects_free(m.suspects[i]);
	free(m.suspects);
	owners_free(m.scan.owners);
	if (err < 0) {
		snapshot_done(&s);
		return why_errno(w, -err, "no network namespace could be observed");
	}
	*ret = s;
	return 0;
}

/* ---- two snapshots ---- */

static void sleep_until(nsec_t at)
{
	const struct timespec t = {.tv_sec = (time_t)(at / NSEC_PER_S), .tv_nsec = (long)(at % NSEC_PER_S)};

	/* an interrupted sleep is no error: the tick decides whether the user wants to stop */
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

struct waiting {
	nsec_t from, to;
	bool (*tick)(void *ctx, double done);
	void *ctx;
};

static int wait_and_watch(const struct waiting *wait, struct watch *watch)
{
	for (nsec_t now = monotonic(); now < wait->to; now = monotonic()) {
		nsec_t step = now + TICK_MS * NSEC_PER_MS;
		int err = watch ? watch_look(watch, now - wait->from) : 0;

		if (err < 0)
			return err;
		if (wait->tick && !wait->tick(wait->ctx, (double)(now - wait->from) / (double)(wait->to - wait->from)))
			return -EINTR;
		sleep_until(step < wait->to ? step : wait->to);
	}
	return 0;
}

static int observe_second(struct obs *o, const struct waiting *wait, struct observation *ob, struct why *w)
{
	struct watch *watch = NULL;
	int err = 0;

	if (o->depth >= OBS_OWNERS)
		err = watch_new(&ob->s[0], &o->refs, o->own_fd, o->key, &watch);
	if (err == 0)
		err = wait_and_watch(wait, watch);
	if (err < 0) {
		why_errno(w, -err, err == -EINTR ? "the observation was cut short" : "observing");
	} else {
		err = obs_snapshot(o, &ob->s[1], w);
		if (err == 0)
			ob->n = 2;
	}
	for (unsigned i = 0; i < ob->n && watch && err == 0; i++)
		err = watch_apply(watch, &ob->s[i]);
	if (ob->n == 2 && err == 0)
		err = watch_carry(&ob->s[0], &ob->s[1]);
	watch_free(watch);
	return err;
}

int obs_observe(struct obs *o, uint32_t interval_ms, bool (*tick)(void *ctx, double done), void *ctx,
		struct observation *ret, struct why *w)
{
	struct observation ob = {.n = 0};
	int err = obs_snapshot(o, &ob.s[0], w);

	if (err < 0)
		return err;
	ob.n = 1;
	if (interval_ms) {
		nsec_t from = ob.s[0].taken_at, interval = interval_ms * NSEC_PER_MS, now = monotonic();
		/* on a busy host the first snapshot may last longer than the interval: watch for half of it all the same */
		nsec_t to = now > from + interval / 2 ? now + interval / 2 : from + interval;
		const struct waiting wait = {from, to, tick, ctx};

		err = observe_second(o, &wait, &ob, w);
	}
	if (err < 0) {
		observation_done(&ob);
		return err;
	}
	*ret = ob;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "obs/attribute.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "obs/caps.h"
#include "obs/leaks.h"
#include "obs/scan.h"
#include "obs/sockopts.h"

static int want_all(const struct snapshot *s, struct owners *o, struct suspects *const *suspects)
{
	int err = 0;

	for (size_t i = 0; i < s->n_netns; i++) {
		const struct netns *ns = &s->netns[i];

		for (size_t k = 0; k < ns->n_listeners && err == 0; k++)
			err = owners_want(o, ns->listeners[k].inode);
		for (size_t k = 0; k < ns->n_dests && err == 0; k++)
			err = owners_want(o, ns->dests[k].inode);
		for (size_t k = 0; suspects && suspects[i] && k < suspects_count(suspects[i]) && err == 0; k++)
			err = owners_want(o, suspects_inode(suspects[i], k));
	}
	return err;
}

/* Options of other processes' sockets need more than seeing their descriptors: tells why they stayed unknown. */
struct refusals {
	uint32_t permission, no_syscall;
};

static void ask_options(const struct snapshot *s, int32_t proc, int fd, uint64_t inode, struct sockopts *ret,
			struct refusals *r)
{
	int err = sockopts_read(s->procs[proc].pid, fd, inode, ret);

	r->permission += err == -EPERM || err == -EACCES;
	r->no_syscall += err == -ENOSYS;
}

static bool find_owner(void *ctx, uint32_t inode, int32_t *ret_proc, int *ret_fd)
{
	return owners_find(ctx, inode, ret_proc, ret_fd);
}

static int fill_netns(struct snapshot *s, struct netns *ns, struct owners *o, struct suspects *suspects,
		      struct refusals *r)
{
	const struct suspect_owner owner = {find_owner, o};
	int err = 0, fd;

	for (size_t i = 0; i < ns->n_listeners; i++) {
		struct listener *l = &ns->listeners[i];

		if (owners_find(o, l->inode, &l->proc, &fd))
			ask_options(s, l->proc, fd, l->inode, &l->opts, r);
	}
	for (size_t i = 0; i < ns->n_dests; i++)
		(void)owners_find(o, ns->dests[i].inode, &ns->dests[i].proc, &fd);
	if (suspects)
		err = suspects_group(suspects, &owner, &ns->holders, &ns->n_holders);
	for (size_t i = 0; err == 0 && i < ns->n_holders; i++) {
		struct holder *h = &ns->holders[i];

		if (h->proc >= 0 && h->n_fd)
			ask_options(s, h->proc, h->fd[0], h->inode, &h->opts, r);
	}
	return err;
}

static int append_leaks(struct snapshot *s, const struct leaks *leaks)
{
	for (size_t i = 0; i < leaks->n; i++) {
		struct netns *ns = &s->netns[leaks->v[i].netns];
		struct holder *v = reallocarray(ns->holders, ns->n_holders + 1, sizeof(*v));

		if (!v)
			return -ENOMEM;
		ns->holders = v;
		v[ns->n_holders++] = leaks->v[i].holder;
	}
	return 0;
}

static bool has_ownerless_suspects(const struct netns *ns)
{
	for (size_t i = 0; i < ns->n_holders; i++)
		if (!ns->holders[i].orphan && ns->holders[i].proc < 0)
			return true;
	return false;
}

static bool has_ownerless_service(const struct netns *ns)
{
	for (size_t i = 0; i < ns->n_listeners; i++) {
		const struct listener *l = &ns->listeners[i];

		if (l->listening && l->proc < 0 && state_counts_sum(&l->states) > l->states.n[ST_LISTEN])
			return true;
	}
	return false;
}

bool lacks_owner(const struct snapshot *s)
{
	for (size_t i = 0; i < s->n_netns; i++)
		if (has_ownerless_suspects(&s->netns[i]) || has_ownerless_service(&s->netns[i]))
			return true;
	return false;
}

/*
 * Some processes are out of reach even for root (more capabilities than we have, an LSM). What is lost of them: names,
 * the options of their listeners (RESTART001, RST002) and their dead sockets. To root that is no blindness as long as
 * every socket that something could be wrong with has its owner: most such processes have no TCP socket at all.
 */
static int note_denied(struct snapshot *s, const struct owners_walk *walk)
{
	bool blind = lacks_owner(s) || !has_capability(CAP_SYS_PTRACE);
	char why[128];
	int err = 0;

	if (access("/proc/1", F_OK) < 0)
		err = note(&s->missing, &s->n_missing, true, "other users' processes",
			   "/proc is mounted with hidepid; run as root", "which process has a socket");
	if (err == 0 && walk->denied) {
		snprintf(why, sizeof(why), "%u %s descriptors%s", walk->denied,
			 walk->denied == 1 ? "process does not show its" : "processes do not show their",
			 has_capability(CAP_SYS_PTRACE) ? "" : " (no CAP_SYS_PTRACE; run as root)");
		err = note(&s->missing, &s->n_missing, blind, "socket owners", why,
			   "which process has a socket, its listeners' options, and leaks");
	}
	if (err == 0 && walk->cut)
		err = note(&s->missing, &s->n_missing, true, "some socket owners", "more than 4 million descriptors",
			   "which process has a socket");
	return err;
}

static int note_too_many(struct snapshot *s)
{
	return note(&s->missing, &s->n_missing, true, "sockets that no dump shows",
		    "more than 262,144 sockets with an owner", "leaked descriptors of sockets that died");
}

int note_leaks(struct snapshot *s, const struct leaks *leaks)
{
	static const char lost[] = "leaked descriptors of sockets that died";
	static const char what[] = "sockets that no dump shows";
	char why[128];
	int err = 0;

	if (leaks->no_syscall)
		return note(&s->missing, &s->n_missing, false, what, "this kernel has no pidfd_getfd (5.6)", lost);
	if (leaks->refused) {
		snprintf(why, sizeof(why), "pidfd_getfd is not permitted on %u %s%s", leaks->refused,
			 leaks->refused == 1 ? "process" : "processes",
			 has_capability(CAP_SYS_PTRACE) ? "" : " (no CAP_SYS_PTRACE; run as root)");
		err = note(&s->missing, &s->n_missing, true, what, why, lost);
	}
	if (err == 0 && leaks->exhausted) {
		snprintf(why, sizeof(why), "%s of them were asked, those of %u more %s were not",
			 num(LEAK_SAMPLES_MAX).s, leaks->exhausted, leaks->exhausted == 1 ? "process" : "processes");
		err = note(&s->missing, &s->n_missing, true, "some sockets that no dump shows", why, lost);
	}
	return err;
}

static int note_refusals(struct snapshot *s, const struct refusals *r)
{
	static const char lost[] = "whether a restart would fail with EADDRINUSE, who uses SO_LINGER 0 or keepalive";

	if (r->permission)
		return note(&s->missing, &s->n_missing, true, "socket options",
			    "pidfd_getfd is not permitted (run as root)", lost);
	if (r->no_syscall)
		return note(&s->missing, &s->n_missing, false, "socket options", "this kernel has no pidfd_getfd (5.6)",
			    lost);
	return 0;
}

int attribute(struct snapshot *s, struct owners *o, struct suspects *const *suspects)
{
	struct leaks leaks = {.s = s};
	struct owners_walk walk = {.ctx = &leaks, .strangers_min = LEAK_STRANGERS_MIN, .tcp_only = true};
	struct refusals refusals = {0, 0};
	int err = want_all(s, o, suspects);

	if (suspects && owners_seen_all(o))
		walk.strangers = leaks_strangers;
	if (err == 0)
		err = owners_walk(o, &walk);
	s->procs = walk.procs;
	s->n_procs = walk.n_procs;
	if (err < 0 && err != -ENOMEM)
		err = note(&s->missing, &s->n_missing, true, "socket owners", strerror(-err),
			   "which process has a socket");
	for (size_t i = 0; i < s->n_netns && err == 0; i++)
		err = fill_netns(s, &s->netns[i], o, suspects ? suspects[i] : NULL, &refusals);
	if (err == 0)
		err = leaks.no_memory ? -ENOMEM : append_leaks(s, &leaks);
	if (err == 0)
		err = note_denied(s, &walk);
	if (err == 0 && suspects)
		err = owners_seen_all(o) ? note_leaks(s, &leaks) : note_too_many(s);
	if (err == 0)
		err = note_refusals(s, &refusals);
	leaks_done(&leaks);
	return err;
}

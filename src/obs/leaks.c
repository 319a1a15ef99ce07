/* SPDX-License-Identifier: MIT */
#include "obs/leaks.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "obs/sockopts.h"

static const struct listener *listener_of(const struct netns *ns, struct ip local, uint16_t port)
{
	for (size_t i = 0; i < ns->n_listeners; i++) {
		const struct listener *l = &ns->listeners[i];

		if (l->listening && l->port == port && (ip_is_any(l->addr) || ip_eq(l->addr, local)))
			return l;
	}
	return NULL;
}

static size_t same_port(const struct dead *dead, size_t n, uint16_t port)
{
	size_t same = 0;

	for (size_t i = 0; i < n; i++)
		same += dead[i].lport == port;
	return same;
}

static struct holder *group_of(struct holder *v, size_t *n, uint16_t lport)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i].lport == lport)
			return &v[i];
	v[*n] = (struct holder){.kind = HOLD_INVISIBLE, .lport = lport, .proc = -1};
	return &v[(*n)++];
}

size_t leaks_group(const struct netns *ns, const struct dead *dead, size_t n, double scale,
		   struct holder ret[STRANGERS_KEPT])
{
	size_t groups = 0;

	must(n <= STRANGERS_KEPT);
	for (size_t i = 0; i < n; i++) {
		const struct listener *l = listener_of(ns, dead[i].local, dead[i].lport);
		bool served = dead[i].lport && (l || same_port(dead, n, dead[i].lport) > 1);
		struct holder *h = group_of(ret, &groups, served ? dead[i].lport : 0);

		if (!h->n++) {
			h->local = l ? l->addr : dead[i].local;
			h->inode = dead[i].inode;
		}
		if (h->n_fd < FDS_SHOWN)
			h->fd[h->n_fd++] = dead[i].fd;
	}
	for (size_t i = 0; i < groups; i++)
		ret[i].n = (uint32_t)(ret[i].n * scale + 0.5);
	return groups;
}

static bool keep(struct leaks *l, size_t netns, struct holder *h, int32_t pid, int32_t index)
{
	void *v = l->v;

	if (vec_reserve(&v, &l->cap, l->n + 1, sizeof(*l->v)) < 0) {
		l->no_memory = true;
		return false;
	}
	l->v = v;
	h->proc = index;
	(void)sockopts_read(pid, h->fd[0], h->inode, &h->opts); /* it stays unknown */
	l->v[l->n++] = (struct leak){netns, *h};
	return true;
}

/* What the sample of one process told. */
struct answers {
	struct dead dead[STRANGERS_KEPT];
	size_t n_dead;
	size_t asked; /* descriptors that told whether they are a dead TCP socket */
	bool refused, exhausted;
};

/* Asks one descriptor. False: the process refuses, and would refuse all others too. */
static bool ask_one(struct leaks *l, int process, int fd, uint32_t inode, struct answers *a)
{
	int sock = tcp_borrow(process, fd);
	struct sock_facts f;

	if (sock < 0) { /* -EBADF and others: it was closed meanwhile */
		a->refused |= sock == -EPERM;
		l->no_syscall |= sock == -ENOSYS;
		a->asked += sock == -ENOTSOCK;
		return sock != -EPERM && sock != -ENOSYS;
	}
	f = sock_facts(sock);
	close(sock);
	l->sampled++;
	a->asked++;
	if (f.dead)
		a->dead[a->n_dead++] = (struct dead){f.local, f.lport, fd, inode};
	return true;
}

static void ask(struct leaks *l, const struct strangers *s, struct answers *a)
{
	int process = pidfd(s->pid);
	bool goes_on = process >= 0;

	a->refused = process == -EPERM;
	l->no_syscall |= process == -ENOSYS;
	for (size_t i = 0; i < s->n_kept && goes_on; i++) {
		a->exhausted = l->sampled >= LEAK_SAMPLES_MAX;
		goes_on = !a->exhausted && ask_one(l, process, s->fd[i], s->inode[i], a);
	}
	l->refused += a->refused;
	l->exhausted += a->exhausted;
	if (process >= 0)
		close(process);
}

bool leaks_strangers(void *ctx, const struct strangers *s, int32_t index)
{
	struct holder holders[STRANGERS_KEPT];
	struct answers a = {.n_dead = 0};
	struct leaks *l = ctx;
	uint64_t inode = proc_netns(s->pid);
	size_t netns = 0, groups;
	bool kept = false;

	while (netns < l->s->n_netns && l->s->netns[netns].inode != inode)
		netns++;
	if (!inode || netns == l->s->n_netns)
		return false;
	ask(l, s, &a);
	if (!a.n_dead)
		return false;
	groups = leaks_group(&l->s->netns[netns], a.dead, a.n_dead, (double)s->n / (double)a.asked, holders);
	for (size_t i = 0; i < groups; i++)
		kept |= keep(l, netns, &holders[i], s->pid, index);
	return kept;
}

void leaks_done(struct leaks *l)
{
	free(l->v);
	*l = (struct leaks){NULL};
}

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

		if (!h->n++)
			h->local = l ? l->addr : dead[i].local;
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
	(void)sockopts_read(pid, h->fd[0], 0, &h->opts); /* it stays unknown */
	l->v[l->n++] = (struct leak){netns, *h};
	return true;
}

/* The dead ones among the strangers; *asked is how many could be asked. */
static size_t ask(struct leaks *l, const struct strangers *s, struct dead *dead, size_t *asked)
{
	int process = pidfd(s->pid);
	bool refused = false;
	size_t n = 0;

	*asked = 0;
	for (size_t i = 0; process >= 0 && i < s->n_kept && l->sampled < LEAK_SAMPLES_MAX; i++) {
		int sock = tcp_borrow(process, s->fd[i]);

		refused |= sock == -EPERM;
		l->no_syscall |= sock == -ENOSYS;
		l->sampled++;
		*asked += sock >= 0 || sock == -ENOTSOCK;
		if (sock < 0)
			continue;
		struct sock_facts f = sock_facts(sock);

		close(sock);
		if (f.dead)
			dead[n++] = (struct dead){f.local, f.lport, s->fd[i]};
	}
	l->no_syscall |= process == -ENOSYS;
	l->unasked += refused || (process >= 0 && *asked == 0 && l->sampled >= LEAK_SAMPLES_MAX);
	if (process >= 0)
		close(process);
	return n;
}

bool leaks_strangers(void *ctx, const struct strangers *s, int32_t index)
{
	struct holder holders[STRANGERS_KEPT];
	struct dead dead[STRANGERS_KEPT];
	struct leaks *l = ctx;
	uint64_t inode = proc_netns(s->pid);
	size_t netns = 0, n, asked, groups;
	bool kept = false;

	while (netns < l->s->n_netns && l->s->netns[netns].inode != inode)
		netns++;
	if (!inode || netns == l->s->n_netns)
		return false;
	n = ask(l, s, dead, &asked);
	if (!n)
		return false;
	groups = leaks_group(&l->s->netns[netns], dead, n, (double)s->n / (double)asked, holders);
	for (size_t i = 0; i < groups; i++)
		kept |= keep(l, netns, &holders[i], s->pid, index);
	return kept;
}

void leaks_done(struct leaks *l)
{
	free(l->v);
	*l = (struct leaks){NULL};
}

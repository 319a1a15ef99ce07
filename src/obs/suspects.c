/* SPDX-License-Identifier: MIT */
#include "obs/suspects.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>

enum {
	PATH_AGE_MS = 5000, /* a FIN_WAIT_1 that young is an ordinary close under way (signatures.md R14) */
};

struct suspect {
	struct ip local; /* the listener's own address if by_listener */
	struct ip peer;
	uint16_t lport, pport;
	uint8_t kind; /* enum holder_kind */
	bool by_listener;
	uint32_t inode, queue_bytes, age_ms;
	int32_t proc, fd; /* filled by suspects_group() */
};
_Static_assert(sizeof(struct suspect) <= 64, "SUSPECTS_MAX of them must stay small");

struct suspects {
	const struct aggregate *aggregate;
	struct suspect *v;
	size_t n, cap;
	uint64_t dropped;
};

int suspects_new(const struct aggregate *a, struct suspects **ret)
{
	struct suspects *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->aggregate = a;
	*ret = s;
	return 0;
}

void suspects_free(struct suspects *s)
{
	if (!s)
		return;
	free(s->v);
	free(s);
}

void suspects_reset(void *ctx)
{
	struct suspects *s = ctx;

	s->n = 0;
	s->dropped = 0;
}

/*
 * How long ago the peer's last segment came in, 0 unknown. A FIN without data moves tcpi_last_ack_recv only (its ACK is
 * processed), data moves both, so the smaller is the age. Measured on 6.18 with a FIN 1.5 s after the last data, 1 s
 * later: data 2504, ack 1004, also when the connection never had data or the program has read the end of file since.
 * What still renews it in CLOSE_WAIT is an ACK of something we send, keepalive probes too: then the age is too low.
 */
static uint32_t age_ms(const struct diag_row *r)
{
	if (!r->has_info)
		return 0;
	return r->last_data_recv_ms < r->last_ack_recv_ms ? r->last_data_recv_ms : r->last_ack_recv_ms;
}

/*
 * How long the peer's window has been zero. It answers every probe, which makes it look alive, but the time between two
 * probes doubles (tcp_probe0_when()): all those before the current one took together about as long as it does.
 */
static uint32_t window_closed_ms(const struct diag_row *r)
{
	uint64_t ms = age_ms(r) + (uint64_t)age_ms(r) + r->expires_ms;

	if (!r->has_info)
		return 0;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/*
 * The persist timer alone does not prove a closed window: it also runs when our own host drops what we send (a firewall,
 * a full queue), since then nothing is in flight that could be retransmitted. Then the window has room for all of it.
 */
static bool fin_wait_1_kind(const struct diag_row *r, enum holder_kind *ret)
{
	bool sends = r->timer == DIAG_TIMER_ON;

	if (r->timer == DIAG_TIMER_PERSIST) {
		*ret = HOLD_FIN_WAIT_1_WINDOW;
		sends = r->has_snd_wnd && r->snd_wnd && r->snd_wnd >= r->wqueue;
		if (!sends)
			return true;
	}
	*ret = HOLD_FIN_WAIT_1_PATH;
	return sends && (r->retransmits >= 1 || age_ms(r) > PATH_AGE_MS);
}

/* False: nothing wrong with it. */
static bool kind_of(const struct diag_row *r, enum holder_kind *ret)
{
	if (r->bound || r->mini)
		return false;
	switch ((enum sock_state)r->state) {
	case ST_CLOSE_WAIT: /* without an inode it was never accepted: listener.close_wait_unaccepted has it */
		*ret = r->rqueue ? HOLD_CLOSE_WAIT_UNREAD : HOLD_CLOSE_WAIT_READ;
		return r->inode != 0;
	case ST_FIN_WAIT_1:
		return fin_wait_1_kind(r, ret);
	case ST_FIN_WAIT_2: /* without an inode: an orphan whose keepalive timer ends it (tcp_fin_timeout > 60) */
		*ret = HOLD_FIN_WAIT_2;
		return r->inode != 0 && r->timer == DIAG_TIMER_OFF;
	case ST_ESTABLISHED:
	case ST_SYN_SENT:
	case ST_SYN_RECV:
	case ST_TIME_WAIT:
	case ST_CLOSE:
	case ST_LAST_ACK:
	case ST_LISTEN:
	case ST_CLOSING:
	case N_STATES:
		break;
	}
	return false;
}

/* Bytes of data in the queue that counts for this kind; a FIN takes one number of sequence space but is no data. */
static uint32_t queue_bytes(const struct diag_row *r)
{
	uint32_t queue = r->state == ST_FIN_WAIT_1 ? r->wqueue : r->rqueue;

	return queue ? queue - 1 : 0;
}

void suspects_row(void *ctx, const struct diag_row *r)
{
	struct suspects *s = ctx;
	enum holder_kind kind;
	struct suspect *x;
	void *v = s->v;

	if (!kind_of(r, &kind))
		return;
	if (s->n == SUSPECTS_MAX || vec_reserve(&v, &s->cap, s->n + 1, sizeof(*s->v)) < 0) {
		s->dropped++;
		return;
	}
	s->v = v;
	x = &s->v[s->n++];
	*x = (struct suspect){.local = r->src,
			      .peer = r->dst,
			      .lport = r->sport,
			      .pport = r->dport,
			      .kind = (uint8_t)kind,
			      .inode = r->inode,
			      .queue_bytes = queue_bytes(r),
			      .age_ms = kind == HOLD_FIN_WAIT_1_WINDOW ? window_closed_ms(r) : age_ms(r),
			      .proc = -1,
			      .fd = -1};
	x->by_listener = aggregate_listener(s->aggregate, r->src, r->sport, &x->local);
}

size_t suspects_count(const struct suspects *s) { return s->n; }

uint64_t suspects_dropped(const struct suspects *s) { return s->dropped; }

uint32_t suspects_inode(const struct suspects *s, size_t i)
{
	must(i < s->n);
	return s->v[i].inode;
}

/* ---- grouping ---- */

static int compare(uint64_t x, uint64_t y) { return (x > y) - (x < y); }

static int by_ip(const struct ip *x, const struct ip *y) { return memcmp(x, y, sizeof(*x)); }

/* 0: the same group. */
static int by_group(const struct suspect *x, const struct suspect *y)
{
	int c = compare(x->kind, y->kind);

	if (!c)
		c = compare((uint32_t)x->proc, (uint32_t)y->proc);
	if (!c)
		c = compare(x->inode == 0, y->inode == 0);
	if (!c)
		c = compare(x->by_listener, y->by_listener);
	if (!c)
		c = x->by_listener ? compare(x->lport, y->lport) : compare(x->pport, y->pport);
	if (!c)
		c = x->by_listener ? by_ip(&x->local, &y->local) : by_ip(&x->peer, &y->peer);
	return c;
}

/* Within a group the oldest first, so that its example descriptors are those of the oldest. */
static int by_group_and_age(const void *x_, const void *y_)
{
	const struct suspect *x = x_, *y = y_;
	int c = by_group(x, y);

	if (!c)
		c = compare(y->age_ms, x->age_ms);
	return c ? c : compare(x->inode, y->inode);
}

static struct holder holder_of(const struct suspect *v, size_t n)
{
	struct holder h = {.kind = v->kind,
			   .proc = v->proc,
			   .orphan = v->inode == 0,
			   .local = v->local,
			   .lport = v->by_listener ? v->lport : 0,
			   .peer = v->peer,
			   .pport = v->by_listener ? 0 : v->pport,
			   .n = (uint32_t)n,
			   .oldest_ms = v[0].age_ms,
			   .median_ms = v[n / 2].age_ms};

	for (size_t i = 0; i < n; i++) {
		h.queue_bytes += v[i].queue_bytes;
		if (v[i].fd < 0 || h.n_fd == FDS_SHOWN)
			continue;
		if (!h.n_fd)
			h.inode = v[i].inode;
		h.fd[h.n_fd++] = v[i].fd;
	}
	return h;
}

static int by_size(const void *x_, const void *y_)
{
	const struct holder *x = x_, *y = y_;
	int c = compare(y->n, x->n);

	if (!c)
		c = compare(x->kind, y->kind);
	if (!c)
		c = compare((uint32_t)x->proc, (uint32_t)y->proc);
	if (!c)
		c = compare(x->lport, y->lport);
	if (!c)
		c = compare(x->pport, y->pport);
	if (!c)
		c = by_ip(&x->local, &y->local);
	return c ? c : by_ip(&x->peer, &y->peer);
}

int suspects_group(struct suspects *s, const struct suspect_owner *owner, struct holder **ret, size_t *ret_n)
{
	struct holder *holders = NULL;
	size_t n = 0, cap = 0, first = 0;
	void *v;

	for (size_t i = 0; i < s->n; i++) {
		struct suspect *x = &s->v[i];
		int32_t proc;
		int fd;

		if (x->inode && owner->find(owner->ctx, x->inode, &proc, &fd)) {
			x->proc = proc;
			x->fd = fd;
		}
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_group_and_age);
	for (size_t i = 1; i <= s->n; i++) {
		if (i < s->n && by_group(&s->v[first], &s->v[i]) == 0)
			continue;
		v = holders;
		if (vec_reserve(&v, &cap, n + 1, sizeof(*holders)) < 0) {
			free(holders);
			return -ENOMEM;
		}
		holders = v;
		holders[n++] = holder_of(&s->v[first], i - first);
		first = i;
	}
	if (n)
		qsort(holders, n, sizeof(*holders), by_size);
	*ret = holders;
	*ret_n = n;
	return 0;
}

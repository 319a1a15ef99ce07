/* SPDX-License-Identifier: MIT */
#include "obs/trace_event.h"
#include <errno.h>

#include "base/text.h"

/* include/net/tcp_states.h, as events have them */
enum {
	K_SYN_SENT = 2,
	K_SYN_RECV = 3,
	K_FIN_WAIT1 = 4,
	K_FIN_WAIT2 = 5,
	K_CLOSE_WAIT = 8,
	K_LAST_ACK = 9,
	K_CLOSING = 11
};

void trace_names_put(struct trace_names *n, const struct event_proc *e)
{
	struct conn_proc *p = &n->slot[e->pid % NAMES_SLOTS];
	char comm[sizeof(e->comm) + 1] = "";

	memcpy(comm, e->comm, sizeof(e->comm));
	*p = (struct conn_proc){.pid = e->pid, .cgroup = e->cgroup};
	copy_printable(p->comm, sizeof(p->comm), comm);
}

struct conn_proc trace_names_get(const struct trace_names *n, uint32_t pid)
{
	const struct conn_proc *p = &n->slot[pid % NAMES_SLOTS];

	return p->pid == pid ? *p : (struct conn_proc){.pid = pid};
}

static struct ip ip_of(const struct event_tuple *t, const __u8 *octets)
{
	return t->family == 4 ? ip_v4(octets) : ip_v6(octets);
}

static void set_tuple(const struct event_tuple *t, enum side local, struct conn *c)
{
	c->local = local;
	c->addr[local] = ip_of(t, t->local);
	c->port[local] = t->lport;
	c->addr[side_other(local)] = ip_of(t, t->peer);
	c->port[side_other(local)] = t->pport;
	c->netns = t->netns;
	c->cookie = t->cookie;
}

static bool served(const struct trace_ports *p, uint16_t port) { return p->bit[port / 8] & 1U << port % 8; }

/* Without its SYN: the port on which others were accepted is the server's, else the lower one. */
static enum side guess_local(const struct trace_source *s, const struct event_tuple *t)
{
	bool ours = served(s->ports, t->lport), theirs = served(s->ports, t->pport);

	if (ours != theirs)
		return ours ? SIDE_SERVER : SIDE_CLIENT;
	return t->lport > t->pport ? SIDE_CLIENT : SIDE_SERVER;
}

static enum side local_of(const struct trace_source *s, const struct event_close *e)
{
	if (!(e->track.flags & TRACK_SYN))
		return guess_local(s, &e->t);
	if (!(e->track.flags & TRACK_PASSIVE))
		return SIDE_CLIENT;
	s->ports->bit[e->t.lport / 8] |= (uint8_t)(1U << e->t.lport % 8);
	return SIDE_SERVER;
}

static void set_times(const struct event_close *e, struct conn *c)
{
	const struct track *t = &e->track;
	const nsec_t *at = (const nsec_t[]){t->at[0], t->at[1], t->at[2], t->at[3]};
	enum side peer = side_other(c->local);

	c->end = e->now;
	c->start = e->now;
	for (size_t i = TRACK_STAMPS; i-- > 0;)
		if (at[i])
			c->start = at[i];
	if (t->flags & TRACK_FIRST_LOCAL) {
		c->first = c->local;
		c->fin[c->local] = at[2];
		if (e->socket & SOCKET_FIN_RECEIVED)
			c->fin[peer] = e->from == K_CLOSING && at[3] ? at[3] : e->now;
	} else if (t->flags & TRACK_FIRST_PEER) {
		c->first = peer;
		c->fin[peer] = at[2];
		if (e->from == K_LAST_ACK)
			c->fin[c->local] = at[3];
	}
	c->crossed = (t->flags & TRACK_CROSSED) || e->from == K_CLOSING;
}

static void add_state(struct conn *c, unsigned kernel, nsec_t from, nsec_t to)
{
	int state = state_from_kernel(kernel);

	if (state >= 0 && from && to > from)
		c->in_state[state] += to - from;
}

/* When a client was established: nothing ran then, unless a SYN was lost; else it took a round trip. */
static nsec_t established_at(const struct event_close *e, const struct conn *c)
{
	nsec_t at = e->track.at[0] + c->rtt, next = e->track.at[2] ? e->track.at[2] : e->now;

	if (e->from == K_SYN_SENT || e->track.at[1] || !e->track.at[0])
		return e->track.at[1];
	return at < next ? at : next;
}

static void set_states(const struct event_close *e, struct conn *c)
{
	const struct track *t = &e->track;
	nsec_t now = e->now, established = established_at(e, c);

	if (c->local == SIDE_CLIENT)
		add_state(c, K_SYN_SENT, t->at[0], established ? established : now);
	add_state(c, 1, established, t->at[2] ? t->at[2] : now);
	add_state(c, t->state[0], t->at[2], t->at[3] ? t->at[3] : now);
	add_state(c, t->state[1], t->at[3], now);
}

/* Jiffies are coarse: what they say lies not before the event that it must have followed. */
static nsec_t ago(const struct trace_source *s, nsec_t from, uint32_t jiffies, nsec_t not_before)
{
	nsec_t d = jiffies * s->jiffy, at = d < from ? from - d : 0;

	return at > not_before ? at : not_before + 1;
}

static void set_data(const struct trace_source *s, const struct event_close *e, struct conn *c)
{
	const struct track *t = &e->track;
	enum side peer = side_other(c->local);
	nsec_t settled = t->at[2] ? t->at[2] : e->now;

	c->bytes[c->local] = e->sent;
	c->bytes[peer] = e->received;
	c->retransmits[c->local] = e->retransmits;
	if (t->flags & TRACK_DATA_OUT)
		c->last_data[c->local] = ago(s, settled, t->sent_ago, c->start);
	if (t->flags & TRACK_DATA_IN)
		c->last_data[peer] = ago(s, settled, t->read_ago, c->start);
	c->idle_survived = t->idle * s->jiffy;
	if (!(c->seen & SEEN_SYN)) {
		c->seen |= SEEN_HOLES;
		return;
	}
	if (!s->parts.reads)
		c->seen |= SEEN_HOLES;
	c->exchanges = t->exchanges;
	c->unanswered = t->flags & TRACK_UNANSWERED;
	c->rtt = e->rtt_us == UINT32_MAX ? 0 : e->rtt_us * UINT64_C(1000);
}

static void set_procs(const struct trace_source *s, const struct event_close *e, struct conn *c)
{
	const struct track *t = &e->track;

	c->opener = trace_names_get(s->names, t->opener);
	c->closer = trace_names_get(s->names, t->closer);
	if (!t->opener)
		c->opener.cgroup = e->cgroup;
	if (!s->parts.calls)
		return; /* every FIN looks like shutdown() */
	c->call = t->flags & TRACK_SHUTDOWN   ? CALL_SHUTDOWN
		  : t->flags & TRACK_EXITING  ? CALL_EXIT
		  : t->flags & TRACK_RELEASED ? CALL_CLOSE
					      : CALL_UNKNOWN;
}

static void reset_by(struct conn *c, enum side side, enum rst_kind kind, nsec_t at)
{
	c->how = END_RST;
	c->rst[side] = at;
	c->rst_kind = kind;
	if (c->first == SIDE_NONE)
		c->first = side;
}

static bool is_timeout(uint16_t error)
{
	return error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH || error == ENETDOWN ||
	       error == EHOSTDOWN;
}

static void never_open(const struct event_close *e, struct conn *c)
{
	c->how = END_FAILED_OPEN;
	/* A socket that asked for a port and got none has port 0; the error itself is on connect()'s stack. */
	c->error = e->error ? e->error : e->t.lport == 0 ? EADDRNOTAVAIL : 0;
	c->no_syn = !(e->socket & SOCKET_SENT);
	c->first = SIDE_NONE;
	if (e->error == ECONNREFUSED) {
		c->first = side_other(c->local);
		c->rst[c->first] = e->now;
		c->rst_kind = RST_REFUSED;
	}
}

/* Data came after the first FIN, of the side that had not sent it, and more than an alert. */
static bool has_late_data(const struct event_close *e)
{
	uint64_t all = e->track.flags & TRACK_FIRST_PEER ? e->sent : e->received;

	return (e->track.flags & TRACK_LATE) && !is_tls_alert((uint32_t)all - e->track.bytes, e->sent, e->received);
}

/* Data of ours that the peer has not acknowledged; a FIN takes a number, too. */
static uint32_t on_its_way(const struct event_close *e)
{
	const bool fin = e->from == K_FIN_WAIT1 || e->from == K_LAST_ACK || e->from == K_CLOSING;

	return e->unsent - (uint32_t)(fin && e->unsent);
}

static void how_reset(const struct trace_source *s, const struct event_close *e, struct conn *c)
{
	enum side peer = side_other(c->local);
	bool closed = e->track.flags & TRACK_FIRST_PEER, late = closed && (e->track.flags & TRACK_LATE);

	/* what was on its way when the FIN came is answered so, too */
	reset_by(c, peer, late || (closed && on_its_way(e)) ? RST_LATE_DATA : RST_OTHER, e->now);
	if (late && has_late_data(e))
		c->late_data = ago(s, e->now, e->late_ago, e->track.at[2]);
	if (c->first == peer && !closed && is_tls_alert(on_its_way(e), e->sent, e->received))
		c->notify[c->local] = e->now;
}

/* Why close() sends a RST: the kernel asks for unread data first. */
static enum rst_kind kind_of_cut(const struct event_close *e)
{
	return e->socket & SOCKET_UNREAD ? RST_UNREAD : e->socket & SOCKET_LINGER_0 ? RST_LINGER_0 : RST_OTHER;
}

/* close() that sends a RST instead of a FIN. */
static void how_cut(const struct event_close *e, struct conn *c)
{
	if (is_tls_alert(e->unread, e->sent, e->received)) { /* the peer was done */
		c->notify[side_other(c->local)] = e->now;
		c->unanswered = false;
	}
	reset_by(c, c->local, kind_of_cut(e), e->now);
}

/*
 * close() that sends a RST after the FIN of an earlier shutdown(). A FIN of the peer would have made a TIME_WAIT of it, and a
 * socket that was closed before has nothing unread.
 */
static bool is_cut_after_fin(const struct event_close *e)
{
	return (e->from == K_FIN_WAIT1 || e->from == K_FIN_WAIT2) && !(e->socket & SOCKET_FIN_RECEIVED) &&
	       kind_of_cut(e) != RST_OTHER;
}

static void set_how(const struct trace_source *s, const struct event_close *e, struct conn *c)
{
	const uint16_t flags = e->track.flags;
	bool fin = e->socket & SOCKET_FIN_RECEIVED;

	if (e->from == K_SYN_SENT) {
		never_open(e, c);
		return;
	}
	if (flags & TRACK_RESET) {
		how_reset(s, e, c);
	} else if (is_timeout(e->error)) {
		c->how = END_TIMEOUT;
		c->idle_failed = e->silence * s->jiffy;
	} else if (is_cut_after_fin(e)) {
		reset_by(c, c->local, kind_of_cut(e), e->now);
	} else if (e->from == K_LAST_ACK || e->from == K_CLOSING || e->from == K_FIN_WAIT2 ||
		   (e->from == K_FIN_WAIT1 && fin)) {
		c->how = END_FIN;
	} else if ((flags & TRACK_RELEASED) || (flags & TRACK_RST_SENT) || e->error == ECONNABORTED) {
		how_cut(e, c);
	} else {
		reset_by(c, c->local, RST_OTHER, e->now);
		if (!(flags & (TRACK_FIRST_LOCAL | TRACK_FIRST_PEER)))
			c->first = SIDE_NONE;
	}
	if (c->how == END_FIN && has_late_data(e))
		c->half_close_data = ago(s, e->now, e->late_ago, e->track.at[2]);
}

bool trace_close(const struct trace_source *s, const struct event_close *e, struct conn *ret)
{
	const bool done = e->kind == EVENT_CLOSE;

	if (e->from == K_SYN_RECV && !e->track.at[2])
		return false;
	*ret = (struct conn){.seen = (done ? SEEN_END : 0) | (e->track.flags & TRACK_SYN ? SEEN_SYN : 0),
			     .how = END_OPEN,
			     .first = SIDE_NONE,
			     .grain = s->jiffy};
	set_tuple(&e->t, local_of(s, e), ret);
	set_times(e, ret);
	set_data(s, e, ret);
	set_states(e, ret);
	set_procs(s, e, ret);
	if (done)
		set_how(s, e, ret);
	else if (has_late_data(e))
		ret->half_close_data = ago(s, e->now, e->late_ago, e->track.at[2]);
	return true;
}

bool trace_close_is_open(const struct event_close *e)
{
	return (e->track.flags & TRACK_RESET) &&
	       (e->from == K_FIN_WAIT1 || e->from == K_FIN_WAIT2 || e->from == K_CLOSING);
}

static void answered_late(struct conn *c, nsec_t at)
{
	c->rst[side_other(c->local)] = 0;
	reset_by(c, c->local, RST_LATE_DATA, at);
	c->late_data = at;
}

void trace_close_amend(struct conn *c, const struct event_rst *e)
{
	if (e->reason == REASON_ON_DATA)
		answered_late(c, e->now);
}

bool trace_late_rst(const struct trace_source *s, const struct event_rst *e, struct conn *ret)
{
	if (e->reason != REASON_TIME_WAIT)
		return false;
	*ret = (struct conn){
		.seen = SEEN_END | SEEN_HOLES, .first = SIDE_NONE, .start = e->now, .end = e->now, .grain = s->jiffy};
	set_tuple(&e->t, guess_local(s, &e->t), ret);
	answered_late(ret, e->now);
	return true;
}

/* SPDX-License-Identifier: MIT */
/* flow.c - one application: writes, reads, ends; and is sure of what it reads. */
#include <errno.h>

#include "sim/stream.h"
#include "sim/work.h"

const char *const ending_names[N_ENDINGS] = {
#define ENDING(id, name) name,
#include "sim/endings.def"
#undef ENDING
};

static struct la_engine *engine_of(const struct work *k, const struct flow *f) { return k->net->host[f->host].e; }
static uint32_t number_of(const struct work *k, const struct flow *f) { return (uint32_t)(f - k->flow); }

static const struct shadow *shadow_of(const struct work *k, const struct flow *f)
{
	return &k->w->shadow[k->w->inc[f->inc].shadow];
}

#define FLOW_FAIL(k, f, id, ...)                                                                                       \
	FAIL((k)->w->v, id, (f)->host, &shadow_of(k, f)->local, &shadow_of(k, f)->remote, __VA_ARGS__)

/* ---- a life begins ---- */

static enum ending draw_ending(struct work *k)
{
	static const uint8_t rude[] = {END_CLOSE,    END_CLOSE,  END_LINGER, END_SHUT_BOTH,
				       END_LINGER_0, END_UNREAD, END_ABORT};

	if (rng_chance(&k->rng, k->setup.rude))
		return (enum ending)rude[rng_below(&k->rng, ARRAY_LEN(rude))];
	return rng_chance(&k->rng, 0.5) ? END_HALF_CLOSE : END_AFTER_EOF;
}

static void set_option(struct work *k, struct flow *f, enum la_opt opt, int value)
{
	la_setsockopt(engine_of(k, f), f->sock, opt, &value, sizeof(value));
}

static void draw_options(struct work *k, struct flow *f)
{
	struct rng *r = &k->rng;

	if (rng_chance(r, 0.15))
		set_option(k, f, LA_SO_KEEPALIVE, 1);
	if (rng_chance(r, 0.1))
		set_option(k, f, LA_TCP_NODELAY, 1);
	if (rng_chance(r, 0.1))
		set_option(k, f, LA_TCP_LINGER2, (int)rng_below(r, 130) - 8);
	if (rng_chance(r, 0.05))
		set_option(k, f, LA_TCP_USER_TIMEOUT, (int)draw_log(r, 50, 60000));
	if (rng_chance(r, 0.05))
		set_option(k, f, LA_TCP_QUICKACK, 1);
	if (f->ending == END_LINGER) {
		struct la_linger l = {1, 1 + (int)rng_below(r, 5)};

		la_setsockopt(engine_of(k, f), f->sock, LA_SO_LINGER, &l, sizeof(l));
	}
}

struct flow *flow_new(struct work *k, unsigned host, la_sock sock)
{
	struct rng *r = &k->rng;
	struct flow *f;

	if (k->n_flows == FLOWS_MAX)
		return NULL;
	f = &k->flow[k->n_flows++];
	*f = (struct flow){.host = (uint8_t)host, .sock = sock, .ending = draw_ending(k)};
	f->to_send = rng_chance(r, 0.1) ? 0 : (uint32_t)draw_log(r, 1, k->setup.bytes_max);
	f->chunk = (uint16_t)draw_log(r, 1, READ_MAX);
	if (f->chunk < f->to_send / 64) /* not ever so many calls */
		f->chunk = READ_MAX;
	f->read_chunk = rng_chance(r, 0.8) ? READ_MAX : (uint16_t)draw_log(r, 64, READ_MAX);
	f->read_delay = rng_chance(r, 0.1) ? draw_log(r, NSEC_PER_MS, 500 * NSEC_PER_MS) : 0;
	f->hold = rng_chance(r, 0.6) ? 0 : draw_log(r, NSEC_PER_MS, NSEC_PER_S);
	la_user_set(engine_of(k, f), sock, number_of(k, f) + HOSTS_MAX * HOST_LISTENERS);
	draw_options(k, f);
	work_timer(k, draw_log(r, NSEC_PER_S, k->setup.patience), T_PATIENCE, number_of(k, f));
	return f;
}

/* ---- errors ---- */

static bool reason_fits(const struct flow *f, int err, unsigned ended_by)
{
	enum event ev = ended_by < N_EDGES ? edges[ended_by].event : N_EVENTS;

	switch (err) {
	case ECONNRESET:
		return ev == EV_RCV_RST || ev == EV_RCV_DATA || ev == EV_ABORT || ev == EV_RCV_SYN;
	case ECONNREFUSED:
		return ev == EV_RCV_RST || ev == EV_ICMP ||
		       ev == EV_USER_TIMEOUT; /* a soft ICMP error is told at the end */
	case ETIMEDOUT:
		return ev == EV_USER_TIMEOUT;
	case EPIPE: /* also on every write after one's own shutdown(), and after the reset was told once */
		return f->wr_closed || ended_by != ENDED_NOT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOPROTOOPT:
	case EACCES:
		return ev == EV_ICMP || ev == EV_USER_TIMEOUT;
	case ENOTCONN:
		return ended_by != ENDED_NOT;
	default:
		return false;
	}
}

static void close_now(struct work *k, struct flow *f, bool abort)
{
	int err = abort ? la_abort(engine_of(k, f), f->sock) : la_close(engine_of(k, f), f->sock);

	f->wr_closed = true;
	k->closes[abort ? END_ABORT : f->ending]++;
	if (err == -EINPROGRESS) {
		f->lingering = true;
		f->linger_until = k->net->now + 8 * NSEC_PER_S;
		work_timer(k, 8 * NSEC_PER_S, T_PATIENCE, number_of(k, f));
		return;
	}
	f->sock = 0;
}

static void fail(struct work *k, struct flow *f, int err)
{
	unsigned by = k->w->inc[f->inc].ended_by;

	k->errors++;
	if (f->inc && !reason_fits(f, err, by))
		FLOW_FAIL(k, f, CHECK_ERROR, "errno %d, but the connection %s", err,
			  by < N_EDGES ? edges[by].name : "has not ended");
	close_now(k, f, false);
}

/* ---- reading ---- */

/* Is the first run of buf found anywhere in what sender ever wrote? */
static bool found_in(const struct work *k, uint32_t sender, const uint8_t *buf, size_t len, uint32_t *ret_at)
{
	const struct incarnation *i = &k->w->inc[sender];
	uint32_t sent = i->flow ? k->flow[i->flow - 1].sent : 0;

	len = len < 16 ? len : 16;
	for (uint32_t at = 0; at + len <= sent; at++)
		if (stream_match(sender, at, buf, len) == len) {
			*ret_at = at;
			return true;
		}
	return false;
}

/* At f->received another octet was expected. Whose is it? */
static void foreign(struct work *k, struct flow *f, const uint8_t *buf, size_t len)
{
	uint32_t peer = k->w->inc[f->inc].peer, at = 0;
	const uint32_t sent_as = peer ? peer : f->inc;

	if (peer && len >= 8 && found_in(k, peer, buf, len, &at)) {
		FLOW_FAIL(k, f, CHECK_STREAM, "at %u came what was sent at %u", f->received, at);
		return;
	}
	for (uint32_t i = 1; i < k->w->n_incs; i++) {
		const struct incarnation *old = &k->w->inc[i];

		if (i == sent_as || old->host == f->host || !found_in(k, i, buf, len, &at))
			continue;
		if (k->setup.strict && watch_was_protected(k->w, i)) {
			if (len < 4)
				continue; /* may be chance: another may explain it */
			FLOW_FAIL(k, f, CHECK_OLD_OCTETS, "at %u came what connection %u had sent at %u", f->received,
				  i, at);
			return;
		}
		k->old_octets++;
		f->poisoned = true;
		return;
	}
	FLOW_FAIL(k, f, CHECK_STREAM, "at %u came %u octets that nobody sent", f->received, (unsigned)len);
}

static void took(struct work *k, struct flow *f, size_t n)
{
	uint32_t peer = k->w->inc[f->inc].peer;
	size_t good = n;

	k->octets += n;
	if (f->inc && peer && k->w->inc[peer].mate != f->inc) { /* another connection had these octets already */
		if (!k->w->inc[f->inc].by_cookie && !f->poisoned)
			FLOW_FAIL(k, f, CHECK_OLD_OCTETS, "octets of connection %u came a second time", peer);
		k->old_octets++;
		f->poisoned = true;
	}
	if (!f->inc || f->poisoned || k->w->inc[f->inc].cookie_twice) {
		f->received += (uint32_t)n;
		return;
	}
	good = peer ? stream_match(peer, f->received, k->buf, n) : 0;
	f->received += (uint32_t)good;
	if (good < n)
		foreign(k, f, k->buf + good, n - good);
}

static void at_end(struct work *k, struct flow *f)
{
	const struct incarnation *peer = &k->w->inc[k->w->inc[f->inc].peer];
	const struct flow *from = peer->flow ? &k->flow[peer->flow - 1] : NULL;

	f->eof = true;
	if (!f->inc || f->poisoned || f->rd_closed || peer->mate != f->inc || k->w->inc[f->inc].cookie_twice)
		return;
	if (!from || !from->wr_closed)
		FLOW_FAIL(k, f, CHECK_END_OF_STREAM, "end of the stream after %u octets, but the sender has not closed",
			  f->received);
	else if (from->sent != f->received)
		FLOW_FAIL(k, f, CHECK_END_OF_STREAM, "end of the stream after %u octets of %u", f->received,
			  from->sent);
}

static void read_some(struct work *k, struct flow *f)
{
	while (f->sock && !f->eof && !f->resting && !k->w->v->failed) {
		int64_t n = la_recv(engine_of(k, f), f->sock, k->buf, f->read_chunk, 0);

		if (n == -EAGAIN || (n == -ENOTCONN && !f->connected))
			return;
		if (n < 0) {
			fail(k, f, (int)-n);
			return;
		}
		if (n == 0) {
			at_end(k, f);
			return;
		}
		took(k, f, (size_t)n);
		if (f->read_delay) {
			f->resting = true;
			work_timer(k, f->read_delay, T_READ, number_of(k, f));
		}
	}
}

/* ---- writing and ending ---- */

static void write_some(struct work *k, struct flow *f)
{
	while (f->sock && !f->wr_closed && f->sent < f->to_send && !k->w->v->failed) {
		uint32_t want = f->to_send - f->sent < f->chunk ? f->to_send - f->sent : f->chunk;
		int64_t n;

		stream_fill(f->inc, f->sent, k->buf, want);
		n = la_send(engine_of(k, f), f->sock, k->buf, want, rng_chance(&k->rng, 0.05) ? LA_MORE : 0);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			fail(k, f, (int)-n);
			return;
		}
		f->sent += (uint32_t)n;
	}
}

static void shut(struct work *k, struct flow *f, int how)
{
	int err = la_shutdown(engine_of(k, f), f->sock, how);

	f->wr_closed = true;
	f->rd_closed |= how == LA_SHUT_RDWR;
	if (err && err != -ENOTCONN)
		fail(k, f, -err);
}

static void finish(struct work *k, struct flow *f)
{
	static const struct la_linger at_once = {1, 0};

	if (!f->sock || f->sent < f->to_send)
		return;
	if (f->ending == END_HALF_CLOSE && !f->wr_closed)
		shut(k, f, LA_SHUT_WR);
	if (f->ending == END_HALF_CLOSE || f->ending == END_AFTER_EOF) {
		if (f->sock && f->eof)
			close_now(k, f, false);
		return;
	}
	if (f->hold && !f->held) {
		if (f->hold != NSEC_NEVER)
			work_timer(k, f->hold, T_HOLD, number_of(k, f));
		f->hold = NSEC_NEVER;
		return;
	}
	if (f->ending == END_SHUT_BOTH)
		shut(k, f, LA_SHUT_RDWR);
	if (f->ending == END_LINGER_0 && f->sock)
		la_setsockopt(engine_of(k, f), f->sock, LA_SO_LINGER, &at_once, sizeof(at_once));
	if (f->sock)
		close_now(k, f, f->ending == END_ABORT);
}

void flow_go(struct work *k, struct flow *f)
{
	if (!f->sock || f->lingering)
		return;
	if (!f->connected) {
		uint32_t ready = la_poll(engine_of(k, f), f->sock);

		if (!(ready & (LA_OUT | LA_ERR | LA_HUP | LA_IN)))
			return;
		f->connected = true;
	}
	write_some(k, f);
	if (f->ending != END_UNREAD)
		read_some(k, f);
	finish(k, f);
}

void flow_event(struct work *k, struct flow *f, uint32_t events)
{
	if (events & LA_LINGERED) {
		f->lingering = false;
		f->sock = 0;
	}
	flow_go(k, f);
}

/* Patience has come to an end. Was there something the application should have been told? */
static void give_up(struct work *k, struct flow *f)
{
	uint32_t ready = la_poll(engine_of(k, f), f->sock);
	bool reads = f->ending != END_UNREAD && !f->eof && !f->resting, writes = f->sent < f->to_send;

	if (f->lingering) {
		if (k->net->now >= f->linger_until)
			FLOW_FAIL(k, f, CHECK_WAKEUP, "close() lingers for longer than it may");
		return;
	}
	if ((f->connected || ready & LA_ERR) && ((reads && ready & LA_IN) || (writes && ready & LA_OUT)))
		FLOW_FAIL(k, f, CHECK_WAKEUP, "ready (%u), but no event told so", (unsigned)ready);
	k->patience_ended++;
	close_now(k, f, rng_chance(&k->rng, 0.3));
}

void flow_timer(struct work *k, struct flow *f, enum work_timer t)
{
	if (!f->sock)
		return;
	net_touch(k->net, f->host);
	if (t == T_READ)
		f->resting = false;
	else if (t == T_HOLD)
		f->held = true;
	else
		give_up(k, f);
	flow_go(k, f);
	net_settle(k->net, f->host);
}

/* SPDX-License-Identifier: MIT */
/*
 * rcv_wnd.c - the receive window (RFC 9293 3.8.6.2.2, 7323 2), by the rules of Linux 6.18, in octets of text: where Linux
 * counts memory, half of which it takes to be text (tcp_rmem, SO_RCVBUF), a ring has no overhead, so half of these numbers
 * it is, and never more than the ring. What may be announced begins with what tcp_rmem says at first and grows with the segments
 * that come (rcv_ssthresh), so that a peer of tiny segments does not get the whole buffer; the whole grows by rcv_tune.c.
 */
#include "engine/rcv.h"

enum { WSCALE_MAX = 14, TS_LEN = 12, GROW_LEAST = 128, PRESSED_SEGMENTS = 4 };
enum { PAGE = 4096 };

static uint32_t min32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t round_up(uint32_t n, uint32_t unit) { return (n + unit - 1) & ~(unit - 1); }

/* ---- where a connection begins ---- */

uint32_t rcv_text_of(const struct engine *e, int64_t buffer)
{
	int64_t text = buffer / 2;

	return text < e->cfg.receive_buffer ? (uint32_t)text : e->cfg.receive_buffer;
}

static uint8_t wscale_of(uint32_t most)
{
	unsigned shift = most > UINT16_MAX ? 16U - (unsigned)__builtin_clz(most) : 0;

	return (uint8_t)(shift > WSCALE_MAX ? WSCALE_MAX : shift);
}

static uint32_t largest(const struct engine *e)
{
	int64_t most = e->k.rmem_limit > e->k.rmem_max ? e->k.rmem_limit : e->k.rmem_max;

	return most < e->cfg.receive_buffer ? (uint32_t)most : e->cfg.receive_buffer;
}

/* RFC 7323 2.3: the shift that lets the largest window there may ever be be announced in 16 bits, 14 at most. */
uint8_t conn_wscale(const struct engine *e) { return wscale_of(largest(e)); }

void rcv_begin(struct conn *c)
{
	uint32_t most = largest(c->eng);

	if (c->opt.rcvbuf)
		most = min32(most, c->rcv_full);
	if (c->opt.window_clamp)
		most = min32(most, c->opt.window_clamp);
	c->rcv_wscale = wscale_of(most);
	c->syn_wnd = 0; /* not yet said */
}

/* A multiple of the segments that will come. */
static uint32_t first_wnd(const struct conn *c, bool ts)
{
	uint32_t mss = c->adv_mss - (ts ? TS_LEN : 0), wnd = c->rcv_full;

	if (c->opt.window_clamp)
		wnd = min32(wnd, c->opt.window_clamp);
	if (wnd > mss)
		wnd -= wnd % mss;
	return wnd;
}

uint16_t conn_syn_wnd(const struct conn *c, bool ts) /* not scaled (RFC 7323 2.2) */
{
	return (uint16_t)min32(first_wnd(c, ts), UINT16_MAX);
}

void rcv_init(struct conn *c) { c->rcv_full = rcv_text_of(c->eng, c->eng->k.rmem_default); }

void rcv_established(struct conn *c)
{
	enum { MSS_GUESS = 536, MSS_LEAST = 88, INITIAL_SEGMENTS = 10 };
	uint32_t wnd = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
	uint32_t mss = min32(min32(c->adv_mss, c->snd_mss), min32(wnd / 2, MSS_GUESS));

	c->rcv_mss = (uint16_t)(mss < MSS_LEAST ? MSS_LEAST : mss);
	c->rcv_clamp = min32(c->rcv_full, (uint32_t)UINT16_MAX << c->rcv_wscale);
	if (c->opt.window_clamp)
		c->rcv_clamp = min32(c->rcv_clamp, c->opt.window_clamp);
	if (wnd == UINT16_MAX) /* what did not fit into the SYN's field */
		wnd = first_wnd(c, c->ts_ok && c->passive);
	c->rcv_ssthresh = min32(wnd, c->rcv_clamp);
	c->drs_space = min32(c->rcv_ssthresh, INITIAL_SEGMENTS * (c->adv_mss - (c->ts_ok ? TS_LEN : 0U)));
	c->drs_seq = c->rcv_read;
	c->drs_at = c->last_rcv_at = c->eng->now;
}

void rcv_buf_set(struct conn *c, uint32_t buffer)
{
	c->rcv_full = rcv_text_of(c->eng, buffer);
	c->wnd_field = 0; /* to be chosen anew */
	if (c->state == CLOSED || c->state == LISTEN)
		rcv_begin(c); /* a listener's scale is that of its cookies */
}

void rcv_clamp_set(struct conn *c, uint32_t octets)
{
	uint32_t wnd = min32(octets, rcv_announced(c));

	if (octets < c->rcv_clamp)
		c->rcv_ssthresh = min32(c->rcv_ssthresh, octets);
	else if (wnd > c->rcv_ssthresh)
		c->rcv_ssthresh = wnd;
	c->rcv_clamp = octets;
	c->wnd_field = 0; /* to be chosen anew */
}

/* ---- memory of all connections ---- */

/*
 * Linux: beyond the second number of tcp_mem a connection may still have its share of the third one, or what the first
 * number of tcp_rmem says.
 */
static APART bool takes_too_much(const struct conn *c, uint64_t own, uint64_t most)
{
	return own > rcv_text_of(c->eng, c->eng->k.rmem_min) && own * c->eng->n_live > most;
}

bool rcv_mem_full(const struct conn *c, uint32_t octets)
{
	const struct engine *e = c->eng;
	uint64_t all = e->rcv_held + octets, most = (uint64_t)e->k.mem_max * PAGE;

	if (all > most)
		return true;
	return all > (uint64_t)e->k.mem_pressure * PAGE && takes_too_much(c, (uint64_t)c->rcv_held + octets, most);
}

/* Linux: from the second number of tcp_mem on windows stop growing, until less than the first is held. */
static bool is_pressed(struct engine *e)
{
	bool was = e->rcv_pressed;

	e->rcv_pressed = e->rcv_held > (uint64_t)(was ? e->k.mem_min : e->k.mem_pressure) * PAGE;
	e->n.memory_pressures += e->rcv_pressed && !was;
	return e->rcv_pressed;
}

/* ---- the window ---- */

uint32_t rcv_announced(const struct conn *c)
{
	return seq_lt(c->last_ack_sent, c->rcv_adv) ? (uint32_t)seq_diff(c->rcv_adv, c->last_ack_sent) : 0;
}

uint32_t rcv_free(const struct conn *c)
{
	uint32_t used = (uint32_t)seq_diff(c->rcv_nxt, c->rcv_read);

	return used < c->rcv_full ? c->rcv_full - used : 0;
}

void rcv_wnd_grow(struct conn *c, uint32_t len)
{
	uint32_t most = min32(c->rcv_clamp, rcv_free(c)), step = 2U * (len > c->adv_mss ? len : c->adv_mss);

	if (c->rcv_ssthresh >= most || len < GROW_LEAST)
		return;
	if (is_pressed(c->eng)) {
		c->rcv_ssthresh = min32(c->rcv_ssthresh, PRESSED_SEGMENTS * (uint32_t)c->adv_mss);
		return;
	}
	c->rcv_ssthresh += min32(step, most - c->rcv_ssthresh);
	c->quick |= 1;
}

/* Too little is none: less than a sixteenth, or than a segment, of what there could be. */
static bool is_silly(const struct conn *c, uint32_t room, uint32_t mss)
{
	return room < c->rcv_full >> 4 || room < mss;
}

static bool shrinks(const struct conn *c) { return c->eng->k.shrink_window && c->rcv_wscale; }

/* Without a scale in whole segments, and unchanged as long as it is less than one off. */
static uint32_t choose_unscaled(const struct conn *c, uint32_t room, uint32_t most)
{
	uint32_t mss = min32(c->rcv_mss, most), old = rcv_announced(c);

	if (old > room || room - old >= mss)
		return mss ? room - room % mss : 0;
	return mss == most && room > old + most / 2 ? room : old;
}

/* What of the free room is worth announcing when less than half of the buffer is free, or tcp_shrink_window is set. */
static APART uint32_t narrow(const struct conn *c, uint32_t room, uint32_t most)
{
	if (room < most / 2 || shrinks(c))
		room &= ~((1U << c->rcv_wscale) - 1);
	return room < most / 2 && is_silly(c, room, min32(c->rcv_mss, most)) ? 0 : room;
}

/* What there could be, and how much of it is free: all that follows begins with these two. */
static uint32_t most_of(const struct conn *c) { return min32(c->rcv_clamp, c->rcv_full); }

static inline uint32_t choose(const struct conn *c, uint32_t room, uint32_t most)
{
	if (room < most / 2 || c->eng->k.shrink_window) {
		room = narrow(c, room, most);
		if (!room)
			return 0;
	}
	if (room > c->rcv_ssthresh)
		room = c->rcv_ssthresh;
	return c->rcv_wscale ? round_up(room, 1U << c->rcv_wscale) : choose_unscaled(c, room, most);
}

uint32_t rcv_wnd_choose(const struct conn *c) { return choose(c, rcv_free(c), most_of(c)); }

/* Scaled down it has to fit the field, and the ring. */
static COLD uint32_t fit(const struct conn *c, uint32_t wnd, uint32_t ring)
{
	if (wnd > ring)
		wnd = ring & ~((1U << c->rcv_wscale) - 1);
	return min32(wnd, (uint32_t)UINT16_MAX << c->rcv_wscale);
}

static inline uint32_t window(const struct conn *c, uint32_t room, uint32_t most)
{
	uint32_t wnd = choose(c, room, most), used = (uint32_t)seq_diff(c->rcv_nxt, c->rcv_read);
	int32_t known = seq_diff(c->rcv_adv, c->rcv_nxt), ring = (int32_t)(c->eng->cfg.receive_buffer - used);

	if (known > 0 && wnd < (uint32_t)known && !shrinks(c))
		wnd = round_up((uint32_t)known, 1U << c->rcv_wscale);
	if (ring <= 0) /* the FIN came on top of a full ring */
		return 0;
	return wnd > (uint32_t)ring || wnd >> c->rcv_wscale > UINT16_MAX ? fit(c, wnd, (uint32_t)ring) : wnd;
}

/* SHLD-14: the right edge does not move left, but for tcp_shrink_window; nor beyond the end of the ring. */
uint32_t rcv_window(const struct conn *c) { return window(c, rcv_free(c), most_of(c)); }

static COLD void closes_or_opens(struct conn *c, bool was_open, bool is_open)
{
	c->eng->n.to_zero_window += was_open && !is_open;
	c->eng->n.from_zero_window += !was_open && is_open;
}

static uint16_t announce(struct conn *c)
{
	uint32_t room = rcv_free(c), most = most_of(c), wnd = window(c, room, most);
	bool was_open = rcv_announced(c) > 0;
	seq_t edge = seq_add(c->rcv_nxt, wnd);

	if (room < most / 2) {
		c->quick = 0;
		if (c->eng->rcv_pressed)
			c->rcv_ssthresh = min32(c->rcv_ssthresh, PRESSED_SEGMENTS * (uint32_t)c->adv_mss);
	}
	if (seq_lt(c->rcv_adv, edge) || shrinks(c))
		c->rcv_adv = edge;
	if (!was_open || !wnd)
		closes_or_opens(c, was_open, wnd);
	c->wnd_read = c->rcv_read;
	c->wnd_field = (uint16_t)(wnd >> c->rcv_wscale);
	return c->wnd_field;
}

/* Where nothing was received and nothing was read the window is what it was: most segments of a sender. */
uint16_t rcv_wnd_field(struct conn *c)
{
	bool same = seq_eq(c->rcv_nxt, c->last_ack_sent) && seq_eq(c->rcv_read, c->wnd_read) && c->wnd_field;

	return same ? c->wnd_field : announce(c);
}

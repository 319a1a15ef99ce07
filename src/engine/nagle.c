/* SPDX-License-Identifier: MIT */
/*
 * nagle.c - how much text the next segment takes, and whether it waits for more: Nagle as Minshall amended it, corks, silly
 * windows (RFC 9293 3.7.4, 3.8.6.2.1), and which segments carry PSH (3.9.1.2). As Linux, which makes its packets in
 * bursts: what the windows allow at one time, up to a millisecond's worth, is one large packet to it that is cut in
 * segments on the way out. Only the last of them may be short, and if there are several it carries PSH. Sent again it is one
 * packet still, or two where only a part of it is lost or has room.
 */
#include "engine/engine.h"

enum {
	BURST_OCTETS = 65215, /* GSO_LEGACY_MAX_SIZE without the headers */
	MSS_DEFAULT = 536,
	BURST_SHIFT = 10, /* 1/1024 s of the rate at which a window would be paced */
	BURST_RTT_SHIFT = 9, /* net.ipv4.tcp_tso_rtt_log: more while the path is short */
};

/* ---- records of MSG_EOR: a segment holds octets of one only ---- */

bool nagle_may_end_record(const struct conn *c) { return c->n_eor < EOR_MAX; }

static APART void drop_old_records(struct conn *c)
{
	uint8_t n = 0;

	while (n < c->n_eor && seq_le(c->eor[n], c->snd_nxt))
		n++;
	if (n == 0)
		return;
	c->n_eor = (uint8_t)(c->n_eor - n);
	memmove(&c->eor[0], &c->eor[n], c->n_eor * sizeof(c->eor[0]));
}

/* Unsent octets that may go into one segment, were it large enough. */
static uint32_t unsent_of_record(const struct conn *c)
{
	return (uint32_t)seq_diff(c->n_eor ? c->eor[0] : c->snd_end, c->snd_nxt);
}

/* ---- the application writes ---- */

/* Octets of what Linux would make one packet of: as many segments as half of the peer's largest window holds (tcp_xmit_size_goal). */
static APART uint32_t packet_goal(const struct conn *c)
{
	uint32_t mss = conn_mss_now(c), most = c->max_snd_wnd, goal = BURST_OCTETS;

	if (most > MSS_DEFAULT)
		most /= 2;
	if (most && goal > most)
		goal = most;
	return goal > mss ? goal - goal % mss : mss;
}

static uint32_t less(uint32_t a, uint32_t b) { return a > b ? a - b : 0; }

static uint32_t lowat(const struct conn *c)
{
	return c->opt.notsent_lowat ? c->opt.notsent_lowat : (uint32_t)c->eng->k.notsent_lowat;
}

static bool is_limited(const struct conn *c) { return c->opt.sndbuf || lowat(c) != UINT32_MAX; }

/* How much the packet that ends before `end`, and is not sent whole, may still grow. */
static uint32_t packet_room(const struct conn *c, seq_t end)
{
	if (!seq_lt(c->snd_nxt, end) || (c->n_eor && seq_eq(c->eor[c->n_eor - 1], end)))
		return 0;
	return less(packet_goal(c), (uint32_t)seq_diff(end, seq_max(c->packet_from, c->snd_nxt)));
}

/*
 * The last packet is always filled; another is begun only while SO_SNDBUF is not used up and no more than TCP_NOTSENT_LOWAT
 * waits. So the limits are passed by as much as one of them holds.
 */
static APART uint32_t takes_of_limits(const struct conn *c, uint32_t used, uint32_t room)
{
	uint32_t goal = packet_goal(c), takes = packet_room(c, c->snd_end), more, unsent;

	unsent = less(lowat(c), snd_unsent(c) + takes);
	more = less(conn_snd_buf(c), used + takes);
	if (more > unsent)
		more = unsent;
	takes += (more + goal - 1) / goal * goal;
	return takes < room ? takes : room;
}

uint32_t nagle_takes(const struct conn *c, uint32_t used, uint32_t room)
{
	return is_limited(c) ? takes_of_limits(c, used, room) : room;
}

/* Linux wakes a writer when a third of the buffer is free and what waits is half of TCP_NOTSENT_LOWAT. */
bool nagle_wants_beside(const struct conn *c)
{
	uint32_t most = c->eng->cfg.send_buffer, used = (uint32_t)seq_diff(c->snd_end, seq_min(c->snd_una, c->snd_end));

	if (is_limited(c)) {
		most = conn_snd_buf(c);
		if (snd_unsent(c) >= lowat(c) - lowat(c) / 2)
			return false;
	}
	return less(most, used) >= used / 2 && nagle_may_end_record(c);
}

static APART void note_packets(struct conn *c, uint32_t taken)
{
	uint32_t room = packet_room(c, seq_sub(c->snd_end, taken));

	if (taken > room)
		c->packet_from = seq_sub(c->snd_end, (taken - room - 1) % packet_goal(c) + 1);
}

/*
 * A write longer than half of the window is pushed before its end (Linux's forced_push()): after the first large packet,
 * which was refilled when the windows had let the first segments go.
 */
static APART void push_inside(struct conn *c, seq_t from)
{
	uint32_t mss = conn_mss_now(c), goal = packet_goal(c), room = less(c->cc.cwnd, board_in_flight(&c->board));
	seq_t at;

	if (room > goal / mss)
		return;
	at = seq_add(from, goal + room * mss);
	c->push_inside = seq_lt(at, c->snd_end) && seq_lt(seq_add(c->pushed_seq, c->max_snd_wnd / 2), at);
	c->push_at = at;
}

void nagle_written(struct conn *c, uint32_t taken, const struct nagle_write *w)
{
	seq_t from = seq_sub(c->snd_end, taken);
	bool forced = seq_lt(seq_add(c->pushed_seq, c->max_snd_wnd / 2), c->snd_end);
	bool new_tail = seq_eq(from, c->snd_nxt) || (c->n_eor && seq_eq(from, c->eor[c->n_eor - 1]));

	if (is_limited(c))
		note_packets(c, taken);
	else
		c->packet_from = from;
	if (taken > c->max_snd_wnd / 2 && seq_eq(from, c->snd_nxt))
		push_inside(c, from);
	c->more = w->more && !w->is_short;
	c->push = w->is_short || (c->push && !new_tail);
	c->pushed = !c->more || forced;
	if (c->pushed)
		c->pushed_seq = c->snd_end;
	if (w->ends_record && !w->is_short) {
		must(c->n_eor < EOR_MAX);
		c->eor[c->n_eor++] = c->snd_end;
	}
}

/* ---- what waits ---- */

/* Something short is on its way already (Minshall): what fills a segment only in part waits for its acknowledgement. */
static bool short_in_flight(const struct conn *c)
{
	return !seq_eq(c->snd_una, c->snd_nxt) && seq_lt(c->snd_una, c->snd_sml) && seq_le(c->snd_sml, c->snd_nxt);
}

static bool waits_for_more(const struct conn *c)
{
	if (c->fin_queued)
		return false; /* nothing will come to fill the segment up */
	if (c->opt.cork || c->more)
		return true;
	return !c->opt.nodelay && !c->push && short_in_flight(c);
}

static bool tail_waits(const struct conn *c) { return c->n_eor == 0 && !c->push && waits_for_more(c); }

/* ---- bursts ---- */

/* tcp_tso_autosize(): segments that go out in a millisecond at the rate at which Linux would pace this window. */
static uint32_t burst_segments(const struct conn *c, uint32_t mss)
{
	uint32_t cwnd = c->cc.cwnd, percent = cwnd < c->cc.ssthresh / 2 ? 200 : 120;
	uint32_t rtt = (uint32_t)(c->srtt8_us / 8), near = rtt >> BURST_RTT_SHIFT;
	uint64_t octets = BURST_OCTETS;

	if (rtt) {
		octets = (uint64_t)cwnd * mss * percent * 10000 / rtt >> BURST_SHIFT;
		if (near < 32)
			octets += BURST_OCTETS >> near;
		if (octets > BURST_OCTETS)
			octets = BURST_OCTETS;
	}
	octets /= mss;
	return octets < (uint64_t)c->eng->k.min_tso_segs ? (uint32_t)c->eng->k.min_tso_segs : (uint32_t)octets;
}

/* Octets of the burst that begins now; 0: none does. text: what there is, more than one segment. */
static APART uint32_t burst_len(const struct conn *c, const struct nagle_room *room, uint32_t text)
{
	uint32_t most = burst_segments(c, room->mss), half = c->cc.cwnd / 2 ? c->cc.cwnd / 2 : 1, rest;

	if (most > half)
		most = half;
	if (most > room->quota)
		most = room->quota;
	most *= room->mss;
	if (text > room->wnd)
		text = room->wnd;
	if (most <= text)
		return most;
	rest = text % room->mss;
	return rest && !room->at_once && waits_for_more(c) ? text - rest : text;
}

/* ---- the next segment ---- */

/* The timer lets go what a window too small for a segment, or a cork, has kept back (rule 4 of 3.8.6.2.1). */
static APART uint32_t overridden(const struct conn *c, const struct nagle_room *room, uint32_t text)
{
	uint32_t len = text < room->mss ? text : room->mss;

	return len < room->wnd ? len : room->wnd;
}

static bool goes_on(const struct conn *c, const struct nagle_room *room)
{
	return c->burst_at == c->eng->now && seq_lt(c->snd_nxt, c->burst_end) &&
	       (uint32_t)seq_diff(c->burst_end, c->snd_nxt) <= room->wnd;
}

uint32_t nagle_segment(struct conn *c, const struct nagle_room *room)
{
	uint32_t text = unsent_of_record(c), head = text < room->mss ? text : room->mss;

	if (text == 0 || room->quota == 0)
		return 0;
	if (!goes_on(c, room)) {
		if (c->probe_due && seq_eq(c->snd_una, c->snd_nxt))
			return overridden(c, room, text);
		if (head > room->wnd || (head < room->mss && !room->at_once && tail_waits(c)))
			return 0;
		c->burst_at = c->eng->now;
		c->burst_from = c->snd_nxt;
		c->burst_end = seq_add(c->snd_nxt, text > room->mss ? burst_len(c, room, text) : text);
	}
	text = (uint32_t)seq_diff(c->burst_end, c->snd_nxt);
	return text < head ? text : head;
}

bool nagle_ends_record(const struct conn *c, seq_t end) { return c->n_eor && seq_eq(c->eor[0], end); }

bool nagle_is_pushed(const struct conn *c, seq_t end)
{
	if (nagle_ends_record(c, end))
		return true;
	if (c->push_inside && seq_eq(c->push_at, end))
		return true;
	return c->pushed && seq_eq(end, c->snd_end);
}

uint8_t nagle_psh(const struct conn *c, seq_t from, uint32_t len)
{
	seq_t end = seq_add(from, len);
	bool ends_burst = seq_eq(end, c->burst_end) && !seq_eq(from, c->burst_from);

	return len && (ends_burst || c->probe_due || nagle_is_pushed(c, end)) ? F_PSH : 0;
}

bool nagle_is_joined(const struct conn *c, seq_t from) { return !seq_eq(from, c->burst_from); }

/* Segments of the packet that entry i is sent again in: it and those before. */
static uint32_t segments_again(const struct conn *c, uint32_t i)
{
	uint32_t n = 1;

	while (i != c->board.first && board_at_const(c->sent, &c->board, i)->flags & SENT_JOINED) {
		const struct sent *before = board_at_const(c->sent, &c->board, --i);

		if (!(before->flags & SENT_AGAIN) || before->at != c->eng->now)
			break;
		n++;
	}
	return n;
}

uint8_t nagle_again_psh(struct conn *c, uint32_t i)
{
	struct sent *next = i + 1 == c->board.end ? NULL : board_at(c->sent, &c->board, i + 1);
	uint32_t n = segments_again(c, i);

	if (next && next->flags & SENT_JOINED) {
		bool goes = (next->flags & (SENT_LOST | SENT_AGAIN | SENT_SACKED)) == SENT_LOST;

		if (goes && c->rec.resend == RESEND_LOST && cwnd_has_room(c) && n < burst_segments(c, conn_mss_now(c)))
			return 0;
		next->flags &= (uint8_t)~SENT_JOINED;
	}
	return n > 1 ? F_PSH : 0;
}

void nagle_sent(struct conn *c, seq_t end, uint32_t len, uint32_t mss)
{
	if (len < mss)
		c->snd_sml = end;
	if (c->n_eor)
		drop_old_records(c);
	if (lowat(c) != UINT32_MAX) /* less waits now */
		event_raise(c);
}

void nagle_segment_came(struct conn *c)
{
	c->more = false;
	out_schedule(c);
}

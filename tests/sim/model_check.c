/* SPDX-License-Identifier: MIT */
/*
 * model_check.c - two engines through open, transfer and close, in every order in which a network may deliver, lose and
 * double their packets and in which the applications may act, up to a bound that is printed.
 *
 * Depth-first over states. A step is one of: hand over any packet that is under way, lose it, double it, let an
 * application act, let time go on to the next deadline. The memory of both engines is saved before a step and put back
 * after it; a state seen before (by a digest of what matters in it) is not gone into again.
 *
 * In every state: octets arrive in order and unchanged, no engine holds two connections of one four-tuple, TIME_WAIT is
 * only where a FIN was sent before the other's came. In every end: everything closed and nothing left anywhere; all
 * octets arrived, unless a RST or a timeout is on record.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "engine/engine.h"
#include "wire/csum.h"

enum { PAGE = 4096, PACKET_MAX = 128, NET_MAX = 24, DEPTH_MAX = 400, WRITTEN_MAX = 2048, SEEN_BITS = 25, TEXT = 2 };
enum { A, B, N_SIDES };

enum effort { QUICK, CHECK, SOAK }; /* --quick, neither, --soak: plans up to that one */

struct bounds {
	const char *name;
	enum effort effort;
	unsigned losses, doubles, overtakes, waits; /* waits: time goes on while packets are under way */
	bool crossed_open, both_send;
	unsigned marks; /* ECN-capable packets that become CE; both ask for ECN then */
	unsigned text; /* octets, each a segment of its own that waits for no other; 0: TEXT, as Nagle has it */
};

static const struct bounds plans[] = {
	{"a loss", QUICK, 1, 0, 0, 0, false, false},
	{"two overtaken", QUICK, 0, 0, 2, 0, false, false},
	{"a double, one overtaken", CHECK, 0, 1, 1, 0, false, false},
	{"a loss, a deadline before what is under way", CHECK, 1, 0, 0, 1, false, false},
	{"both send, one overtaken", CHECK, 0, 0, 1, 0, false, true},
	{"both open, a loss", CHECK, 1, 0, 0, 0, true, false},
	{"both open, one overtaken", CHECK, 0, 0, 1, 0, true, false},
	{"a mark, one overtaken", CHECK, 0, 0, 1, 0, false, false, .marks = 1, .text = 2},
	{"three at once, one overtaken", CHECK, 0, 0, 1, 0, false, false, .text = 3},
	{"three at once, a loss", CHECK, 1, 0, 0, 0, false, false, .text = 3},
	{"a loss, a double, one overtaken", SOAK, 1, 1, 1, 0, false, false},
	{"two losses", SOAK, 2, 0, 0, 0, false, true},
	{"two marks, a loss", SOAK, 1, 0, 0, 0, false, false, .marks = 2, .text = 3},
};

struct packet_held {
	uint8_t to;
	uint16_t len;
	uint8_t data[PACKET_MAX];
};

struct side {
	la_sock listener, sock;
	uint8_t sent, got; /* octets */
	bool opened, accepted, saw_end, closed, was_cut; /* was_cut: reset or timed out */
	bool fin_in; /* the FIN of the other side was delivered */
	bool closed_first; /* closed before that */
};

struct world { /* all that is not in the engines' memory */
	nsec_t now;
	struct side side[N_SIDES];
	struct packet_held net[NET_MAX];
	unsigned n_net;
	struct bounds left;
};

struct image { /* the first n of the pages that were ever written */
	uint32_t n;
	uint8_t *bytes;
};

static struct {
	uint8_t *mem[N_SIDES], *base[N_SIDES];
	size_t size;
	uint8_t *written[WRITTEN_MAX]; /* pages, in the order of the first write */
	uint32_t n_written;
	struct la_engine *e[N_SIDES];
	struct world w;
	struct bounds plan;
	uint64_t *seen; /* open addressing; 0: free */
	uint64_t n_seen, n_steps, n_ends;
	unsigned depth, deepest;
	char path[DEPTH_MAX][24];
} m;

static void explore(void);

static _Noreturn void wrong(const char *what)
{
	printf("not ok: %s: %s\nthe steps:", m.plan.name, what);
	for (unsigned i = 0; i < m.depth; i++)
		printf(" %s", m.path[i]);
	printf("\n");
	exit(1);
}

static struct la_endpoint endpoint(unsigned side, uint16_t port)
{
	struct la_endpoint at = {.port = port};

	at.addr[10] = at.addr[11] = 0xff;
	at.addr[12] = 10;
	at.addr[15] = (uint8_t)(side + 1);
	return at;
}

/* ---- the state's digest ---- */

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15) ^ (h >> 29); }

static uint64_t digest_conn(const struct conn *c)
{
	uint64_t h = mix(c->state, (uint64_t)c->is_open << 40 | c->t.lport << 16 | c->t.rport);
	const seq_t seqs[] = {c->snd_una,      c->snd_nxt, c->snd_end, c->rec.high, c->rec.undo_from,
			      c->rec.tlp_high, c->rcv_nxt, c->rcv_adv, c->rcv_read, c->last_ack_sent,
			      c->rcv_fin,      c->iss,     c->snd_wl1, c->snd_wl2,  c->snd_sml};
	const bool bits[] = {c->fin_queued,  c->fin_sent,         c->has_rcv_fin,      c->ack_due,     c->syn_due,
			     c->probe_due,   c->syn_timed,        c->rec.frto,         c->rec.undo_on, c->rec.stamp_on,
			     c->ecn.ok,      c->ecn.seen,         c->ecn.echo,         c->ecn.cwr_due, c->rec.tlp_on,
			     c->rec.tlp_due, c->rec.cwnd_limited, c->rec.rack.advanced};

	for (size_t i = 0; i < ARRAY_LEN(seqs); i++)
		h = mix(h, seqs[i].v);
	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		h = mix(h, bits[i]);
	for (size_t i = 0; i < N_TIMERS; i++)
		h = mix(h, c->timer_at[i]);
	for (size_t i = 0; i < c->n_gaps; i++)
		h = mix(h, (uint64_t)c->gaps[i].from.v << 32 | c->gaps[i].to.v);
	for (size_t i = 0; i < c->n_recent; i++)
		h = mix(h, c->recent[i].v);
	h = mix(h, c->dsack_due ? (uint64_t)c->dsack.from.v << 32 | c->dsack.to.v : 0);
	h = mix(h, (uint64_t)c->snd_wnd << 32 | c->ts_recent);
	h = mix(h, (uint64_t)c->rexmits << 32 | (uint64_t)c->rec.resend << 24 | (uint64_t)c->rec.ca << 16 |
			   c->ack_pending);
	for (uint32_t i = c->board.first; i != c->board.end; i++) {
		const struct sent *sent = board_at_const(c->sent, &c->board, i);

		h = mix(mix(h, (uint64_t)sent->to.v << 8 | sent->flags), sent->at);
	}
	h = mix(h, (uint64_t)c->board.sacked << 32 | c->rec.reordering);
	h = mix(h, (uint64_t)(c->board.hint - c->board.first) << 48 | (uint64_t)(c->board.high - c->board.first) << 32 |
			   c->board.again << 16 | c->board.lost);
	for (uint16_t i = board_n(&c->board) ? c->board.oldest : SENT_NONE; i != SENT_NONE; i = c->sent[i].newer)
		h = mix(h, i);
	if (recovery_reduces(&c->rec))
		h = mix(h, hash_bytes((struct hash_key){4, 5}, &c->rec.prr, sizeof(c->rec.prr)));
	h = mix(h, (uint64_t)c->cc.cwnd << 32 | c->cc.ssthresh);
	return mix(h, (uint64_t)c->rto_us << 32 | (uint32_t)c->so_error);
}

static uint64_t digest(void)
{
	const struct world *w = &m.w;
	uint64_t h = mix(w->now, (uint64_t)w->left.marks << 32 | w->left.losses << 24 | w->left.doubles << 16 |
					 w->left.overtakes << 8 | w->left.waits);

	for (unsigned s = 0; s < N_SIDES; s++) {
		struct engine *e = (struct engine *)m.e[s];
		struct la_time_wait tw;
		uint64_t cursor = 0;

		h = mix(h, hash_bytes((struct hash_key){1, 2}, &w->side[s], sizeof(w->side[s])));
		for (uint32_t i = 0; i < e->n_conns; i++)
			if (e->conns[i].state != CLOSED || e->conns[i].is_open)
				h = mix(h, digest_conn(&e->conns[i]));
		while (la_time_wait_next(m.e[s], &cursor, &tw))
			h = mix(h, tw.expires_at ^ (uint64_t)tw.rcv_nxt << 20 ^ (uint64_t)tw.ts_recent << 40 ^
					   tw.fin_wait_2);
		for (uint32_t i = 0; i < OOW_SLOTS; i++)
			h = e->oow[i].tag ? mix(h, (uint64_t)e->oow[i].tag << 32 | e->oow[i].at_ms) : h;
	}
	for (unsigned i = 0; i < w->n_net; i++)
		h = mix(h, hash_bytes((struct hash_key){3, w->net[i].to}, w->net[i].data, w->net[i].len));
	return h ? h : 1;
}

static bool seen_before(uint64_t h)
{
	size_t mask = ((size_t)1 << SEEN_BITS) - 1, at = h & mask;

	for (; m.seen[at]; at = (at + 1) & mask)
		if (m.seen[at] == h)
			return true;
	if (++m.n_seen > mask / 4 * 3)
		wrong("more states than the table holds: lower the bounds");
	m.seen[at] = h;
	return false;
}

/* ---- saving and putting back ---- */

/*
 * Pages are write-protected until the first write to them: so the few that a connection touches are known without looking
 * at the other two megabytes.
 */
static void on_write(int sig, siginfo_t *info, void *context)
{
	uint8_t *at = (uint8_t *)((uintptr_t)info->si_addr / PAGE * PAGE);

	(void)context;
	for (unsigned s = 0; s < N_SIDES; s++)
		if (at >= m.mem[s] && at < m.mem[s] + m.size && m.n_written < WRITTEN_MAX) {
			m.written[m.n_written++] = at;
			mprotect(at, PAGE, PROT_READ | PROT_WRITE);
			return;
		}
	signal(sig, SIG_DFL); /* a real one */
}

static const uint8_t *base_of(const uint8_t *page)
{
	unsigned s = page >= m.mem[B] && page < m.mem[B] + m.size ? B : A;

	return m.base[s] + (page - m.mem[s]);
}

static void image_take(struct image *im)
{
	im->n = m.n_written;
	im->bytes = malloc((size_t)im->n * PAGE + 1);
	must(im->bytes);
	for (uint32_t i = 0; i < im->n; i++)
		memcpy(im->bytes + (size_t)i * PAGE, m.written[i], PAGE);
}

static void image_put_back(const struct image *im)
{
	for (uint32_t i = 0; i < m.n_written; i++)
		memcpy(m.written[i], i < im->n ? im->bytes + (size_t)i * PAGE : base_of(m.written[i]), PAGE);
}

/* ---- what follows from a step by itself: reading, packets leaving ---- */

static uint8_t octet_of(unsigned side, unsigned i) { return (uint8_t)(16 * (side + 1) + i); }

static void read_all(unsigned s)
{
	struct side *x = &m.w.side[s];
	uint8_t buf[16];
	int64_t n;

	while (x->sock && !x->closed && (n = la_recv(m.e[s], x->sock, buf, sizeof(buf), 0)) != -EAGAIN) {
		if (n <= 0) {
			x->saw_end |= n == 0;
			x->was_cut |= n < 0 && n != -ENOTCONN;
			return;
		}
		for (int64_t i = 0; i < n; i++)
			if (buf[i] != octet_of(!s, x->got++))
				wrong("an octet that was not sent, or not in its place");
		if (x->got > m.w.side[!s].sent)
			wrong("more octets than were sent");
	}
}

static void note_packet(unsigned from, const uint8_t *data, size_t len)
{
	struct packet p;

	if (packet_parse(&p, data, len, 0) != WIRE_TCP)
		wrong("a malformed packet");
	if (p.seg.flags & F_RST)
		m.w.side[A].was_cut = m.w.side[B].was_cut = true;
}

static void settle(void)
{
	for (unsigned s = 0; s < N_SIDES; s++) {
		struct la_event ev;
		uint8_t buf[2048];
		size_t len;

		if (m.w.side[s].listener && !m.w.side[s].sock) {
			la_sock got = la_accept(m.e[s], m.w.side[s].listener, NULL);

			if (got > 0)
				m.w.side[s].sock = got;
		}
		while (la_event(m.e[s], &ev))
			;
		read_all(s);
		while ((len = la_output(m.e[s], m.w.now, buf, sizeof(buf))) > 0) {
			if (m.w.n_net == NET_MAX || len > PACKET_MAX)
				wrong("more packets under way than there is room for");
			note_packet(s, buf, len);
			m.w.net[m.w.n_net].to = !s;
			m.w.net[m.w.n_net].len = (uint16_t)len;
			memset(m.w.net[m.w.n_net].data, 0, PACKET_MAX);
			memcpy(m.w.net[m.w.n_net++].data, buf, len);
		}
	}
}

static void check_state(void)
{
	for (unsigned s = 0; s < N_SIDES; s++) {
		struct la_time_wait tw;
		uint64_t cursor = 0;
		unsigned n = 0;

		while (la_time_wait_next(m.e[s], &cursor, &tw)) {
			n++;
			if (!tw.fin_wait_2 && !m.w.side[s].closed_first)
				wrong("TIME_WAIT on the side whose FIN was not the first");
		}
		if (n > 1)
			wrong("two records");
	}
}

/* ---- steps ---- */

static void take_out(unsigned i)
{
	for (unsigned j = i + 1; j < m.w.n_net; j++)
		m.w.net[j - 1] = m.w.net[j];
	m.w.n_net--;
	memset(&m.w.net[m.w.n_net], 0, sizeof(m.w.net[0]));
}

static void deliver(unsigned i)
{
	struct packet_held p = m.w.net[i];
	struct packet parsed;

	take_out(i);
	if (packet_parse(&parsed, p.data, p.len, 0) == WIRE_TCP && parsed.seg.flags & F_FIN)
		m.w.side[p.to].fin_in = true;
	la_input(m.e[p.to], m.w.now, p.data, p.len);
}

/* A router finds its queue long (RFC 3168 5). IPv4: the checksum of the header follows. False: the packet cannot be marked. */
static bool mark(unsigned i)
{
	enum { ECT0 = 2, CE = 3 };
	uint8_t *o = m.w.net[i].data;
	uint16_t csum = 0;

	if ((o[1] & CE) != ECT0)
		return false;
	m.w.left.marks--;
	o[1] |= CE;
	memset(o + 10, 0, 2);
	csum = csum_fold(csum_add(0, o, IPV4_HEADER_LEN));
	memcpy(o + 10, &csum, 2);
	return true;
}

static bool act(unsigned s) /* the application's next move, if it has one */
{
	struct side *x = &m.w.side[s];
	struct la_endpoint me = endpoint(s, 80), peer = endpoint(!s, 80);

	if (!x->opened && (s == A || m.plan.crossed_open)) {
		x->opened = true;
		x->sock = la_socket(m.e[s], LA_INET);
		if (la_bind(m.e[s], x->sock, &me) || la_connect(m.e[s], x->sock, &peer) != -EINPROGRESS)
			wrong("la_connect()");
		return true;
	}
	if (!x->sock || x->closed || !(la_poll(m.e[s], x->sock) & (LA_OUT | LA_HUP | LA_ERR)))
		return false;
	if (x->sent < (m.plan.text ? m.plan.text : TEXT) && (s == A || m.plan.both_send)) {
		uint8_t octet = octet_of(s, x->sent);
		int at_once = m.plan.text > 0;
		int64_t n;

		la_setsockopt(m.e[s], x->sock, LA_TCP_NODELAY, &at_once, sizeof(at_once));
		n = la_send(m.e[s], x->sock, &octet, 1, 0);

		if (n == 1) {
			x->sent++;
			return true;
		}
	}
	x->closed = true;
	x->closed_first = !x->fin_in; /* the FIN itself may have to wait for the congestion window */
	la_close(m.e[s], x->sock);
	return true;
}

static nsec_t next_at(void)
{
	nsec_t a = la_next_at(m.e[A]), b = la_next_at(m.e[B]);

	return a < b ? a : b;
}

static bool quiet(void) { return m.w.n_net == 0 && next_at() == NSEC_NEVER; }

static void check_end(void)
{
	bool cut = m.w.side[A].was_cut || m.w.side[B].was_cut;

	m.n_ends++;
	for (unsigned s = 0; s < N_SIDES; s++) {
		struct la_usage u;

		la_usage(m.e[s], &u);
		if (u.connections || u.embryonic || u.orphans || u.time_wait4 || u.timers || u.replies)
			wrong("something is left at the end");
		if (m.w.side[s].got != m.w.side[!s].sent && !cut && m.w.side[s].sock)
			wrong("octets are missing");
	}
}

enum step_kind { STEP_DELIVER, STEP_LOSE, STEP_DOUBLE, STEP_MARK, STEP_ACT, STEP_TIME };

static bool do_step(enum step_kind kind, unsigned i)
{
	static const char *const names[] = {"deliver", "lose", "double", "mark", "act", "time"};
	bool done = true;

	snprintf(m.path[m.depth - 1], sizeof(m.path[0]), "%s-%u", names[kind], i);
	switch (kind) {
	case STEP_DELIVER:
		deliver(i);
		break;
	case STEP_LOSE:
		m.w.left.losses--;
		take_out(i);
		break;
	case STEP_DOUBLE:
		m.w.left.doubles--;
		m.w.net[m.w.n_net++] = m.w.net[i];
		break;
	case STEP_MARK:
		done = mark(i);
		break;
	case STEP_ACT:
		done = act(i);
		break;
	case STEP_TIME:
		m.w.now = next_at();
		la_advance(m.e[A], m.w.now);
		la_advance(m.e[B], m.w.now);
		break;
	}
	return done;
}

static void go(enum step_kind kind, unsigned i, const struct image *im, const struct world *before)
{
	if (m.depth == DEPTH_MAX)
		wrong("no end in sight");
	m.depth++;
	m.deepest = m.depth > m.deepest ? m.depth : m.deepest;
	if (do_step(kind, i)) {
		m.n_steps++;
		settle();
		check_state();
		explore();
		m.w = *before;
		image_put_back(im);
	}
	m.depth--;
}

/* Is packet i the oldest on its way there? Handing over another one is overtaking. */
static bool is_first(const struct world *w, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (w->net[j].to == w->net[i].to)
			return false;
	return true;
}

static void explore(void)
{
	struct world before;
	struct image im;

	if (seen_before(digest()))
		return;
	before = m.w;
	image_take(&im);
	for (unsigned i = 0; i < before.n_net; i++) {
		bool first = is_first(&before, i);

		if (first || before.left.overtakes) {
			m.w.left.overtakes -= !first;
			go(STEP_DELIVER, i, &im, &before);
			m.w = before;
		}
		if (before.left.losses)
			go(STEP_LOSE, i, &im, &before);
		if (before.left.doubles && before.n_net < NET_MAX)
			go(STEP_DOUBLE, i, &im, &before);
		if (before.left.marks)
			go(STEP_MARK, i, &im, &before);
	}
	for (unsigned s = 0; s < N_SIDES; s++)
		go(STEP_ACT, s, &im, &before);
	if (next_at() != NSEC_NEVER && (before.n_net == 0 || before.left.waits)) {
		m.w.left.waits -= before.n_net > 0;
		go(STEP_TIME, 0, &im, &before);
		m.w = before;
	}
	if (quiet() && m.w.side[A].closed && (m.w.side[B].closed || !m.w.side[B].sock))
		check_end();
	free(im.bytes);
}

/* ---- beginning ---- */

static void begin(const struct bounds *plan)
{
	m.w = (struct world){.now = NSEC_PER_S, .left = *plan};
	m.plan = *plan;
	m.n_seen = m.n_steps = m.n_ends = 0;
	m.deepest = m.depth = 0;
	memset(m.seen, 0, sizeof(*m.seen) << SEEN_BITS);
	for (unsigned s = 0; s < N_SIDES; s++) {
		struct la_config cfg = {.seed = {s + 1, 7},
					.max_sockets = 4,
					.max_time_wait4 = 8,
					.max_time_wait6 = 8,
					.max_addresses = 1,
					.max_destinations = 4,
					.max_port_maps = 1,
					.max_bound = 4,
					.max_peers = 4,
					.max_replies = 4,
					.send_buffer = 2048,
					.receive_buffer = 2048,
					.now = NSEC_PER_S};
		struct la_endpoint at = endpoint(s, 80);

		m.size = (la_size(&cfg) + PAGE - 1) / PAGE * PAGE;
		if (!m.mem[s]) {
			m.mem[s] = mmap(NULL, m.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			m.base[s] = malloc(m.size);
			must(m.mem[s] != MAP_FAILED && m.base[s]);
		}
		must(mprotect(m.mem[s], m.size, PROT_READ | PROT_WRITE) == 0);
		memset(m.mem[s], 0, m.size);
		must(la_init(m.mem[s], m.size, &cfg, &m.e[s]) == 0);
		must(la_address_add(m.e[s], at.addr) == 0);
		must(la_knob_set(m.e[s], "net.ipv4.tcp_ecn", plan->marks ? "1" : "2") == 0);
		if (s == B && !plan->crossed_open) {
			m.w.side[B].listener = la_socket(m.e[B], LA_INET);
			must(la_bind(m.e[B], m.w.side[B].listener, &at) == 0);
			must(la_listen(m.e[B], m.w.side[B].listener, 2) == 0);
		}
		memcpy(m.base[s], m.mem[s], m.size);
		must(mprotect(m.mem[s], m.size, PROT_READ) == 0);
	}
	m.n_written = 0;
}

int main(int argc, char **argv)
{
	enum effort effort = argc < 2 ? CHECK : strcmp(argv[1], "--quick") == 0 ? QUICK : SOAK;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		n += plans[i].effort <= effort;
	sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = on_write, .sa_flags = SA_SIGINFO}, NULL);
	m.seen = calloc((size_t)1 << SEEN_BITS, sizeof(*m.seen));
	must(m.seen);
	printf("TAP version 13\n1..%zu\n", n);
	for (size_t i = 0; i < n; i++) { /* they are in the order of their effort */
		begin(&plans[i]);
		explore();
		printf("# %s: up to %u lost, %u doubled, %u overtaken, %u marked, %u deadlines before what is under way: %llu states, %llu steps, %llu ends, "
		       "at most %u steps deep\nok %zu - %s\n",
		       plans[i].name, plans[i].losses, plans[i].doubles, plans[i].overtakes, plans[i].marks,
		       plans[i].waits, (unsigned long long)m.n_seen, (unsigned long long)m.n_steps,
		       (unsigned long long)m.n_ends, m.deepest, i + 1, plans[i].name);
		fflush(stdout);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/held.h"
#include "diag/rules.h"
#include "diag/worst.h"
#include <inttypes.h>

enum {
	ORPHANS_MIN = 100, /* orphans in FIN_WAIT_2 before they are worth a word */
	ORPHANS_WARN = 10000,
	ORPHANS_SHARE_PERCENT = 10, /* of TIME_WAIT and FIN_WAIT_2 together: fewer are part of any busy host */
	FIN_TIMEOUT_SHORT_S = 15,
	HALF_CLOSED_MIN = 10,
	HALF_CLOSED_AGE_S = 60,
	HALF_CLOSED_MANY = 100, /* that many are told even when they do not grow (rsync, ssh and LDAP hold a few) */
	STUCK_AGE_S = 5, /* an ordinary close has its FIN acknowledged by then */
	STUCK_WARN = 10,
	ORPHAN_RETRIES_MEANT_BY_0 = 8, /* tcp_orphan_retries(), net/ipv4/tcp_timer.c */
};

/* How long an orphan stays in FIN_WAIT_2. Above 60 the full socket waits T - 60, then the mini as long again. */
static int64_t orphan_life_s(int64_t fin_timeout_s)
{
	return fin_timeout_s <= 60 ? fin_timeout_s : 2 * (fin_timeout_s - 60);
}

struct spot {
	uint32_t n;
	char text[64];
};

/* The listener or destination most of the orphans belong to. */
static struct spot most_orphans(const struct netns *ns)
{
	struct spot s = {0, ""};

	for (size_t i = 0; i < ns->n_listeners; i++) {
		const struct listener *l = &ns->listeners[i];

		if (l->fin_wait_2_orphans <= s.n)
			continue;
		s.n = l->fin_wait_2_orphans;
		SAY(s.text, "on %s", ip_port_text(l->addr, l->port).s);
	}
	for (size_t i = 0; i < ns->n_dests; i++) {
		const struct dest *d = &ns->dests[i];

		if (d->fin_wait_2_orphans <= s.n)
			continue;
		s.n = d->fin_wait_2_orphans;
		SAY(s.text, "to %s", ip_port_text(d->dst, d->dport).s);
	}
	return s;
}

static void remedy_fin_timeout(struct finding *f, const struct view *v, int64_t fin_timeout_s)
{
	struct remedy *m;

	if (orphan_life_s(fin_timeout_s) <= FIN_TIMEOUT_SHORT_S)
		return;
	m = finding_remedy(f, "");
	SAY(m->action, "Meanwhile let orphans go after %d s instead of %" PRId64 " s: the one use of tcp_fin_timeout",
	    FIN_TIMEOUT_SHORT_S, orphan_life_s(fin_timeout_s));
	SAY(m->precondition, "no peer still sends, or closes later than that, after our close()");
	SAY(m->command, "%ssysctl -w net.ipv4.tcp_fin_timeout=%d", view_prefix(v).s, FIN_TIMEOUT_SHORT_S);
	SAY(m->risk, "a peer that closes later gets a RST for its FIN");
}

static void eval_FW001(const struct rule *self, const struct view *v, struct findings *out)
{
	const struct netns *ns = v->now;
	uint64_t n = ns->fin_wait_2_orphans;
	uint64_t all = (uint64_t)ns->states.n[ST_TIME_WAIT] + ns->states.n[ST_FIN_WAIT_2];
	struct spot most = most_orphans(ns);
	int64_t fin_timeout_s;
	struct finding *f;
	struct remedy *m;

	if (n < ORPHANS_MIN || n * 100 < all * ORPHANS_SHARE_PERCENT)
		return;
	f = findings_add(out, self, v, n >= ORPHANS_WARN ? SEV_WARN : SEV_INFO, STAGE_LEAKING);
	f->weight = (double)n;
	SAY(f->what, "The peers of %s closed connections have not closed their side: orphans in FIN_WAIT_2", num(n).s);
	if (most.n)
		append(f->what, sizeof(f->what), ", %s of them %s", num(most.n).s, most.text);
	append(f->what, sizeof(f->what), "; ss -s and sockstat count them as timewait");
	SAY(f->evidence, "FIN_WAIT_2 without a process %s >= %s and %s >= %d %% of TIME_WAIT + FIN_WAIT_2 (%s)",
	    num(n).s, num(n >= ORPHANS_WARN ? ORPHANS_WARN : ORPHANS_MIN).s, percent_text((double)n, (double)all).s,
	    ORPHANS_SHARE_PERCENT, num(all).s);
	m = finding_remedy(f, "Make the peer close(): there these connections are CLOSE_WAIT of a program that leaks");
	SAY(m->command, "lastack doctor --only CW001");
	SAY(m->precondition, "run on the peer");
	if (!view_knob(v, KNOB_fin_timeout_s, &fin_timeout_s) || fin_timeout_s > INT32_MAX) {
		append(f->evidence, sizeof(f->evidence), "; tcp_fin_timeout unknown");
		return;
	}
	append(f->evidence, sizeof(f->evidence), "; each lives at most %" PRId64 " s%s (tcp_fin_timeout %" PRId64 ")",
	       orphan_life_s(fin_timeout_s), fin_timeout_s > 60 ? " = 2 x (T - 60)" : "", fin_timeout_s);
	remedy_fin_timeout(f, v, fin_timeout_s);
}

const struct rule rule_FW001 = {
	.id = "FW001",
	.title = "orphans in FIN_WAIT_2: peers do not close",
	.never =
		{"tcp_fin_timeout between 61 and 89 keeps orphans shorter than 60 does: above 60 it means 2 x (T - 60)",
		 "a lower tcp_max_tw_buckets drops these orphans: every peer's normal FIN is then answered by a RST",
		 "ss -K on them: the same RST, for peers that were about to close"},
	.eval = eval_FW001,
};

static struct finding *say_half_closed(const struct rule *self, const struct view *v, const struct holder *h,
				       struct findings *out)
{
	struct growth g = held_growth(v, h);
	const struct proc *p = snapshot_proc(v->host, h->proc);
	struct finding *f = findings_add(out, self, v, is_growing(&g) ? SEV_WARN : SEV_INFO, STAGE_LEAKING);
	struct held_text who = held_who(v, h->proc);
	struct remedy *m;

	f->weight = h->n;
	SAY(f->process, "%s", proc_text(p).s);
	SAY(f->what,
	    "%s waits without a timer for the peers of %s half-closed connections %s: FIN_WAIT_2 after "
	    "shutdown(SHUT_WR), oldest %s%s",
	    who.s, num(h->n).s, held_place(h).s, seconds_text(h->oldest_ms / 1000.0).s, held_fds(h).s);
	SAY(f->evidence, "FIN_WAIT_2 with a process %s >= %d, oldest %s > %d s; %s", num(h->n).s,
	    is_growing(&g) ? HALF_CLOSED_MIN : HALF_CLOSED_MANY, seconds_text(h->oldest_ms / 1000.0).s,
	    HALF_CLOSED_AGE_S, held_growth_text(v, &g).s);
	f->confidence = is_growing(&g) ? CONF_HIGH : CONF_LOW;
	SAY(f->raise, "%s",
	    is_growing(&g) ? "a longer --interval: half-closes meant by the protocol (rsync, ssh, LDAP) stop growing"
			   : "growth over a longer --interval: rsync, ssh and LDAP half-close on purpose");
	m = finding_remedy(f, "");
	SAY(m->action, "In %s limit the wait after shutdown(SHUT_WR): read with a time limit, then close()",
	    held_program(v, h->proc).s);
	SAY(m->risk, "after close() data that the peer still sends is answered by a RST");
	if (h->opts.known && !h->opts.keepalive) {
		m = finding_remedy(f, "");
		SAY(m->action, "Set SO_KEEPALIVE in %s: it ends the wait for peers that are dead",
		    held_program(v, h->proc).s);
		SAY(m->precondition, "the peers are dead: living ones answer for ever");
	}
	remedy_restart(f, p, "they come back until the program limits its wait");
	return f;
}

static void eval_FW002(const struct rule *self, const struct view *v, struct findings *out)
{
	struct worst w = {0};
	struct finding *f = NULL;

	for (size_t i = 0; i < v->now->n_holders; i++) {
		const struct holder *h = &v->now->holders[i];
		struct growth g;

		if (h->kind != HOLD_FIN_WAIT_2 || h->orphan || h->n < HALF_CLOSED_MIN ||
		    h->oldest_ms <= HALF_CLOSED_AGE_S * 1000)
			continue;
		g = held_growth(v, h);
		if (h->n >= HALF_CLOSED_MANY || is_growing(&g))
			worst_add(&w, i, h->n);
	}
	for (size_t k = 0; k < w.n; k++)
		f = say_half_closed(self, v, &v->now->holders[w.v[k].row], out);
	if (f)
		finding_more(f, w.more, "group");
}

const struct rule rule_FW002 = {
	.id = "FW002",
	.title = "half-closed connections that wait for ever",
	.never = {"tcp_fin_timeout does not end them: it acts on sockets without a process only",
		  "ss -K ends the socket under the program, which keeps the descriptor"},
	.eval = eval_FW002,
};

static void say_stuck_window(struct finding *f, const struct view *v, const struct holder *h)
{
	struct remedy *m;

	SAY(f->what,
	    "%s close%s %s stuck in FIN_WAIT_1 for up to %s: the peer's window is zero, its program does not read",
	    num(h->n).s, h->n == 1 ? "" : "s", held_place(h).s, seconds_text(h->oldest_ms / 1000.0).s);
	append(f->what, sizeof(f->what), "; %s unsent", bytes_text(h->queue_bytes).s);
	append(f->evidence, sizeof(f->evidence), "; persist timer: no end while the peer answers window probes");
	m = finding_remedy(f, "Make the peer's program read, or close: it has stopped taking data");
	if (h->peer.family)
		append(m->action, sizeof(m->action), "; look for instance at %s", ip_text(h->peer).s);
	m = finding_remedy(f, "");
	SAY(m->action, "Bound it in %s: TCP_USER_TIMEOUT before close()", held_program(v, h->proc).s);
	SAY(m->risk, "slow but living readers lose the rest of their data");
}

static void say_stuck_path(struct finding *f, const struct view *v, const struct holder *h)
{
	int64_t retries = view_knob_or(v, KNOB_orphan_retries, -1);
	struct remedy *m;

	SAY(f->what, "%s close%s %s stuck in FIN_WAIT_1 for up to %s: the FIN is retransmitted, nobody answers",
	    num(h->n).s, h->n == 1 ? "" : "s", held_place(h).s, seconds_text(h->oldest_ms / 1000.0).s);
	append(f->evidence, sizeof(f->evidence), "; sent again without an answer");
	if (h->orphan && (retries == 0 || retries == ORPHAN_RETRIES_MEANT_BY_0))
		append(f->evidence, sizeof(f->evidence), "; each is given up after %d retransmissions, about 108 s",
		       ORPHAN_RETRIES_MEANT_BY_0);
	else if (h->orphan && retries > 0)
		append(f->evidence, sizeof(f->evidence), "; each is given up after %" PRId64 " retransmissions",
		       retries);
	m = finding_remedy(f, "Find out why the peer does not answer: host down, route or firewall changed");
	if (h->peer.family)
		SAY(m->command, "%sip route get %s; %sss -tino state fin-wait-1 dst %s%s%s", view_prefix(v).s,
		    ip_text(h->peer).s, view_prefix(v).s, h->peer.family == 6 ? "'[" : "", ip_text(h->peer).s,
		    h->peer.family == 6 ? "]'" : "");
}

static void eval_FW003(const struct rule *self, const struct view *v, struct findings *out)
{
	struct worst w = {0};
	struct finding *f = NULL;

	for (size_t i = 0; i < v->now->n_holders; i++) {
		const struct holder *h = &v->now->holders[i];

		if ((h->kind == HOLD_FIN_WAIT_1_WINDOW || h->kind == HOLD_FIN_WAIT_1_PATH) && h->n > 0 &&
		    h->oldest_ms > STUCK_AGE_S * 1000)
			worst_add(&w, i, h->n);
	}
	for (size_t k = 0; k < w.n; k++) {
		const struct holder *h = &v->now->holders[w.v[k].row];
		bool window = h->kind == HOLD_FIN_WAIT_1_WINDOW;

		f = findings_add(out, self, v, h->n >= STUCK_WARN ? SEV_WARN : SEV_INFO, STAGE_LEAKING);
		f->weight = h->n;
		f->confidence = CONF_HIGH;
		SAY(f->process, "%s", proc_text(snapshot_proc(v->host, h->proc)).s);
		SAY(f->evidence, "FIN_WAIT_1 %s >= %d, %s %s%s > %d s, %s in the send queues", num(h->n).s,
		    h->n >= STUCK_WARN ? STUCK_WARN : 1,
		    window ? "the peer's window closed for about" : "last answer of the peer",
		    seconds_text(h->oldest_ms / 1000.0).s, window ? "" : " ago", STUCK_AGE_S,
		    bytes_text(h->queue_bytes).s);
		SAY(f->raise, "a packet capture of one such connection");
		if (window)
			say_stuck_window(f, v, h);
		else
			say_stuck_path(f, v, h);
	}
	if (f)
		finding_more(f, w.more, "group");
}

const struct rule rule_FW003 = {
	.id = "FW003",
	.title = "closes stuck in FIN_WAIT_1",
	.never = {"tcp_orphan_retries=1 gives a close up after 1.5 s: a short loss burst then costs data",
		  "a lower tcp_max_orphans resets closing sockets of everybody (ip-sysctl.rst forbids it)",
		  "tcp_fin_timeout does not act on FIN_WAIT_1",
		  "SO_LINGER with time 0 ends the wait by throwing the unsent data away"},
	.eval = eval_FW003,
};

/* of tcp_max_orphans (signatures.md R29) */
#define LIMIT_WARN 0.5
#define LIMIT_CRIT 0.9

static void remedy_max_orphans(struct finding *f, int64_t max)
{
	struct remedy *m;

	if (max <= 0 || max > INT32_MAX / 2)
		return;
	m = finding_remedy(f, "");
	SAY(m->action, "Raise tcp_max_orphans to %s", num((uint64_t)max * 2).s);
	SAY(m->precondition, "memory is free: an orphan can hold up to 64 KiB that cannot be swapped");
	SAY(m->command, "sysctl -w net.ipv4.tcp_max_orphans=%" PRId64, max * 2);
	SAY(m->risk, "the pile may use up the memory of the machine instead");
}

static void eval_FW004(const struct rule *self, const struct view *v, struct findings *out)
{
	/* Orphans and their limit are the machine's: told once, with the first namespace. */
	const struct view whole = {.host = v->host, .now = v->host->netns};
	const struct sockstat *s = &whole.now->sockstat;
	bool first = v->now == whole.now;
	int64_t max = view_knob_or(&whole, KNOB_max_orphans, 0);
	double share = s->known && max > 0 ? (double)s->orphan / (double)max : 0;
	uint64_t aborted = 0;
	bool counted = view_delta(v, "TCPAbortOnMemory", &aborted); /* this one is the namespace's */
	struct finding *f;
	struct remedy *m;

	if (aborted == 0 && (!first || share <= LIMIT_WARN))
		return;
	f = findings_add(out, self, v, share > LIMIT_CRIT || aborted ? SEV_CRIT : SEV_WARN, STAGE_LEAKING);
	f->weight = share;
	if (first && share > LIMIT_WARN) {
		f->netns[0] = '\0'; /* about the whole host */
		f->netns_inode = 0;
	}
	if (share > LIMIT_WARN)
		SAY(f->what, "%s of at most %s orphans (sockets without a process) on this machine", num(s->orphan).s,
		    num((uint64_t)max).s);
	else
		SAY(f->what, "TCP is out of memory (tcp_mem) or of orphans");
	if (aborted)
		append(f->what, sizeof(f->what), ": %s closing socket%s reset in the last %s, unsent data lost",
		       num(aborted).s, aborted == 1 ? "" : "s", seconds_text(v->interval_s).s);
	else
		append(f->what, sizeof(f->what), ": beyond it every closing socket is reset and loses its unsent data");
	if (s->known && max > 0)
		SAY(f->evidence, "sockstat orphan %s %s %.0f %% of tcp_max_orphans %s", num(s->orphan).s,
		    share > LIMIT_WARN ? ">" : "<=", (share > LIMIT_CRIT ? LIMIT_CRIT : LIMIT_WARN) * 100,
		    num((uint64_t)max).s);
	else
		SAY(f->evidence, "orphans or tcp_max_orphans unknown");
	if (counted)
		append(f->evidence, sizeof(f->evidence), "; TCPAbortOnMemory +%s in %s", num(aborted).s,
		       seconds_text(v->interval_s).s);
	else
		append(f->evidence, sizeof(f->evidence), "; TCPAbortOnMemory unknown");
	if (share <= LIMIT_WARN) {
		f->confidence = CONF_MEDIUM;
		SAY(f->raise, "the kernel log: \"too many orphaned sockets\", or \"out of memory\" for tcp_mem");
	}
	m = finding_remedy(f, "Find out whose closes hang: FIN_WAIT_1 and LAST_ACK that nobody acknowledges");
	SAY(m->command, "lastack doctor --only FW003");
	if (share > LIMIT_WARN)
		remedy_max_orphans(f, max);
}

const struct rule rule_FW004 = {
	.id = "FW004",
	.title = "orphans near the limit",
	.never = {"a lower tcp_max_orphans resets closing sockets, which loses data (ip-sysctl.rst forbids it)",
		  "TIME_WAIT has nothing to do with it: a timewait socket is no orphan"},
	.eval = eval_FW004,
};

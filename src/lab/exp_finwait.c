/* SPDX-License-Identifier: MIT */
/* exp_finwait.c - FW001..FW003: closes that the peer does not finish. */
#include "lab/expect.h"
#include "lab/work_odd.h"

/* ---- FW001 ---- */

enum {
	FEW_ORPHANS = 150,
	PILE = 10400,
	QUIRK = 50,
	QUIRK_FIN_TIMEOUT_S = 62,
	QUIRK_MIN_MS = 3500,
	QUIRK_MAX_MS = 30000
};

static struct worker *close_first(struct lab *l, uint32_t count)
{
	struct worker *c = lab_client(l, l->client, "closer",
				      &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = count});

	lab_await(l, c, EV_OPENED, 40);
	lab_expect_that(l, c->stats->failed == 0, "%llu connections failed", (unsigned long long)c->stats->failed);
	return c;
}

/* tcp_fin_timeout 62 is meant to keep an orphan two seconds longer than 60 does: it keeps it 2 x (62 - 60) = 4 s. */
static void expect_quirk(struct lab *l)
{
	nsec_t began_at;

	lab_sysctl(l, l->client, "net.ipv4.tcp_fin_timeout", "62");
	began_at = close_first(l, QUIRK)->at;
	lab_await_state(l, l->client, ST_FIN_WAIT_2, QUIRK, 10);
	lab_await_at_most(l, l->client, ST_FIN_WAIT_2, 0, QUIRK_MAX_MS / 1000);
	lab_note(l, "tcp_fin_timeout 62: gone after %.1f s", (double)(work_now() - began_at) / (double)NSEC_PER_S);
	lab_expect_that(l, work_now() - began_at >= QUIRK_MIN_MS * NSEC_PER_MS, "orphans went before 2 x (62 - 60) s");
}

static void run_fw001(struct lab *l)
{
	const struct finding *f;
	struct worker *server;
	const struct sight *s;

	lab_pair(l);
	lab_sysctl(l, l->server, "net.core.somaxconn", "20000");
	server = lab_serve(l, l->server, "leaker",
			   &(struct server_cfg){.port = 80, .backlog = 20000, .does = SERVE_NEVER_ACCEPT});
	close_first(l, FEW_ORPHANS);
	lab_await_state(l, l->client, ST_FIN_WAIT_2, FEW_ORPHANS, 10);
	s = lab_look(l, l->client, 0);
	f = lab_expect(l, s, "FW001", SEV_INFO);
	lab_expect_text(l, "FW001", f->what, "150 closed connections");
	lab_expect_text(l, "FW001", f->what, "to " LAB_SERVER ":80");
	lab_expect_without(l, s, "TW002");
	lab_expect_without(l, s, "FW002");
	close_first(l, PILE - FEW_ORPHANS);
	lab_await_state(l, l->client, ST_FIN_WAIT_2, PILE, 10);
	lab_expect(l, lab_look(l, l->client, 0), "FW001", SEV_WARN);
	lab_kill(l, server); /* its resets end them */
	lab_await_at_most(l, l->client, ST_FIN_WAIT_2, 0, 20);
	lab_serve(l, l->server, "leaker", &(struct server_cfg){.port = 80, .does = SERVE_NEVER_ACCEPT});
	expect_quirk(l);
}

const struct experiment experiment_FW001 = {
	.id = "FW001",
	.title = "orphans pile up in FIN_WAIT_2, for 2 x (T - 60) s",
	.does = "Closes 10,400 connections whose peer never closes, then shows what tcp_fin_timeout above 60 means.",
	.seconds = 9,
	.run = run_fw001,
};

/* ---- FW002 ---- */

enum { HALF_CLOSED = 120, MORE = 30 };

/* One orphan beside them is the clock: the kernel drops it 60 s after the last half-close, never early. */
static void run_fw002(struct lab *l)
{
	const struct client_cfg half = {
		.dst = LAB_SERVER, .dport = 80, .count = HALF_CLOSED, .ends = END_HALF, .stay = true};
	struct client_cfg later = half;
	const struct finding *f;
	struct worker *w;

	lab_pair(l);
	lab_serve(l, l->server, "leaker", &(struct server_cfg){.port = 80, .does = SERVE_NEVER_CLOSE});
	lab_await(l, lab_client(l, l->client, "half-closer", &half), EV_OPENED, 20);
	lab_await_state(l, l->client, ST_FIN_WAIT_2, HALF_CLOSED, 10);
	lab_expect_without(l, lab_look(l, l->client, 0), "FW002");
	w = lab_client(l, l->client, "clock", &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = 1});
	lab_await(l, w, EV_OPENED, 20);
	lab_await_state(l, l->client, ST_FIN_WAIT_2, HALF_CLOSED + 1, 10);
	lab_await_sockstat(l, l->client, "tw", 0, 75);
	f = lab_expect_of(l, lab_look(l, l->client, 0), "FW002", "half-closer", SEV_INFO);
	lab_expect_text(l, "FW002", f->what, "120 half-closed connections");
	lab_expect_text(l, "FW002", f->what, "shutdown(SHUT_WR)");
	lab_expect_text(l, "FW002", f->what, "(fd ");
	later.count = MORE;
	later.wait_go = true;
	w = lab_client(l, l->client, "half-closer", &later);
	lab_expect_of(l, lab_look_while(l, l->client, 1000, w), "FW002", "half-closer", SEV_WARN);
}

const struct experiment experiment_FW002 = {
	.id = "FW002",
	.title = "half-closed connections that wait for ever",
	.does = "Half-closes 120 connections whose peer never closes, waits a minute, and half-closes some more.",
	.seconds = 67,
	.run = run_fw002,
};

/* ---- FW003 ---- */

enum { STUCK = 20 };

static struct worker *open_stuck(struct lab *l, const char *comm, uint16_t dport, bool fill)
{
	struct worker *w =
		lab_work(l, l->client, comm, work_abandon,
			 &(struct abandon_cfg){.dst = LAB_SERVER, .dport = dport, .count = STUCK, .fill = fill});

	lab_await(l, w, EV_OPENED, 20);
	return w;
}

static void abandon(struct lab *l, struct worker *w)
{
	lab_order(l, w, ORDER_GO);
	lab_await(l, w, EV_DONE, 10);
}

static void expect_stuck(struct lab *l, const struct sight *s, const char *place, const char *why)
{
	for (size_t i = 0; i < s->found.n; i++) {
		const struct finding *f = &s->found.v[i];

		if (strcmp(f->rule->id, "FW003") != 0 || !strstr(f->what, place) || !strstr(f->what, why))
			continue;
		lab_note(l, "%s FW003: %s (because %s)", severity_name(f->severity), f->what, f->evidence);
		lab_expect_text(l, "FW003", f->what, "20 closes");
		lab_expect_that(l, f->severity >= SEV_WARN, "FW003 is only info: %s", f->what);
		return;
	}
	lab_expect(l, s, "FW003", SEV_INFO);
	lab_fail(l, "no FW003 says both \"%s\" and \"%s\"", place, why);
}

/*
 * To port 80 nobody answers any more, the reader of port 81 has stopped. The clock: an orphan in FIN_WAIT_2 towards
 * port 82, which the kernel drops after tcp_fin_timeout, never early.
 */
static void run_fw003(struct lab *l)
{
	struct worker *reader, *dead, *full, *clock;
	const struct sight *s;

	lab_pair(l);
	lab_sysctl(l, l->client, "net.ipv4.tcp_fin_timeout", "7");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	reader = lab_serve(l, l->server, "no-read",
			   &(struct server_cfg){.port = 81, .does = SERVE_NEVER_READ, .rcvbuf = 4096});
	lab_serve(l, l->server, "no-close", &(struct server_cfg){.port = 82, .does = SERVE_NEVER_CLOSE});
	dead = open_stuck(l, "sender", 80, false);
	full = open_stuck(l, "sender", 81, true);
	lab_nft(l, l->server, "table ip lab { chain in { type filter hook input priority 0; tcp dport 80 drop; }; }\n");
	abandon(l, dead);
	abandon(l, full);
	clock = lab_client(l, l->client, "clock", &(struct client_cfg){.dst = LAB_SERVER, .dport = 82, .count = 1});
	lab_await(l, clock, EV_OPENED, 20);
	lab_await_state(l, l->client, ST_FIN_WAIT_2, 1, 10);
	lab_await_sockstat(l, l->client, "tw", 0, 20);
	s = lab_look(l, l->client, 0);
	expect_stuck(l, s, "to " LAB_SERVER ":80", "nobody answers");
	expect_stuck(l, s, "to " LAB_SERVER ":81", "window is zero");
	/* Or they outlive the experiment by minutes: some end by a reset, the others when their timer fires next. */
	lab_kill(l, reader);
	lab_sysctl(l, l->client, "net.ipv4.tcp_orphan_retries", "1");
}

const struct experiment experiment_FW003 = {
	.id = "FW003",
	.title = "closes stuck in FIN_WAIT_1: dead path, zero window",
	.does = "Closes connections to a port whose packets are dropped, and to a program that stopped reading.",
	.needs = NEED_NFT,
	.seconds = 10,
	.run = run_fw003,
};

/* SPDX-License-Identifier: MIT */
/* exp_closewait.c - CW001..CW003: programs that do not close what their peer has closed. */
#include "lab/expect.h"

#include <errno.h>

/* ---- CW001 ---- */

enum { LEAKED = 120, MORE = 40, UNREAD = 5 };

static struct worker *leave(struct lab *l, uint16_t dport, uint32_t count)
{
	return lab_client(
		l, l->client, "visitor",
		&(struct client_cfg){.dst = LAB_SERVER, .dport = dport, .count = count, .request_bytes = UNREAD});
}

static void three_leaks(struct lab *l)
{
	lab_serve(l, l->server, "no-read", &(struct server_cfg){.port = 81, .does = SERVE_NEVER_READ});
	lab_serve(l, l->server, "no-close", &(struct server_cfg){.port = 82, .does = SERVE_NEVER_CLOSE});
	lab_serve(l, l->server, "no-accept", &(struct server_cfg){.port = 83, .does = SERVE_NEVER_ACCEPT});
	for (uint16_t port = 81; port <= 83; port++)
		lab_await(l, leave(l, port, LEAKED), EV_OPENED, 20);
	lab_await_state(l, l->server, ST_CLOSE_WAIT, 3 * LEAKED, 10);
}

static void expect_classes(struct lab *l, const struct sight *s, enum severity leaked, const char *unclosed)
{
	const struct finding *f = lab_expect_of(l, s, "CW001", "no-read", leaked);

	lab_expect_text(l, "no-read", f->what, "120 sockets");
	lab_expect_text(l, "no-read", f->what, "never reads");
	lab_expect_text(l, "no-read", f->what, "1 + 5 bytes");
	lab_expect_text(l, "no-read", f->what, "*:81");
	lab_expect_text(l, "no-read", f->what, "(fd ");
	f = lab_expect_of(l, s, "CW001", "no-close", leaked);
	lab_expect_text(l, "no-close", f->what, unclosed);
	f = lab_expect_of(l, s, "CW001", "no-accept", SEV_WARN);
	lab_expect_text(l, "no-accept", f->what, "120 connections");
	lab_expect_text(l, "no-accept", f->what, "never accepted");
}

/*
 * The clients' ends are orphans in FIN_WAIT_2. The kernel drops them tcp_fin_timeout (60 s) later, never early: that
 * is the event that says that the server's ends are older than a minute.
 */
static void run_cw001(struct lab *l)
{
	struct worker *more;

	lab_pair(l);
	three_leaks(l);
	expect_classes(l, lab_look(l, l->server, 0), SEV_INFO, "has not called close()");
	lab_expect_without(l, lab_look(l, l->client, 0), "CW001");
	lab_await_sockstat(l, l->client, "tw", 0, 75);
	expect_classes(l, lab_look(l, l->server, 0), SEV_WARN, "never called close()");
	more = lab_client(l, l->client, "visitor",
			  &(struct client_cfg){.dst = LAB_SERVER, .dport = 82, .count = MORE, .wait_go = true});
	lab_expect_of(l, lab_look_while(l, l->server, 1000, more), "CW001", "no-close", SEV_CRIT);
}

const struct experiment experiment_CW001 = {
	.id = "CW001",
	.title = "CLOSE_WAIT leaks: not read, not closed, not accepted",
	.does = "Runs three servers with one bug each, waits until the sockets they leak are a minute old, and asserts that "
		"doctor tells the three bugs apart and sees the leak grow.",
	.seconds = 67,
	.run = run_cw001,
};

/* ---- CW002 ---- */

enum { FD_LIMIT = 64 };

static void run_cw002(struct lab *l)
{
	const struct finding *f;
	struct worker *server, *client;
	const struct sight *s;

	lab_pair(l);
	server = lab_serve(l, l->server, "leaker",
			   &(struct server_cfg){.port = 80, .does = SERVE_NEVER_CLOSE, .fd_limit = FD_LIMIT});
	client = lab_client(l, l->client, "visitor",
			    &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = FD_LIMIT + 20});
	lab_await(l, client, EV_OPENED, 20);
	lab_expect_that(l, lab_await(l, server, EV_ERROR, 10) == EMFILE, "accept() failed, but not for descriptors");
	s = lab_look(l, l->server, 500);
	f = lab_expect_of(l, s, "CW002", "leaker", SEV_CRIT);
	lab_expect_text(l, "the leaker", f->what, " of 64 descriptors");
	lab_expect_text(l, "the leaker", f->what, "EMFILE");
	f = lab_expect_of(l, s, "CW001", "leaker", SEV_WARN);
	lab_expect_text(l, "what it cannot accept", f->what, "out of descriptors");
	lab_stop(l, server);
	lab_expect_without(l, lab_look(l, l->server, 0), "CW002");
}

const struct experiment experiment_CW002 = {
	.id = "CW002",
	.title = "leaked sockets use up a process's descriptors",
	.does = "Lets a server that never closes reach its limit of 64 descriptors.",
	.seconds = 3,
	.run = run_cw002,
};

/* ---- CW003 ---- */

enum { VANISHED = 24 };

/*
 * The server reads end-of-file and forgets close(), with SO_KEEPALIVE. Once the client's end, an orphan in FIN_WAIT_2,
 * is gone, the next probe is answered by a RST: the socket dies, its descriptor stays.
 */
static void run_cw003(struct lab *l)
{
	const struct finding *f;
	struct worker *client;
	const struct sight *s;

	lab_pair(l);
	lab_sysctl(l, l->client, "net.ipv4.tcp_fin_timeout", "1");
	lab_serve(l, l->server, "leaker",
		  &(struct server_cfg){.port = 80, .does = SERVE_NEVER_CLOSE, .keepalive_s = 1, .expect = VANISHED});
	client = lab_client(l, l->client, "visitor",
			    &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = VANISHED});
	lab_await(l, client, EV_OPENED, 20);
	lab_await_state(l, l->server, ST_CLOSE_WAIT, VANISHED, 5);
	lab_await_at_most(l, l->server, ST_CLOSE_WAIT, 0, 20);
	s = lab_look(l, l->server, 0);
	f = lab_expect_of(l, s, "CW003", "leaker", SEV_WARN);
	lab_expect_text(l, "the leaker", f->what, "24 descriptors");
	lab_expect_text(l, "the leaker", f->what, "(fd ");
	lab_expect_without(l, s, "CW001");
	lab_expect_without(l, lab_look(l, l->client, 0), "CW003");
}

const struct experiment experiment_CW003 = {
	.id = "CW003",
	.title = "a leak that ss does not show but keeps descriptors",
	.does = "Lets keepalive probes of a leaking server meet peers that are gone, so that the sockets die in CLOSE_WAIT "
		"while the program keeps their descriptors.",
	.seconds = 5,
	.run = run_cw003,
};

/* SPDX-License-Identifier: MIT */
/* exp_reset.c - RST001, RST002: closes that reset, and so lose data. */
#include "lab/expect.h"
#include "lab/work_odd.h"

enum { PER_S = 50, ANSWER = 200, REQUEST = 600 };

/* One connection that only waits, so that it is clear whose connections these are while the others come and go. */
static void wait_in_line(struct lab *l)
{
	struct worker *w = lab_work(l, l->client, "waiter", work_knock,
				    &(struct knock_cfg){.dst = LAB_SERVER, .dport = 80, .count = 1});

	lab_await(l, w, EV_OPENED, 10);
	lab_await_state(l, l->server, ST_ESTABLISHED, 1, 10);
}

static struct worker *requests(struct lab *l)
{
	return lab_client(l, l->client, "browser",
			  &(struct client_cfg){.dst = LAB_SERVER,
					       .dport = 80,
					       .per_s = PER_S,
					       .request_bytes = REQUEST,
					       .ends = END_AFTER_PEER,
					       .wait_go = true});
}

/* ---- RST001 ---- */

static void run_rst001(struct lab *l)
{
	const struct finding *f;
	const struct sight *s;

	lab_pair(l);
	lab_serve(l, l->server, "early-answer",
		  &(struct server_cfg){.port = 80, .does = SERVE_UNREAD, .reply_bytes = ANSWER});
	wait_in_line(l);
	s = lab_look_while(l, l->server, 1500, requests(l));
	f = lab_expect_of(l, s, "RST001", "early-answer", SEV_WARN);
	lab_expect_text(l, "RST001", f->what, "unread data");
	lab_expect_text(l, "RST001", f->evidence, "TCPAbortOnClose");
	lab_expect_without(l, s, "RST002");
}

const struct experiment experiment_RST001 = {
	.id = "RST001",
	.title = "closes with unread data: RST instead of the answer",
	.does = "Runs a server that answers and closes before it has read the request.",
	.seconds = 3,
	.run = run_rst001,
};

/* ---- RST002 ---- */

static void expect_linger(struct lab *l, const struct sight *s, const char *comm, const char *what,
			  const char *evidence)
{
	const struct finding *f = lab_expect_of(l, s, "RST002", comm, SEV_WARN);

	lab_expect_text(l, "RST002", f->what, what);
	lab_expect_text(l, "RST002", f->evidence, evidence);
	lab_expect_without(l, s, "RST001");
}

/* First a server that sets the option just before close(): counters tell. Then one whose listener has it: proof. */
static void run_rst002(struct lab *l)
{
	struct server_cfg cfg = {.port = 80, .does = SERVE_LINGER_0, .reply_bytes = ANSWER};
	struct worker *server, *clients;
	const struct sight *s;

	lab_pair(l);
	server = lab_serve(l, l->server, "aborter", &cfg);
	wait_in_line(l);
	clients = requests(l);
	s = lab_look_while(l, l->server, 1500, clients);
	expect_linger(l, s, "aborter", "without TIME_WAIT", "TCPAbortOnData");
	lab_stop(l, clients);
	lab_kill(l, server);
	cfg.linger_0 = true;
	lab_serve(l, l->server, "lingerer", &cfg);
	expect_linger(l, lab_look(l, l->server, 0), "lingerer", "SO_LINGER", "{1, 0}");
}

const struct experiment experiment_RST002 = {
	.id = "RST002",
	.title = "closes that reset: SO_LINGER with time 0",
	.does = "Runs a server that closes with SO_LINGER {1, 0}, once set before close() and once on the listener.",
	.seconds = 3,
	.run = run_rst002,
};

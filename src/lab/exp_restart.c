/* SPDX-License-Identifier: MIT */
/* exp_restart.c - RESTART001: what a server leaves on its port keeps its successor from starting. */
#include "lab/expect.h"

#include <errno.h>

enum { CLOSED = 30 };

static void run_restart001(struct lab *l)
{
	struct worker *server, *client, *next;
	const struct finding *f;

	lab_pair(l);
	server = lab_serve(l, l->server, "careless",
			   &(struct server_cfg){.port = 80, .does = SERVE_CLOSE_FIRST, .no_reuseaddr = true});
	client = lab_client(l, l->client, "browser",
			    &(struct client_cfg){.dst = LAB_SERVER,
						 .dport = 80,
						 .count = CLOSED,
						 .first_port = LAB_FIRST_PORT,
						 .ends = END_AFTER_PEER});
	lab_await(l, client, EV_OPENED, 20);
	lab_await_state(l, l->server, ST_TIME_WAIT, CLOSED, 10);
	f = lab_expect_of(l, lab_look(l, l->server, 0), "RESTART001", "careless", SEV_WARN);
	lab_expect_text(l, "RESTART001", f->what, "EADDRINUSE");
	lab_expect_text(l, "RESTART001", f->what, "without SO_REUSEADDR");
	lab_expect_text(l, "RESTART001", f->evidence, "30 TIME_WAIT");
	lab_kill(l, server);
	next = lab_work(l, l->server, "successor", work_server,
			&(struct server_cfg){.port = 80}); /* it sets SO_REUSEADDR */
	lab_expect_that(l, lab_await(l, next, EV_ERROR, 10) == EADDRINUSE,
			"the restart failed, but not with EADDRINUSE");
	f = lab_expect(l, lab_look(l, l->server, 0), "RESTART001", SEV_INFO); /* its flag can no longer be read */
	lab_expect_text(l, "RESTART001", f->what, "port 80");
	lab_expect_text(l, "RESTART001", f->what, "30 sockets");
}

const struct experiment experiment_RESTART001 = {
	.id = "RESTART001",
	.title = "a server whose restart fails with EADDRINUSE",
	.does = "Asks doctor about a server that listens without SO_REUSEADDR, then restarts it and sees bind() fail.",
	.seconds = 2,
	.run = run_restart001,
};

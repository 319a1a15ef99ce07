/* SPDX-License-Identifier: MIT */
/* exp_queue.c - SYN001, SYN002: a listener's two queues overflow. */
#include "lab/expect.h"
#include "lab/work_odd.h"

enum { BACKLOG = 8, CLIENTS = 60, SYNS = 500, SYNS_PER_S = 1500 };

/* ---- SYN001 ---- */

static void run_syn001(struct lab *l)
{
	const struct finding *f;
	struct worker *w;
	const struct sight *s;

	lab_pair(l);
	lab_serve(l, l->server, "sleeper",
		  &(struct server_cfg){.port = 80, .backlog = BACKLOG, .does = SERVE_NEVER_ACCEPT});
	w = lab_work(l, l->client, "crowd", work_knock,
		     &(struct knock_cfg){.dst = LAB_SERVER, .dport = 80, .count = CLIENTS, .wait_go = true});
	lab_await(l, w, EV_READY, 10);
	s = lab_look_while(l, l->server, 1000, w);
	f = lab_expect_of(l, s, "SYN001", "sleeper", SEV_CRIT);
	lab_expect_text(l, "SYN001", f->what, "*:80");
	lab_expect_text(l, "SYN001", f->what, "9 of 8");
	lab_expect_text(l, "SYN001", f->what, "dropped");
	lab_expect_text(l, "SYN001", f->evidence, "queue 9 > backlog 8");
}

const struct experiment experiment_SYN001 = {
	.id = "SYN001",
	.title = "the accept queue overflows",
	.does = "Lets 60 clients meet a listener with backlog 8 that does not accept.",
	.seconds = 3,
	.run = run_syn001,
};

/* ---- SYN002 ---- */

static const struct sight *flooded(struct lab *l)
{
	struct worker *w =
		lab_work(l, l->client, "flood", work_flood,
			 &(struct flood_cfg){
				 .dst = LAB_SERVER, .dport = 80, .count = SYNS, .per_s = SYNS_PER_S, .wait_go = true});
	const struct sight *s;

	lab_await(l, w, EV_READY, 10);
	s = lab_look_while(l, l->server, 1000, w);
	lab_note(l, "%llu SYNs sent", (unsigned long long)w->stats->opened);
	return s;
}

/* The sources lie behind the client, which forwards nothing: the answers go there and no further. */
static void run_syn002(struct lab *l)
{
	const struct finding *f;
	struct why w = {0};

	lab_pair(l);
	if (space_route(l->server, "10.78.0.0/16", LAB_CLIENT, &w))
		lab_fail(l, "%s", w.text);
	lab_serve(l, l->server, "web", &(struct server_cfg){.port = 80, .backlog = BACKLOG});
	f = lab_expect_of(l, flooded(l), "SYN002", "web", SEV_WARN);
	lab_expect_text(l, "SYN002", f->what, "cookie");
	lab_expect_text(l, "SYN002", f->what, "flood");
	lab_expect_text(l, "SYN002", f->evidence, "web[");
	lab_sysctl(l, l->server, "net.ipv4.tcp_syncookies", "0");
	f = lab_expect_of(l, flooded(l), "SYN002", "web", SEV_CRIT);
	lab_expect_text(l, "SYN002", f->what, "dropped");
}

const struct experiment experiment_SYN002 = {
	.id = "SYN002",
	.title = "the SYN queue is full: cookies, or drops without them",
	.does = "Sends 500 SYNs that nobody completes to a listener with backlog 8, with SYN cookies and without.",
	.seconds = 4,
	.run = run_syn002,
};

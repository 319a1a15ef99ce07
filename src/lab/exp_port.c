/* SPDX-License-Identifier: MIT */
/* exp_port.c - PORT001..PORT005: connect() finds no local port, or has to search for one. */
#include "lab/experiment.h"

#include <errno.h>
#include <math.h>

static void set_range(struct lab *l, const char *range)
{
	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", range);
}

/* ---- PORT001 ---- */

/* What the model forecasts for the one destination of the client's namespace. */
static struct forecast forecast_of(struct lab *l, const struct sight *s)
{
	const struct netns *ns = sight_netns(s);
	struct port_budget b = budget_of(ns);

	lab_expect_that(l, ns->n_dests == 1, "one destination, doctor saw %zu", ns->n_dests);
	return forecast(&ns->dests[0], &b);
}

/*
 * 1000 ports, 100 connections/s of 20 ms each: connect() must fail ten seconds after the start. Doctor is asked after
 * five and must say so, within two seconds of what then happens, and name the program; asked again, it must say that
 * it happens now.
 */
static void run_port001(struct lab *l)
{
	const struct finding *f;
	const struct sight *s;
	struct worker *churn;
	struct forecast told;
	double failed_after_s;

	lab_pair(l);
	set_range(l, "40000 40999");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	churn = lab_client(l, l->client, "churn",
			   &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .per_s = 100, .hold_ms = 20});
	lab_await_state(l, l->client, ST_TIME_WAIT, 400, 15);
	s = lab_look(l, l->client, 1000);
	f = lab_expect(l, s, "PORT001", SEV_CRIT);
	lab_expect_that(l, f->stage == STAGE_ABOUT_TO_FAIL, "PORT001 should be about to fail: %s", f->what);
	lab_expect_text(l, "the destination", f->what, LAB_SERVER ":80");
	lab_expect_text(l, "the process", f->process, "churn");
	told = forecast_of(l, s);

	lab_expect_that(l, lab_await(l, churn, EV_ERROR, 30) == EADDRNOTAVAIL, "churn failed with another error");
	failed_after_s = (double)(churn->at - observation_now(&s->obs)->taken_at) / (double)NSEC_PER_S;
	lab_note(l, "forecast %.1f s, failed after %.1f s", told.to_fail_s, failed_after_s);
	lab_expect_that(l, fabs(told.to_fail_s - failed_after_s) <= 2, "forecast %.1f s, but it failed after %.1f s",
			told.to_fail_s, failed_after_s);

	s = lab_look(l, l->client, 1000);
	f = lab_expect(l, s, "PORT001", SEV_CRIT);
	lab_expect_that(l, f->stage == STAGE_FAILING, "PORT001 should fail now: %s", f->what);
	lab_expect_text(l, "what", f->what, "EADDRNOTAVAIL");
	lab_expect_that(l, f->n_remedies > 0, "PORT001 has no remedy");
}

const struct experiment experiment_PORT001 = {
	.id = "PORT001",
	.title = "local ports to one destination run out, as forecast",
	.does = "Opens and closes 100 connections a second through 1000 ports to one destination until connect() fails, "
		"and compares the moment with the forecast.",
	.seconds = 14,
	.run = run_port001,
};

/* ---- PORT002 ---- */

/* 5000 ports, 2600 held: every even one (the low end's parity) and a hundred odd ones. */
static void run_port002(struct lab *l)
{
	const struct finding *f;
	const struct sight *s;
	struct worker *pool;

	lab_pair(l);
	set_range(l, "40000 44999");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	pool = lab_client(
		l, l->client, "hoarder",
		&(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = 2400, .ends = END_NEVER, .stay = true});
	lab_await(l, pool, EV_OPENED, 20);
	lab_expect_without(l, lab_look(l, l->client, 0), "PORT002");
	pool = lab_client(
		l, l->client, "hoarder",
		&(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = 200, .ends = END_NEVER, .stay = true});
	lab_await(l, pool, EV_OPENED, 20);
	s = lab_look(l, l->client, 0);
	f = lab_expect(l, s, "PORT002", SEV_WARN);
	lab_expect_text(l, "the process", f->process, "hoarder");
	lab_expect_text(l, "the port count", f->what, "2,500 of 2,500");
	lab_expect_text(l, "the destination", f->what, LAB_SERVER ":80");
}

const struct experiment experiment_PORT002 = {
	.id = "PORT002",
	.title = "half of the ports are used up: connect() searches",
	.does = "Holds 2,600 of 5,000 ports towards one destination, so that all ports of the low end's parity are "
		"taken.",
	.seconds = 3,
	.run = run_port002,
};

/* ---- PORT003 ---- */

/* 200 ports; 200 connections that bind() first, to four destinations: each has a quarter, nothing is left for anyone. */
static void run_port003(struct lab *l)
{
	const struct client_cfg sharing = {
		.dst = LAB_SERVER, .dport = 80, .n_dports = 4, .count = 200, .ends = END_NEVER, .stay = true};
	struct client_cfg binding = sharing, victim = sharing;
	const struct finding *f;
	const struct sight *s;
	struct worker *w;

	lab_pair(l);
	set_range(l, "40000 40199");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80, .n_ports = 8});
	w = lab_client(l, l->client, "sharer", &sharing);
	lab_await(l, w, EV_OPENED, 10);
	lab_expect_without(l, lab_look(l, l->client, 0), "PORT003");
	lab_kill(l, w);

	binding.src = LAB_CLIENT;
	binding.bind_any_port = true;
	binding.dport = 84; /* the sharer's TIME_WAITs are in nobody's way */
	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", "41000 41199");
	w = lab_client(l, l->client, "binder", &binding);
	lab_expect_that(l, lab_await(l, w, EV_OPENED, 10) >= 190, "bind() before connect() got only %llu connections",
			(unsigned long long)w->stats->opened);
	s = lab_look(l, l->client, 0);
	f = lab_expect(l, s, "PORT003", SEV_CRIT);
	lab_expect_text(l, "the process", f->process, "binder");

	victim.count = 1;
	victim.stay = false;
	lab_expect_that(l, lab_await(l, lab_client(l, l->client, "victim", &victim), EV_ERROR, 10) == EADDRNOTAVAIL,
			"the victim failed with another error");

	lab_kill(l, w); /* and its ports stay in TIME_WAIT, so the cure is tried in a fresh range */
	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", "42000 42199");
	binding.no_port = true;
	w = lab_client(l, l->client, "cured", &binding);
	lab_expect_that(l, lab_await(l, w, EV_OPENED, 10) == 200, "IP_BIND_ADDRESS_NO_PORT did not help");
	lab_expect_without(l, lab_look(l, l->client, 0), "PORT003");
	lab_expect_that(l, lab_await(l, lab_client(l, l->client, "victim", &victim), EV_OPENED, 10) == 1,
			"the victim still fails");
}

const struct experiment experiment_PORT003 = {
	.id = "PORT003",
	.title = "bind() before connect() takes ports from everybody",
	.does = "Binds 200 sockets to port 0 before connecting them to four destinations through 200 ports, and sees a "
		"plain connect() elsewhere fail; with IP_BIND_ADDRESS_NO_PORT neither finding nor failure.",
	.seconds = 3,
	.run = run_port003,
};

/* ---- PORT004 ---- */

static void run_port004(struct lab *l)
{
	const struct finding *f;

	lab_pair(l);
	lab_serve(l, l->server, "good", &(struct server_cfg){.port = 8080});
	lab_expect_without(l, lab_look(l, l->server, 0), "PORT004");
	lab_serve(l, l->server, "misplaced", &(struct server_cfg){.port = 47820});
	f = lab_expect(l, lab_look(l, l->server, 0), "PORT004", SEV_INFO);
	lab_expect_text(l, "what", f->what, "47820");
	lab_expect_text(l, "the process", f->process, "misplaced");
	lab_sysctl(l, l->server, "net.ipv4.ip_local_reserved_ports", "47820");
	lab_expect_without(l, lab_look(l, l->server, 0), "PORT004");
}

const struct experiment experiment_PORT004 = {
	.id = "PORT004",
	.title = "a service listens inside the range of outgoing ports",
	.does = "Listens on port 47820, inside ip_local_port_range, then reserves it, which must end the finding.",
	.seconds = 2,
	.run = run_port004,
};

/* ---- PORT005 ---- */

static void run_port005(struct lab *l)
{
	const struct finding *f;

	lab_lo(l);
	set_range(l, "40000 40499");
	f = lab_expect(l, lab_look(l, l->client, 0), "PORT005", SEV_WARN);
	lab_expect_text(l, "the range", f->evidence, "500");
	set_range(l, "32768 60998");
	f = lab_expect(l, lab_look(l, l->client, 0), "PORT005", SEV_INFO);
	lab_expect_text(l, "what", f->what, "parity");
	lab_sysctl(l, l->client, "net.ipv4.ip_unprivileged_port_start",
		   "1000"); /* the kernel wants it below the range */
	set_range(l, "1000 60999");
	lab_expect(l, lab_look(l, l->client, 0), "PORT005", SEV_WARN);
	set_range(l, "40000 40999");
	lab_sysctl(l, l->client, "net.ipv4.ip_local_reserved_ports", "40000-40999");
	lab_expect(l, lab_look(l, l->client, 0), "PORT005", SEV_CRIT);
	lab_sysctl(l, l->client, "net.ipv4.ip_local_reserved_ports", "");
	set_range(l, "32768 60999");
	lab_expect_silent(l, lab_look(l, l->client, 0), SEV_INFO);
}

const struct experiment experiment_PORT005 = {
	.id = "PORT005",
	.title = "the range of outgoing ports is narrow or badly cut",
	.does = "Sets a narrow range, bounds of the same parity, a range over well-known ports and one that is all "
		"reserved; the default range must end the finding.",
	.seconds = 2,
	.run = run_port005,
};

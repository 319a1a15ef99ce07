/* SPDX-License-Identifier: MIT */
/* exp_ipv6.c - what the other experiments show over IPv4, once over IPv6, and where both meet in one socket. */
#include "lab/experiment.h"

#include <errno.h>

enum { PILE = 300, POOL = 20, PILE_PORT = 81, DUAL_PORT = 82 };

/* A server that closes first, on an IPv6 address only. */
static void pile_up(struct lab *l)
{
	const struct finding *f;
	struct worker *client;
	const struct sight *s;

	lab_serve(l, l->server, "pile",
		  &(struct server_cfg){.addr = LAB_SERVER6, .port = PILE_PORT, .does = SERVE_CLOSE_FIRST});
	client = lab_client(l, l->client, "browser",
			    &(struct client_cfg){.dst = LAB_SERVER6,
						 .dport = PILE_PORT,
						 .count = PILE,
						 .first_port = LAB_FIRST_PORT,
						 .ends = END_AFTER_PEER});
	lab_await(l, client, EV_OPENED, 20);
	lab_await_state(l, l->server, ST_TIME_WAIT, PILE, 5);
	s = lab_look(l, l->server, 0);
	f = lab_expect(l, s, "TW002", SEV_INFO);
	lab_expect_text(l, "the listener", f->evidence, "[" LAB_SERVER6 "]:81");
	lab_expect_silent(l, s, SEV_WARN);
}

static const struct listener *listener_at(struct lab *l, const struct netns *ns, uint16_t port)
{
	const struct listener *found = NULL;

	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].port == port) {
			lab_expect_that(l, !found, "port %u has two listeners", port);
			found = &ns->listeners[i];
		}
	if (!found)
		lab_fail(l, "nobody listens on port %u", port);
	return found;
}

/*
 * A listener on [::] takes IPv4 too, and its connections bear addresses like ::ffff:10.77.0.2; so do those of a client
 * that asks for such an address. Both are IPv4: one destination, one listener, nothing twice.
 */
static void meet(struct lab *l)
{
	struct client_cfg pool = {
		.dst = LAB_SERVER, .dport = DUAL_PORT, .count = POOL, .ends = END_NEVER, .stay = true};
	struct worker *plain, *mapped;
	const struct netns *ns;

	lab_serve(l, l->server, "dual", &(struct server_cfg){.addr = "::", .port = DUAL_PORT});
	plain = lab_client(l, l->client, "plain", &pool);
	lab_await(l, plain, EV_OPENED, 10);
	pool.dst = "::ffff:" LAB_SERVER;
	mapped = lab_client(l, l->client, "mapped", &pool);
	lab_await(l, mapped, EV_OPENED, 10);
	ns = sight_netns(lab_look(l, l->client, 0));
	lab_expect_that(l, ns->n_dests == 1, "one destination, doctor saw %zu", ns->n_dests);
	lab_expect_text(l, "the destination", ip_port_text(ns->dests[0].dst, ns->dests[0].dport).s, LAB_SERVER ":82");
	lab_expect_that(l, ns->dests[0].states.n[ST_ESTABLISHED] == 2 * POOL, "%d connections, doctor saw %u", 2 * POOL,
			ns->dests[0].states.n[ST_ESTABLISHED]);
	ns = sight_netns(lab_look(l, l->server, 0));
	lab_expect_that(l, ns->n_dests == 0 && ns->states.n[ST_ESTABLISHED] == 2 * POOL,
			"%d connections in, doctor saw %u and %zu destinations", 2 * POOL, ns->states.n[ST_ESTABLISHED],
			ns->n_dests);
	lab_expect_that(l, listener_at(l, ns, DUAL_PORT)->states.n[ST_ESTABLISHED] == 2 * POOL,
			"the listener has not all of them");
	lab_kill(l, plain);
	lab_kill(l, mapped);
}

static const struct finding *expect_outage(struct lab *l, enum severity at_least)
{
	const struct finding *f = lab_expect(l, lab_look(l, l->client, 1000), "PORT001", at_least);

	lab_expect_text(l, "the destination", f->what, "[" LAB_SERVER6 "]:80");
	return f;
}

/* 400 ports, 100 connections/s: connect() must fail after four seconds. Later on nobody is there to be named. */
static void run_out(struct lab *l)
{
	uint32_t before = lab_count(l, l->client, ST_TIME_WAIT);
	const struct finding *f;
	struct worker *churn;

	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", "40000 40399"); /* IPv6 has no range of its own */
	lab_serve(l, l->server, "api", &(struct server_cfg){.addr = "::", .port = 80});
	churn = lab_client(l, l->client, "churn",
			   &(struct client_cfg){.dst = LAB_SERVER6, .dport = 80, .per_s = 100, .hold_ms = 20});
	lab_await_state(l, l->client, ST_TIME_WAIT, before + 100, 15);
	f = expect_outage(l, SEV_WARN); /* critical once three seconds show that it is no burst */
	lab_expect_text(l, "the process", f->process, "churn");
	lab_expect_that(l, lab_await(l, churn, EV_ERROR, 20) == EADDRNOTAVAIL, "churn failed with another error");
	f = expect_outage(l, SEV_CRIT);
	lab_expect_that(l, f->stage == STAGE_FAILING, "PORT001 should fail now: %s", f->what);
}

static void run_ipv6(struct lab *l)
{
	lab_pair(l);
	lab_ipv6(l);
	pile_up(l);
	meet(l);
	run_out(l);
}

const struct experiment experiment_ipv6 = {
	.id = "ipv6",
	.title = "IPv6: ports run out, a harmless pile, mapped IPv4",
	.does = "Exhausts 400 local ports towards [" LAB_SERVER6
		"]:80, piles TIME_WAIT up on an IPv6 listener, and connects "
		"to a dual-stack listener by IPv4 and by a v4-mapped address, which must be counted as one.",
	.needs = NEED_IPV6,
	.seconds = 6,
	.run = run_ipv6,
};

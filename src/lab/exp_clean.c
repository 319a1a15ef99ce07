/* SPDX-License-Identifier: MIT */
#include "lab/experiment.h"

/*
 * Healthy traffic of every common kind: pooled connections that idle with keepalive, requests whose server closes
 * first at a modest rate, a client that closes first now and then. None of it is worth more than an "info".
 */
static void run_clean(struct lab *l)
{
	const struct sight *s;
	struct worker *pool, *steady;

	lab_pair(l);
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80, .reply_bytes = 200, .keepalive_s = 60});
	lab_serve(l, l->server, "web",
		  &(struct server_cfg){.port = 443, .reply_bytes = 2000, .does = SERVE_CLOSE_FIRST});
	pool = lab_client(l, l->client, "pool",
			  &(struct client_cfg){.dst = LAB_SERVER,
					       .dport = 80,
					       .count = 20,
					       .reply_bytes = 200,
					       .ends = END_NEVER,
					       .keepalive_s = 60,
					       .stay = true});
	lab_await(l, pool, EV_OPENED, 10);
	steady = lab_client(l, l->client, "browser",
			    &(struct client_cfg){.dst = LAB_SERVER,
						 .dport = 443,
						 .per_s = 10,
						 .reply_bytes = 2000,
						 .ends = END_AFTER_PEER,
						 .wait_go = true});
	s = lab_look_while(l, l->client, 1500, steady);
	lab_expect_silent(l, s, SEV_WARN);
	lab_expect_that(l, sight_netns(s)->states.n[ST_ESTABLISHED] == 20, "20 idle connections, doctor saw %u",
			sight_netns(s)->states.n[ST_ESTABLISHED]);
	s = lab_look(l, l->server, 1000);
	lab_expect_silent(l, s, SEV_WARN);
	lab_expect_that(l, sight_netns(s)->n_listeners == 2, "two listeners, doctor saw %zu",
			sight_netns(s)->n_listeners);
	lab_expect_that(l, steady->stats->failed == 0, "%llu healthy connections failed",
			(unsigned long long)steady->stats->failed);
}

const struct experiment experiment_clean = {
	.id = "clean",
	.title = "healthy traffic is not complained about",
	.does = "Runs pooled, idle and short connections between two namespaces and asserts that doctor finds nothing "
		"at warn or above.",
	.seconds = 3,
	.run = run_clean,
};

/* SPDX-License-Identifier: MIT */
/* exp_nat.c - NAT001: a NAT without a free port drops new connections silently. */
#include "lab/expect.h"
#include "lab/work_odd.h"

#define NAT_SERVER "10.77.2.1"

enum { NAT_PORTS = 100, REFUSED = 5 };

static void run_nat001(struct lab *l)
{
	const struct finding *f;
	struct worker *w;
	const struct sight *s;

	lab_chain(l);
	lab_nft(l, l->middle,
		"table ip lab { chain post { type nat hook postrouting priority 100; oifname \"veth1\" meta l4proto tcp "
		"masquerade to :40000-40099; }; }\n");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	w = lab_client(l, l->client, "pool",
		       &(struct client_cfg){
			       .dst = NAT_SERVER, .dport = 80, .count = NAT_PORTS, .ends = END_NEVER, .stay = true});
	lab_await(l, w, EV_OPENED, 30);
	lab_expect_that(l, w->stats->opened == NAT_PORTS, "%llu of 100 connections through the NAT",
			(unsigned long long)w->stats->opened);
	lab_expect_without(l, lab_look(l, l->middle, 200), "NAT001");
	w = lab_work(l, l->client, "late", work_knock,
		     &(struct knock_cfg){.dst = NAT_SERVER, .dport = 80, .count = REFUSED, .wait_go = true});
	lab_await(l, w, EV_READY, 10);
	s = lab_look_while(l, l->middle, 1500, w);
	f = lab_expect(l, s, "NAT001", SEV_CRIT);
	lab_expect_text(l, "NAT001", f->what, "no free port");
	lab_expect_text(l, "NAT001", f->evidence, "insert_failed +");
	lab_expect_without(l, lab_look(l, l->client, 0), "NAT001");
}

const struct experiment experiment_NAT001 = {
	.id = "NAT001",
	.title = "a NAT runs out of ports",
	.does = "Keeps 100 connections through a NAT that has 100 ports, then tries five more.",
	.needs = NEED_NFT | NEED_CONNTRACK,
	.seconds = 5,
	.run = run_nat001,
};

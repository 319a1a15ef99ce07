/* SPDX-License-Identifier: MIT */
/* exp_timewait.c - TW001..TW006: what a TIME_WAIT does, and what is done to it. */
#include "lab/experiment.h"

/* ---- TW001 ---- */

static void run_tw001(struct lab *l)
{
	struct worker *churn;
	const struct sight *s;

	lab_pair(l);
	lab_sysctl(l, l->client, "net.ipv4.tcp_max_tw_buckets", "5");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	churn = lab_client(
		l, l->client, "churn",
		&(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .count = 50, .per_s = 200, .wait_go = true});
	s = lab_look_while(l, l->client, 1000, churn);
	lab_expect(l, s, "TW001", SEV_WARN);
	lab_expect_that(l, sight_netns(s)->states.n[ST_TIME_WAIT] == 5, "five TIME_WAITs, doctor saw %u",
			sight_netns(s)->states.n[ST_TIME_WAIT]);
}

const struct experiment experiment_TW001 = {
	.id = "TW001",
	.title = "closes lose their TIME_WAIT: the table is full",
	.does = "Closes 50 connections where tcp_max_tw_buckets allows five TIME_WAITs.",
	.seconds = 3,
	.run = run_tw001,
};

/* ---- TW002 ---- */

enum { PILE = 300 };

static void run_tw002(struct lab *l)
{
	struct worker *client;
	const struct sight *s;

	lab_pair(l);
	lab_serve(l, l->server, "web", &(struct server_cfg){.port = 80, .does = SERVE_CLOSE_FIRST});
	client = lab_client(l, l->client, "browser",
			    &(struct client_cfg){.dst = LAB_SERVER,
						 .dport = 80,
						 .count = PILE,
						 .first_port = LAB_FIRST_PORT,
						 .ends = END_AFTER_PEER});
	lab_await(l, client, EV_OPENED, 20);
	lab_await_state(l, l->server, ST_TIME_WAIT, PILE, 5);
	s = lab_look(l, l->server, 500);
	lab_expect(l, s, "TW002", SEV_INFO);
	lab_expect_silent(l, s, SEV_WARN);
	lab_expect_that(l, sight_find(s, "TW002")->severity == SEV_INFO, "TW002 is harmless, so \"info\"");
	lab_expect_silent(l, lab_look(l, l->client, 0), SEV_WARN);
}

const struct experiment experiment_TW002 = {
	.id = "TW002",
	.title = "a pile of TIME_WAIT on a listening port is harmless",
	.does = "Lets a server close 300 connections first and asserts that doctor calls the pile harmless.",
	.seconds = 3,
	.run = run_tw002,
};

/* ---- TW003 ---- */

static void run_tw003(struct lab *l)
{
	const struct finding *f;
	struct worker *churn;
	const struct sight *s;

	lab_pair(l);
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	churn = lab_client(l, l->client, "churn",
			   &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .per_s = 100, .hold_ms = 20});
	lab_await_state(l, l->client, ST_TIME_WAIT, 500, 20);
	s = lab_look(l, l->client, 1000);
	f = lab_expect(l, s, "TW003", SEV_INFO);
	lab_expect_text(l, "the process", f->process, "churn");
	lab_expect_text(l, "the destination", f->what, LAB_SERVER ":80");
	lab_stop(l, churn);
	lab_expect_without(l, lab_look(l, l->server, 0), "TW003");
}

const struct experiment experiment_TW003 = {
	.id = "TW003",
	.title = "a client opens a connection for every request",
	.does = "Opens and closes 100 connections a second and asserts that doctor names the program and the "
		"destination.",
	.seconds = 8,
	.run = run_tw003,
};

/* ---- TW004, TW005 ---- */

enum { PORTS = 40 };

/*
 * The server closes first, so it holds the TIME_WAITs, of forty fixed client ports. The first round's timestamps have
 * a random offset per connection (tcp_timestamps=1), the second round's none: about half of its SYNs look old and are
 * refused (PAWS), as behind a NAT that hands a port from one host to another.
 */
static const struct sight *refused_syns(struct lab *l)
{
	struct client_cfg cfg = {
		.dst = LAB_SERVER, .dport = 80, .count = PORTS, .first_port = LAB_FIRST_PORT, .ends = END_AFTER_PEER};
	struct worker *client;

	lab_serve(l, l->server, "web", &(struct server_cfg){.port = 80, .does = SERVE_CLOSE_FIRST});
	client = lab_client(l, l->client, "before", &cfg);
	lab_await(l, client, EV_OPENED, 20);
	lab_await_state(l, l->server, ST_TIME_WAIT, PORTS, 5);
	lab_sysctl(l, l->client, "net.ipv4.tcp_timestamps", "2");
	cfg.wait_go = true;
	cfg.per_s = 200;
	client = lab_client(l, l->client, "after", &cfg);
	return lab_look_while(l, l->server, 1000, client);
}

static void run_tw004(struct lab *l)
{
	const struct sight *s;

	lab_pair(l);
	s = refused_syns(l);
	lab_expect(l, s, "TW004", SEV_WARN);
}

const struct experiment experiment_TW004 = {
	.id = "TW004",
	.title = "a TIME_WAIT refuses SYNs whose timestamps look old",
	.does = "Reconnects from forty ports that the server still holds in TIME_WAIT, with another timestamp clock, as a "
		"NAT does.",
	.seconds = 4,
	.run = run_tw004,
};

static void run_tw005(struct lab *l)
{
	const struct sight *s;

	lab_pair(l);
	lab_sysctl(l, l->server, "net.ipv4.tcp_rfc1337", "1");
	s = refused_syns(l);
	lab_expect(l, s, "TW005", SEV_WARN);
	lab_expect(l, s, "TW004", SEV_WARN);
}

const struct experiment experiment_TW005 = {
	.id = "TW005",
	.title = "tcp_rfc1337=1 keeps refused connections from healing",
	.does = "Does what TW004 does to a server with tcp_rfc1337=1, whose TIME_WAITs ignore the resets that would end "
		"them.",
	.seconds = 4,
	.run = run_tw005,
};

/* ---- TW006 ---- */

static void run_tw006(struct lab *l)
{
	struct worker *churn;

	lab_pair(l);
	lab_sysctl(l, l->client, "net.ipv4.ip_local_port_range", "40000 40199");
	lab_sysctl(l, l->client, "net.ipv4.tcp_tw_reuse", "1");
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	churn = lab_client(l, l->client, "churn", &(struct client_cfg){.dst = LAB_SERVER, .dport = 80, .per_s = 120});
	lab_await_state(l, l->client, ST_TIME_WAIT, 120, 10);
	lab_expect(l, lab_look(l, l->client, 2000), "TW006", SEV_INFO);
	lab_stop(l, churn);
}

const struct experiment experiment_TW006 = {
	.id = "TW006",
	.title = "connect() takes over TIME_WAITs: recycling",
	.does = "Opens 120 connections a second through 200 ports with tcp_tw_reuse=1, so that ports are used again within "
		"seconds.",
	.seconds = 6,
	.run = run_tw006,
};

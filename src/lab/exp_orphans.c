/* SPDX-License-Identifier: MIT */
/*
 * exp_orphans.c - FW004. The number of orphans and its limit are the machine's, not the namespace's, and lowering the
 * limit would harm everybody: so this makes really more than half of it, alone, and sees them end.
 */
#include "lab/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PORTS = 12, /* of the server, so that less than half of the client's port range is used towards each */
	ORPHANS_MAX = 12000 * PORTS,
	KIB_PER_ORPHAN = 16, /* both ends with their buffers, generously */
	MARGIN = 400,
	TIMEOUT_S = 60,
};

/* 0: this namespace does not show it (a container). */
static uint64_t orphans_allowed(void)
{
	char text[32] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_max_orphans", "re");

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strtoull(text, NULL, 10);
}

static uint64_t memory_available_kib(void)
{
	char line[128];
	uint64_t kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "MemAvailable:", 13) == 0)
			kib = strtoull(line + 13, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static uint32_t how_many(struct lab *l)
{
	uint64_t max = orphans_allowed(), n = max / 2 + MARGIN, kib = memory_available_kib();

	if (max == 0)
		lab_skip(l, "tcp_max_orphans cannot be read here: not the first network namespace");
	if (n > ORPHANS_MAX)
		lab_skip(l, "half of tcp_max_orphans is %" PRIu64 " sockets here, more than the %d this makes", n,
			 ORPHANS_MAX);
	if (kib < 2 * n * KIB_PER_ORPHAN)
		lab_skip(l, "%" PRIu64 " orphans need %" PRIu64 " MiB, and %" PRIu64 " are available", n,
			 n * KIB_PER_ORPHAN / 1024, kib / 1024);
	return (uint32_t)n;
}

/*
 * The server never sees a FIN, so the client's closed sockets retransmit theirs: orphans in FIN_WAIT_1. They end when
 * the server does, by its resets, also when all of this is killed; else when their retries are over, after 51 s: of 5
 * retries the first would end after 13 s, on a busy machine before the last has begun.
 */
static void run_fw004(struct lab *l)
{
	uint32_t n = how_many(l);
	struct worker *server, *client;
	const struct finding *f;
	const struct sight *s;
	uint64_t before;

	lab_pair(l);
	before = lab_sockstat(l, l->client, "orphan");
	lab_sysctl(l, l->client, "net.ipv4.tcp_orphan_retries", "7");
	lab_sysctl(l, l->server, "net.core.somaxconn", "16384");
	lab_nft(l, l->server,
		"table ip lab { chain in { type filter hook input priority 0; tcp flags & (fin|rst) == fin drop; }; }\n");
	server = lab_serve(
		l, l->server, "sink",
		&(struct server_cfg){.port = 8000, .n_ports = PORTS, .backlog = 16384, .does = SERVE_NEVER_ACCEPT});
	client = lab_client(l, l->client, "closer",
			    &(struct client_cfg){.dst = LAB_SERVER, .dport = 8000, .n_dports = PORTS, .count = n});
	lab_await(l, client, EV_OPENED, TIMEOUT_S);
	lab_note(l, "%" PRIu64 " connections opened, %" PRIu64 " failed; orphans %" PRIu64,
		 (uint64_t)client->stats->opened, (uint64_t)client->stats->failed,
		 lab_sockstat(l, l->client, "orphan"));
	lab_expect_that(l, client->stats->opened == n, "only %" PRIu64 " connections", (uint64_t)client->stats->opened);
	s = lab_look_from_host(l, server->pid, 0);
	f = lab_expect(l, s, "FW004", SEV_WARN);
	lab_expect_text(l, "FW004", f->what, "orphans");
	lab_expect_text(l, "FW004", f->evidence, "tcp_max_orphans");
	lab_kill(l, server);
	lab_await_sockstat(l, l->client, "orphan", before + MARGIN, TIMEOUT_S);
}

const struct experiment experiment_FW004 = {
	.id = "FW004",
	.title = "more than half of the orphans the machine allows",
	.does = "Closes so many connections whose FIN is lost that more than half of tcp_max_orphans are in use, sees doctor "
		"say so, and ends them all. Runs after all others: the number is the machine's.",
	.needs = NEED_NFT,
	.seconds = 10,
	.alone = true,
	.run = run_fw004,
};

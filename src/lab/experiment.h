/* SPDX-License-Identifier: MIT */
/*
 * experiment.h - what an experiment is and what it may use. An experiment runs in a process of its own, so it is
 * written straight down: whatever goes wrong in a lab_* call ends that process with FAIL (or SKIP) and the reason,
 * and its namespaces and workers vanish with it. To return from run() is to pass.
 *
 * A new experiment is a `const struct experiment experiment_ID` in an exp_*.c file, a line in experiments.def (sorted)
 * and, for a new file, a line in meson.build. It carries the id of the rule it provokes. Shape:
 *
 *   static void run_tw001(struct lab *l)
 *   {
 *           lab_pair(l);                                            // also asserts that both namespaces are clean
 *           lab_sysctl(l, l->client, "net.ipv4.tcp_max_tw_buckets", "5");
 *           lab_serve(l, l->server, "server", &(struct server_cfg){.port = 80});      // returns once it listens
 *           struct worker *c = lab_client(l, l->client, "churn", &(struct client_cfg){.dst = LAB_SERVER, .dport = 80,
 *                                         .count = 50, .wait_go = true});
 *           const struct sight *s = lab_look_while(l, l->client, 1000, c);  // the counters must move in between
 *           const struct finding *f = lab_expect(l, s, "TW001", SEV_WARN);
 *           lab_expect_text(l, "what", f->what, "45");
 *   }
 */
#pragma once
#include "diag/rule.h"
#include "lab/space.h"
#include "lab/work.h"
#include <stdio.h>

enum lab_needs { NEED_NFT = 1, NEED_CONNTRACK = 2, NEED_IPV6 = 4 };

struct lab;

struct experiment {
	const char *id; /* of the rule; lower case for those that stand for no single rule: "clean", "ipv6", "outage" */
	const char *title; /* a few words */
	const char *does; /* one sentence */
	unsigned needs; /* enum lab_needs; all experiments need root */
	unsigned seconds; /* about how long it takes; the longest are started first */
	bool alone; /* it moves a number of the whole machine: runs after all others, by itself */
	void (*run)(struct lab *l);
};

extern const struct experiment *const experiments[]; /* sorted by id; made from experiments.def */
extern const size_t n_experiments;
const struct experiment *experiment_find(const char *id); /* case does not matter; NULL if unknown */

#define LAB_CLIENT "10.77.0.1"
#define LAB_SERVER "10.77.0.2"
#define LAB_CLIENT6 "fd77::1"
#define LAB_SERVER6 "fd77::2"

/*
 * A client's .first_port where a server's TIME_WAITs are counted exactly. The kernel's own choice follows one offset for
 * each pair of addresses in all network namespaces (table_perturb, net/ipv4/inet_hashtables.c of 6.18): another
 * experiment that searches for ports (PORT002) moves it by thousands, some port comes twice, and its second SYN takes
 * the TIME_WAIT's place.
 */
#define LAB_FIRST_PORT 50000

struct worker {
	pid_t pid;
	char comm[16];
	int events, orders; /* pipe ends */
	struct work_stats *stats;
	nsec_t at; /* when the last awaited event happened */
};

struct sight { /* what the doctor saw and said */
	struct observation obs;
	struct findings found;
};

struct lab {
	const struct experiment *exp;
	int client, server, middle; /* namespaces, once made; lab_lo: client == server; -1: not made */
	FILE *out; /* for an experiment that tells a story (outage): stdout when it runs alone, else only -v shows it */
	FILE *log; /* notes, shown with -v */
	const char
		*root; /* what the doctor takes for / when it reads /etc: an empty folder; lab_etc() puts files there */
	struct outcome *outcome; /* harness */
	const struct lab_cfg *cfg; /* harness */
	const struct record *record; /* harness */
};

/* ---- ending ---- */
_Noreturn void lab_fail(struct lab *l, const char *fmt, ...) PRINTF(2, 3);
_Noreturn void lab_skip(struct lab *l, const char *fmt, ...) PRINTF(2, 3);
void lab_note(struct lab *l, const char *fmt, ...) PRINTF(2, 3); /* a line for -v */

/* ---- where: each also asserts that doctor finds nothing at all in the fresh namespaces ---- */
void lab_lo(struct lab *l); /* one namespace with lo */
void lab_pair(struct lab *l); /* client 10.77.0.1/24 -- 10.77.0.2/24 server, interfaces "veth0" */
void lab_ipv6(struct lab *l); /* after lab_pair(): both speak IPv6 too, LAB_CLIENT6/64 -- LAB_SERVER6/64 */
/* client 10.77.1.1 "veth0" -- "veth0" middle "veth1" -- "veth0" 10.77.2.1 server; middle is .2 on both and forwards. */
void lab_chain(struct lab *l);
void lab_sysctl(struct lab *l, int ns, const char *name, const char *value);
void lab_etc(struct lab *l, const char *name, const char *text); /* "sysctl.conf": a file in the doctor's /etc */
void lab_nft(struct lab *l, int ns, const char *ruleset); /* nft -f - inside ns */

/* ---- who ---- */
/* Any body. Workers of one experiment: at most 16. They need not be stopped at the end. */
struct worker *lab_work(struct lab *l, int ns, const char *comm, void (*body)(struct work *, const void *),
			const void *cfg);
struct worker *lab_serve(struct lab *l, int ns, const char *comm, const struct server_cfg *cfg); /* awaits EV_READY */
struct worker *lab_client(struct lab *l, int ns, const char *comm, const struct client_cfg *cfg); /* awaits EV_READY */
int lab_await(struct lab *l, struct worker *w, enum work_event event, unsigned timeout_s); /* its value */
void lab_order(struct lab *l, struct worker *w, enum work_order order);
void lab_stop(struct lab *l, struct worker *w); /* ORDER_STOP and wait until it is gone */
void lab_kill(struct lab *l, struct worker *w); /* SIGKILL and wait: the kernel closes its sockets */

/* Sockets of ns in this state; looks for no owners and makes no diagnosis. */
uint32_t lab_count(struct lab *l, int ns, enum sock_state state);
/* Looks so until ns has at least n sockets in this state. A state has no event to await. */
void lab_await_state(struct lab *l, int ns, enum sock_state state, uint32_t n, unsigned timeout_s);

/* ---- the doctor, in this process; sights stay valid until the experiment ends ---- */
const struct sight *lab_look(struct lab *l, int ns, uint32_t interval_ms); /* 0: one snapshot */
/* As lab_look, but orders w to go right after the first snapshot, so that what it does falls into the interval. */
const struct sight *lab_look_while(struct lab *l, int ns, uint32_t interval_ms, struct worker *w);
const struct netns *sight_netns(const struct sight *s); /* the latest snapshot's */

/* ---- judging: each fails the experiment with all that doctor said in the log ---- */
/* The first (gravest) finding of this id, at or above this severity. Puts what and evidence in the log. */
const struct finding *lab_expect(struct lab *l, const struct sight *s, const char *id, enum severity at_least);
void lab_expect_without(struct lab *l, const struct sight *s, const char *id);
void lab_expect_silent(struct lab *l, const struct sight *s, enum severity from); /* nothing at or above */
void lab_expect_text(struct lab *l, const char *which, const char *text, const char *part); /* text contains part */
void lab_expect_that(struct lab *l, bool holds, const char *fmt, ...) PRINTF(3, 4);
const struct finding *sight_find(const struct sight *s, const char *id); /* NULL: not found */

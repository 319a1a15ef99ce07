/* SPDX-License-Identifier: MIT */
#include "tests/unit/report/fixture.h"

#include <stdio.h>

#include "base/text.h"

enum { CROWD = 40, CROWD_FINDINGS = 30, KERNEL = KV(6, 18) };

static struct netns spaces[2][CROWD];
static struct listener listeners[4];
static struct dest dests[4];
static struct proc procs[4];
static struct counter counters[2][6];
static struct missing missing[2];
static struct finding found[CROWD_FINDINGS];

static const struct rule port = {
	.id = "PORT001",
	.title = "local ports towards one destination run out",
	.never = {"tcp_fin_timeout: it limits orphans in FIN_WAIT_2, a TIME_WAIT lasts 60 s whatever it says",
		  "SO_LINGER 0: the reset throws away data that was not delivered yet"},
};
static const struct rule leak = {
	.id = "CW001",
	.title = "sockets stay in CLOSE_WAIT",
	.never = {"tcp_keepalive_time: the peer is gone already, a probe closes nothing"},
};
static const struct rule pile = {.id = "TW002", .title = "TIME_WAIT only on listening ports: harmless"};

static void start(struct fixture *f, unsigned n)
{
	memset(spaces, 0, sizeof(spaces));
	memset(listeners, 0, sizeof(listeners));
	memset(dests, 0, sizeof(dests));
	memset(procs, 0, sizeof(procs));
	memset(missing, 0, sizeof(missing));
	memset(found, 0, sizeof(found));
	memset(f, 0, sizeof(*f));
	f->obs.n = n;
	for (unsigned i = 0; i < n; i++) {
		struct snapshot *s = &f->obs.s[i];

		s->taken_at = (100 + i) * NSEC_PER_S;
		s->wall_s = 1795231442 + i;
		snprintf(s->kernel, sizeof(s->kernel), "6.18.44");
		snprintf(s->hostname, sizeof(s->hostname), "web-1");
		s->kernel_version = KERNEL;
		s->netns = spaces[i];
		s->n_netns = 1;
		s->procs = procs;
		s->ehash_entries = 262144;
	}
	f->findings.v = found;
}

static struct snapshot *now(struct fixture *f) { return &f->obs.s[f->obs.n - 1]; }

static void name_space(struct netns *ns, const char *name, uint64_t inode)
{
	snprintf(ns->name, sizeof(ns->name), "%s", name);
	ns->inode = inode;
	ns->pid = (int32_t)(inode % 1000);
	ns->knob[KNOB_port_low] = 32768;
	ns->knob[KNOB_port_high] = 60999;
	ns->knob[KNOB_tw_reuse] = 2;
	ns->knob[KNOB_timestamps] = 1;
	ns->knob_known[KNOB_port_low] = ns->knob_known[KNOB_port_high] = true;
	ns->knob_known[KNOB_tw_reuse] = ns->knob_known[KNOB_timestamps] = true;
}

static void name_proc(unsigned i, int32_t pid, const char *comm, const char *container)
{
	procs[i].pid = pid;
	snprintf(procs[i].comm, sizeof(procs[i].comm), "%s", comm);
	snprintf(procs[i].cgroup, sizeof(procs[i].cgroup), "/system.slice/%s.service", comm);
	snprintf(procs[i].container, sizeof(procs[i].container), "%s", container);
	procs[i].fds = 112;
	procs[i].fd_limit = 1024;
}

static struct ip v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t bytes[] = {a, b, c, d};

	return ip_v4(bytes);
}

static void listen_on(struct listener *li, struct ip addr, uint16_t p, int32_t proc)
{
	*li = (struct listener){.addr = addr, .port = p, .listening = true, .sockets = 1, .backlog = 511, .proc = proc};
	li->states.n[ST_LISTEN] = 1;
}

static struct finding *find(struct fixture *f, const struct rule *rule, enum severity sev, enum stage stage)
{
	struct finding *fi = &found[f->findings.n++];

	fi->rule = rule;
	fi->severity = sev;
	fi->stage = stage;
	return fi;
}

void fixture_quiet(struct fixture *f)
{
	start(f, 1);
	name_space(&spaces[0][0], "host", 4026531840);
	name_proc(0, 812, "nginx", "");
	now(f)->n_procs = 1;
	listen_on(&listeners[0], v4(0, 0, 0, 0), 80, 0);
	spaces[0][0].listeners = listeners;
	spaces[0][0].n_listeners = 1;
	spaces[0][0].states.n[ST_LISTEN] = 1;
}

static void outage_shop(struct netns *ns)
{
	name_space(ns, "shop", 4026532177);
	dests[0] = (struct dest){.src = v4(10, 0, 0, 1), .dst = v4(10, 0, 0, 2), .dport = 443, .proc = 1};
	dests[0].states.n[ST_TIME_WAIT] = dests[0].tw_in_range = 28100;
	dests[0].states.n[ST_ESTABLISHED] = 132;
	dests[0].ports_low_parity = dests[0].ports_other_parity = 14116;
	for (unsigned age = 0; age < 60; age++)
		dests[0].tw_ages.s[age] = age < 20 ? 468 : 469;
	dests[1] = (struct dest){.src = ip_v6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"),
				 .dst = ip_v6("\x20\x01\x0d\xb8\0\0\0\0\x12\x34\x56\x78\x9a\xbc\xde\xf0"),
				 .dport = 5432,
				 .proc = -1};
	dests[1].states.n[ST_ESTABLISHED] = 8;
	dests[1].ports_low_parity = 8;
	ns->dests = dests;
	ns->n_dests = 2;
	ns->states.n[ST_TIME_WAIT] = 28100;
	ns->states.n[ST_ESTABLISHED] = 140;
}

static void outage_host(struct netns *ns)
{
	name_space(ns, "host", 4026531840);
	listen_on(&listeners[0], v4(0, 0, 0, 0), 80, 0);
	listeners[0].queue = 512;
	listeners[0].states.n[ST_ESTABLISHED] = 900;
	listeners[0].states.n[ST_CLOSE_WAIT] = 634;
	listeners[0].states.n[ST_TIME_WAIT] = 1200;
	listen_on(&listeners[1], ip_v6("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), 6379, 2);
	listeners[2] = (struct listener){.addr = v4(10, 0, 0, 1), .port = 8080, .proc = -1};
	listeners[2].states.n[ST_TIME_WAIT] = 7;
	ns->listeners = listeners;
	ns->n_listeners = 3;
	ns->fin_wait_2_orphans = 3;
	ns->states.n[ST_LISTEN] = 2;
	ns->states.n[ST_ESTABLISHED] = 900;
	ns->states.n[ST_CLOSE_WAIT] = 634;
	ns->states.n[ST_TIME_WAIT] = 1207;
	ns->states.n[ST_FIN_WAIT_2] = 3;
}

static void outage_counters(void)
{
	static const char *const names[] = {"ListenOverflows", "TW", "Tcp.ActiveOpens", "Tcp.OutRsts", "Zz"};

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < ARRAY_LEN(names); k++) {
			snprintf(counters[i][k].name, sizeof(counters[i][k].name), "%s", names[k]);
			counters[i][k].value = 1000 + i * (k * 235 + 1);
		}
		counters[i][3].value = 50 - i; /* went back: a reset has no rate */
		spaces[i][0].counters = (struct counters){.v = counters[i], .n = ARRAY_LEN(names)};
	}
}

static void outage_findings(struct fixture *f)
{
	struct finding *fi = find(f, &port, SEV_CRIT, STAGE_FAILING);

	fi->confidence = CONF_HIGH;
	snprintf(fi->raise, sizeof(fi->raise), "error 99 in the program's log");
	snprintf(fi->netns, sizeof(fi->netns), "shop");
	fi->netns_inode = 4026532177;
	snprintf(fi->what, sizeof(fi->what),
		 "28,232 of 28,232 local ports of 10.0.0.1 towards 10.0.0.2:443 are in use: connect() fails with "
		 "EADDRNOTAVAIL; the first port is free in 0.4 s");
	snprintf(
		fi->evidence, sizeof(fi->evidence),
		"TIME_WAIT 28,100 + live 132 = 28,232 >= 0.98 x 28,232 usable; closes 468/s > (28,232 - 132 live)/63 s = 446/s");
	snprintf(fi->process, sizeof(fi->process), "shop \"api\\\"[4711] in 3f2c1a");
	fi->n_remedies = 2;
	snprintf(fi->remedies[0].action, sizeof(fi->remedies[0].action),
		 "Reuse connections: keep-alive and a pool as large as the peak concurrency towards 10.0.0.2:443");
	snprintf(fi->remedies[0].precondition, sizeof(fi->remedies[0].precondition),
		 "the pool drops idle connections sooner than the server's idle timeout");
	snprintf(fi->remedies[1].action, sizeof(fi->remedies[1].action), "Widen the local port range");
	snprintf(fi->remedies[1].command, sizeof(fi->remedies[1].command),
		 "nsenter -t 177 -n sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
	snprintf(fi->remedies[1].risk, sizeof(fi->remedies[1].risk), "a service port in the range can be taken");

	fi = find(f, &leak, SEV_WARN, STAGE_LEAKING);
	fi->confidence = CONF_CERTAIN;
	snprintf(fi->netns, sizeof(fi->netns), "host");
	fi->netns_inode = 4026531840;
	snprintf(fi->what, sizeof(fi->what), "634 sockets on *:80 wait for close() in nginx[812]");
	snprintf(fi->evidence, sizeof(fi->evidence), "CLOSE_WAIT 634 >= 100, Recv-Q 0: the end of file was read");
	snprintf(fi->process, sizeof(fi->process), "nginx[812]");
	fi->n_remedies = 1;
	snprintf(fi->remedies[0].action, sizeof(fi->remedies[0].action),
		 "Restart nginx[812], then fix the missing close()");
	snprintf(fi->remedies[0].command, sizeof(fi->remedies[0].command), "systemctl restart nginx");

	fi = find(f, &pile, SEV_INFO, STAGE_HARMLESS);
	fi->confidence = CONF_CERTAIN;
	snprintf(fi->netns, sizeof(fi->netns), "host");
	snprintf(fi->what, sizeof(fi->what), "1,200 TIME_WAIT, all on listening ports: do nothing");
	snprintf(fi->evidence, sizeof(fi->evidence), "1,200 of 1,200 have a listening port as their local one");
}

void fixture_outage(struct fixture *f)
{
	start(f, 2);
	name_proc(0, 812, "nginx", "");
	name_proc(1, 4711, "shop \"api\\\"", "3f2c1a");
	name_proc(2, 99, "redis-server", "");
	for (unsigned i = 0; i < 2; i++) {
		outage_host(&spaces[i][0]);
		outage_shop(&spaces[i][1]);
		name_space(&spaces[i][2], "db", 4026532300);
		name_space(&spaces[i][3], "cache", 4026532400);
		f->obs.s[i].n_netns = 4;
		f->obs.s[i].n_procs = 3;
	}
	spaces[1][1].torn = true;
	spaces[1][0].sockstat = (struct sockstat){true, 1537, 1210, 12, 2901, 4096};
	spaces[1][1].conntrack = (struct conntrack){.known = true,
						    .active = true,
						    .count = 61000,
						    .max = 262144,
						    .insert_failed = 20,
						    .drop = 20,
						    .early_drop = 3};
	outage_counters();
	snprintf(missing[0].what, sizeof(missing[0].what), "connection tracking");
	snprintf(missing[0].why, sizeof(missing[0].why), "no nf_conntrack");
	spaces[1][0].missing = missing;
	spaces[1][0].n_missing = 1;
	outage_findings(f);
}

void fixture_busy(struct fixture *f)
{
	fixture_outage(f);
	for (size_t i = 3; i < 7; i++)
		found[i] = found[i == 6 ? 2 : 1];
	found[2] = found[1];
	f->findings.n = 7;
}

void fixture_harmless(struct fixture *f)
{
	struct finding *fi;

	fixture_quiet(f);
	listeners[0].states.n[ST_TIME_WAIT] = 12345;
	spaces[0][0].states.n[ST_TIME_WAIT] = 12345;
	fi = find(f, &pile, SEV_INFO, STAGE_HARMLESS);
	fi->confidence = CONF_CERTAIN;
	snprintf(fi->what, sizeof(fi->what), "12,345 TIME_WAIT, all on listening ports: do nothing");
	snprintf(fi->evidence, sizeof(fi->evidence), "12,345 of 12,345 have a listening port as their local one");
}

void fixture_blind(struct fixture *f)
{
	fixture_quiet(f);
	snprintf(missing[0].what, sizeof(missing[0].what), "socket owners");
	snprintf(missing[0].why, sizeof(missing[0].why), "no CAP_SYS_PTRACE");
	snprintf(missing[0].lost, sizeof(missing[0].lost), "which process leaks CLOSE_WAIT");
	missing[0].blind = true;
	snprintf(missing[1].what, sizeof(missing[1].what), "tcp_tw_reuse_delay");
	snprintf(missing[1].why, sizeof(missing[1].why), "since 6.14");
	now(f)->missing = missing;
	now(f)->n_missing = 2;
}

static void fill(char *s, size_t cap)
{
	for (size_t i = 0; i + 1 < cap; i++)
		s[i] = i % 9 == 8 ? ' ' : 'x';
	s[cap - 1] = 0;
}

static void crowd_finding(struct finding *fi, unsigned i)
{
	fi->confidence = CONF_LOW;
	fill(fi->netns, sizeof(fi->netns));
	fill(fi->what, sizeof(fi->what));
	fill(fi->evidence, sizeof(fi->evidence));
	fill(fi->process, sizeof(fi->process));
	fill(fi->raise, sizeof(fi->raise));
	fi->n_remedies = i % 2 ? REMEDIES_MAX : 1;
	for (unsigned r = 0; r < fi->n_remedies; r++) {
		fill(fi->remedies[r].action, sizeof(fi->remedies[r].action));
		fill(fi->remedies[r].precondition, sizeof(fi->remedies[r].precondition));
		fill(fi->remedies[r].command, sizeof(fi->remedies[r].command));
		fill(fi->remedies[r].risk, sizeof(fi->remedies[r].risk));
	}
}

void fixture_crowd(struct fixture *f)
{
	start(f, 2);
	for (unsigned i = 0; i < CROWD; i++) {
		struct netns *ns = &spaces[1][i];
		char name[N_TEXT];

		snprintf(name, sizeof(name), "container-%02u-0123456789abcdef0123456789abcdef0123456789", i);
		name_space(ns, name, 4026532000 + i);
		for (unsigned st = 0; st < N_STATES; st++)
			ns->states.n[st] = UINT32_MAX - i;
		ns->listeners = listeners;
		ns->n_listeners = 4;
		ns->dests = dests;
		ns->n_dests = 4;
		ns->missing = missing;
		ns->n_missing = 2;
		spaces[0][i] = *ns;
	}
	for (unsigned i = 0; i < 4; i++) {
		listen_on(&listeners[i], v4(255, 255, 255, 255), 65535, -1);
		listeners[i].queue = listeners[i].backlog = UINT32_MAX;
		listeners[i].states.n[ST_TIME_WAIT] = UINT32_MAX;
		dests[i].src = dests[i].dst = ip_v6("\x20\x01\x0d\xb8\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66");
		dests[i].dport = 65535;
		dests[i].ports_low_parity = UINT32_MAX;
		dests[i].proc = -1;
	}
	fill(missing[0].what, sizeof(missing[0].what));
	fill(missing[0].why, sizeof(missing[0].why));
	missing[0].blind = true;
	snprintf(missing[1].what, sizeof(missing[1].what), "conntrack");
	missing[1].blind = true;
	for (unsigned i = 0; i < 2; i++)
		f->obs.s[i].n_netns = CROWD;
	for (unsigned i = 0; i < CROWD_FINDINGS; i++)
		crowd_finding(find(f, i % 2 ? &leak : &port, i < 10 ? SEV_CRIT : SEV_WARN, STAGE_FAILING), i);
	f->findings.dropped = 5;
}

/* SPDX-License-Identifier: MIT */
#include "obs/scan.h"
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "knob/knob.h"
#include "obs/aggregate.h"
#include "obs/conntrack.h"
#include "obs/procnet.h"
#include "obs/sysctl.h"

enum {
	KERNEL_BOUND_INACTIVE = KV(6, 8), /* 91051f003948: inet_diag shows sockets that are only bound */
	REUSE_DELAY_MS = 1000, /* before 6.14 it was no knob */
};

/* Counters that rules ask for, and what is not told without them. */
static const struct {
	const char *name, *lost;
} counters_used[] = {
	{"TW", "how many TIME_WAITs are made per second"},
	{"TWRecycled", "whether connect() takes over TIME_WAITs"},
	{"TWKilled", "how many orphans were given less than 4 s in FIN_WAIT_2"},
	{"PAWSTimewait", "whether a TIME_WAIT refuses SYNs for their timestamp; PAWSEstab counts both before 6.16"},
	{"PAWSEstab", "whether segments are dropped for their timestamp"},
	{"TCPTimeWaitOverflow", "whether tcp_max_tw_buckets destroys TIME_WAITs"},
	{"ListenOverflows", "whether accept queues overflow"},
	{"ListenDrops", "whether SYNs are dropped"},
	{"TCPReqQFullDoCookies", "whether SYN queues overflow"},
	{"TCPReqQFullDrop", "whether SYN queues overflow with cookies off"},
	{"SyncookiesSent", "whether SYN cookies are in use"},
	{"TCPAbortOnData", "whether sockets are closed with SO_LINGER 0"},
	{"TCPAbortOnClose", "whether sockets are closed with unread data"},
	{"TCPAbortOnMemory", "whether orphans are reset for lack of room"},
	{"TCPAbortOnTimeout", "whether connections die unanswered"},
	{"EmbryonicRsts", "whether handshakes end in a reset"},
	{"TCPSynRetrans", "whether SYNs are repeated"},
	{"Tcp.ActiveOpens", "connections out per second"},
	{"Tcp.PassiveOpens", "connections in per second"},
	{"Tcp.AttemptFails", "failed handshakes per second"},
	{"Tcp.EstabResets", "connections reset per second"},
	{"Tcp.OutRsts", "resets sent per second"},
};

const char *counter_absent(const struct counters *c, size_t *cursor, const char **ret_lost)
{
	while (*cursor < ARRAY_LEN(counters_used)) {
		size_t i = (*cursor)++;
		uint64_t v;

		if (counters_get(c, counters_used[i].name, &v))
			continue;
		*ret_lost = counters_used[i].lost;
		return counters_used[i].name;
	}
	return NULL;
}

int note(struct missing **v, size_t *n, bool blind, const char *what, const char *why, const char *lost)
{
	struct missing m = {.blind = blind};

	copy_printable(m.what, sizeof(m.what), what);
	copy_printable(m.why, sizeof(m.why), why);
	copy_printable(m.lost, sizeof(m.lost), lost);
	return missing_add(v, n, &m);
}

static int note_errno(struct netns *ns, int err, const char *what, const char *lost)
{
	return note(&ns->missing, &ns->n_missing, true, what, strerror(-err), lost);
}

/* One dump feeds the counts and the set of sockets that are accounted for. */
struct tee {
	struct aggregate *a;
	struct owners *owners;
	bool no_memory;
};

static void tee_row(void *ctx, const struct diag_row *r)
{
	struct tee *t = ctx;

	aggregate_row(t->a, r);
	if (r->inode && owners_seen(t->owners, r->inode) < 0)
		t->no_memory = true;
}

static void tee_reset(void *ctx) { aggregate_reset(((struct tee *)ctx)->a); }

static int dump_all(const struct scan_cfg *cfg, struct diag *d, struct aggregate *a, bool *torn, struct why *w)
{
	/* Bound sockets cost the kernel a second walk, through every bind bucket that a TIME_WAIT holds. */
	const struct diag_query all = {.states = DIAG_STATES_ALL, .bound = cfg->suspects};
	struct tee tee = {a, cfg->owners, false};
	const struct diag_sink plain = {aggregate_row, aggregate_reset, a}, both = {tee_row, tee_reset, &tee};
	int err = diag_dump(d, &all, cfg->suspects && cfg->owners ? &both : &plain, torn, w);

	return tee.no_memory ? -ENOMEM : err;
}

static int dump_suspects(struct diag *d, const struct aggregate *a, struct netns *ns, struct suspects **ret)
{
	const struct diag_query query = {.states = aggregate_suspect_states(a), .info = true};
	struct suspects *s;
	struct diag_sink sink = {suspects_row, suspects_reset, NULL};
	struct why w = {""};
	bool torn = false;
	int err;

	if (!query.states)
		return 0;
	if (suspects_new(a, &s) < 0)
		return -ENOMEM;
	*ret = s;
	sink.ctx = s;
	err = diag_dump(d, &query, &sink, &torn, &w);
	ns->torn |= torn;
	if (err == -ENOMEM)
		return err;
	if (err < 0)
		return note(&ns->missing, &ns->n_missing, true, "suspect sockets", w.text, "leaks and stuck closes");
	if (suspects_dropped(s))
		return note(&ns->missing, &ns->n_missing, true, "some suspect sockets", "more than 65,536 of them",
			    "the exact size of leaks");
	return 0;
}

static struct aggregate_cfg aggregate_cfg(const struct scan_cfg *cfg, const struct netns *ns)
{
	struct aggregate_cfg c = {
		.port_low = 1,
		.reserved = ns->reserved,
		.n_reserved = ns->n_reserved,
		.tw_reuse_delay_ms = REUSE_DELAY_MS,
		.knows_bound = cfg->suspects && cfg->kernel_version >= KERNEL_BOUND_INACTIVE,
		.key = cfg->key,
		.closers = cfg->closers,
	};
	int64_t low = ns->knob[KNOB_port_low], high = ns->knob[KNOB_port_high],
		delay = ns->knob[KNOB_tw_reuse_delay_ms];

	if (ns->knob_known[KNOB_port_low] && ns->knob_known[KNOB_port_high] && low >= 0 && high <= UINT16_MAX &&
	    low <= high) {
		c.port_low = (uint16_t)low;
		c.port_high = (uint16_t)high;
	}
	if (ns->knob_known[KNOB_tw_reuse_delay_ms] && delay >= 0 && delay <= UINT32_MAX)
		c.tw_reuse_delay_ms = (uint32_t)delay;
	return c;
}

int note_counts(struct netns *ns)
{
	char why[128];
	int err = 0;

	if (ns->torn)
		err = note(&ns->missing, &ns->n_missing, true, "a stable socket dump",
			   "the kernel interrupted it twice: sockets come and go too fast",
			   "exact counts: some sockets may be missing or counted twice");
	if (err == 0 && ns->dests_more_n) {
		snprintf(why, sizeof(why), "about %s more", num(ns->dests_more_n).s);
		err = note(&ns->missing, &ns->n_missing, true, "destinations beyond 32,768", why,
			   "ports used up towards one of these; only their sum is known");
	}
	return err;
}

static int scan_sockets(const struct scan_cfg *cfg, struct netns *ns, struct suspects **suspects)
{
	struct aggregate_cfg acfg = aggregate_cfg(cfg, ns);
	struct aggregate *a = NULL;
	struct diag *d = NULL;
	struct why w = {""};
	int err = aggregate_new(&acfg, &a);

	if (err < 0)
		return err;
	err = diag_open(&d, &w);
	if (err == 0)
		err = dump_all(cfg, d, a, &ns->torn, &w);
	if (err < 0 && err != -ENOMEM) {
		err = note(&ns->missing, &ns->n_missing, true, "sockets", w.text, "every count of sockets");
	} else if (err == 0) {
		if (cfg->suspects)
			err = dump_suspects(d, a, ns, suspects);
		if (err == 0)
			err = aggregate_finish(a, ns);
		if (err == 0)
			err = note_counts(ns);
	}
	diag_close(d);
	aggregate_free(a);
	return err;
}

static int scan_counters(struct netns *ns, struct snapshot *host)
{
	int err = counters_read(&ns->counters);
	const char *name, *lost;
	size_t cursor = 0;

	if (err == -ENOMEM)
		return err;
	if (err < 0)
		return note_errno(ns, err, "counters of /proc/net", "every rate, resets and drops");
	while (err == 0 && (name = counter_absent(&ns->counters, &cursor, &lost))) {
		char what[N_TEXT];

		snprintf(what, sizeof(what), "counter %s", name);
		err = note(&host->missing, &host->n_missing, false, what, "this kernel does not have it", lost);
	}
	return err;
}

static int scan_conntrack(struct netns *ns)
{
	bool stats;
	int err = conntrack_read(&ns->conntrack, &stats);

	if (err == -ENOENT)
		return note(&ns->missing, &ns->n_missing, false, "conntrack", "nf_conntrack is not in this kernel",
			    "nothing, if no NAT or firewall tracks connections");
	if (err < 0)
		return note_errno(ns, err, "conntrack", "whether connection tracking drops connections");
	if (!stats)
		return note(&ns->missing, &ns->n_missing, false, "conntrack counters",
			    "this kernel has no /proc/net/stat/nf_conntrack", "insert failures and drops");
	return 0;
}

int scan_netns(const struct scan_cfg *cfg, struct netns *ns, struct suspects **suspects, struct snapshot *host)
{
	int err = knobs_read(ns);

	*suspects = NULL;
	if (err == 0 && !ns->knob_known[KNOB_port_low])
		err = note(&ns->missing, &ns->n_missing, true, "sysctls", "/proc/sys/net cannot be read",
			   "how many ports there are, and every setting");
	if (err == 0)
		err = scan_sockets(cfg, ns, suspects);
	if (err == 0)
		err = scan_counters(ns, host);
	if (err == 0 && sockstat_read(&ns->sockstat) < 0)
		err = note(&ns->missing, &ns->n_missing, true, "/proc/net/sockstat", "cannot be read",
			   "orphans and TCP memory of the machine");
	if (err == 0)
		err = scan_conntrack(ns);
	return err;
}

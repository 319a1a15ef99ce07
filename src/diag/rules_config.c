/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "diag/rules.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
	FIN_TIMEOUT_DEFAULT_S = 60,
	FIN_TIMEOUT_QUIRK_S = 89, /* 61..89: 2 x (T - 60) is less than 60 */
	FIN_TIMEOUT_EXACT_S = 120, /* here 2 x (T - 60) = T; above it is more */
	TW_BUCKETS_SMALL = 16384, /* the least a kernel ever computed for a machine of today's size */
	SOMAXCONN_DEFAULT = 4096, /* since 5.4 */
	SOMAXCONN_DEFAULT_OLD = 128,
	CONNECTIONS_MIN = 10, /* fewer say nothing about who uses keepalive */
	LISTENERS_SHOWN = 3,
};

/* ---- what the rules have in common ---- */

/* A knob whose value is one the kernel would have taken; what a saved file says may be anything. */
static bool knob_sane(const struct view *v, enum knob_id id, int64_t *ret)
{
	int64_t value;

	if (!view_knob(v, id, &value) || value < knob_descs[id].min || value > knob_descs[id].max)
		return false;
	*ret = value;
	return true;
}

/* The namespace that the files of /etc speak of. */
static bool is_host(const struct view *v) { return strcmp(v->now->name, "host") == 0; }

/* " (set in /etc/sysctl.d/99-tune.conf:12)" if a file of this host explains the value: the last line wins. */
static void say_source(struct finding *f, const struct view *v, enum knob_id id)
{
	if (!is_host(v))
		return;
	for (size_t i = v->host->n_config; i > 0; i--) {
		const struct config_line *c = &v->host->config[i - 1];

		if (strcmp(c->name, knob_descs[id].name) != 0)
			continue;
		append(f->evidence, sizeof(f->evidence), " (set in %s:%" PRIu32 ")", c->file, c->line);
		return;
	}
}

static void say_command(struct remedy *m, const struct view *v, enum knob_id id, int64_t value)
{
	SAY(m->command, "%ssysctl -w %s=%" PRId64, view_prefix(v).s, knob_descs[id].name, value);
}

/* Back to what the kernel would have chosen. */
static struct remedy *remedy_default(struct finding *f, const struct view *v, enum knob_id id)
{
	int64_t def = knob_descs[id].def == KNOB_BOOT ? view_boot_value(v, id) : knob_descs[id].def;
	struct remedy *m;

	if (def == KNOB_ANY)
		return NULL;
	m = finding_remedy(f, "");
	SAY(m->action, "Set %s back to %" PRId64, knob_descs[id].name, def);
	SAY(m->precondition, "%s",
	    is_host(v) ? "take the line out of sysctl.conf or sysctl.d too, else it is back at the next boot"
		       : "change it where this namespace gets its sysctls from too (container, pod, unit file)");
	say_command(m, v, id, def);
	return m;
}

/* ---- one knob each ---- */

static void eval_CFG001(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f;
	int64_t t;

	if (!knob_sane(v, KNOB_fin_timeout_s, &t) || t == FIN_TIMEOUT_DEFAULT_S ||
	    (t > FIN_TIMEOUT_QUIRK_S && t <= FIN_TIMEOUT_EXACT_S))
		return;
	f = findings_add(out, self, v, t > FIN_TIMEOUT_DEFAULT_S && t <= FIN_TIMEOUT_QUIRK_S ? SEV_WARN : SEV_INFO,
			 STAGE_CONFIG);
	if (t < FIN_TIMEOUT_DEFAULT_S) {
		SAY(f->what,
		    "tcp_fin_timeout=%" PRId64 " does not shorten TIME_WAIT, which always lasts 60 s: it only "
		    "drops orphans in FIN_WAIT_2 early",
		    t);
		SAY(f->evidence, "tcp_fin_timeout %" PRId64 " < %d", t, FIN_TIMEOUT_DEFAULT_S);
	} else {
		SAY(f->what, "tcp_fin_timeout=%" PRId64 " keeps orphans in FIN_WAIT_2 for %" PRId64 " s, %s", t,
		    2 * (t - FIN_TIMEOUT_DEFAULT_S),
		    t <= FIN_TIMEOUT_QUIRK_S ? "shorter than 60 would" : "longer than asked for");
		SAY(f->evidence, "%s%" PRId64 " %s: the life is 2 x (T - 60) = %" PRId64 " s",
		    t <= FIN_TIMEOUT_QUIRK_S ? "61 <= " : "tcp_fin_timeout ", t,
		    t <= FIN_TIMEOUT_QUIRK_S ? "<= 89" : "> 120", 2 * (t - FIN_TIMEOUT_DEFAULT_S));
		if (v->host->kernel_version != KV(6, 18)) {
			f->confidence = CONF_HIGH;
			SAY(f->raise, "a measurement on this kernel: 2 x (T - 60) was measured on Linux 6.18");
		}
	}
	say_source(f, v, KNOB_fin_timeout_s);
	remedy_default(f, v, KNOB_fin_timeout_s);
}

const struct rule rule_CFG001 = {
	.id = "CFG001",
	.title = "tcp_fin_timeout does not do what it was set for",
	.never = {"no tcp_fin_timeout shortens TIME_WAIT: its 60 s are compiled in"},
	.eval = eval_CFG001,
};

static void eval_CFG002(const struct rule *self, const struct view *v, struct findings *out)
{
	int64_t boot = view_boot_value(v, KNOB_max_tw_buckets), limit = boot == KNOB_ANY ? TW_BUCKETS_SMALL : boot,
		value;
	uint64_t lost;
	struct finding *f;
	struct remedy *m;

	if (!knob_sane(v, KNOB_max_tw_buckets, &value) || value >= limit)
		return;
	f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);
	SAY(f->what,
	    "tcp_max_tw_buckets=%" PRId64 " is below %s%" PRId64 ": beyond it closes lose their TIME_WAIT, and "
	    "peers get resets",
	    value, boot == KNOB_ANY ? "" : "the boot value ", limit);
	SAY(f->evidence, "tcp_max_tw_buckets %" PRId64 " < %s%" PRId64, value,
	    boot == KNOB_ANY ? "" : "TCP hash buckets / 2 = ", limit);
	if (view_total(v, "TCPTimeWaitOverflow", &lost) && lost)
		append(f->evidence, sizeof(f->evidence), "; TCPTimeWaitOverflow %s already", num(lost).s);
	say_source(f, v, KNOB_max_tw_buckets);
	if (boot == KNOB_ANY) {
		f->confidence = CONF_MEDIUM;
		SAY(f->raise, "the size of the TCP hash table (kernel log at boot): the boot value is half of it");
	}
	m = remedy_default(f, v, KNOB_max_tw_buckets);
	if (m)
		SAY(m->risk, "at most 256 bytes for each TIME_WAIT");
}

const struct rule rule_CFG002 = {
	.id = "CFG002",
	.title = "tcp_max_tw_buckets below the boot value",
	.never = {"a low tcp_max_tw_buckets does not clear TIME_WAITs: those that exist stay, new closes lose theirs"},
	.eval = eval_CFG002,
};

static void eval_CFG003(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f;
	int64_t value;

	if (!knob_sane(v, KNOB_timestamps, &value) || value != 0)
		return;
	f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);
	SAY(f->what, "tcp_timestamps=0: no PAWS against old segments, and tcp_tw_reuse does nothing");
	SAY(f->evidence, "tcp_timestamps = 0");
	say_source(f, v, KNOB_timestamps);
	remedy_default(f, v, KNOB_timestamps);
}

const struct rule rule_CFG003 = {
	.id = "CFG003",
	.title = "TCP timestamps are off",
	.never = {"timestamps off is no cure for SYNs refused behind NAT: it takes PAWS and tcp_tw_reuse away"},
	.eval = eval_CFG003,
};

static void eval_CFG004(const struct rule *self, const struct view *v, struct findings *out)
{
	int64_t reuse, timestamps;
	struct finding *f;

	if (!knob_sane(v, KNOB_tw_reuse, &reuse) || !knob_sane(v, KNOB_timestamps, &timestamps) || reuse != 1 ||
	    timestamps != 0)
		return;
	f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);
	SAY(f->what,
	    "tcp_tw_reuse=1 has no effect: connect() takes over a TIME_WAIT only with timestamps, and they are off");
	SAY(f->evidence, "tcp_tw_reuse = 1 and tcp_timestamps = 0");
	say_source(f, v, KNOB_tw_reuse);
	remedy_default(f, v, KNOB_timestamps);
}

const struct rule rule_CFG004 = {
	.id = "CFG004",
	.title = "tcp_tw_reuse=1 without effect",
	.never = {"tcp_tw_reuse does nothing for connections that come in: do not expect it to on a server"},
	.eval = eval_CFG004,
};

static void eval_CFG005(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f;
	int64_t value;

	if (!knob_sane(v, KNOB_syncookies, &value) || value == 1)
		return;
	f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);
	if (value == 0)
		SAY(f->what,
		    "tcp_syncookies=0: when a SYN queue is full, SYNs are dropped; a small flood shuts a service");
	else
		SAY(f->what, "tcp_syncookies=2 answers every SYN with a cookie: clients without timestamps lose window "
			     "scaling and SACK");
	SAY(f->evidence, "tcp_syncookies = %" PRId64 ", not 1", value);
	say_source(f, v, KNOB_syncookies);
	remedy_default(f, v, KNOB_syncookies);
}

const struct rule rule_CFG005 = {
	.id = "CFG005",
	.title = "SYN cookies are not \"when needed\"",
	.never = {"tcp_syncookies=2 is for tests: it makes every connection poorer",
		  "tcp_syncookies=0 saves nothing: 1 "
		  "costs nothing until a queue is full"},
	.eval = eval_CFG005,
};

/* ---- somaxconn ---- */

static bool is_pressed(const struct listener *l) { return (uint64_t)l->queue * 2 >= l->backlog && l->queue > 0; }

/* Listeners whose backlog somaxconn probably cut. */
struct capped {
	const struct listener *first; /* one of them, under pressure if any is */
	size_t n, pressed;
	uint64_t overflows;
};

static bool is_capped(const struct view *v, int64_t somaxconn, struct capped *ret)
{
	int64_t usual = v->host->kernel_version < KV(5, 4) ? SOMAXCONN_DEFAULT_OLD : SOMAXCONN_DEFAULT;
	struct capped c = {0};

	if (somaxconn >= SOMAXCONN_DEFAULT)
		return false;
	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (!l->listening || l->backlog != somaxconn)
			continue;
		c.n++;
		c.pressed += is_pressed(l);
		if (!c.first || (is_pressed(l) && !is_pressed(c.first)))
			c.first = l;
	}
	view_delta(v, "ListenOverflows", &c.overflows);
	*ret = c;
	/* with the kernel's own default a backlog of 128 is as likely the program's wish */
	return c.n && (somaxconn < usual || c.pressed || c.overflows);
}

static void eval_CFG006(const struct rule *self, const struct view *v, struct findings *out)
{
	int64_t somaxconn;
	struct capped c;
	struct finding *f;
	struct remedy *m;

	if (!knob_sane(v, KNOB_somaxconn, &somaxconn) || !is_capped(v, somaxconn, &c))
		return;
	f = findings_add(out, self, v, c.pressed || c.overflows ? SEV_WARN : SEV_INFO, STAGE_CONFIG);
	f->weight = (double)c.n;
	SAY(f->what, "somaxconn=%" PRId64 " probably caps the backlog of %zu listener%s, such as %s", somaxconn, c.n,
	    c.n == 1 ? "" : "s", ip_port_text(c.first->addr, c.first->port).s);
	if (c.pressed)
		append(f->what, sizeof(f->what), "; its queue holds %s", num(c.first->queue).s);
	SAY(f->evidence, "backlog %" PRIu32 " = somaxconn %" PRId64 " < %d", c.first->backlog, somaxconn,
	    SOMAXCONN_DEFAULT);
	if (c.pressed)
		append(f->evidence, sizeof(f->evidence), "; queue %" PRIu32 " >= 50 %% of it", c.first->queue);
	if (c.overflows)
		append(f->evidence, sizeof(f->evidence), "; ListenOverflows +%s", num(c.overflows).s);
	say_source(f, v, KNOB_somaxconn);
	SAY(f->process, "%s", proc_text(snapshot_proc(v->host, c.first->proc)).s);
	f->confidence = CONF_MEDIUM;
	SAY(f->raise, "what the program passes to listen(): its configuration, or strace -e trace=listen at its start");
	m = finding_remedy(f, "");
	SAY(m->action, "Raise somaxconn to %d", SOMAXCONN_DEFAULT);
	SAY(m->precondition, "each program must listen() again, that is restart, for it to count");
	say_command(m, v, KNOB_somaxconn, SOMAXCONN_DEFAULT);
}

const struct rule rule_CFG006 = {
	.id = "CFG006",
	.title = "somaxconn caps a backlog",
	.never = {"a higher somaxconn changes no listener that already listens: the program has to listen again"},
	.eval = eval_CFG006,
};

/* ---- files ---- */

/* The word-th number of a configured value. */
static bool config_number(const char *text, unsigned word, int64_t *ret)
{
	char *end;

	for (unsigned i = 0;; i++) {
		long long value = strtoll(text, &end, 10);

		if (end == text || (*end && *end != ' ' && *end != '\t'))
			return false;
		if (i == word) {
			*ret = value;
			return true;
		}
		text = end;
	}
}

static bool is_dead(const struct view *v, enum knob_id id)
{
	return knob_descs[id].until && v->host->kernel_version >= knob_descs[id].until;
}

static bool would_harm(const struct view *v, enum knob_id id, int64_t value)
{
	if (id == KNOB_fin_timeout_s && value > FIN_TIMEOUT_DEFAULT_S && value <= FIN_TIMEOUT_QUIRK_S)
		return true;
	return knob_is_dangerous(id, value, view_boot_value(v, id));
}

/* Another line with this name after row i decides instead. */
static bool is_overruled(const struct snapshot *s, size_t i)
{
	for (size_t k = i + 1; k < s->n_config; k++)
		if (strcmp(s->config[k].name, s->config[i].name) == 0)
			return true;
	return false;
}

/* A file name that a shell reads as it stands. */
static bool is_plain_path(const char *s)
{
	return *s == '/' && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-")] == '\0';
}

static struct finding *say_line(const struct rule *self, const struct view *v, const struct config_line *c,
				enum knob_id id, struct findings *out)
{
	struct finding *f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);
	const struct knob_desc *k = &knob_descs[id];
	struct remedy *m;
	int64_t active;

	if (is_dead(v, id)) {
		SAY(f->what,
		    "%s:%" PRIu32 " sets %s, which Linux lost in %d.%d: sysctl --system reports an error there",
		    c->file, c->line, c->name, k->until >> 16, k->until & 0xffff);
		SAY(f->evidence, "%s = %s, kernel %s >= %d.%d", c->name, c->value, v->host->kernel, k->until >> 16,
		    k->until & 0xffff);
	} else {
		SAY(f->what, "%s:%" PRIu32 " sets %s to %s at the next boot: %s", c->file, c->line, c->name, c->value,
		    k->danger[0] ? k->danger : "orphans then stay in FIN_WAIT_2 shorter than with 60");
		SAY(f->evidence, "%s = %s in the file", c->name, c->value);
		if (view_knob(v, id, &active))
			append(f->evidence, sizeof(f->evidence), ", %" PRId64 " now", active);
	}
	m = finding_remedy(f, "");
	SAY(m->action, "Comment out line %" PRIu32 " of %s", c->line, c->file);
	if (!is_plain_path(c->file) || !c->line)
		return f;
	SAY(m->precondition, "the line is still where it was; sed keeps the file as it was before, as .bak-%" PRIu32,
	    c->line);
	SAY(m->command, "sed -i.bak-%" PRIu32 " '%" PRIu32 "s/^/# /' %s", c->line, c->line, c->file);
	return f;
}

/* The knob for which line i is worth a word, or -1. */
static int line_knob(const struct view *v, size_t i)
{
	const struct config_line *c = &v->host->config[i];

	for (int id = 0; id < N_HOST_KNOBS; id++) {
		int64_t value, active;

		if (strcmp(knob_descs[id].name, c->name) != 0)
			continue;
		if (is_dead(v, (enum knob_id)id))
			return id;
		/* what is active already is told by the rule about the value itself */
		if (config_number(c->value, knob_descs[id].word, &value) && would_harm(v, (enum knob_id)id, value) &&
		    view_knob(v, (enum knob_id)id, &active) && active != value && !is_overruled(v->host, i))
			return id;
	}
	return -1;
}

static void eval_CFG007(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f = NULL;
	size_t n = 0, more = 0;

	if (!is_host(v))
		return;
	for (size_t i = 0; i < v->host->n_config; i++) {
		int id = line_knob(v, i);

		if (id < 0)
			continue;
		if (n++ < PER_RULE_MAX)
			f = say_line(self, v, &v->host->config[i], (enum knob_id)id, out);
		else
			more++;
	}
	if (f)
		finding_more(f, more, "line");
}

const struct rule rule_CFG007 = {
	.id = "CFG007",
	.title = "obsolete or dangerous lines in sysctl.conf or sysctl.d",
	.host = true,
	.never =
		{"tcp_tw_recycle is no tuning: it dropped the SYNs of all clients but one behind a NAT, and is gone since "
		 "4.12"},
	.eval = eval_CFG007,
};

/* ---- keepalive ---- */

/* Does any connection run a keepalive timer, or any socket that was asked have the option? */
static bool keepalive_in_use(const struct netns *ns)
{
	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].keepalive_timers ||
		    (ns->listeners[i].opts.known && ns->listeners[i].opts.keepalive))
			return true;
	for (size_t i = 0; i < ns->n_dests; i++)
		if (ns->dests[i].keepalive_timers)
			return true;
	for (size_t i = 0; i < ns->n_holders; i++)
		if (ns->holders[i].opts.known && ns->holders[i].opts.keepalive)
			return true;
	return ns->dests_more_n > 0; /* those were not looked at one by one */
}

static void eval_CFG008(const struct rule *self, const struct view *v, struct findings *out)
{
	static const enum knob_id ids[] = {KNOB_keepalive_time_s, KNOB_keepalive_intvl_s, KNOB_keepalive_probes};
	uint32_t established = v->now->states.n[ST_ESTABLISHED];
	char changed[160] = "";
	struct finding *f;
	struct remedy *m;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		int64_t value;

		if (!knob_sane(v, ids[i], &value) || knob_is_default(ids[i], value, KNOB_ANY))
			continue;
		append(changed, sizeof(changed), "%s%s=%" PRId64, changed[0] ? ", " : "",
		       strrchr(knob_descs[ids[i]].name, '.') + 1, value);
	}
	if (!changed[0] || established < CONNECTIONS_MIN || keepalive_in_use(v->now))
		return;
	f = findings_add(out, self, v, SEV_INFO, STAGE_CONFIG);
	SAY(f->what, "%s, but none of %s connections uses keepalive: it acts on sockets with SO_KEEPALIVE only",
	    changed, num(established).s);
	SAY(f->evidence, "running keepalive timers 0, ESTABLISHED %s >= %d", num(established).s, CONNECTIONS_MIN);
	f->confidence = CONF_HIGH;
	SAY(f->raise, "the option itself on each socket: ss -to shows timer:(keepalive,...) where it is set");
	m = finding_remedy(f, "Set SO_KEEPALIVE in the programs that should notice dead peers");
	SAY(m->precondition, "most have a setting for it: nginx listen ... so_keepalive=on, haproxy option tcpka");
}

const struct rule rule_CFG008 = {
	.id = "CFG008",
	.title = "keepalive changed, but no socket uses it",
	.never = {"lower keepalive values do not end CLOSE_WAIT or idle connections: a living peer answers for ever"},
	.eval = eval_CFG008,
};

/* ---- all others ---- */

/* CFG001..CFG005, for the range PORT005; CFG006 speaks of somaxconn where a listener suffers from it. */
static bool another_rule_speaks(const struct view *v, enum knob_id id, int64_t value)
{
	struct capped c;

	return id == KNOB_fin_timeout_s || id == KNOB_max_tw_buckets || id == KNOB_timestamps || id == KNOB_tw_reuse ||
	       id == KNOB_syncookies || id == KNOB_port_low || id == KNOB_port_high ||
	       (id == KNOB_somaxconn && is_capped(v, value, &c));
}

/* A knob of connection tracking where no packet ever met it. */
static bool is_inert(const struct view *v, enum knob_id id)
{
	return strncmp(knob_descs[id].name, "net.netfilter.", strlen("net.netfilter.")) == 0 &&
	       v->now->conntrack.known && !v->now->conntrack.active;
}

static struct finding *say_knob(const struct rule *self, const struct view *v, enum knob_id id, int64_t value,
				struct findings *out)
{
	const struct knob_desc *k = &knob_descs[id];
	int64_t boot = view_boot_value(v, id), lo = k->safe_min == KNOB_BOOT ? boot : k->safe_min;
	bool low = lo != KNOB_ANY && value < lo;
	struct finding *f = findings_add(out, self, v, SEV_WARN, STAGE_CONFIG);

	SAY(f->what, "%s=%" PRId64 ": %s", k->name, value, k->danger);
	SAY(f->evidence, "%s %" PRId64 " %s %" PRId64, k->field, value, low ? "<" : ">", low ? lo : k->safe_max);
	say_source(f, v, id);
	remedy_default(f, v, id);
	return f;
}

static void eval_CFG009(const struct rule *self, const struct view *v, struct findings *out)
{
	struct finding *f = NULL;
	size_t n = 0, more = 0;

	for (int i = 0; i < N_HOST_KNOBS; i++) {
		enum knob_id id = (enum knob_id)i;
		int64_t value;

		if (!knob_sane(v, id, &value) || !knob_is_dangerous(id, value, view_boot_value(v, id)) ||
		    is_inert(v, id) || another_rule_speaks(v, id, value))
			continue;
		if (knob_descs[id].scope == SCOPE_GLOBAL && v->now != v->host->netns) /* told once, for the first one */
			continue;
		if (n++ < PER_RULE_MAX)
			f = say_knob(self, v, id, value, out);
		else
			more++;
	}
	if (f)
		finding_more(f, more, "knob");
}

const struct rule rule_CFG009 = {
	.id = "CFG009",
	.title = "a knob outside its safe range",
	.eval = eval_CFG009,
};

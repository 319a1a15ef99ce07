/* SPDX-License-Identifier: MIT */
/* exp_config.c - CFG001..CFG009: settings that harm or mislead, each set in a namespace of its own. */
#include "lab/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static const struct finding *expect_set(struct lab *l, const char *id, const char *name, const char *value)
{
	lab_sysctl(l, l->client, name, value);
	return lab_expect(l, lab_look(l, l->client, 0), id, SEV_INFO);
}

/* Put back, the finding goes: it was about this setting and nothing else. */
static void expect_cured(struct lab *l, const char *id, const char *name, const char *value)
{
	lab_sysctl(l, l->client, name, value);
	lab_expect_without(l, lab_look(l, l->client, 0), id);
}

/* ---- CFG001 ---- */

static void run_cfg001(struct lab *l)
{
	static const char name[] = "net.ipv4.tcp_fin_timeout";
	const struct finding *f;

	lab_lo(l);
	f = expect_set(l, "CFG001", name, "75");
	lab_expect_that(l, f->severity >= SEV_WARN, "the trap is worth a warning");
	lab_expect_text(l, "CFG001", f->what, "30 s, shorter than 60");
	f = expect_set(l, "CFG001", name, "61");
	lab_expect_text(l, "CFG001", f->what, "2 s");
	f = expect_set(l, "CFG001", name, "5");
	lab_expect_text(l, "CFG001", f->what, "does not shorten TIME_WAIT");
	lab_expect_that(l, f->n_remedies > 0 && strstr(f->remedies[0].command, "tcp_fin_timeout=60"),
			"the cure is the default");
	expect_cured(l, "CFG001", name, "60");
}

const struct experiment experiment_CFG001 = {
	.id = "CFG001",
	.title = "tcp_fin_timeout 61 to 89, or lowered as a cure",
	.does = "Sets tcp_fin_timeout to 75, 61 and 5 and asserts that doctor says what each really does.",
	.seconds = 1,
	.run = run_cfg001,
};

/* ---- CFG002 ---- */

/* The boot value itself is not complained about, one less is. */
static void run_cfg002(struct lab *l)
{
	static const char name[] = "net.ipv4.tcp_max_tw_buckets";
	char boot[32], less[32];
	struct why w = {0};
	uint64_t value;

	lab_lo(l);
	if (space_sysctl_read(l->client, name, boot, sizeof(boot), &w))
		lab_fail(l, "%s", w.text);
	value = strtoull(boot, NULL, 10);
	snprintf(less, sizeof(less), "%" PRIu64, value - 1);
	lab_expect_text(l, "CFG002", expect_set(l, "CFG002", name, less)->evidence, boot);
	lab_expect_text(l, "CFG002", expect_set(l, "CFG002", name, "1000")->what, "tcp_max_tw_buckets=1000");
	expect_cured(l, "CFG002", name, boot);
}

const struct experiment experiment_CFG002 = {
	.id = "CFG002",
	.title = "tcp_max_tw_buckets below the boot value",
	.does = "Lowers tcp_max_tw_buckets by one and to 1000.",
	.seconds = 1,
	.run = run_cfg002,
};

/* ---- CFG003, CFG004, CFG005, CFG009 ---- */

static void run_cfg003(struct lab *l)
{
	static const char name[] = "net.ipv4.tcp_timestamps";

	lab_lo(l);
	lab_expect_text(l, "CFG003", expect_set(l, "CFG003", name, "0")->what, "PAWS");
	expect_cured(l, "CFG003", name, "1");
	expect_cured(l, "CFG003", name, "2");
}

const struct experiment experiment_CFG003 = {
	.id = "CFG003",
	.title = "TCP timestamps are off",
	.does = "Sets tcp_timestamps to 0.",
	.seconds = 1,
	.run = run_cfg003,
};

static void run_cfg004(struct lab *l)
{
	lab_lo(l);
	expect_cured(l, "CFG004", "net.ipv4.tcp_tw_reuse", "1");
	lab_expect_text(l, "CFG004", expect_set(l, "CFG004", "net.ipv4.tcp_timestamps", "0")->what, "no effect");
	expect_cured(l, "CFG004", "net.ipv4.tcp_timestamps", "1");
}

const struct experiment experiment_CFG004 = {
	.id = "CFG004",
	.title = "tcp_tw_reuse=1 without effect",
	.does = "Sets tcp_tw_reuse to 1 while timestamps are off.",
	.seconds = 1,
	.run = run_cfg004,
};

static void run_cfg005(struct lab *l)
{
	static const char name[] = "net.ipv4.tcp_syncookies";

	lab_lo(l);
	lab_expect_text(l, "CFG005", expect_set(l, "CFG005", name, "0")->what, "dropped");
	lab_expect_text(l, "CFG005", expect_set(l, "CFG005", name, "2")->what, "every SYN");
	expect_cured(l, "CFG005", name, "1");
}

const struct experiment experiment_CFG005 = {
	.id = "CFG005",
	.title = "SYN cookies never, or always",
	.does = "Sets tcp_syncookies to 0 and to 2.",
	.seconds = 1,
	.run = run_cfg005,
};

static void run_cfg009(struct lab *l)
{
	static const struct {
		const char *name, *bad, *good;
	} knobs[] = {
		{"net.ipv4.tcp_abort_on_overflow", "1", "0"},
		{"net.ipv4.tcp_retries2", "2", "15"},
		{"net.ipv4.ip_autobind_reuse", "1", "0"},
	};

	lab_lo(l);
	for (size_t i = 0; i < ARRAY_LEN(knobs); i++) {
		lab_expect_text(l, "CFG009", expect_set(l, "CFG009", knobs[i].name, knobs[i].bad)->what, knobs[i].name);
		expect_cured(l, "CFG009", knobs[i].name, knobs[i].good);
	}
}

const struct experiment experiment_CFG009 = {
	.id = "CFG009",
	.title = "a knob outside its safe range",
	.does = "Sets tcp_abort_on_overflow, tcp_retries2 and ip_autobind_reuse to what harms.",
	.seconds = 1,
	.run = run_cfg009,
};

/* ---- CFG006 ---- */

static void run_cfg006(struct lab *l)
{
	const struct finding *f;

	lab_lo(l);
	lab_sysctl(l, l->client, "net.core.somaxconn", "64");
	lab_serve(l, l->client, "api", &(struct server_cfg){.port = 80, .backlog = 1024});
	f = lab_expect_of(l, lab_look(l, l->client, 0), "CFG006", "api", SEV_INFO);
	lab_expect_text(l, "CFG006", f->what, "*:80");
	lab_expect_text(l, "CFG006", f->evidence, "backlog 64 = somaxconn 64");
	expect_cured(l, "CFG006", "net.core.somaxconn", "4096");
}

const struct experiment experiment_CFG006 = {
	.id = "CFG006",
	.title = "somaxconn caps a backlog",
	.does = "Lets a program that asks for a backlog of 1024 listen where somaxconn is 64.",
	.seconds = 1,
	.run = run_cfg006,
};

/* ---- CFG007 ---- */

/* Files are the host's: this is the one experiment that looks at the host's own namespace. It changes nothing there. */
static void run_cfg007(struct lab *l)
{
	const struct finding *f;
	const struct sight *s;

	lab_lo(l);
	s = lab_look_from_host(l, getpid(), 0);
	if (strcmp(sight_netns(s)->name, "host") != 0)
		lab_skip(l, "not in the first network namespace: its files are not about this one");
	lab_expect_without(l, s, "CFG007");
	lab_etc(l, "sysctl.conf",
		"# from a blog\n"
		"net.ipv4.tcp_fin_timeout = 60\n"
		"net.ipv4.tcp_tw_recycle = 1\n");
	f = lab_expect(l, lab_look_from_host(l, getpid(), 0), "CFG007", SEV_WARN);
	lab_expect_text(l, "CFG007", f->what, "/etc/sysctl.conf:3");
	lab_expect_text(l, "CFG007", f->what, "tcp_tw_recycle");
	lab_expect_text(l, "CFG007", f->what, "4.12");
}

const struct experiment experiment_CFG007 = {
	.id = "CFG007",
	.title = "tcp_tw_recycle is still in /etc/sysctl.conf",
	.does = "Shows doctor an /etc whose sysctl.conf sets tcp_tw_recycle.",
	.seconds = 1,
	.run = run_cfg007,
};

/* ---- CFG008 ---- */

enum { IDLE = 20 };

static void run_cfg008(struct lab *l)
{
	struct client_cfg pool = {.dst = LAB_SERVER, .dport = 80, .count = IDLE, .ends = END_NEVER, .stay = true};
	const struct finding *f;

	lab_pair(l);
	lab_serve(l, l->server, "api", &(struct server_cfg){.port = 80});
	lab_await(l, lab_client(l, l->client, "pool", &pool), EV_OPENED, 10);
	lab_expect_without(l, lab_look(l, l->client, 0), "CFG008");
	f = expect_set(l, "CFG008", "net.ipv4.tcp_keepalive_time", "300");
	lab_expect_text(l, "CFG008", f->what, "tcp_keepalive_time=300");
	lab_expect_text(l, "CFG008", f->what, "none of 20 connections");
	pool.keepalive_s = 60;
	lab_await(l, lab_client(l, l->client, "pool", &pool), EV_OPENED, 10);
	lab_expect_without(l, lab_look(l, l->client, 0), "CFG008");
}

const struct experiment experiment_CFG008 = {
	.id = "CFG008",
	.title = "keepalive changed, but no socket uses it",
	.does = "Lowers tcp_keepalive_time beside 20 connections without SO_KEEPALIVE, then adds some with it.",
	.seconds = 1,
	.run = run_cfg008,
};

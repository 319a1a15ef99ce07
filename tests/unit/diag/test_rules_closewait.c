/* SPDX-License-Identifier: MIT */
#include "tests/unit/diag/rig.h"

enum { MINUTE_MS = 60000 };

/* n sockets of pid 812 on *:8080, the oldest just over a minute old. */
static struct holder *leak(struct rig *r, enum holder_kind kind, uint32_t n)
{
	int32_t proc = rig_proc(r, 812, "python3");
	struct holder *h = rig_holder(r, kind, n);

	h->proc = proc;
	h->local = rig_ip("0.0.0.0");
	h->lport = 8080;
	h->oldest_ms = MINUTE_MS + 1;
	h->median_ms = MINUTE_MS / 2;
	h->fd[0] = 12;
	h->n_fd = 1;
	return h;
}

/* The earlier snapshot gets a copy of the holders of its own, with n in the first. */
static void before_had(struct rig *r, uint32_t n)
{
	static struct holder then[RIG_ROWS];

	memcpy(then, r->holders, sizeof(then));
	then[0].n = n;
	r->before->holders = then;
}

TEST(CW001__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
}

TEST(CW001__nine_old_sockets__silent)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 9);
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
}

TEST(CW001__ten_old_sockets__warns_with_pid_fd_and_bug_class)
{
	const struct finding *f;
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 10);
	rig_eval(&r, &rule_CW001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_int_equal(f->stage, STAGE_LEAKING);
	assert_string_equal(f->process, "python3[812]");
	assert_string_equal(f->what, "python3[812] holds 10 sockets in CLOSE_WAIT on *:8080, oldest 60 s: it read "
				     "end-of-file and never called close() (fd 12, ...)");
	assert_text(f->evidence, "10 >= 10");
	assert_text(f->evidence, "> 60 s");
	assert_text(f->evidence, "not growing");
	assert_non_null(rig_remedy(f, "close()"));
	assert_null(rig_remedy(f, "sysctl"));
}

TEST(CW001__exactly_a_minute_old__is_not_old)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 99)->oldest_ms = MINUTE_MS;
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
}

TEST(CW001__hundred_young_sockets__informs_with_low_confidence)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 100)->oldest_ms = MINUTE_MS;
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
	assert_int_equal(rig_only(&r)->confidence, CONF_LOW);
	assert_no_text(rig_only(&r)->what, "never");
}

TEST(CW001__age_unknown__needs_a_hundred_and_says_so)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 99)->oldest_ms = 0;
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
	r.holders[0].n = 100;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->evidence, "age unknown");
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

TEST(CW001__thousand__crit)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 999);
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	r.holders[0].n = 1000;
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
}

TEST(CW001__ten_more__crit_and_certain_with_rate_per_hour)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 30);
	before_had(&r, 20);
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
	assert_text(rig_only(&r)->evidence, "+10 in 1.0 s (36,000/h) >= +10");
}

TEST(CW001__a_few_more__may_be_young_ones_and_only_warns)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 29);
	before_had(&r, 20);
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
	assert_text(rig_only(&r)->evidence, "+9 in 1.0 s");
	assert_no_text(rig_only(&r)->evidence, ">= +10");
}

TEST(CW001__torn_dump__growth_is_not_believed)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 40);
	before_had(&r, 20);
	r.before->torn = true;
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->evidence, "growth unknown");
}

TEST(CW001__one_snapshot__growth_unknown)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 24);
	rig_once(&r);
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->evidence, "growth unknown");
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

TEST(CW001__never_read__names_unread_bytes_beside_the_fin)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_UNREAD, 10)->queue_bytes = 2100;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "it never reads: Recv-Q holds 1 + 210 bytes each (the FIN counts as one)");
	r.holders[0].queue_bytes = 0;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "it never reads: Recv-Q holds 1 byte each, the FIN");
}

TEST(CW001__owner_unknown__asks_for_root)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 10)->proc = -1;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "an unknown process");
	assert_text(rig_only(&r)->raise, "root");
	assert_string_equal(rig_only(&r)->process, "");
}

TEST(CW001__towards_a_destination__names_it_and_advises_a_client)
{
	struct holder *h;
	struct rig r;

	rig_init(&r);
	h = leak(&r, HOLD_CLOSE_WAIT_READ, 10);
	h->lport = 0;
	h->peer = rig_ip("10.0.0.9");
	h->pport = 443;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "to 10.0.0.9:443");
	assert_non_null(rig_remedy(rig_only(&r), "response"));
}

TEST(CW001__keepalive_known__says_what_it_ends)
{
	struct holder *h;
	struct rig r;

	rig_init(&r);
	h = leak(&r, HOLD_CLOSE_WAIT_READ, 10);
	rig_eval(&r, &rule_CW001);
	assert_no_text(rig_only(&r)->evidence, "SO_KEEPALIVE");
	h->opts = (struct sockopts){.known = true, .keepalive = true, .linger_s = -1};
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->evidence, "SO_KEEPALIVE on");
}

TEST(CW001__systemd_service__restart_command_names_it)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 10);
	snprintf(r.procs[0].cgroup, sizeof(r.procs[0].cgroup), "/system.slice/shop.service");
	rig_eval(&r, &rule_CW001);
	assert_non_null(rig_remedy(rig_only(&r), "systemctl restart shop.service"));
	snprintf(r.procs[0].cgroup, sizeof(r.procs[0].cgroup), "/system.slice/a;reboot.service");
	rig_eval(&r, &rule_CW001);
	assert_null(rig_remedy(rig_only(&r), "systemctl"));
}

TEST(CW001__docker_container__restart_command_names_it)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 10);
	snprintf(r.procs[0].cgroup, sizeof(r.procs[0].cgroup), "/system.slice/docker-3f2c1a9b8d7e.scope");
	snprintf(r.procs[0].container, sizeof(r.procs[0].container), "3f2c1a9b8d7e");
	rig_eval(&r, &rule_CW001);
	assert_non_null(rig_remedy(rig_only(&r), "docker restart 3f2c1a9b8d7e"));
}

TEST(CW001__nine_groups__eight_told_and_the_last_counts_the_rest)
{
	struct rig r;

	rig_init(&r);
	for (int i = 0; i < 9; i++)
		leak(&r, HOLD_CLOSE_WAIT_READ, 10 + (uint32_t)i)->lport = (uint16_t)(8080 + i);
	rig_eval(&r, &rule_CW001);
	assert_int_equal(r.found.n, PER_RULE_MAX);
	assert_text(r.found.v[0].what, "holds 18 sockets");
	assert_text(r.found.v[PER_RULE_MAX - 1].what, "(and 1 more group)");
}

TEST(CW001__never_accepted__blames_the_stuck_listener)
{
	struct listener *l;
	const struct finding *f;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 8080);
	l->proc = rig_proc(&r, 812, "python3");
	l->queue = 20;
	l->backlog = 128;
	l->unaccepted = l->close_wait_unaccepted = 20;
	rig_eval(&r, &rule_CW001);
	f = rig_only(&r);
	assert_int_equal(f->severity, SEV_WARN);
	assert_text(f->what, "20 connections to *:8080 in CLOSE_WAIT that python3[812] never accepted: it is stuck");
	assert_text(f->what, "accept queue 20 of 128");
	l->queue = 129;
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
}

TEST(CW001__never_accepted_at_the_descriptor_limit__blames_that)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 8080);
	l->proc = rig_proc(&r, 812, "python3");
	l->unaccepted = l->close_wait_unaccepted = 10;
	r.procs[0].fds = 1024;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "it is out of descriptors (1,024 of 1,024 descriptors)");
	assert_non_null(rig_remedy(rig_only(&r), "prlimit"));
	r.procs[0].fds = 973;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "it is nearly out of descriptors");
	r.procs[0].fds = 1030;
	rig_eval(&r, &rule_CW001);
	assert_text(rig_only(&r)->what, "it is out of descriptors (1,030 descriptors, limit 1,024)");
}

TEST(CW001__a_few_unaccepted_that_were_not_there_before__silent)
{
	static struct listener then;
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 8080);
	then = *l;
	r.before->listeners = &then;
	l->unaccepted = l->close_wait_unaccepted = 9;
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
	l->unaccepted = l->close_wait_unaccepted = 10;
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
}

TEST(CW001__a_few_unaccepted_of_a_new_listener__silent)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 8080);
	r.before->n_listeners = 0;
	l->unaccepted = l->close_wait_unaccepted = 9;
	rig_eval(&r, &rule_CW001);
	rig_silent(&r);
}

TEST(CW001__a_few_unaccepted_and_one_snapshot__informs)
{
	struct listener *l;
	struct rig r;

	rig_init(&r);
	l = rig_listener(&r, NULL, 8080);
	l->unaccepted = l->close_wait_unaccepted = 1;
	rig_once(&r);
	rig_eval(&r, &rule_CW001);
	assert_int_equal(rig_only(&r)->severity, SEV_INFO);
}

/* ---- CW002 ---- */

static void limit(struct rig *r, uint32_t fds, uint32_t fd_limit)
{
	r->procs[0].fds = fds;
	r->procs[0].fd_limit = fd_limit;
}

TEST(CW002__quiet_host__silent)
{
	struct rig r;

	rig_init(&r);
	rig_proc(&r, 812, "python3");
	limit(&r, 1000, 1000);
	rig_eval(&r, &rule_CW002);
	rig_silent(&r);
}

TEST(CW002__at_80_percent__warns_below_is_silent)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 500);
	limit(&r, 799, 1000);
	rig_eval(&r, &rule_CW002);
	rig_silent(&r);
	limit(&r, 800, 1000);
	rig_eval(&r, &rule_CW002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "python3[812] has 800 of 1,000 descriptors open, 500 of them sockets");
}

TEST(CW002__at_95_percent__crit)
{
	const struct remedy *m;
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_INVISIBLE, 500);
	limit(&r, 949, 1000);
	rig_eval(&r, &rule_CW002);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	limit(&r, 950, 1000);
	rig_eval(&r, &rule_CW002);
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	m = rig_remedy(rig_only(&r), "descriptor limit");
	assert_non_null(m);
	assert_string_equal(m->command, "prlimit --pid 812 --nofile=2000:"); /* the hard limit stays */
	assert_text(m->precondition, "hard limit");
}

TEST(CW002__others_fill_the_table__silent)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 89);
	limit(&r, 900, 1000);
	rig_eval(&r, &rule_CW002);
	rig_silent(&r);
	r.holders[0].n = 90;
	rig_eval(&r, &rule_CW002);
	rig_only(&r);
}

TEST(CW002__limit_unknown__silent)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 500);
	limit(&r, 900, 0);
	rig_eval(&r, &rule_CW002);
	rig_silent(&r);
}

TEST(CW002__grows__says_when)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 510);
	before_had(&r, 500);
	limit(&r, 900, 1000);
	rig_eval(&r, &rule_CW002);
	assert_text(rig_only(&r)->what, "EMFILE comes in 10 s");
	assert_int_equal(rig_only(&r)->confidence, CONF_CERTAIN);
}

TEST(CW002__others_leak_on_the_same_port__only_its_share_counts)
{
	struct holder *other;
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 510);
	other = rig_holder(&r, HOLD_CLOSE_WAIT_READ, 510);
	other->local = r.holders[0].local;
	other->lport = r.holders[0].lport;
	before_had(&r, 490);
	limit(&r, 900, 1000);
	rig_eval(&r, &rule_CW002);
	assert_text(rig_only(&r)->what, "EMFILE comes in 10 s"); /* of 20 more a second half are its own */
}

TEST(CW002__more_open_than_the_limit__is_not_told_as_a_share)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 50);
	limit(&r, 65, 64);
	rig_eval(&r, &rule_CW002);
	assert_text(rig_only(&r)->what,
		    "python3[812] is beyond its limit of 64 descriptors with 65 open, 50 of them sockets");
	assert_text(rig_only(&r)->what, "EMFILE as soon as every number below the limit is taken");
	assert_int_equal(rig_only(&r)->severity, SEV_CRIT);
	assert_int_equal(rig_only(&r)->confidence, CONF_HIGH);
}

TEST(CW002__limit_reached__says_what_fails)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 510);
	limit(&r, 1000, 1000);
	rig_eval(&r, &rule_CW002);
	assert_text(rig_only(&r)->what, "accept()");
	assert_text(rig_only(&r)->what, "EMFILE now");
}

TEST(CW002__other_kinds_of_holder__do_not_count)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_FIN_WAIT_2, 510);
	limit(&r, 1000, 1000);
	rig_eval(&r, &rule_CW002);
	rig_silent(&r);
}

/* ---- CW003 ---- */

TEST(CW003__nine_is_silent__ten_warns)
{
	struct rig r;

	rig_init(&r);
	rig_eval(&r, &rule_CW003);
	rig_silent(&r);
	leak(&r, HOLD_INVISIBLE, 9);
	rig_eval(&r, &rule_CW003);
	rig_silent(&r);
	r.holders[0].n = 10;
	rig_eval(&r, &rule_CW003);
	assert_int_equal(rig_only(&r)->severity, SEV_WARN);
	assert_text(rig_only(&r)->what, "python3[812] keeps 10 descriptors of dead TCP sockets on *:8080");
	assert_non_null(rig_remedy(rig_only(&r), "/proc/812/fd"));
}

TEST(CW003__sockets_still_in_ss__silent)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_CLOSE_WAIT_READ, 1000);
	rig_eval(&r, &rule_CW003);
	rig_silent(&r);
}

TEST(CW003__owner_unknown_and_one_snapshot__still_told)
{
	struct rig r;

	rig_init(&r);
	leak(&r, HOLD_INVISIBLE, 10)->proc = -1;
	rig_once(&r);
	rig_eval(&r, &rule_CW003);
	assert_text(rig_only(&r)->what, "an unknown process");
}

RUN(T(CW001__quiet_host__silent), T(CW001__nine_old_sockets__silent),
    T(CW001__ten_old_sockets__warns_with_pid_fd_and_bug_class), T(CW001__exactly_a_minute_old__is_not_old),
    T(CW001__hundred_young_sockets__informs_with_low_confidence), T(CW001__age_unknown__needs_a_hundred_and_says_so),
    T(CW001__thousand__crit), T(CW001__ten_more__crit_and_certain_with_rate_per_hour),
    T(CW001__a_few_more__may_be_young_ones_and_only_warns), T(CW001__a_few_unaccepted_of_a_new_listener__silent),
    T(CW002__others_leak_on_the_same_port__only_its_share_counts),
    T(CW002__more_open_than_the_limit__is_not_told_as_a_share), T(CW001__torn_dump__growth_is_not_believed),
    T(CW001__one_snapshot__growth_unknown), T(CW001__never_read__names_unread_bytes_beside_the_fin),
    T(CW001__owner_unknown__asks_for_root), T(CW001__towards_a_destination__names_it_and_advises_a_client),
    T(CW001__keepalive_known__says_what_it_ends), T(CW001__systemd_service__restart_command_names_it),
    T(CW001__docker_container__restart_command_names_it),
    T(CW001__nine_groups__eight_told_and_the_last_counts_the_rest), T(CW001__never_accepted__blames_the_stuck_listener),
    T(CW001__never_accepted_at_the_descriptor_limit__blames_that),
    T(CW001__a_few_unaccepted_that_were_not_there_before__silent), T(CW001__a_few_unaccepted_and_one_snapshot__informs),
    T(CW002__quiet_host__silent), T(CW002__at_80_percent__warns_below_is_silent), T(CW002__at_95_percent__crit),
    T(CW002__others_fill_the_table__silent), T(CW002__limit_unknown__silent), T(CW002__grows__says_when),
    T(CW002__limit_reached__says_what_fails), T(CW002__other_kinds_of_holder__do_not_count),
    T(CW003__nine_is_silent__ten_warns), T(CW003__sockets_still_in_ss__silent),
    T(CW003__owner_unknown_and_one_snapshot__still_told))

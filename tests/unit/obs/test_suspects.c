/* SPDX-License-Identifier: MIT */
#include "obs/suspects.h"
#include "tests/unit/obs/rows.h"
#include "tests/unit/t.h"
#include <stdlib.h>

#define SERVER IP4(10, 0, 0, 1)
#define CLIENT IP4(10, 0, 0, 2)
/* A process has it; accepted on port 80 from a client, or connected out to port 5432 of a server. */
#define IN(st) .state = (st), .src = SERVER, .dst = CLIENT, .sport = 80, .dport = 40000, .inode = 100
#define OUT(st) .state = (st), .src = CLIENT, .dst = SERVER, .sport = 40000, .dport = 5432, .inode = 200
#define AGED(data, ack) .has_info = true, .last_data_recv_ms = (data), .last_ack_recv_ms = (ack)

struct rig {
	struct aggregate *a;
	struct suspects *s;
	struct holder *h;
	size_t n;
};

static struct rig rig(void)
{
	const struct aggregate_cfg cfg = {.port_low = 32768, .port_high = 60999};
	struct rig g = {0};

	assert_int_equal(aggregate_new(&cfg, &g.a), 0);
	aggregate_row(g.a, ROW(.state = ST_LISTEN, .src = ANY4, .sport = 80, .inode = 1));
	assert_int_equal(suspects_new(g.a, &g.s), 0);
	return g;
}

static void done(struct rig *g)
{
	suspects_free(g->s);
	aggregate_free(g->a);
	free(g->h);
}

/* Process inode / 100, descriptor inode % 100; inodes from 900 on are nobody's. */
static bool find(void *ctx, uint32_t inode, int32_t *ret_proc, int *ret_fd)
{
	size_t *calls = ctx;

	assert_int_not_equal(inode, 0);
	(*calls)++;
	if (inode >= 900)
		return false;
	*ret_proc = (int32_t)inode / 100;
	*ret_fd = (int)inode % 100;
	return true;
}

static size_t group(struct rig *g)
{
	size_t calls = 0;
	const struct suspect_owner owner = {find, &calls};

	assert_int_equal(suspects_group(g->s, &owner, &g->h, &g->n), 0);
	return calls;
}

/* The kind that a lone row gets, or -1: not a suspect. */
static int kind_of(const struct diag_row *r)
{
	struct rig g = rig();
	int kind;

	suspects_row(g.s, r);
	group(&g);
	kind = g.n ? (int)g.h[0].kind : -1;
	done(&g);
	return kind;
}

TEST(close_wait__recv_q_tells_whether_the_end_of_file_was_read)
{
	assert_int_equal(kind_of(ROW(IN(ST_CLOSE_WAIT), .rqueue = 1)), HOLD_CLOSE_WAIT_UNREAD);
	assert_int_equal(kind_of(ROW(IN(ST_CLOSE_WAIT), .rqueue = 6)), HOLD_CLOSE_WAIT_UNREAD);
	assert_int_equal(kind_of(ROW(IN(ST_CLOSE_WAIT))), HOLD_CLOSE_WAIT_READ);
}

TEST(close_wait__never_accepted__is_the_listeners_not_a_holders)
{
	assert_int_equal(kind_of(ROW(.state = ST_CLOSE_WAIT, .src = SERVER, .sport = 80, .rqueue = 6)), -1);
}

TEST(fin_wait_1__persist_timer__is_a_closed_window)
{
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_PERSIST, AGED(10, 10))),
			 HOLD_FIN_WAIT_1_WINDOW);
}

TEST(fin_wait_1__persist_timer_though_all_fits_into_the_window__is_a_dead_path)
{
#define WINDOW(bytes) .has_snd_wnd = true, .snd_wnd = (bytes), .timer = DIAG_TIMER_PERSIST
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), WINDOW(0), .wqueue = 1)), HOLD_FIN_WAIT_1_WINDOW);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), WINDOW(0))), HOLD_FIN_WAIT_1_WINDOW);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), WINDOW(99), .wqueue = 100)), HOLD_FIN_WAIT_1_WINDOW);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), WINDOW(100), .wqueue = 100, .retransmits = 1)),
			 HOLD_FIN_WAIT_1_PATH);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), WINDOW(100), .wqueue = 100, AGED(100, 100))), -1); /* young */
#undef WINDOW
}

TEST(fin_wait_1__retransmitted_or_older_than_5_s__is_a_dead_path)
{
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_ON, .retransmits = 1, AGED(10, 10))),
			 HOLD_FIN_WAIT_1_PATH);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_ON, AGED(9000, 5001))),
			 HOLD_FIN_WAIT_1_PATH);
}

TEST(fin_wait_1__young_and_not_retransmitted__is_healthy)
{
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_ON, AGED(9000, 5000))), -1);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_ON)), -1); /* age unknown */
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_OFF, .retransmits = 1, AGED(9000, 9000))),
			 -1);
}

TEST(fin_wait_2__with_a_process_and_no_timer__waits_for_ever)
{
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_2))), HOLD_FIN_WAIT_2);
}

TEST(fin_wait_2__mini_orphan_or_with_a_timer__ends_by_itself)
{
	assert_int_equal(kind_of(ROW(.state = ST_FIN_WAIT_2, .src = SERVER, .sport = 80, MINI_AGED(0))), -1);
	assert_int_equal(kind_of(ROW(.state = ST_FIN_WAIT_2, .src = SERVER, .sport = 80)), -1);
	assert_int_equal(kind_of(ROW(IN(ST_FIN_WAIT_2), .timer = DIAG_TIMER_KEEPALIVE)), -1);
}

TEST(other_states__are_no_suspects)
{
	for (enum sock_state st = 0; st < N_STATES; st++)
		if (st != ST_CLOSE_WAIT && st != ST_FIN_WAIT_2)
			assert_int_equal(
				kind_of(ROW(.state = (uint8_t)st, .src = SERVER, .inode = 1, AGED(9000, 9000))), -1);
	assert_int_equal(kind_of(ROW(.bound = true, .state = ST_CLOSE_WAIT, .inode = 1)), -1);
}

TEST(queue_bytes__count_data_without_the_fin)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), .rqueue = 6, .wqueue = 1000));
	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), .rqueue = 1));
	suspects_row(g.s, ROW(IN(ST_FIN_WAIT_1), .rqueue = 7, .wqueue = 501, .timer = DIAG_TIMER_PERSIST));
	group(&g);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.h[0].queue_bytes, 5);
	assert_int_equal(g.h[1].queue_bytes, 500);
	done(&g);
}

TEST(on_a_listening_port__groups_by_listener_whatever_the_peer)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT)));
	suspects_row(g.s,
		     ROW(.state = ST_CLOSE_WAIT, .src = CLIENT, .dst = IP4(9, 9, 9, 9), .sport = 80, .inode = 101));
	group(&g);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.h[0].n, 2);
	assert_int_equal(g.h[0].lport, 80);
	assert_int_equal(g.h[0].pport, 0);
	assert_true(ip_eq(g.h[0].local, ANY4)); /* the listener's own address */
	done(&g);
}

TEST(connected_out__groups_by_destination_whatever_the_local_port)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(OUT(ST_CLOSE_WAIT)));
	suspects_row(g.s, ROW(.state = ST_CLOSE_WAIT, .src = CLIENT, .dst = SERVER, .sport = 40001, .dport = 5432,
			      .inode = 201));
	suspects_row(g.s, ROW(.state = ST_CLOSE_WAIT, .src = CLIENT, .dst = SERVER, .sport = 40002, .dport = 6379,
			      .inode = 202));
	suspects_row(g.s, ROW(.state = ST_CLOSE_WAIT, .src = CLIENT, .dst = CLIENT, .sport = 40003, .dport = 6379,
			      .inode = 203));
	group(&g);
	assert_int_equal(g.n, 3);
	assert_int_equal(g.h[0].n, 2);
	assert_int_equal(g.h[0].lport, 0);
	assert_int_equal(g.h[0].pport, 5432);
	assert_true(ip_eq(g.h[0].peer, SERVER));
	assert_true(ip_eq(g.h[0].local, CLIENT));
	done(&g);
}

TEST(groups__are_told_apart_by_kind_process_and_orphan_and_sorted_by_size)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT))); /* process 1, read */
	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), .rqueue = 1)); /* process 1, unread: three */
	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), .rqueue = 1));
	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), .rqueue = 1));
	for (uint32_t i = 0; i < 2; i++) /* process 3, unread: two */
		suspects_row(g.s,
			     ROW(.state = ST_CLOSE_WAIT, .src = SERVER, .sport = 80, .inode = 300 + i, .rqueue = 1));
	for (uint32_t i = 0; i < 4; i++) /* orphans: four */
		suspects_row(g.s, ROW(.state = ST_FIN_WAIT_1, .src = SERVER, .sport = 80, .timer = DIAG_TIMER_PERSIST));
	for (uint32_t i = 0; i < 5; i++) /* owned, but by whom was not found: five */
		suspects_row(g.s, ROW(.state = ST_FIN_WAIT_1, .src = SERVER, .sport = 80, .inode = 900 + i,
				      .timer = DIAG_TIMER_PERSIST));
	assert_int_equal(group(&g), 11); /* orphans are not asked for */
	assert_int_equal(g.n, 5);
	assert_true(g.h[0].n == 5 && g.h[0].proc == -1 && !g.h[0].orphan && g.h[0].n_fd == 0);
	assert_true(g.h[1].n == 4 && g.h[1].proc == -1 && g.h[1].orphan);
	assert_true(g.h[2].n == 3 && g.h[2].proc == 1 && g.h[2].kind == HOLD_CLOSE_WAIT_UNREAD);
	assert_true(g.h[3].n == 2 && g.h[3].proc == 3);
	assert_true(g.h[4].n == 1 && g.h[4].proc == 1 && g.h[4].kind == HOLD_CLOSE_WAIT_READ);
	done(&g);
}

TEST(ages__oldest_median_and_the_oldest_descriptors)
{
	const uint32_t age[] = {3000, 1000, 9000, 2000, 8000};
	struct rig g = rig();

	for (uint32_t i = 0; i < ARRAY_LEN(age); i++)
		suspects_row(g.s, ROW(.state = ST_CLOSE_WAIT, .src = SERVER, .sport = 80, .inode = 110 + i,
				      AGED(age[i] + 1500, age[i])));
	group(&g);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.h[0].oldest_ms, 9000);
	assert_int_equal(g.h[0].median_ms, 3000);
	assert_int_equal(g.h[0].n_fd, FDS_SHOWN);
	assert_int_equal(g.h[0].fd[0], 12);
	assert_int_equal(g.h[0].inode, 112); /* of that descriptor's socket */
	assert_int_equal(g.h[0].fd[1], 14);
	done(&g);
}

TEST(age__is_the_smaller_of_the_two_and_0_without_tcp_info)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT), AGED(700, 900)));
	suspects_row(g.s, ROW(OUT(ST_CLOSE_WAIT), .last_data_recv_ms = 700, .last_ack_recv_ms = 900));
	group(&g);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.h[0].oldest_ms, 700);
	assert_int_equal(g.h[1].oldest_ms, 0);
	done(&g);
}

TEST(beyond_the_limit__suspects_are_counted_as_dropped)
{
	struct rig g = rig();

	for (uint32_t i = 0; i < SUSPECTS_MAX + 3; i++)
		suspects_row(g.s, ROW(IN(ST_CLOSE_WAIT)));
	assert_int_equal(suspects_count(g.s), SUSPECTS_MAX);
	assert_int_equal(suspects_dropped(g.s), 3);
	assert_int_equal(suspects_inode(g.s, SUSPECTS_MAX - 1), 100);
	suspects_reset(g.s);
	assert_int_equal(suspects_count(g.s), 0);
	assert_int_equal(suspects_dropped(g.s), 0);
	group(&g);
	assert_int_equal(g.n, 0);
	assert_null(g.h);
	done(&g);
}

TEST(closed_window__lasts_as_long_as_all_probes_although_each_is_answered)
{
	struct rig g = rig();

	/* 0.9 s after the answer to the probe at 6.2 s, the next is due at 12.6 s */
	suspects_row(g.s, ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_PERSIST, .expires_ms = 5500, AGED(9000, 900)));
	suspects_row(g.s, ROW(OUT(ST_FIN_WAIT_1), .timer = DIAG_TIMER_PERSIST, .expires_ms = 5500));
	group(&g);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.h[0].oldest_ms, 900 + 900 + 5500);
	assert_int_equal(g.h[1].oldest_ms, 0); /* without tcp_info nobody knows */
	done(&g);
}

TEST(closed_window__of_a_hostile_row__does_not_wrap)
{
	struct rig g = rig();

	suspects_row(g.s, ROW(IN(ST_FIN_WAIT_1), .timer = DIAG_TIMER_PERSIST, .expires_ms = UINT32_MAX,
			      AGED(UINT32_MAX, UINT32_MAX)));
	group(&g);
	assert_int_equal(g.h[0].oldest_ms, UINT32_MAX);
	done(&g);
}

RUN(T(close_wait__recv_q_tells_whether_the_end_of_file_was_read),
    T(close_wait__never_accepted__is_the_listeners_not_a_holders), T(fin_wait_1__persist_timer__is_a_closed_window),
    T(fin_wait_1__persist_timer_though_all_fits_into_the_window__is_a_dead_path),
    T(fin_wait_1__retransmitted_or_older_than_5_s__is_a_dead_path),
    T(fin_wait_1__young_and_not_retransmitted__is_healthy), T(fin_wait_2__with_a_process_and_no_timer__waits_for_ever),
    T(fin_wait_2__mini_orphan_or_with_a_timer__ends_by_itself), T(other_states__are_no_suspects),
    T(queue_bytes__count_data_without_the_fin), T(on_a_listening_port__groups_by_listener_whatever_the_peer),
    T(connected_out__groups_by_destination_whatever_the_local_port),
    T(groups__are_told_apart_by_kind_process_and_orphan_and_sorted_by_size),
    T(ages__oldest_median_and_the_oldest_descriptors), T(age__is_the_smaller_of_the_two_and_0_without_tcp_info),
    T(closed_window__lasts_as_long_as_all_probes_although_each_is_answered),
    T(closed_window__of_a_hostile_row__does_not_wrap), T(beyond_the_limit__suspects_are_counted_as_dropped))

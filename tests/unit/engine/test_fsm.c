/* SPDX-License-Identifier: MIT */
#include "engine/fsm.h"
#include "tests/unit/engine/peer.h"

TEST(figure_5_has_twenty_arrows__in_its_order)
{
	int n = 0;

	for (enum edge_id i = 0; i < N_EDGES; i++) {
		if (strncmp(edges[i].name, "F5_", 3) != 0)
			continue;
		assert_int_equal(i, n); /* first of all, and none between them */
		n++;
		assert_int_equal((edges[i].name[3] - '0') * 10 + edges[i].name[4] - '0', n);
	}
	assert_int_equal(n, 20);
}

TEST(every_edge_has_a_cite_and_moves)
{
	for (enum edge_id i = 0; i < N_EDGES; i++) {
		assert_true(edges[i].cite[0] != '\0');
		assert_int_not_equal(edges[i].from, edges[i].to);
	}
}

TEST(no_two_edges_answer_the_same_event_in_the_same_state_the_same_way)
{
	for (enum edge_id i = 0; i < N_EDGES; i++)
		for (enum edge_id j = 0; j < i; j++)
			assert_false(edges[i].from == edges[j].from && edges[i].event == edges[j].event &&
				     edges[i].to == edges[j].to);
}

TEST(every_state_is_reachable_from_closed_and_leads_back)
{
	bool fwd[N_STATES] = {[CLOSED] = true}, back[N_STATES] = {[CLOSED] = true};

	for (int round = 0; round < N_STATES; round++)
		for (enum edge_id i = 0; i < N_EDGES; i++) {
			fwd[edges[i].to] |= fwd[edges[i].from];
			back[edges[i].from] |= back[edges[i].to];
		}
	for (enum state s = 0; s < N_STATES; s++) {
		assert_true(fwd[s]);
		assert_true(back[s]);
	}
}

/* 3.10.5 and 3.10.8: ABORT and the user timeout end every connection, wherever it is. */
TEST(every_connection_can_be_aborted_and_can_time_out)
{
	for (enum state s = SYN_RECEIVED; s <= LAST_ACK; s++) {
		bool abort = false, timeout = false, reset = false;

		for (enum edge_id i = 0; i < N_EDGES; i++) {
			abort |= edges[i].from == s && edges[i].event == EV_ABORT && edges[i].to == CLOSED;
			timeout |= edges[i].from == s && edges[i].event == EV_USER_TIMEOUT && edges[i].to == CLOSED;
			reset |= edges[i].from == s && edges[i].event == EV_RCV_RST && edges[i].to == CLOSED;
		}
		assert_true(abort && timeout && reset);
	}
}

TEST(names_are_those_of_the_rfc_and_all_different)
{
	assert_string_equal(state_name(FIN_WAIT_1), "FIN-WAIT-1");
	assert_string_equal(state_name(SYN_RECEIVED), "SYN-RECEIVED");
	assert_string_equal(state_name(TIME_WAIT), "TIME-WAIT");
	assert_string_equal(event_name(EV_RCV_FIN), "RCV_FIN");
	for (enum state s = 0; s < N_STATES; s++)
		for (enum state t = 0; t < s; t++)
			assert_string_not_equal(state_name(s), state_name(t));
	for (enum event a = 0; a < N_EVENTS; a++)
		for (enum event b = 0; b < a; b++)
			assert_string_not_equal(event_name(a), event_name(b));
}

TEST(the_rig_brings_a_connection_into_every_state)
{
	for (int active = 0; active < 2; active++)
		for (int v6 = 0; v6 < 2; v6++)
			for (enum state s = 0; s < N_STATES; s++) {
				RIG_AT_WITH(r, s, .active = active, .v6 = v6, .ts = v6);
				assert_int_equal(r.e->reply_n, 0);
			}
}

RUN(T(figure_5_has_twenty_arrows__in_its_order), T(every_edge_has_a_cite_and_moves),
    T(no_two_edges_answer_the_same_event_in_the_same_state_the_same_way),
    T(every_state_is_reachable_from_closed_and_leads_back), T(every_connection_can_be_aborted_and_can_time_out),
    T(names_are_those_of_the_rfc_and_all_different), T(the_rig_brings_a_connection_into_every_state))

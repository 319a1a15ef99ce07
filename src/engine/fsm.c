/* SPDX-License-Identifier: MIT */
#include "engine/fsm.h"

const struct edge edges[N_EDGES] = {
#define EDGE(n, f, e, t, c) [n] = {.name = #n, .cite = c, .from = f, .to = t, .event = e},
#include "engine/edges.def"
#undef EDGE
};

const char *state_name(enum state s)
{
	static const char *const names[N_STATES] = {
		[CLOSED] = "CLOSED",           [LISTEN] = "LISTEN",
		[SYN_SENT] = "SYN-SENT",       [SYN_RECEIVED] = "SYN-RECEIVED",
		[ESTABLISHED] = "ESTABLISHED", [FIN_WAIT_1] = "FIN-WAIT-1",
		[FIN_WAIT_2] = "FIN-WAIT-2",   [CLOSE_WAIT] = "CLOSE-WAIT",
		[CLOSING] = "CLOSING",         [LAST_ACK] = "LAST-ACK",
		[TIME_WAIT] = "TIME-WAIT",
	};

	must(s < N_STATES);
	return names[s];
}

const char *event_name(enum event e)
{
	static const char *const names[N_EVENTS] = {
		[EV_PASSIVE_OPEN] = "PASSIVE_OPEN",
		[EV_ACTIVE_OPEN] = "ACTIVE_OPEN",
		[EV_SEND] = "SEND",
		[EV_CLOSE] = "CLOSE",
		[EV_ABORT] = "ABORT",
		[EV_RCV_SYN] = "RCV_SYN",
		[EV_RCV_SYN_ACK] = "RCV_SYN_ACK",
		[EV_RCV_ACK_SYN] = "RCV_ACK_SYN",
		[EV_RCV_FIN] = "RCV_FIN",
		[EV_RCV_ACK_FIN] = "RCV_ACK_FIN",
		[EV_RCV_RST] = "RCV_RST",
		[EV_RCV_DATA] = "RCV_DATA",
		[EV_ICMP] = "ICMP",
		[EV_2MSL] = "2MSL",
		[EV_USER_TIMEOUT] = "USER_TIMEOUT",
		[EV_CONNECT] = "CONNECT",
		[EV_RECYCLE] = "RECYCLE",
	};

	must(e < N_EVENTS);
	return names[e];
}

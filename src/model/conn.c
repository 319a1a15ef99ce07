/* SPDX-License-Identifier: MIT */
#include "model/conn.h"

enum side side_other(enum side side)
{
	must(side != SIDE_NONE);
	return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

bool conn_is_whole(const struct conn *c) { return (c->seen & SEEN_SYN) && (c->seen & SEEN_END); }

/* The earlier one that was seen at all. */
static nsec_t earlier(nsec_t a, nsec_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

nsec_t conn_closed_at(const struct conn *c)
{
	return c->first == SIDE_NONE ? 0 : earlier(c->fin[c->first], c->rst[c->first]);
}

enum side conn_closer(const struct conn *c)
{
	nsec_t closed = conn_closed_at(c), own, others;

	if (!closed)
		return c->first;
	own = c->notify[c->first];
	others = c->notify[side_other(c->first)];
	return others && others <= closed && !(own && own <= others) ? side_other(c->first) : c->first;
}

bool conn_gap(const struct conn *c, nsec_t *ret)
{
	nsec_t closed = conn_closed_at(c), last = c->last_data[SIDE_CLIENT];

	if (c->last_data[SIDE_SERVER] > last)
		last = c->last_data[SIDE_SERVER];
	if (!last && (c->seen & SEEN_SYN))
		last = c->start;
	if (!closed || !last || closed + c->grain < last || c->seen & SEEN_VAGUE)
		return false;
	*ret = closed > last ? closed - last : 0;
	return true;
}

uint32_t conn_requests(const struct conn *c)
{
	if (c->seen & SEEN_HEADERS)
		return c->responses;
	return c->exchanges > c->tls_exchanges ? c->exchanges - c->tls_exchanges : 0;
}

bool conn_requests_known(const struct conn *c) { return c->local == SIDE_NONE || (c->seen & SEEN_SYN); }

bool conn_fin_ignored(const struct conn *c, nsec_t *ret)
{
	nsec_t fin, answer;

	if (c->first == SIDE_NONE || !c->fin[c->first] || c->seen & SEEN_VAGUE)
		return false;
	fin = c->fin[c->first];
	answer = earlier(c->fin[side_other(c->first)], c->rst[side_other(c->first)]);
	if (!answer && c->how == END_OPEN)
		answer = c->end; /* else the kernel has answered for a process that is gone, or nobody saw the answer */
	if (answer < fin)
		return false;
	/* A FIN waits behind data that the peer does not read: until FIN_WAIT_1 ends it is not the peer's turn. */
	if (c->local == c->first && c->in_state[ST_FIN_WAIT_1] > answer - fin)
		return false;
	*ret = answer - fin - (c->local == c->first ? c->in_state[ST_FIN_WAIT_1] : 0);
	return true;
}

struct ip_text conn_service_text(const struct conn *c)
{
	return ip_port_text(c->addr[SIDE_SERVER], c->port[SIDE_SERVER]);
}

const char *side_name(enum side side)
{
	switch (side) {
	case SIDE_CLIENT:
		return "client";
	case SIDE_SERVER:
		return "server";
	case SIDE_NONE:
		return "nobody";
	}
	must_not_reach("side");
}

const char *conn_end_name(enum conn_end end)
{
	switch (end) {
	case END_OPEN:
		return "open";
	case END_FIN:
		return "fin";
	case END_RST:
		return "rst";
	case END_TIMEOUT:
		return "timeout";
	case END_FAILED_OPEN:
		return "failed_open";
	}
	must_not_reach("end of a connection");
}

const char *rst_kind_name(enum rst_kind kind)
{
	static const char *const names[N_RST_KINDS] = {
		[RST_NONE] = "none",           [RST_UNREAD] = "unread",     [RST_CUT] = "cut",
		[RST_CLEAN] = "clean",         [RST_LINGER_0] = "linger_0", [RST_LATE_DATA] = "late_data",
		[RST_NO_SOCKET] = "no_socket", [RST_REFUSED] = "refused",   [RST_OTHER] = "other",
	};

	must(kind < N_RST_KINDS);
	return names[kind];
}

const char *close_call_name(enum close_call call)
{
	switch (call) {
	case CALL_UNKNOWN:
		return "unknown";
	case CALL_CLOSE:
		return "close";
	case CALL_SHUTDOWN:
		return "shutdown";
	case CALL_EXIT:
		return "exit";
	}
	must_not_reach("how a process closed");
}

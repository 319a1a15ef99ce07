/* SPDX-License-Identifier: MIT */
#include "engine/prr.h"

void prr_start(struct prr *p, uint32_t cwnd, uint32_t ssthresh)
{
	must(cwnd > 0 && ssthresh > 0);
	*p = (struct prr){.ssthresh = ssthresh, .prior_cwnd = cwnd};
}

/* More is in flight than shall be at the end: ssthresh segments leave for each prior_cwnd that arrive (RFC 6937 3). */
static int64_t proportional(const struct prr *p)
{
	uint64_t whole = (uint64_t)p->ssthresh * p->delivered;

	return (int64_t)((whole + p->prior_cwnd - 1) / p->prior_cwnd) - p->out;
}

/* Losses took it below ssthresh: it grows back, a segment an ACK faster than it drains if that is safe (PRR-SSRB). */
static int64_t rebuild(const struct prr *p, uint32_t delivered, uint32_t room, bool safe)
{
	int64_t n = (int64_t)p->delivered - p->out;

	if (n < delivered)
		n = delivered;
	n += safe;
	return n < room ? n : room;
}

uint32_t prr_ack(struct prr *p, uint32_t delivered, uint32_t in_flight, bool safe)
{
	int64_t n, least = p->out == 0; /* entering recovery sends the first segment again whatever is in flight */

	must(delivered > 0 && p->prior_cwnd > 0);
	p->delivered += delivered;
	if (in_flight > p->ssthresh)
		n = proportional(p);
	else
		n = rebuild(p, delivered, p->ssthresh - in_flight, safe);
	return in_flight + (uint32_t)(n > least ? n : least);
}

/* SPDX-License-Identifier: MIT */
/*
 * forecast.h - when the local ports towards one destination run out, from a single dump. Every TIME_WAIT carries its
 * remaining time, so the past minute of closes is known and so is when each port comes back. Pure.
 */
#pragma once
#include "model/snapshot.h"

/* What connect() can choose from in one namespace. */
struct port_budget {
	bool known; /* the range was read */
	uint32_t low, high;
	uint32_t usable; /* range minus reserved */
	uint32_t usable_low_parity; /* those with the parity of the low end: connect() tries them first */
	bool reuse_any, reuse_loopback; /* tcp_tw_reuse 1, or 2, with timestamps on */
	double reuse_delay_s;
};

struct port_budget port_budget(const struct netns *ns, int64_t port_low, int64_t port_high, int64_t tw_reuse,
			       int64_t tw_reuse_delay_ms, int64_t timestamps);

struct forecast {
	uint32_t used; /* ports that connect() cannot take now */
	uint32_t usable;
	double closes_per_s; /* TIME_WAITs entered per second, newest 5 s */
	double closes_per_s_minute; /* over the last minute */
	double to_cliff_s; /* until the low parity is used up; 0: it is; INFINITY: never at this rate */
	double to_fail_s; /* until connect() fails with EADDRNOTAVAIL; same */
	double steady_used; /* ports in use when the rate goes on for ever */
};

struct forecast forecast(const struct dest *d, const struct port_budget *b);

/* May connect() take over a TIME_WAIT towards d once it is older than reuse_delay_s? */
bool dest_may_reuse(const struct dest *d, const struct port_budget *b);

/* Ports of d that connect() cannot take: live ones, and TIME_WAITs that may not be reused. */
uint32_t dest_ports_used(const struct dest *d, const struct port_budget *b);

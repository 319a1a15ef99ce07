/* SPDX-License-Identifier: MIT */
/* setup.h - what a seed means: hosts, clocks, knobs, sizes, paths and the amount of work. */
#pragma once
#include "knob/values.h"
#include "sim/net.h"

enum sim_faults { SIM_FAULTS_DRAWN, SIM_FAULTS_NONE, SIM_FAULTS_SOME, SIM_FAULTS_ALL };
enum { HOST_KNOBS_MAX = 64, HOST_MEMORY = 12 << 20 };

struct knob_setting {
	const char *name;
	char value[32];
};

struct host_setup {
	struct la_config cfg; /* without trace, now and seed */
	struct clock clock;
	unsigned n_knobs;
	struct knob_setting knob[HOST_KNOBS_MAX];
	unsigned listeners, backlog; /* ports LISTEN_PORT and following */
	nsec_t accept_delay; /* 0: at once */
};

struct setup {
	unsigned n_hosts;
	struct host_setup host[HOSTS_MAX];
	unsigned n_starts; /* connections to open */
	nsec_t span; /* within this time */
	nsec_t patience; /* then an application gives its connection up */
	nsec_t lifetime; /* of segments */
	bool strict; /* TIME_WAIT rules hold: no octet of an earlier incarnation may ever be delivered */
	double v6, bound, simultaneous, refused; /* shares of connections */
	double rude; /* share of applications that do not close as they should */
	uint32_t bytes_max;
	bool paths_faulty;
	unsigned n_cuts, n_restarts, n_floods, n_listener_closes, n_forged;
};

struct setup_wishes {
	unsigned hosts; /* 0: drawn */
	int policy; /* enum policy; below 0: drawn */
	enum sim_faults faults;
	const struct knob_setting *set; /* on every host, after what was drawn */
	unsigned n_set;
};

/* The setup, and the paths of n. */
void setup_draw(struct setup *s, struct net *n, struct rng *r, const struct setup_wishes *wishes);
/* log-uniform: as likely between 1 and 10 as between 10 and 100 */
uint64_t draw_log(struct rng *r, uint64_t low, uint64_t high);

/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - long transfers between two hosts over one bottleneck, in virtual time: what they get and what their
 * congestion control does meanwhile. Every flow goes the same way; the acknowledgements come back undisturbed.
 */
#pragma once
#include "sim/setup.h"

enum { TRANSFER_FLOWS_MAX = 16, TRANSFER_KNOBS_MAX = 8 };

struct transfer_cfg {
	uint64_t seed;
	unsigned flows;
	nsec_t length; /* then it is over, whatever is under way */
	nsec_t stagger; /* flow i begins i times this later */
	nsec_t counted_from; /* goodput and fairness are of what comes after this */
	uint64_t rate_bps;
	nsec_t rtt; /* without queueing */
	nsec_t jitter; /* of each packet there, in order; 0: none */
	uint32_t queue; /* octets */
	uint32_t mark_above; /* ECN: octets (bottleneck.h); 0: no marks. If not, both hosts have tcp_ecn = 1 */
	double loss; /* of packets there, at random */
	uint32_t buffer; /* of each socket, a power of two */
	unsigned n_set;
	struct knob_setting set[TRANSFER_KNOBS_MAX]; /* on both hosts */
	nsec_t every; /* samples; 0: none */
};

struct transfer_sample { /* of one flow */
	nsec_t at;
	unsigned flow;
	uint32_t cwnd, ssthresh; /* segments; ssthresh: 2^31 - 1 while there is none */
	uint32_t srtt_us;
	uint32_t queue; /* octets waiting at the bottleneck */
	uint64_t delivered; /* octets the receiver has read */
};

struct transfer_ops { /* sample may be NULL */
	void *arg;
	void (*sample)(void *arg, const struct transfer_sample *s);
};

struct transfer_result {
	double goodput_bps[TRANSFER_FLOWS_MAX], total_bps;
	double jain; /* (sum x)^2 / (n sum x^2) of them; 1: all have the same */
	uint64_t sent, dropped, lost, marked; /* packets at the bottleneck */
	uint64_t retransmitted, timeouts; /* the sender's RetransSegs, TCPTimeouts */
	uint64_t hash; /* of what every flow had at every sample: the same seed gives the same */
};

size_t transfer_size(const struct transfer_cfg *cfg); /* octets it needs; 0: what is asked for cannot be */
/* mem: zeroed, aligned to 64. 0 or -errno: a host refuses a knob or a size; -EPROTO: a flow ended by itself. */
int transfer_run(void *mem, const struct transfer_cfg *cfg, const struct transfer_ops *ops,
		 struct transfer_result *ret);

double transfer_jain(const double *x, unsigned n);
/* Average rate in bits a second of one flow of CUBIC in steady state with packets lost at random (RFC 9438 5.1: equation 5, or the Reno-friendly region's average if that is more). */
double transfer_cubic_model_bps(double loss, double rtt_s, uint32_t mss);

/* SPDX-License-Identifier: MIT */
/*
 * timewait.h - the judge: what a segment does to a connection that is nothing but a record any more.
 *
 * A pure function of record, segment and knobs. RFC 9293 3.10.7.4 and 3.6.1, RFC 6191, 1337, 7323 5.3, 5961, 1122 4.2.2.13;
 * where Linux does otherwise (engine.policy) the row of the decision says so. docs/adr/ has one record for each difference.
 */
#pragma once
#include "engine/twstore.h"
#include "knob/values.h"
#include "wire/packet.h"

enum tw_reply {
	TW_REPLY_NONE,
	TW_REPLY_ACK, /* at once */
	TW_REPLY_ACK_LIMITED, /* under tcp_invalid_ratelimit */
	TW_REPLY_RST
};

enum tw_fate {
	TW_STAYS,
	TW_BECOMES_TIME_WAIT, /* FIN_WAIT_2: the peer's FIN came. rec->rcv_nxt and ts_recent are as they must be stored */
	TW_ENDS_RST, /* a RST ended it */
	TW_ENDS_DATA, /* FIN_WAIT_2: new data that nobody will read */
	TW_ENDS_SYN, /* FIN_WAIT_2: SYN in the window */
	TW_REOPENS /* a new connection: the caller makes it with verdict.iss_from, if there is a listener with room */
};

struct tw_verdict {
	enum tw_fate fate;
	enum tw_reply reply;
	bool restart; /* the record's time begins again */
	bool update_ts; /* ts_recent becomes the segment's */
	bool paws; /* failed PAWS: counts as PAWSTimewait (PAWSEstab in policies before 6.16) */
	bool keyed_gap; /* TW_REOPENS: ISS = snd_nxt + 65537 + a keyed 16-bit gap (rfc9293), else exactly snd_nxt + 65537 (Linux) */
	/* If TW_REOPENS cannot be done (no listener), this happens instead: */
	enum tw_reply refused_reply;
};

/* s must be for this tuple. rec is not changed but for TW_BECOMES_TIME_WAIT (kind, rcv_nxt, ts_recent). */
struct tw_verdict timewait_judge(struct tw_rec *rec, const struct seg *s, const struct knobs *k);

/* tcp_tw_recycle acts: it is set, and the policy is of a kernel that had it. */
bool timewait_recycles(const struct knobs *k);

/* How long a connection stays in TIME_WAIT, in ms: engine.time_wait_ms; tcp_tw_recycle (linux-2.6) with timestamps: 3.5 RTO. */
uint32_t timewait_len_ms(const struct knobs *k, bool has_ts, uint32_t rto_ms);

/* The age at which tcp_tw_reuse lets connect() take a TIME_WAIT over, and whether only those of loopback: for twstore_mature(). */
uint32_t timewait_reuse_delay_ms(const struct knobs *k);
bool timewait_reuse_only_loopback(const struct knobs *k);
/* May connect() take this TIME_WAIT over now? fixed_port: the port was bound, not chosen (Linux: neither tcp_tw_reuse nor the delay matter). A mature record is old enough. */
bool timewait_reusable(const struct tw_rec *rec, nsec_t age_ms, bool fixed_port, const struct knobs *k);

/*
 * Per-host PAWS of tcp_tw_recycle (kernels before 4.12): a direct-mapped table in the caller's memory. Of two hosts that
 * share a place the later one is remembered.
 */
struct peers;
size_t peers_size(uint32_t n);
struct peers *peers_init(void *mem, uint32_t n, struct hash_key key);
void peers_note(struct peers *p, const struct addr *host, uint32_t tsval,
		nsec_t now); /* the last timestamp of a host, at TIME_WAIT */
bool peers_refuse(const struct peers *p, const struct addr *host, uint32_t tsval,
		  nsec_t now); /* SYN: older than noted, by more than 1, within 60 s */

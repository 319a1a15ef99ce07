/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include "engine/timewait.h"

/*
 * Each row is a segment that meets a record, the policies under which it is judged so, and the whole verdict. The rows
 * called "1.3" are the table of the measurements on Linux 6.18, in its order; segments are relative to the record.
 */
enum { SND_NXT = 0x7ffffff0, RCV_NXT = (int)0xfffffffd, WND = 4096, TS = (int)0x80000005 };
enum {
	L26 = 1 << POLICY_LINUX_2_6,
	L412 = 1 << POLICY_LINUX_4_12,
	L618 = 1 << POLICY_LINUX_6_18,
	RFC = 1 << POLICY_RFC9293
};
enum { LIMITED = L412 | L618, LINUX = L26 | LIMITED, ALL = LINUX | RFC };
enum { NO_TS = INT32_MIN }; /* the segment has none */
enum { FA = F_FIN | F_ACK, SA = F_SYN | F_ACK, RA = F_RST | F_ACK };

struct row {
	const char *name;
	unsigned policies;
	/* the record */
	bool no_ts;
	bool rfc1337;
	/* the segment: sequence number less RCV.NXT, TSval less TS.Recent, acknowledgment less SND.NXT */
	unsigned flags;
	int seq, len, ts, ack;
	struct tw_verdict want;
};

static bool same_verdict(const struct tw_verdict *a, const struct tw_verdict *b)
{
	return a->fate == b->fate && a->reply == b->reply && a->restart == b->restart && a->update_ts == b->update_ts &&
	       a->paws == b->paws && a->keyed_gap == b->keyed_gap && a->refused_reply == b->refused_reply;
}

static struct tw_rec record_for(const struct row *r, enum tw_kind kind)
{
	return (struct tw_rec){
		.snd_nxt = seq(SND_NXT),
		.rcv_nxt = seq((uint32_t)RCV_NXT),
		.ts_recent = r->no_ts ? 0 : (uint32_t)TS,
		.rcv_wnd = WND,
		.kind = kind,
		.has_ts = !r->no_ts,
	};
}

static struct seg segment_for(const struct row *r)
{
	return (struct seg){
		.flags = (uint8_t)r->flags,
		.seq = seq((uint32_t)RCV_NXT + (uint32_t)r->seq),
		.ack = r->flags & F_ACK ? seq(SND_NXT + (uint32_t)r->ack) : seq(0),
		.len = (uint32_t)r->len,
		.opts = {.has_ts = r->ts != NO_TS, .tsval = r->ts == NO_TS ? 0 : (uint32_t)TS + (uint32_t)r->ts},
	};
}

static void check_row(const struct row *r, enum tw_kind kind, enum policy policy)
{
	struct knobs k;
	struct tw_rec rec = record_for(r, kind), before = rec;
	struct seg s = segment_for(r);
	struct tw_verdict got;

	knobs_default(&k);
	knobs_policy(&k, policy);
	k.rfc1337 = r->rfc1337;
	got = timewait_judge(&rec, &s, &k);
	if (!same_verdict(&got, &r->want))
		fail_msg("%s, policy %s: fate %d reply %d restart %d update_ts %d paws %d gap %d refused %d", r->name,
			 knob_word(KNOB_policy, policy), (int)got.fate, (int)got.reply, got.restart, got.update_ts,
			 got.paws, got.keyed_gap, (int)got.refused_reply);
	if (got.fate == TW_BECOMES_TIME_WAIT) {
		assert_int_equal(rec.kind, TW_TIME_WAIT);
		assert_int_equal(rec.rcv_nxt.v, (uint32_t)(RCV_NXT + 1));
		assert_int_equal(rec.ts_recent, r->no_ts || r->ts == NO_TS ? before.ts_recent : s.opts.tsval);
	} else {
		assert_memory_equal(&rec, &before, sizeof(rec));
	}
}

static void check_rows(const struct row *rows, size_t n, enum tw_kind kind)
{
	for (size_t i = 0; i < n; i++)
		for (enum policy p = 0; p < N_POLICIES; p++)
			if (rows[i].policies >> p & 1)
				check_row(&rows[i], kind, p);
}

/* Verdicts. */
#define NOTHING                                                                                                        \
	{                                                                                                              \
		.fate = TW_STAYS                                                                                       \
	}
#define V_ACK                                                                                                          \
	{                                                                                                              \
		.reply = TW_REPLY_ACK                                                                                  \
	}
#define V_ACK_RESTART                                                                                                  \
	{                                                                                                              \
		.reply = TW_REPLY_ACK, .restart = true                                                                 \
	}
#define V_ACK_RESTART_TS                                                                                               \
	{                                                                                                              \
		.reply = TW_REPLY_ACK, .restart = true, .update_ts = true                                              \
	}
#define V_LIM                                                                                                          \
	{                                                                                                              \
		.reply = TW_REPLY_ACK_LIMITED                                                                          \
	}
#define V_LIM_RESTART                                                                                                  \
	{                                                                                                              \
		.reply = TW_REPLY_ACK_LIMITED, .restart = true                                                         \
	}
#define V_ACK_PAWS                                                                                                     \
	{                                                                                                              \
		.reply = TW_REPLY_ACK, .paws = true                                                                    \
	}
#define V_ACK_PAWS_RESTART                                                                                             \
	{                                                                                                              \
		.reply = TW_REPLY_ACK, .paws = true, .restart = true                                                   \
	}
#define V_LIM_PAWS                                                                                                     \
	{                                                                                                              \
		.reply = TW_REPLY_ACK_LIMITED, .paws = true                                                            \
	}
#define V_LIM_PAWS_RESTART                                                                                             \
	{                                                                                                              \
		.reply = TW_REPLY_ACK_LIMITED, .paws = true, .restart = true                                           \
	}
#define V_RESTART                                                                                                      \
	{                                                                                                              \
		.restart = true                                                                                        \
	}
#define V_RESTART_TS                                                                                                   \
	{                                                                                                              \
		.restart = true, .update_ts = true                                                                     \
	}
#define V_TS                                                                                                           \
	{                                                                                                              \
		.update_ts = true                                                                                      \
	}
#define V_PAWS                                                                                                         \
	{                                                                                                              \
		.paws = true                                                                                           \
	}
#define V_KILLED                                                                                                       \
	{                                                                                                              \
		.fate = TW_ENDS_RST                                                                                    \
	}
#define V_REOPENS                                                                                                      \
	{                                                                                                              \
		.fate = TW_REOPENS, .refused_reply = TW_REPLY_ACK                                                      \
	}
#define V_REOPENS_GAP                                                                                                  \
	{                                                                                                              \
		.fate = TW_REOPENS, .refused_reply = TW_REPLY_ACK_LIMITED, .keyed_gap = true                           \
	}
#define V_FIN                                                                                                          \
	{                                                                                                              \
		.fate = TW_BECOMES_TIME_WAIT, .reply = TW_REPLY_ACK, .restart = true                                   \
	}
#define V_DATA                                                                                                         \
	{                                                                                                              \
		.fate = TW_ENDS_DATA, .reply = TW_REPLY_RST                                                            \
	}
#define V_SYN                                                                                                          \
	{                                                                                                              \
		.fate = TW_ENDS_SYN, .reply = TW_REPLY_RST                                                             \
	}

/* clang-format off */
static const struct row time_wait_rows[] = {
	/*                                                                 no_ts  1337   flags  seq    len ts     ack  verdict */
	{"1.3 retransmitted FIN",                                  LINUX,  false, false, FA,    -1,    0,  1,     0,   V_ACK_RESTART},
	{"1.3 retransmitted FIN, no TS",                           ALL,    true,  false, FA,    -1,    0,  NO_TS, 0,   V_ACK_RESTART},
	{"1.3 retransmitted FIN with its text",                    LINUX,  false, false, FA,    -11,   10, 0,     0,   V_ACK_RESTART},
	{"1.3 old duplicate data",                                 LINUX,  false, false, F_ACK, -100,  50, 0,     0,   V_ACK_RESTART},
	{"1.3 data at rcv_nxt",                                    LINUX,  false, false, F_ACK, 0,     5,  1,     0,   V_ACK_RESTART},
	{"1.3 pure ACK at rcv_nxt",                                LINUX,  false, false, F_ACK, 0,     0,  1,     0,   V_RESTART_TS},
	{"1.3 pure ACK at rcv_nxt, no TS",                         LINUX,  true,  false, F_ACK, 0,     0,  NO_TS, 0,   V_RESTART},
	{"1.3 pure ACK, other seq below",                          LIMITED,false, false, F_ACK, -1,    0,  1,     0,   V_LIM_RESTART},
	{"1.3 pure ACK, other seq above",                          LIMITED,false, false, F_ACK, 7,     0,  1,     0,   V_LIM_RESTART},
	{"1.3 pure ACK, other seq: no limit before 4.0",           L26,    false, false, F_ACK, 7,     0,  1,     0,   V_ACK_RESTART},
	{"1.3 SYN+ACK",                                            LIMITED,false, false, SA,    9,     0,  1,     0,   V_LIM_RESTART},
	{"1.3 SYN+ACK: no limit before 4.0",                       L26,    false, false, SA,    9,     0,  1,     0,   V_ACK_RESTART},
	{"1.3 SYN, newer seq, newer TS",                           LINUX,  false, false, F_SYN, 1,     0,  1,     0,   V_REOPENS},
	{"1.3 SYN, newer seq, same TS",                            LINUX,  false, false, F_SYN, 1,     0,  0,     0,   V_REOPENS},
	{"1.3 SYN, newer seq, no TS",                              LINUX,  true,  false, F_SYN, 1,     0,  NO_TS, 0,   V_REOPENS},
	{"1.3 SYN, newer seq, no TS after one with",               LINUX,  false, false, F_SYN, 1,     0,  NO_TS, 0,   V_REOPENS},
	{"1.3 SYN, older seq, strictly newer TS",                  LINUX,  false, false, F_SYN, -9,    0,  1,     0,   V_REOPENS},
	{"1.3 SYN, older seq, same TS",                            LIMITED,false, false, F_SYN, -9,    0,  0,     0,   V_LIM},
	{"1.3 SYN, older seq, no TS",                              LIMITED,true,  false, F_SYN, -9,    0,  NO_TS, 0,   V_LIM},
	{"1.3 SYN, equal seq, same TS",                            LIMITED,false, false, F_SYN, 0,     0,  0,     0,   V_LIM},
	{"1.3 SYN, older seq, new TS on a connection without",     LIMITED,true,  false, F_SYN, -9,    0,  5,     0,   V_LIM},
	{"1.3 SYN, older seq: no limit before 4.0",                L26,    false, false, F_SYN, -9,    0,  0,     0,   V_ACK},
	{"1.3 SYN, newer seq, older TS",                           LIMITED,false, false, F_SYN, 1000,  0,  -1,    0,   V_LIM_PAWS_RESTART},
	{"1.3 SYN, older seq, older TS",                           LIMITED,false, false, F_SYN, -1000, 0,  -1,    0,   V_LIM_PAWS_RESTART},
	{"1.3 SYN, older TS: no limit before 4.0",                 L26,    false, false, F_SYN, 1000,  0,  -1,    0,   V_ACK_PAWS_RESTART},
	{"1.3 RST at rcv_nxt, rfc1337 0",                          LINUX,  false, false, F_RST, 0,     0,  NO_TS, 0,   V_KILLED},
	{"1.3 RST at rcv_nxt, TS ok, rfc1337 0",                   LINUX,  false, false, RA,    0,     0,  0,     0,   V_KILLED},
	{"1.3 RST at rcv_nxt, rfc1337 1",                          L618,   false, true,  F_RST, 0,     0,  NO_TS, 0,   NOTHING},
	{"1.3 RST at rcv_nxt, TS, rfc1337 1",                      L618,   false, true,  F_RST, 0,     0,  3,     0,   V_TS},
	{"1.3 RST at rcv_nxt, rfc1337 1: restarted before 4.19",   L26 | L412, false, true, F_RST, 0,  0,  NO_TS, 0,   V_RESTART},
	{"1.3 RST at rcv_nxt, old TS",                             LINUX,  false, false, F_RST, 0,     0,  -1,    0,   V_PAWS},
	{"1.3 RST, other seq in the window",                       LINUX,  false, false, F_RST, 1,     0,  NO_TS, 0,   NOTHING},
	{"1.3 RST, other seq below",                               LINUX,  false, false, F_RST, -1,    0,  NO_TS, 0,   NOTHING},
	{"RST with text at rcv_nxt",                               LINUX,  false, false, F_RST, 0,     5,  NO_TS, 0,   V_KILLED},
	{"SYN+RST",                                                LINUX,  false, false, F_SYN | F_RST, 9, 0, 1,   0,   NOTHING},
	{"data without ACK",                                       LINUX,  false, false, 0,     -5,    5,  0,     0,   V_ACK},
	{"no flags at rcv_nxt",                                    LINUX,  false, false, 0,     0,     0,  0,     0,   V_RESTART_TS},
	{"retransmitted FIN with an old TS",                       LINUX,  false, false, FA,    -1,    0,  -1,    0,   V_ACK_PAWS_RESTART},
	{"pure ACK at rcv_nxt with an old TS",                     LIMITED,false, false, F_ACK, 0,     0,  -1,    0,   V_LIM_PAWS_RESTART},
	{"SYN with text, newer seq",                               ALL & ~RFC, false, false, F_SYN, 1, 10, 0,     0,   V_REOPENS},

	{"rfc: retransmitted FIN",                                 RFC,    false, true,  FA,    -1,    0,  1,     0,   V_ACK_RESTART_TS},
	{"rfc: retransmitted FIN with its text",                   RFC,    false, true,  FA,    -11,   10, 0,     0,   V_ACK_RESTART_TS},
	{"rfc: retransmitted FIN that acks more than we sent",     RFC,    false, true,  FA,    -1,    0,  1,     1,   V_LIM},
	{"rfc: FIN elsewhere below",                               RFC,    false, true,  FA,    -2,    0,  1,     0,   V_LIM},
	{"rfc: FIN at rcv_nxt",                                    RFC,    false, true,  FA,    0,     0,  1,     0,   V_LIM},
	{"rfc: FIN without ACK",                                   RFC,    false, true,  F_FIN, -1,    0,  1,     0,   V_LIM},
	{"rfc: retransmitted FIN with an old TS",                  RFC,    false, true,  FA,    -1,    0,  -1,    0,   V_LIM_PAWS},
	{"rfc: old duplicate data",                                RFC,    false, true,  F_ACK, -100,  50, 0,     0,   V_LIM},
	{"rfc: data at rcv_nxt",                                   RFC,    false, true,  F_ACK, 0,     5,  1,     0,   V_LIM},
	{"rfc: pure ACK at rcv_nxt",                               RFC,    false, true,  F_ACK, 0,     0,  1,     0,   V_TS},
	{"rfc: pure ACK at rcv_nxt, no TS",                        RFC,    true,  true,  F_ACK, 0,     0,  NO_TS, 0,   NOTHING},
	{"rfc: pure ACK at rcv_nxt that acks more than we sent",   RFC,    false, true,  F_ACK, 0,     0,  1,     1,   V_LIM},
	{"rfc: pure ACK in the window",                            RFC,    false, true,  F_ACK, 7,     0,  1,     0,   NOTHING},
	{"rfc: keepalive, one below",                              RFC,    false, true,  F_ACK, -1,    0,  1,     0,   V_LIM},
	{"rfc: pure ACK beyond the window",                        RFC,    false, true,  F_ACK, WND + 1, 0, 1,    0,   V_LIM},
	{"rfc: pure ACK with an old TS",                           RFC,    false, true,  F_ACK, 0,     0,  -1,    0,   V_LIM_PAWS},
	{"rfc: SYN+ACK",                                           RFC,    false, true,  SA,    9,     0,  1,     0,   V_LIM},
	{"rfc: SYN, newer TS, newer seq",                          RFC,    false, true,  F_SYN, 1,     0,  1,     0,   V_REOPENS_GAP},
	{"rfc: SYN, newer TS, older seq",                          RFC,    false, true,  F_SYN, -9,    0,  1,     0,   V_REOPENS_GAP},
	{"rfc: SYN, equal TS, greater seq",                        RFC,    false, true,  F_SYN, 1,     0,  0,     0,   V_REOPENS_GAP},
	{"rfc: SYN, equal TS, equal seq",                          RFC,    false, true,  F_SYN, 0,     0,  0,     0,   V_LIM},
	{"rfc: SYN, equal TS, older seq",                          RFC,    false, true,  F_SYN, -9,    0,  0,     0,   V_LIM},
	{"rfc: SYN, older TS, greater seq",                        RFC,    false, true,  F_SYN, 9,     0,  -1,    0,   V_LIM_PAWS},
	{"rfc: SYN, no TS, greater seq",                           RFC,    false, true,  F_SYN, 1,     0,  NO_TS, 0,   V_REOPENS_GAP},
	{"rfc: SYN, no TS, older seq",                             RFC,    false, true,  F_SYN, -1,    0,  NO_TS, 0,   V_LIM},
	{"rfc: SYN with TS after one without, greater seq",        RFC,    true,  true,  F_SYN, 1,     0,  1,     0,   V_REOPENS_GAP},
	{"rfc: SYN with TS after one without, older seq",          RFC,    true,  true,  F_SYN, -1,    0,  1,     0,   V_LIM},
	{"rfc: RST at rcv_nxt",                                    RFC,    false, true,  F_RST, 0,     0,  NO_TS, 0,   NOTHING},
	{"rfc: RST in the window",                                 RFC,    false, true,  F_RST, 1,     0,  NO_TS, 0,   NOTHING},
	{"rfc: SYN+RST",                                           RFC,    false, true,  F_SYN | F_RST, 9, 0, 1,   0,   NOTHING},
	{"rfc: RST at rcv_nxt, rfc1337 off",                       RFC,    false, false, F_RST, 0,     0,  NO_TS, 0,   V_KILLED},
	{"rfc: RST at rcv_nxt with an old TS, rfc1337 off",        RFC,    false, false, F_RST, 0,     0,  -1,    0,   V_KILLED},
	{"rfc: RST in the window, rfc1337 off",                    RFC,    false, false, F_RST, 1,     0,  NO_TS, 0,   V_LIM},
	{"rfc: RST below, rfc1337 off",                            RFC,    false, false, F_RST, -1,    0,  NO_TS, 0,   NOTHING},
	{"rfc: RST beyond the window, rfc1337 off",                RFC,    false, false, F_RST, WND + 1, 0, NO_TS, 0,  NOTHING},
};

static const struct row fin_wait_2_rows[] = {
	/*                                                                 no_ts  1337   flags  seq    len ts     ack  verdict */
	{"FIN at rcv_nxt",                                         ALL,    false, false, FA,    0,     0,  1,     0,   V_FIN},
	{"FIN at rcv_nxt, no TS",                                  ALL,    true,  false, FA,    0,     0,  NO_TS, 0,   V_FIN},
	{"FIN at rcv_nxt, TS missing",                             ALL,    false, false, FA,    0,     0,  NO_TS, 0,   V_FIN},
	{"FIN after text that we have",                            ALL,    false, false, FA,    -10,   10, 1,     0,   V_FIN},
	{"new data",                                               ALL,    false, false, F_ACK, 0,     5,  1,     0,   V_DATA},
	{"new data and FIN",                                       ALL,    false, false, FA,    0,     5,  1,     0,   V_DATA},
	{"one octet of new data",                                  ALL,    false, false, F_ACK, 0,     1,  1,     0,   V_DATA},
	{"data partly new",                                        ALL,    false, false, F_ACK, -5,    6,  1,     0,   V_DATA},
	{"data beyond a gap, in the window",                       ALL,    false, false, F_ACK, 100,   5,  1,     0,   V_DATA},
	{"FIN beyond a gap",                                       ALL,    false, false, FA,    1,     0,  1,     0,   V_DATA},
	{"old duplicate data",                                     LINUX,  false, false, F_ACK, -10,   5,  1,     0,   V_ACK},
	{"old duplicate data",                                     RFC,    false, false, F_ACK, -10,   5,  1,     0,   V_LIM},
	{"data beyond the window",                                 LINUX,  false, false, F_ACK, WND,   5,  1,     0,   V_ACK},
	{"data beyond the window",                                 RFC,    false, false, F_ACK, WND,   5,  1,     0,   V_LIM},
	{"pure ACK at rcv_nxt",                                    ALL,    false, false, F_ACK, 0,     0,  1,     0,   NOTHING},
	{"pure ACK in the window",                                 ALL,    false, false, F_ACK, 7,     0,  1,     0,   NOTHING},
	{"pure ACK at the right edge",                             ALL,    false, false, F_ACK, WND,   0,  1,     0,   NOTHING},
	{"keepalive, one below",                                   LIMITED | RFC, false, false, F_ACK, -1, 0, 1,   0,   V_LIM},
	{"keepalive, one below: no limit before 4.0",              L26,    false, false, F_ACK, -1,    0,  1,     0,   V_ACK},
	{"pure ACK that acks more than we sent",                   RFC,    false, false, F_ACK, 0,     0,  1,     1,   V_LIM},
	{"pure ACK that acks more than we sent",                   LINUX,  false, false, F_ACK, 0,     0,  1,     1,   NOTHING},
	{"data without ACK",                                       ALL,    false, false, 0,     0,     5,  1,     0,   NOTHING},
	{"FIN without ACK",                                        ALL,    false, false, F_FIN, 0,     0,  1,     0,   NOTHING},
	{"SYN in the window",                                      LINUX,  false, false, F_SYN, 1,     0,  1,     0,   V_SYN},
	{"SYN at rcv_nxt",                                         LINUX,  false, false, F_SYN, 0,     0,  1,     0,   V_SYN},
	{"SYN below",                                              LIMITED,false, false, F_SYN, -9,    0,  1,     0,   V_LIM},
	{"SYN below: no limit before 4.0",                         L26,    false, false, F_SYN, -9,    0,  1,     0,   V_ACK},
	{"SYN anywhere",                                           RFC,    false, false, F_SYN, 1,     0,  1,     0,   V_LIM},
	{"SYN anywhere",                                           RFC,    false, false, F_SYN, -9,    0,  1,     0,   V_LIM},
	{"RST at rcv_nxt",                                         ALL,    false, false, F_RST, 0,     0,  NO_TS, 0,   V_KILLED},
	{"1.4 RST at rcv_nxt, rfc1337 1",                          ALL,    false, true,  F_RST, 0,     0,  NO_TS, 0,   V_KILLED},
	{"1.4 RST elsewhere in the window, rfc1337 1",             LINUX,  false, true,  F_RST, 9,     0,  NO_TS, 0,   V_KILLED},
	{"RST elsewhere in the window",                            RFC,    false, true,  F_RST, 9,     0,  NO_TS, 0,   V_LIM},
	{"RST below",                                              LIMITED,false, false, F_RST, -9,    0,  NO_TS, 0,   V_LIM},
	{"RST below",                                              RFC,    false, false, F_RST, -9,    0,  NO_TS, 0,   NOTHING},
	{"RST beyond the window",                                  RFC,    false, false, F_RST, WND + 1, 0, NO_TS, 0,  NOTHING},
	{"RST at rcv_nxt with an old TS",                          LIMITED,false, false, F_RST, 0,     0,  -1,    0,   V_LIM_PAWS},
	{"RST at rcv_nxt with an old TS",                          RFC,    false, false, F_RST, 0,     0,  -1,    0,   V_KILLED},
	{"FIN with an old TS",                                     LINUX,  false, false, FA,    0,     0,  -1,    0,   V_ACK_PAWS},
	{"FIN with an old TS",                                     RFC,    false, false, FA,    0,     0,  -1,    0,   V_LIM_PAWS},
};
/* clang-format on */

TEST(time_wait__every_row__judged_as_the_policy_does)
{
	check_rows(time_wait_rows, ARRAY_LEN(time_wait_rows), TW_TIME_WAIT);
}

TEST(fin_wait_2__every_row__judged_as_the_policy_does)
{
	check_rows(fin_wait_2_rows, ARRAY_LEN(fin_wait_2_rows), TW_FIN_WAIT_2);
}

TEST(fin_wait_2__window_closed__text_at_its_edge_still_judged)
{
	struct row r = {.flags = F_ACK, .len = 1, .ts = NO_TS};

	for (enum policy p = 0; p < N_POLICIES; p++) {
		struct tw_rec rec = record_for(&r, TW_FIN_WAIT_2);
		struct seg s = segment_for(&r);
		struct knobs k;
		knobs_default(&k);
		knobs_policy(&k, p);
		rec.rcv_wnd = 0;
		assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_ENDS_DATA);
		s.seq = seq_add(s.seq, 1);
		assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_STAYS);
	}
}

TEST(time_wait__ts_recent_zero__linux_takes_it_as_unknown)
{
	struct row r = {.flags = F_SYN, .seq = 1, .ts = 0};
	struct tw_rec rec = record_for(&r, TW_TIME_WAIT);
	struct seg s = segment_for(&r); /* TSval 0x80000005 is older than 0 */
	struct knobs k;

	rec.ts_recent = 0;
	knobs_default(&k);
	knobs_policy(&k, POLICY_LINUX_6_18);
	assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_REOPENS);
	knobs_policy(&k, POLICY_RFC9293);
	assert_true(timewait_judge(&rec, &s, &k).paws);
}

TEST(time_wait__timestamps_off_here__rfc_judges_a_syn_by_its_sequence_number)
{
	struct row r = {.flags = F_SYN, .seq = -9, .ts = 1};
	struct tw_rec rec = record_for(&r, TW_TIME_WAIT);
	struct seg s = segment_for(&r);
	struct knobs k;

	knobs_default(&k);
	knobs_policy(&k, POLICY_RFC9293);
	assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_REOPENS);
	k.timestamps = 0;
	assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_STAYS);
	s.seq = seq_add(rec.rcv_nxt, 1);
	assert_int_equal(timewait_judge(&rec, &s, &k).fate, TW_REOPENS);
}

TEST(policy__rfc9293__ignores_rst_by_its_preset)
{
	struct knobs k;

	knobs_default(&k);
	knobs_policy(&k, POLICY_RFC9293);
	assert_int_equal(k.rfc1337, 1);
	knobs_policy(&k, POLICY_LINUX_6_18);
	assert_int_equal(k.rfc1337, 0);
}

TEST(length__policies__only_tw_recycle_with_timestamps_shortens_it)
{
	struct knobs k;

	knobs_default(&k);
	for (enum policy p = 0; p < N_POLICIES; p++) {
		knobs_policy(&k, p);
		k.tw_recycle = 1;
		assert_int_equal(timewait_len_ms(&k, true, 201), p == POLICY_LINUX_2_6 ? 703 : k.tw_ms);
		assert_int_equal(timewait_len_ms(&k, false, 201), k.tw_ms);
		k.tw_recycle = 0;
		assert_int_equal(timewait_len_ms(&k, true, 201), k.tw_ms);
	}
	knobs_policy(&k, POLICY_LINUX_2_6);
	k.tw_recycle = 1;
	assert_int_equal(timewait_len_ms(&k, true, UINT32_MAX), TW_LEN_MAX_MS);
	k.tw_recycle = 0;
	k.tw_ms = 5;
	assert_int_equal(timewait_len_ms(&k, true, 200), 5);
}

/* clang-format off */
static const struct reuse_row {
	const char *name;
	unsigned policies;
	int tw_reuse;
	bool has_ts, fixed_port, loopback, mature;
	enum tw_kind kind;
	unsigned age_ms;
	bool want;
} reuse_rows[] = {
	/*                                                          reuse  ts     fixed  lo     mature                      */
	{"3.1 off",                                        ALL,         0, true,  false, true,  false, TW_TIME_WAIT,  59999, false},
	{"3.1 on, old enough",                             ALL,         1, true,  false, false, false, TW_TIME_WAIT,  1000,  true},
	{"3.1 on, too young",                              ALL,         1, true,  false, false, false, TW_TIME_WAIT,  999,   false},
	{"3.1 on, given back already",                     ALL,         1, true,  false, false, true,  TW_TIME_WAIT,  0,     true},
	{"3.1 on, without timestamps",                     ALL,         1, false, false, false, false, TW_TIME_WAIT,  59999, false},
	{"3.1 2, loopback",                                ALL,         2, true,  false, true,  false, TW_TIME_WAIT,  1000,  true},
	{"3.1 2, another host",                            L618 | RFC,  2, true,  false, false, false, TW_TIME_WAIT,  59999, false},
	{"3.1 2 is 1 before 4.18",                         L26 | L412,  2, true,  false, false, false, TW_TIME_WAIT,  1000,  true},
	{"3.1 FIN_WAIT_2 is spared since 6.12",            L618 | RFC,  1, true,  false, false, false, TW_FIN_WAIT_2, 59999, false},
	{"3.1 FIN_WAIT_2 before",                          L26 | L412,  1, true,  false, false, false, TW_FIN_WAIT_2, 1000,  true},
	{"3.2 fixed port: neither knob nor delay",         LINUX,       0, true,  true,  false, false, TW_TIME_WAIT,  0,     true},
	{"3.2 fixed port without timestamps",              ALL,         1, false, true,  false, false, TW_TIME_WAIT,  59999, false},
	{"3.2 fixed port takes FIN_WAIT_2 too",            LINUX,       0, true,  true,  false, false, TW_FIN_WAIT_2, 0,     true},
	{"rfc: fixed port is like any other",              RFC,         0, true,  true,  false, false, TW_TIME_WAIT,  59999, false},
	{"rfc: fixed port, on, too young",                 RFC,         1, true,  true,  false, false, TW_TIME_WAIT,  999,   false},
	{"rfc: fixed port, on, old enough",                RFC,         1, true,  true,  false, false, TW_TIME_WAIT,  1000,  true},
	{"rfc: fixed port spares FIN_WAIT_2",              RFC,         1, true,  true,  false, false, TW_FIN_WAIT_2, 59999, false},
};
/* clang-format on */

TEST(reuse__every_row__as_the_policy_does)
{
	for (size_t i = 0; i < ARRAY_LEN(reuse_rows); i++) {
		const struct reuse_row *r = &reuse_rows[i];
		const struct tw_rec rec = {
			.kind = r->kind, .has_ts = r->has_ts, .loopback = r->loopback, .mature = r->mature};
		for (enum policy p = 0; p < N_POLICIES; p++) {
			struct knobs k;
			knobs_default(&k);
			knobs_policy(&k, p);
			k.tw_reuse = r->tw_reuse;
			if (r->policies >> p & 1 && timewait_reusable(&rec, r->age_ms, r->fixed_port, &k) != r->want)
				fail_msg("%s, policy %s", r->name, knob_word(KNOB_policy, p));
		}
	}
}

TEST(reuse__delay__a_knob_since_6_14_only)
{
	const struct tw_rec rec = {.kind = TW_TIME_WAIT, .has_ts = true};

	for (enum policy p = 0; p < N_POLICIES; p++) {
		bool is_knob = p == POLICY_RFC9293 || p == POLICY_LINUX_6_18;
		struct knobs k;
		knobs_default(&k);
		knobs_policy(&k, p);
		k.tw_reuse = 1;
		k.tw_reuse_delay_ms = 100;
		assert_int_equal(timewait_reuse_delay_ms(&k), is_knob ? 100 : 1000);
		assert_int_equal(timewait_reusable(&rec, 100, false, &k), is_knob);
	}
}

RUN(T(time_wait__every_row__judged_as_the_policy_does), T(fin_wait_2__every_row__judged_as_the_policy_does),
    T(fin_wait_2__window_closed__text_at_its_edge_still_judged),
    T(time_wait__ts_recent_zero__linux_takes_it_as_unknown),
    T(time_wait__timestamps_off_here__rfc_judges_a_syn_by_its_sequence_number),
    T(policy__rfc9293__ignores_rst_by_its_preset), T(length__policies__only_tw_recycle_with_timestamps_shortens_it),
    T(reuse__every_row__as_the_policy_does), T(reuse__delay__a_knob_since_6_14_only))

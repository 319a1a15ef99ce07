/* SPDX-License-Identifier: MIT */
/* values.h - a set of values, one for each row of knobs.def: what an engine runs with, or a sysctl.conf asks for. Pure. */
#pragma once
#include "knob/knob.h"

struct knobs {
#define KNOB(field, ...) int64_t field;
#include "knob/knobs.def"
#undef KNOB
};

/* engine.policy: whose rules the engine follows where the RFC and kernels differ. */
enum policy { POLICY_RFC9293, POLICY_LINUX_2_6, POLICY_LINUX_4_12, POLICY_LINUX_6_18, N_POLICIES };
/* engine.tw_full: what to do for a connection that would enter TIME_WAIT when the store is full. */
enum tw_full { TW_FULL_RECYCLE_OLDEST, TW_FULL_SKIP, TW_FULL_REFUSE, N_TW_FULL };

/* net.ipv4.tcp_congestion_control. */
enum congestion { CONGESTION_RENO, CONGESTION_CUBIC, N_CONGESTIONS };

/* Mainline defaults; what the kernel computes at boot (BOOT) is unlimited here: INT32_MAX. */
void knobs_default(struct knobs *k);

/* Sets engine.policy and every knob whose default differs in that policy (a table in values.c with its sources). */
void knobs_policy(struct knobs *k, enum policy p);

int64_t knobs_get(const struct knobs *k, enum knob_id id);

/*
 * By kernel name or field name. A file of several numbers ("net.ipv4.ip_local_port_range") takes all of them, "1024 65535", and
 * its fields take one each; -EINVAL if the first is above the second. Numbers are read as the kernel reads them: 0x and
 * 0 begin hexadecimal and octal ones. engine.policy, engine.tw_full and tcp_congestion_control take their words
 * ("linux-6.18", "recycle-oldest", "cubic") or numbers; engine.policy does what knobs_policy() does.
 * 0, -ENOENT (no such knob), -EINVAL (not a value), -ERANGE. Nothing is changed unless it returns 0.
 */
int knobs_set(struct knobs *k, const char *name, const char *value);

/*
 * A sysctl.conf(5) text: "name = value", comments with # and ;, "-" before a name means errors are ignored, slashes may
 * stand for dots. Names not in knobs.def are passed over, field names too. engine.policy acts before all other lines,
 * wherever it stands, for these say what shall differ from it. Returns how many knobs were set; on a bad value -EINVAL or
 * -ERANGE with *ret_line (1 is the first; may be NULL), and nothing is changed. text need not end with NUL.
 */
int knobs_load(struct knobs *k, const char *text, size_t len, unsigned *ret_line);

const char *knob_word(enum knob_id id, int64_t value); /* "linux-6.18"; NULL if the knob has no words */

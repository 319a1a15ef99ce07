/* SPDX-License-Identifier: MIT */
/*
 * record.h - who belongs to a run of the lab, in /run/lastack-lab/PID-STARTTIME/. Should the run be killed, the next
 * one ends what it left: only processes whose id and start time both match, never somebody who got the id later.
 */
#pragma once
#include "base/why.h"
#include <sys/types.h>

struct record {
	char dir[96];
	int children; /* file, one "PID STARTTIME" a line */
};

int record_open(struct record *r, struct why *w); /* reaps dead runs first */
void record_child(const struct record *r); /* called by the child itself */
void record_await(const struct record *r); /* until every child on record that is the caller's own has ended */
void record_close(struct record *r); /* removes the folder */

/* Field 22 of /proc/PID/stat, clock ticks since boot; 0: no such process (or a zombie). */
uint64_t process_start(pid_t pid);

/* Ends the processes listed in a children file whose start time matches; how many. For tests. */
unsigned record_reap_file(const char *path);

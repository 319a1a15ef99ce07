/* SPDX-License-Identifier: MIT */
/* pcap_read.h - the frames of capture files, one file after the other, as one capture cut into pieces. */
#pragma once
#include "base/why.h"
#include "flow/frame.h"

struct pcap_reading {
	char *const *files; /* "-" is standard input */
	int n;
	int (*frame)(void *arg, enum link_type type, const struct raw_frame *raw); /* 0, or -errno: no further */
	void *arg;
	/* results */
	bool damaged; /* the rest of some file could not be read */
	struct why damage; /* of the first such */
	nsec_t newest; /* of the frames so far */
	int back; /* index of the first file that begins before that, by more than a second; 0: none */
};

/* 0; -EINVAL: a file cannot be opened or is no capture; or what frame() said. w says which and why. */
int pcap_read(struct pcap_reading *p, struct why *w);

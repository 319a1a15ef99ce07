/* SPDX-License-Identifier: MIT */
#include "cli/pcap_read.h"
#include "io/capture.h"

static enum link_type link_of(const struct capture *c)
{
	static const enum link_type types[] = {
		[CAPTURE_ETHERNET] = LINK_ETHERNET, [CAPTURE_SLL] = LINK_SLL,
		[CAPTURE_SLL2] = LINK_SLL2,         [CAPTURE_IP] = LINK_IP,
		[CAPTURE_NULL] = LINK_NULL,
	};

	return types[capture_link(c)];
}

/* Interfaces and processors hand frames over a little out of order. */
#define BACK (1 * NSEC_PER_S)

static int read_frames(struct pcap_reading *p, struct capture *c, int file)
{
	bool is_first = true;
	enum link_type type = link_of(c);
	struct captured f;
	struct why w = {""};
	int r, err = 0;

	while (!err && (r = capture_next(c, &f, &w)) == 1) {
		if (is_first && !p->back && f.at + BACK < p->newest)
			p->back = file;
		is_first = false;
		if (f.at > p->newest)
			p->newest = f.at;
		err = p->frame(p->arg, type, &(struct raw_frame){f.at, f.data, f.kept, f.len});
	}
	if (!err && r < 0 && !p->damaged) {
		p->damaged = true;
		why_set(&p->damage, "%s: %s", p->files[file], w.text);
	}
	return err;
}

int pcap_read(struct pcap_reading *p, struct why *w)
{
	int err = 0;

	for (int i = 0; i < p->n && !err; i++) {
		struct capture *c = NULL;

		err = capture_open(p->files[i], &c, w);
		if (!err)
			err = read_frames(p, c, i);
		capture_close(c);
	}
	return err;
}

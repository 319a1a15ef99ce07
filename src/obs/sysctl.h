/* SPDX-License-Identifier: MIT */
/* sysctl.h - the knobs of knobs.def as this kernel has them, and the configuration lines that set them at boot. */
#pragma once
#include "model/snapshot.h"

enum {
	CONFIG_LINES_MAX = 512,
	CONFIG_FILES_MAX = 1024,
	RESERVED_MAX = 65536,
};

/* The word-th number of a sysctl's text; false when there is none. */
bool knob_text_parse(const char *text, unsigned word, int64_t *ret);

/*
 * ip_local_reserved_ports, "8080,9000-9010": the ranges in ascending order, joined where they touch. Parts that are no
 * port or no range are skipped. 0 or -ENOMEM; *v is to be freed.
 */
int reserved_parse(const char *text, struct port_range **v, size_t *n);

/*
 * One line of sysctl.conf(5): comments with '#' or ';', a '-' before the name, slashes for dots and spaces are all
 * understood. True only for a line that sets one of our knobs.
 */
bool config_line_parse(const char *line, struct config_line *ret);

/* Knobs and reserved ports of the calling thread's namespace into ns. 0 or -ENOMEM. What is not there stays unknown. */
int knobs_read(struct netns *ns);

/*
 * The lines of all files that `sysctl --system` reads, in its order: a file name in an earlier folder (/etc, /run,
 * /usr/local/lib, /usr/lib, /lib) hides the same name in later ones, /etc/sysctl.conf comes last, a file reached
 * twice is read once. root stands before every path. 0 or -ENOMEM; *v is to be freed.
 */
int config_read(const char *root, struct config_line **v, size_t *n);

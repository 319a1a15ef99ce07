/* SPDX-License-Identifier: MIT */
/* lastack.h - the whole command line as a function, so that tests and fuzzers can run it in their own process. */
#pragma once
#include <stdio.h>

/* argv[0] is the program's name, argv may be reordered. Returns the exit code; closes neither stream. */
int lastack_main(int argc, char **argv, FILE *out, FILE *err);

/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli/lastack.h"

int main(int argc, char **argv)
{
	/* A closed pipe must end in the exit code that the findings deserve, not in death by signal. */
	signal(SIGPIPE, SIG_IGN);
	return lastack_main(argc, argv, stdout, stderr);
}

/* SPDX-License-Identifier: MIT */
#include "cli/nearest.h"

#include <ctype.h>

#include "cli/opt.h"
#include "diag/cause.h"

const char *nearest_rule(const char *id)
{
	const char *best = NULL;
	unsigned least = 3;
	char upper[24];
	size_t i = 0;

	for (; id[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)id[i]);
	upper[i] = 0;
	for (size_t k = 0; k < known_rules(); k++) {
		unsigned d = edit_distance(known_rule(k)->id, upper);

		if (d < least) {
			least = d;
			best = known_rule(k)->id;
		}
	}
	return best;
}

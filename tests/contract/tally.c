/* SPDX-License-Identifier: Apache-2.0 */
/* The report: a TAP line a case. */
#include <stdio.h>

#include "suite.h"
#include "tally.h"

void tally_say(struct tally *tally, const char *name, const char *why, const char *text)
{
	tally->count++;
	if (!why) {
		printf("ok %u - %s\n", tally->count, name);
	} else if (why == suite_skip) {
		printf("ok %u - %s # SKIP %s\n", tally->count, name, text);
	} else {
		tally->failures++;
		printf("not ok %u - %s\n# %s\n", tally->count, name, why);
	}
	fflush(stdout);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XYLEM_CRASH, in test builds: counts the passings of one named step and ends
 * the process with SIGKILL at the N-th. crash.h has the steps.
 */
#include <base/crash.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const steps[] = { "append", "written", "synced", "evaluated", "sink-before", "sink-after",
	"diverted", "catalogue-before", "catalogue-after", "carried" };

static const char *chosen; /* NULL: none */
static atomic_long left;

static void choose(void)
{
	const char *spec = getenv("XYLEM_CRASH");
	const char *colon = spec ? strchr(spec, ':') : NULL;
	if (!spec || !*spec) {
		return;
	}
	char *end = NULL;
	long nth = colon ? strtol(colon + 1, &end, 10) : 0;
	for (size_t i = 0; nth > 0 && *end == '\0' && i < sizeof(steps) / sizeof(*steps); i++) {
		if (strlen(steps[i]) == (size_t)(colon - spec) &&
			strncmp(spec, steps[i], strlen(steps[i])) == 0) {
			atomic_store(&left, nth);
			chosen = steps[i];
			return;
		}
	}
	fprintf(stderr, "XYLEM_CRASH=%s is not understood: STEP:N, see bus/base/crash.h\n", spec);
	exit(2);
}

void crash_point(const char *step)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, choose);
	if (chosen && strcmp(step, chosen) == 0 && atomic_fetch_sub(&left, 1) == 1) {
		kill(getpid(), SIGKILL);
	}
}

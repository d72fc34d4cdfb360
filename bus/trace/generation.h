/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_GENERATION_H
#define TRACE_GENERATION_H

#include <stddef.h>
#include <stdint.h>

#include <catalogue/catalogue.h>

/*
 * What routes were configured as, and since when: sums, not texts. They say whether what is computed today
 * for a message is what the message went through.
 */
struct generation_route {
	const char *route;
	const unsigned char *hash; /* 32 bytes: of from, where and steps with their files */
};
/*
 * Notes of each route what it is from now on, where that is not what was noted last. Waits for the disk.
 * Of a route the latest GENERATION_MOST changes are kept, of all GENERATION_ALL.
 */
#define GENERATION_MOST 100
#define GENERATION_ALL 10000
int generation_note(struct catalogue *catalogue, const struct generation_route *routes, size_t n,
	int64_t now_us, struct xylem_reason *reason);

struct generation_found {
	unsigned char hash[32]; /* what the route was at that time */
	int64_t changed_us;     /* when it became something else for the first time after that; 0: never */
};
/* -XYLEM_E_NOT_FOUND: nothing is known of that time. */
int generation_find(struct catalogue *catalogue, const char *route, int64_t time_us,
	struct generation_found *ret_found, struct xylem_reason *reason);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_GUARD_H
#define CONSOLE_GUARD_H

#include <pthread.h>
#include <stdint.h>

#include <config/config.h>
#include <console/operation.h>
#include <console/token.h>

/* Who may ask: names of this host, and addresses whose tokens keep being wrong. */

/* The table of addresses; a power of two. What shares a slot shares its allowance. */
#define GUARD_SLOTS 1024
/* Wrong tokens that an address may show at once, and the time until it may show one more. */
#define GUARD_BURST 10
#define GUARD_REFILL_US 5000000

struct guard {
	pthread_mutex_t lock;
	struct {
		int64_t full_us; /* when the allowance is whole again; monotonic */
	} slots[GUARD_SLOTS];
};

void guard_init(struct guard *guard);
void guard_finish(struct guard *guard);
/* Whether the address may show a token now; else the seconds to wait. */
bool guard_allows(struct guard *guard, const char *address, int64_t now_us, int *ret_wait_s);
void guard_failed(struct guard *guard, const char *address, int64_t now_us);

/*
 * `Host` against DNS rebinding: it must be a name of this machine (localhost,
 * the listener's own address) or one of console.hosts; any port. A browser on a
 * page of another site cannot make it so.
 */
bool guard_host(const char *host, const char *listener_host, const struct xylem_strings *hosts);
/* `Origin` of a browser must be this very host, over http or https. */
bool guard_origin(const char *origin, const char *host);

/* The token of `Bearer TOKEN`; absent if the header is of another kind. */
struct xylem_span guard_bearer(const char *authorization);

#endif

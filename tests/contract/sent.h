/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_SENT_H
#define TESTS_CONTRACT_SENT_H

#include <stdbool.h>
#include <stddef.h>

#include "suite.h"

/* The tags of one `send` (README.md), and which of them have been seen in the journal. */
struct sent {
	size_t n;
	char names[64][40];
	bool seen[64];
};

/* Has the peer begin to send n messages, at most 64. */
const char *sent_begin(struct suite *suite, size_t n, struct sent *sent);
/* All tags are in the journal, in order, at least once, and nothing beside them. */
const char *sent_arrived(struct suite *suite, struct sent *sent);

/* Passes over what a retry may have put into the journal twice. */
void sent_catch_up(struct suite *suite);
/* Nothing has come into the journal since. */
bool sent_nothing(struct suite *suite);

/* How many of the last send the producers have seen acknowledged, after waiting for `n`. */
const char *sent_acknowledged(struct suite *suite, size_t n, int milliseconds, size_t *ret_n);
const char *sent_acknowledged_all(struct suite *suite, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_LOAD_H
#define TESTS_CONTRACT_LOAD_H

#include <stddef.h>

#include <xylem/xylem.h>

#include "suite.h"

/* Messages for a sink, and its results. */
struct load {
	size_t n;
	struct xylem_message messages[64];
	const struct xylem_message *pointers[64];
	struct xylem_result results[64];
};

/* Messages with ids c000001 ..., data {"id":"c000001","n":1}, each of a key of its own; at most 64. */
void load_make(struct suite *suite, struct load *load, size_t n);
void load_deliver(struct suite *suite, struct load *load);

size_t load_count(const struct load *load, enum xylem_failure failure);
/* A failure that says how many came out as what, and the first reason. */
const char *load_shown(struct suite *suite, const struct load *load, const char *what);

/* Whoever fails says so in words and with a code. */
const char *load_reasons(struct suite *suite, const struct load *load);
/*
 * Delivers again and again what is not delivered yet, as a lane does, until all
 * is or patience ends: a connector may need a moment to connect again.
 */
const char *load_insist(struct suite *suite, struct load *load);
/* All ids of the load are at the other side. */
const char *load_arrived(struct suite *suite, const struct load *load);

#endif

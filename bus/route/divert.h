/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_DIVERT_H
#define ROUTE_DIVERT_H

#include <stdbool.h>

#include <journal/journal.h>
#include <xylem/message.h>

/*
 * A lane's `otherwise`: what its destination turned away is appended to the
 * journal again, as a derived record for another lane of the route (ingress
 * `lane:ROUTE/DESTINATION`: it goes past where and steps) or for a topic
 * (`topic:NAME`). docs/routes.md.
 *
 * For a lane the event keeps its id: it is the same event. In a topic it has
 * one of its own, made from the parent's position and the lane, so that diverting
 * twice gives the same. Its attribute `divertedfrom` is the lane that it comes from.
 */
struct divert;

#define DIVERTED_FROM "divertedfrom"

/* The texts are copied. */
struct divert_options {
	struct journal *journal;
	const char *route, *destination; /* the lane that diverts */
	const char *otherwise;           /* a destination of the route, or `topic:NAME` */
	/* Diverted records from here to the end of the journal are known. */
	struct xylem_position known_from;
};

/* Scans the journal. */
int divert_new(struct divert **ret_divert, const struct divert_options *options);
struct divert *divert_free(struct divert *divert);

/* Was it diverted before this start? *ret_at: the record. Any thread. */
bool divert_known(
	const struct divert *divert, const struct xylem_message *message, struct xylem_position *ret_at);
/* Appends one record each, in order; 0 when they are on disk, or what the journal says. Any thread. */
int divert_append(const struct divert *divert, const struct xylem_message *const *messages, size_t n,
	struct xylem_position *ret_positions);

#endif

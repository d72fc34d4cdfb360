/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include <stdbool.h>

#include <journal/journal.h>
#include <xylem/connector.h>

/*
 * Where messages enter: checks what sources hand in, stamps the ingress,
 * appends to the journal, and holds sources back when the journal, a lane or
 * the hospital asks for it. struct xylem_source is one source's door.
 */
struct intake;

struct intake *intake_new(struct journal *journal, size_t max_message);
struct intake *intake_free(struct intake *intake);

/* A door for the named ingress (connector name or `topic:NAME`); `name` is copied. */
struct xylem_source *intake_source_new(struct intake *intake, const char *name);
/* After the source has stopped; waits until what it submitted is completed. */
struct xylem_source *intake_source_free(struct xylem_source *source);

/* Holds are counted by reason; a source is held while any counts. `on_hold` tells the connector (may be NULL). */
void intake_source_on_hold(
	struct xylem_source *source, void (*on_hold)(void *context, bool held), void *context);
void intake_source_hold(struct xylem_source *source, bool hold);
/* Every submit of every source gets `error` from now on (0: none): shutdown, a dead journal. */
void intake_refuse(struct intake *intake, int error);
uint64_t intake_source_received(const struct xylem_source *source); /* messages since start */

/* Called after each acknowledged batch, on the commit thread; must not block. Set before the first source. */
typedef void (*intake_accepted)(
	void *context, const char *ingress, const struct xylem_position *positions, size_t n);
void intake_on_accepted(struct intake *intake, intake_accepted accepted, void *context);

#endif

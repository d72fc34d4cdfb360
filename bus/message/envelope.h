/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include <xylem/arena.h>
#include <xylem/message.h>

/*
 * The byte form of a message in the journal and in the hospital, versioned
 * (first byte). It holds everything of struct xylem_message except position
 * and journal_time_us. Writing is one pass with no allocation: size first,
 * then write into room that the caller has. docs/journal.md has the layout.
 */
size_t envelope_size(const struct xylem_message *message);
/* Writes exactly envelope_size() bytes. */
void envelope_write(const struct xylem_message *message, char *bytes);

/* How many extensions the bytes hold, for sizing; 0 when they are no envelope. */
size_t envelope_extensions(struct xylem_span bytes);
/*
 * Reads; spans borrow `bytes`; `room` receives the extensions (at least
 * envelope_extensions() of them). Checks every length: -XYLEM_E_DAMAGED.
 * Sets neither position nor journal_time_us.
 */
int envelope_read(struct xylem_span bytes, struct xylem_message *ret_message, struct xylem_extension *room);

/* A copy of the message with all spans in the arena; NULL without memory. */
struct xylem_message *message_copy(const struct xylem_message *message, struct xylem_arena *arena);

#endif

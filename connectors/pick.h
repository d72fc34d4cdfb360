/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_PICK_H
#define CONNECTORS_PICK_H

#include <xylem/arena.h>
#include <xylem/error.h>
#include <xylem/json.h>
#include <xylem/message.h>
#include <xylem/span.h>

/*
 * Where a source takes an attribute or the key of a message from, as an option
 * says it:
 *     /data/order/customer   a JSON pointer into the event; `/data` is the payload
 *     /subject               an attribute of the event
 *     header:X-Customer      a header of the request (sources that have headers)
 *     anything else          that text
 */
enum pick_kind { PICK_NONE, PICK_TEXT, PICK_HEADER, PICK_DATA, PICK_ATTRIBUTE };

struct pick {
	enum pick_kind kind;
	struct xylem_span text; /* the text, the header's or the attribute's name; borrows the option */
	struct xylem_json_pointer *pointer; /* of DATA */
};

typedef struct xylem_span (*pick_header)(const void *context, const char *name);

/* `text` may be NULL: PICK_NONE. It must outlive the pick. -XYLEM_E_INVALID with what is wrong. */
int pick_init(struct pick *pick, const char *text, bool has_headers, struct xylem_reason *reason);
/* The same of an ordering key: a text that was meant as a place (`data.customer`) would be the key of every message. */
int pick_init_key(struct pick *pick, const char *text, bool has_headers, struct xylem_reason *reason);
void pick_finish(struct pick *pick);

/*
 * The value; absent when the event has none there. Strings are unescaped (into
 * the arena), numbers and booleans are their text as it stands; null is absent,
 * objects and arrays are their JSON text. `message` has its data and attributes;
 * data is looked into only when `json` says that it has passed xylem_json_check.
 */
struct xylem_span pick_value(const struct pick *pick, const struct xylem_message *message, bool json,
	pick_header header, const void *context, struct xylem_arena *arena);

#endif

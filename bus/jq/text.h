/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_TEXT_H
#define JQ_TEXT_H

#include "jq/container.h"

/* Between input text and values, for this room alone. */

/* The value whose first byte `at` stands on; *ret_at behind it. Valid JSON only. */
struct jq_value jq_text_value(const char *at, const char *end, const char **ret_at);
/* The same of a span without white space around it. */
struct jq_value jq_text_span(struct xylem_span span);

/* One level of a container's text, made. */
struct jq_value jq_array_made(struct jq_machine *machine, struct jq_value text);
struct jq_value jq_object_made(struct jq_machine *machine, struct jq_value text);
struct jq_value jq_array_copy(struct jq_machine *machine, const struct jq_array *array);
struct jq_value jq_object_copy(struct jq_machine *machine, const struct jq_object *object);

/* The levels of a container that holds `item`; 0 when that is too deep, and the limit is raised. */
size_t jq_depth_add(struct jq_machine *machine, struct jq_value item);

/* A member of an OBJECT_RAW; NONE if there is none. Remembers the object. */
struct jq_value jq_text_member(struct jq_machine *machine, struct jq_value object, struct xylem_span name);

#endif

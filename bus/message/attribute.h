/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_ATTRIBUTE_H
#define MESSAGE_ATTRIBUTE_H

#include <xylem/message.h>

/* The context attributes that CloudEvents names, apart from specversion; the rest are extensions. */
struct attribute {
	struct xylem_span name;
	size_t offset; /* of its span in struct xylem_message */
	bool required;
};

extern const struct attribute attribute_table[];
extern const size_t attribute_count;

/* The row of a name; NULL if it is no core attribute. */
const struct attribute *attribute_find(struct xylem_span name);

/* [a-z0-9]{1,20} and no name that the event format keeps for itself. */
bool attribute_extension_name_valid(struct xylem_span name);

static inline struct xylem_span attribute_get(
	const struct attribute *attribute, const struct xylem_message *message)
{
	return *(const struct xylem_span *)(const void *)((const char *)message + attribute->offset);
}

static inline void attribute_set(
	const struct attribute *attribute, struct xylem_message *message, struct xylem_span value)
{
	*(struct xylem_span *)(void *)((char *)message + attribute->offset) = value;
}

/* A message has at most so many extensions, and an attribute so many bytes. */
#define ATTRIBUTE_EXTENSIONS_MAX 64
#define ATTRIBUTE_BYTES_MAX 65536

#endif

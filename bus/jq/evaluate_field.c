/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `.a.b.c` at once: along the notes of the input's text as long as it is text, by
 * the general way where it is not, or where an object has so many members that
 * it is better made than gone through.
 */
#include "jq/evaluate.h"
#include "jq/index.h"

enum { ENTRIES_FEW = 64 };

/* Goes on from an object as far as there are objects; *at counts the fields. NULL: there is no such member. */
static inline const struct json_entry *entry_follow(const struct jq_index *index,
	const struct json_entry *entry, const struct jq_fields *fields, uint32_t *at)
{
	while (*at < fields->n && json_entry_type(entry) == XYLEM_JSON_OBJECT &&
		json_entry_span(entry) <= ENTRIES_FEW) {
		const struct jq_field *field = &fields->fields[(*at)++];
		entry = jq_entry_member(index, entry, field->name, field->n);
		if (!entry) {
			break;
		}
	}
	return entry;
}

/* The fields from the given one on, of any value; *value is consumed and replaced. */
static __attribute__((noinline)) enum jq_status fields_follow(
	struct jq_machine *machine, const struct jq_fields *fields, uint32_t at, struct jq_value *value)
{
	enum jq_status status = JQ_DONE;
	while (at < fields->n && status == JQ_DONE) {
		status = jq_field_of(machine, fields->fields[at++].node, *value, value);
		const struct json_entry *entry = status == JQ_DONE && value->kind == JQ_OBJECT_RAW
							 ? jq_entry_of(machine, *value)
							 : NULL;
		if (entry) {
			entry = entry_follow(&machine->index, entry, fields, &at);
			*value = entry ? jq_entry_value(&machine->index, entry) : jq_simple(JQ_NULL);
			at = entry ? at : fields->n; /* no field of null is anything else */
		}
	}
	return status;
}

static inline __attribute__((always_inline)) enum jq_status fields_from(struct jq_machine *machine,
	const struct jq_fields *fields, const struct json_entry *entry, uint32_t at,
	struct jq_value *ret_value)
{
	entry = entry ? entry_follow(&machine->index, entry, fields, &at) : NULL;
	if (!entry) {
		*ret_value = jq_simple(JQ_NULL);
		return JQ_DONE;
	}
	*ret_value = jq_entry_value(&machine->index, entry);
	return at < fields->n ? fields_follow(machine, fields, at, ret_value) : JQ_DONE;
}

enum jq_status jq_fields_from(struct jq_machine *machine, const struct jq_fields *fields,
	const struct json_entry *entry, uint32_t at, struct jq_value *ret_value)
{
	return fields_from(machine, fields, entry, at, ret_value);
}

static __attribute__((noinline)) enum jq_status fields_any(struct jq_machine *machine,
	const struct jq_fields *fields, struct jq_cell *cells, struct jq_value input,
	struct jq_value *ret_value)
{
	*ret_value = input;
	if (fields->base) {
		enum jq_status status = jq_one(machine, fields->base, cells, input, ret_value);
		if (status != JQ_DONE) {
			return status;
		}
	}
	const struct json_entry *entry = ret_value->kind == JQ_OBJECT_RAW ? jq_entry_of(machine, *ret_value)
									  : NULL;
	return entry ? fields_from(machine, fields, entry, 0, ret_value)
		     : fields_follow(machine, fields, 0, ret_value);
}

enum jq_status jq_fields_one(struct jq_machine *machine, const struct jq_node *node, struct jq_cell *cells,
	struct jq_value input, struct jq_value *ret_value)
{
	const struct jq_fields *fields = node->fields;
	machine->fuel -= fields->n;
	if (!fields->base && input.kind == JQ_OBJECT_RAW) {
		const struct json_entry *entry = jq_entry_of(machine, input);
		if (entry) {
			return fields_from(machine, fields, entry, 0, ret_value);
		}
	}
	return fields_any(machine, fields, cells, input, ret_value);
}

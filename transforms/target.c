/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in an event that `set` and `remove` change. The first part of the
 * pointer says whether it is the payload or an attribute; what is below
 * `/data` is an ordinary JSON pointer into the payload.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/pointer.h"
#include "message/attribute.h"
#include "transforms/target.h"

static int data_init(struct target *target, struct xylem_span text, struct xylem_reason *reason)
{
	struct xylem_span below = xylem_span(text.at + strlen("/data"), text.n - strlen("/data"));
	target->whole = below.n == 0;
	return xylem_json_pointer_new(&target->pointer, below, reason);
}

static int attribute_init(struct target *target, struct xylem_span name, struct xylem_reason *reason)
{
	if (!attribute_find(name) && !attribute_extension_name_valid(name)) {
		xylem_reason_set(reason,
			"/%.*s is nothing that a step changes: it is /data and below, or an attribute "
			"like /subject, named by 1 to 20 of a-z and 0-9",
			(int)(name.n > 64 ? 64 : name.n), name.at);
		return -XYLEM_E_INVALID;
	}
	target->attribute = strndup(name.at, name.n);
	return target->attribute ? 0 : -XYLEM_E_MEMORY;
}

int target_init(struct target *target, struct xylem_span text, struct xylem_reason *reason)
{
	struct xylem_json_pointer *pointer;
	int error = xylem_json_pointer_new(&pointer, text, reason);
	if (error < 0) {
		return error;
	}
	*target = (struct target){ 0 };
	if (pointer->count == 0) {
		xylem_reason_set(
			reason, "the empty pointer names the whole event; name /data or an attribute");
		error = -XYLEM_E_INVALID;
	} else if (xylem_span_is(pointer->tokens[0].name, "data")) {
		error = data_init(target, text, reason);
	} else if (pointer->count > 1) {
		xylem_reason_set(reason, "%.*s is below an attribute, and attributes have no members",
			(int)(text.n > 100 ? 100 : text.n), text.at);
		error = -XYLEM_E_INVALID;
	} else {
		error = attribute_init(target, pointer->tokens[0].name, reason);
	}
	xylem_json_pointer_free(pointer);
	return error;
}

void target_finish(struct target *target)
{
	free(target->attribute);
	xylem_json_pointer_free(target->pointer);
	*target = (struct target){ 0 };
}

void step_fail(struct xylem_step_result *result, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&result->reason, format, arguments);
	va_end(arguments);
	result->outcome = XYLEM_STEP_FAILED;
	snprintf(result->code, sizeof(result->code), "%s", code);
}

bool target_data_is_json(const struct xylem_message *event, struct xylem_step_result *result)
{
	struct xylem_reason reason;
	if (!xylem_span_present(event->data)) {
		return true;
	}
	if (!xylem_content_type_is_json(event->datacontenttype)) {
		step_fail(result, "not-json", "the data is of type %.*s, and this step works on JSON",
			(int)(event->datacontenttype.n > 100 ? 100 : event->datacontenttype.n),
			event->datacontenttype.at);
		return false;
	}
	if (xylem_json_check(event->data, NULL, &reason) < 0) {
		step_fail(result, "not-json", "the data is %s", reason.text);
		return false;
	}
	return true;
}

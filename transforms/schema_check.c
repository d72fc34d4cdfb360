/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a JSON value against a compiled schema. What a schema asks of one
 * value by itself (type, range, length ...) schema_value.c answers; what it
 * asks by way of other schemas (members, items, allOf ...) goes through a stack
 * of frames, one a (schema, value) pair, so that nothing recurses on the input.
 * A frame is a small machine: it names the next pair to ask, is told the
 * answer, and says yes or no in the end.
 *
 * Under anyOf, oneOf, not and if a no is only an answer (the frame is quiet);
 * anywhere else the first no ends the check, and its reason is the result.
 *
 * The rule not to break: memory, stack and steps are bounded, whatever schema
 * and message do together.
 */
#include <stdlib.h>

#include "transforms/schema_value.h"

enum { FRAMES_MAX = 4096, STEPS_MAX = 5000000, MATCH_LIMIT = 200000, MATCH_HEAP_KIB = 4096 };

/* In the order in which a frame goes through them. */
enum phase {
	PHASE_SELF,
	PHASE_REF,
	PHASE_ALL,
	PHASE_ANY,
	PHASE_ONE,
	PHASE_NOT,
	PHASE_IF,
	PHASE_MEMBERS,
	PHASE_ITEMS,
	PHASE_END
};

struct frame {
	struct schema_question question;
	enum phase phase;
	bool waiting; /* an answer is due */
	size_t index; /* within the phase */
	size_t count; /* matches of oneOf; whether `if` held; patterns that took a member */
	struct xylem_json_iterator iterator;
	bool inside; /* the iterator stands on a child */
};

struct schema_worker {
	struct frame *frames;
	size_t depth, room;
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/* One check. */
struct checking {
	struct schema_checking own;
	struct schema_worker *worker;
};

struct schema_worker *schema_worker_new(void)
{
	struct schema_worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return NULL;
	}
	worker->match = pcre2_match_data_create(1, NULL);
	worker->context = pcre2_match_context_create(NULL);
	if (!worker->match || !worker->context) {
		return schema_worker_free(worker);
	}
	pcre2_set_match_limit(worker->context, MATCH_LIMIT);
	pcre2_set_heap_limit(worker->context, MATCH_HEAP_KIB);
	return worker;
}

struct schema_worker *schema_worker_free(struct schema_worker *worker)
{
	if (worker) {
		pcre2_match_data_free(worker->match);
		pcre2_match_context_free(worker->context);
		free(worker->frames);
		free(worker);
	}
	return NULL;
}

/* --- What it answers by way of other schemas -------------------------------- */

/* What a frame does next. */
enum move {
	MOVE_ASK,  /* about *ask */
	MOVE_NEXT, /* the phase is over, and all is well */
	MOVE_NO,
};

static enum move ask_same(
	const struct frame *frame, struct schema_question *ask, const struct schema *schema, bool quiet)
{
	*ask = (struct schema_question){ schema, frame->question.value, quiet || frame->question.quiet };
	return MOVE_ASK;
}

static enum move move_ref(struct frame *frame, struct schema_question *ask, bool answer)
{
	if (frame->waiting) {
		return answer ? MOVE_NEXT : MOVE_NO;
	}
	return frame->question.schema->ref ? ask_same(frame, ask, frame->question.schema->ref, false)
					   : MOVE_NEXT;
}

static enum move move_all(struct frame *frame, struct schema_question *ask, bool answer)
{
	const struct schema_list *list = &frame->question.schema->all_of;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	return frame->index < list->n ? ask_same(frame, ask, list->items[frame->index++], false) : MOVE_NEXT;
}

static enum move move_any(
	struct checking *check, struct frame *frame, struct schema_question *ask, bool answer)
{
	const struct schema_list *list = &frame->question.schema->any_of;
	if (list->n == 0 || (frame->waiting && answer)) {
		return MOVE_NEXT;
	}
	if (frame->index < list->n) {
		return ask_same(frame, ask, list->items[frame->index++], true);
	}
	schema_no(&check->own, &frame->question, "%s matches none of the %zu schemas of anyOf",
		schema_show(frame->question.value).text, list->n);
	return MOVE_NO;
}

static enum move move_one(
	struct checking *check, struct frame *frame, struct schema_question *ask, bool answer)
{
	const struct schema_list *list = &frame->question.schema->one_of;
	frame->count += frame->waiting && answer;
	if (frame->count < 2 && frame->index < list->n) {
		return ask_same(frame, ask, list->items[frame->index++], true);
	}
	if (list->n == 0 || frame->count == 1) {
		return MOVE_NEXT;
	}
	schema_no(&check->own, &frame->question, "%s matches %s of the %zu schemas of oneOf, expected one",
		schema_show(frame->question.value).text, frame->count ? "more than one" : "none", list->n);
	return MOVE_NO;
}

static enum move move_not(
	struct checking *check, struct frame *frame, struct schema_question *ask, bool answer)
{
	if (!frame->question.schema->not_ || (frame->waiting && !answer)) {
		return MOVE_NEXT;
	}
	if (!frame->waiting) {
		return ask_same(frame, ask, frame->question.schema->not_, true);
	}
	schema_no(&check->own, &frame->question, "%s matches what it must not match",
		schema_show(frame->question.value).text);
	return MOVE_NO;
}

static enum move move_if(struct frame *frame, struct schema_question *ask, bool answer)
{
	if (!frame->question.schema->if_) {
		return MOVE_NEXT;
	}
	if (!frame->waiting) {
		return ask_same(frame, ask, frame->question.schema->if_, true);
	}
	if (frame->index++ == 0) {
		const struct schema *then = answer ? frame->question.schema->then_
						   : frame->question.schema->else_;
		return then ? ask_same(frame, ask, then, false) : MOVE_NEXT;
	}
	return answer ? MOVE_NEXT : MOVE_NO;
}

static const struct schema *property_find(const struct schema_properties *properties, struct xylem_span name)
{
	for (size_t i = 0; i < properties->n; i++) {
		if (xylem_json_string_equals(name, properties->items[i].name)) {
			return properties->items[i].schema;
		}
	}
	return NULL;
}

/*
 * The next schema that is asked about the member on which the iterator stands:
 * its property's, each pattern's that its name matches, or else
 * additionalProperties. `index` counts through them, `count` those found.
 */
static const struct schema *member_schema(struct checking *check, struct frame *frame)
{
	const struct schema *schema = frame->question.schema, *found = NULL;
	const struct schema_properties *patterns = &schema->pattern_properties;
	if (frame->index == 0) {
		found = property_find(&schema->properties, frame->iterator.name);
		frame->index++;
	}
	while (!found && frame->index <= patterns->n && !check->own.error) {
		const struct schema_property *property = &patterns->items[frame->index++ - 1];
		found = schema_matches(&check->own, property->pattern, frame->iterator.name)
				? property->schema
				: NULL;
	}
	if (!found && frame->index == patterns->n + 1) {
		frame->index++;
		found = frame->count == 0 ? schema->additional_properties : NULL;
	}
	frame->count += found != NULL;
	return found;
}

static enum move move_members(
	struct checking *check, struct frame *frame, struct schema_question *ask, bool answer)
{
	const struct schema *schema = frame->question.schema;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	if (!frame->waiting) {
		if (xylem_json_type(frame->question.value) != XYLEM_JSON_OBJECT ||
			(schema->properties.n == 0 && schema->pattern_properties.n == 0 &&
				!schema->additional_properties)) {
			return MOVE_NEXT;
		}
		xylem_json_iterate(&frame->iterator, frame->question.value);
		frame->inside = false;
	}
	while (frame->inside || xylem_json_next(&frame->iterator)) {
		if (!frame->inside) {
			frame->inside = true;
			frame->index = frame->count = 0;
		}
		const struct schema *next = member_schema(check, frame);
		if (next && next->never && next == schema->additional_properties && !check->own.error) {
			schema_no(&check->own, &frame->question, "the member %s is not allowed",
				schema_show(frame->iterator.name).text);
			return MOVE_NO;
		}
		if (next) {
			*ask = (struct schema_question){ next, frame->iterator.value, frame->question.quiet };
			return MOVE_ASK;
		}
		frame->inside = false;
	}
	return MOVE_NEXT;
}

static enum move move_items(struct frame *frame, struct schema_question *ask, bool answer)
{
	const struct schema *schema = frame->question.schema;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	if (!frame->waiting) {
		if (xylem_json_type(frame->question.value) != XYLEM_JSON_ARRAY ||
			(schema->prefix_items.n == 0 && !schema->items)) {
			return MOVE_NEXT;
		}
		xylem_json_iterate(&frame->iterator, frame->question.value);
	}
	if (!xylem_json_next(&frame->iterator)) {
		return MOVE_NEXT;
	}
	size_t index = frame->index++;
	const struct schema *next = index < schema->prefix_items.n ? schema->prefix_items.items[index]
								   : schema->items;
	if (!next) {
		return MOVE_NEXT;
	}
	*ask = (struct schema_question){ next, frame->iterator.value, frame->question.quiet };
	return MOVE_ASK;
}

static enum move move(struct checking *check, struct frame *frame, struct schema_question *ask, bool answer)
{
	switch (frame->phase) {
	case PHASE_SELF:
		return schema_value_check(&check->own, &frame->question) ? MOVE_NEXT : MOVE_NO;
	case PHASE_REF:
		return move_ref(frame, ask, answer);
	case PHASE_ALL:
		return move_all(frame, ask, answer);
	case PHASE_ANY:
		return move_any(check, frame, ask, answer);
	case PHASE_ONE:
		return move_one(check, frame, ask, answer);
	case PHASE_NOT:
		return move_not(check, frame, ask, answer);
	case PHASE_IF:
		return move_if(frame, ask, answer);
	case PHASE_MEMBERS:
		return move_members(check, frame, ask, answer);
	default:
		return move_items(frame, ask, answer);
	}
}

/* --- The stack -------------------------------------------------------------- */

static bool frame_push(struct checking *check, const struct schema_question *ask)
{
	struct schema_worker *worker = check->worker;
	if (worker->depth == FRAMES_MAX) {
		return schema_broken(&check->own, -XYLEM_E_LIMIT, "the schema goes too deep on this message");
	}
	if (worker->depth == worker->room) {
		size_t room = worker->room ? worker->room * 2 : 32;
		struct frame *frames = realloc(worker->frames, room * sizeof(*frames));
		if (!frames) {
			return schema_broken(&check->own, -XYLEM_E_MEMORY, "out of memory");
		}
		worker->frames = frames;
		worker->room = room;
	}
	worker->frames[worker->depth++] = (struct frame){ .question = *ask };
	return true;
}

/* Moves the top frame on until it asks or is through. *ret_answer: in, what it waited for; out, its own. */
static bool frame_run(struct checking *check, struct schema_question *ask, bool *ret_answer)
{
	struct frame *frame = &check->worker->frames[check->worker->depth - 1];
	while (frame->phase != PHASE_END) {
		enum move next = move(check, frame, ask, *ret_answer);
		if (next == MOVE_ASK) {
			frame->waiting = true;
			return true;
		}
		if (next == MOVE_NO || check->own.error) {
			*ret_answer = false;
			return false;
		}
		frame->phase++;
		frame->waiting = false;
		frame->index = frame->count = 0;
	}
	*ret_answer = true;
	return false;
}

int schema_check(const struct schema_file *file, struct schema_worker *worker, struct xylem_span json,
	struct xylem_arena *arena, struct xylem_reason *reason)
{
	json = xylem_json_trim(json);
	struct checking check = { .worker = worker };
	check.own = (struct schema_checking){ json, arena, reason, 0, worker->match, worker->context };
	struct schema_question ask = { file->nodes[0], json, false };
	bool answer = false;
	worker->depth = 0;
	frame_push(&check, &ask);
	for (size_t steps = 0; worker->depth > 0 && !check.own.error; steps++) {
		if (steps > STEPS_MAX) {
			schema_broken(&check.own, -XYLEM_E_LIMIT, "the schema asks too much of this message");
		} else if (frame_run(&check, &ask, &answer)) {
			frame_push(&check, &ask);
		} else {
			bool quiet = worker->frames[--worker->depth].question.quiet;
			if (!answer && !quiet) {
				break; /* nobody above takes a no */
			}
		}
	}
	return check.own.error ? check.own.error : answer ? 0 : -XYLEM_E_UNPROCESSABLE;
}

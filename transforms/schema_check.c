/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a JSON value against a compiled schema. What a schema asks of one
 * value by itself (type, range, length ...) is answered on the spot; what it
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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"
#include "json/order.h"
#include "json/string.h"
#include "transforms/schema.h"

enum { FRAMES_MAX = 4096, STEPS_MAX = 5000000, MATCH_LIMIT = 200000, MATCH_HEAP_KIB = 4096, SHOWN = 60 };

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
	const struct schema *schema;
	struct xylem_span value;
	enum phase phase;
	bool quiet;   /* a no is no failure */
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
	struct schema_worker *worker;
	struct xylem_span root;
	struct xylem_arena *arena;
	struct xylem_reason *reason;
	int error; /* other than a plain no */
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

/* --- Saying no -------------------------------------------------------------- */

/* False, with the reason unless the frame is quiet. */
static bool XYLEM_PRINTF(3, 4) no(struct checking *own, const struct frame *frame, const char *format, ...)
{
	char text[400];
	if (frame->quiet || own->error) {
		return false;
	}
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *at = text; *at; at++) {
		*at = (unsigned char)*at < 0x20 ? '?' : *at; /* names of members are a stranger's text */
	}
	XYLEM_BUFFER_SCOPED place = { 0 };
	xylem_json_place(own->root, frame->value.at, &place);
	xylem_reason_set(own->reason, "%.*s: %s", place.n ? (int)(place.n > 200 ? 200 : place.n) : 4,
		place.n ? place.bytes : "data", text);
	return false;
}

static bool broken(struct checking *own, int error, const char *why)
{
	if (!own->error) {
		own->error = error;
		xylem_reason_set(own->reason, "%s", why);
	}
	return false;
}

/* A value for a message: its beginning, if it is long. */
struct shown {
	char text[SHOWN + 8];
};

static struct shown show(struct xylem_span value)
{
	struct shown shown;
	size_t n = value.n > SHOWN ? SHOWN : value.n;
	while (n > 0 && n < value.n && ((unsigned char)value.at[n] & 0xc0) == 0x80) {
		n--;
	}
	snprintf(shown.text, sizeof(shown.text), "%.*s%s", (int)n, value.at, n < value.n ? "..." : "");
	return shown;
}

/* --- What a value answers by itself ----------------------------------------- */

static bool is_integer(struct xylem_span number)
{
	struct decimal decimal = { 0 };
	decimal_read(number, &decimal);
	return decimal.count == 0 ||
	       (decimal.far ? !decimal.exponent_negative : decimal.power >= (int64_t)decimal.count);
}

static bool type_holds(const struct schema *schema, struct xylem_span value)
{
	enum xylem_json_type type = xylem_json_type(value);
	return (schema->types >> type & 1) ||
	       ((schema->types & SCHEMA_INTEGER) && type == XYLEM_JSON_NUMBER && is_integer(value));
}

static void types_write(unsigned types, char *out, size_t room)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ 1u << XYLEM_JSON_OBJECT, "object" },
		{ 1u << XYLEM_JSON_ARRAY, "array" },
		{ 1u << XYLEM_JSON_STRING, "string" },
		{ 1u << XYLEM_JSON_NUMBER, "number" },
		{ SCHEMA_INTEGER, "integer" },
		{ 1u << XYLEM_JSON_TRUE, "boolean" },
		{ 1u << XYLEM_JSON_NULL, "null" },
	};
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (types & names[i].bit) {
			n += (size_t)snprintf(out + n, room - n, "%s%s", n ? " or " : "", names[i].name);
		}
	}
}

static bool check_type(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	if (schema->never) {
		return no(own, frame, "no value is allowed here");
	}
	if (schema->types == 0 || type_holds(schema, frame->value)) {
		return true;
	}
	char expected[96];
	types_write(schema->types, expected, sizeof(expected));
	return no(own, frame, "%s is of type %s, expected %s", show(frame->value).text,
		xylem_json_type_name(xylem_json_type(frame->value)), expected);
}

static bool check_values(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	if (xylem_span_present(schema->constant) && !xylem_json_equal(frame->value, schema->constant)) {
		return no(own, frame, "%s is not %s", show(frame->value).text, show(schema->constant).text);
	}
	if (!xylem_span_present(schema->enumeration)) {
		return true;
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, schema->enumeration);
	while (xylem_json_next(&iterator)) {
		if (xylem_json_equal(frame->value, iterator.value)) {
			return true;
		}
	}
	return no(own, frame, "%s is none of %s", show(frame->value).text, show(schema->enumeration).text);
}

bool schema_is_multiple(struct xylem_span a, struct xylem_span b)
{
	struct decimal left = { 0 }, right = { 0 };
	if (!decimal_read(a, &left) || !decimal_read(b, &right) || right.count == 0 || left.count == 0) {
		return left.count == 0;
	}
	if (left.far) {
		/* So many powers of ten more than b has digits: only b's other factors matter. Or far fewer: never. */
		left.power = left.exponent_negative ? INT64_MIN / 4 : INT64_MAX / 4;
	}
	int64_t more = (left.power - (int64_t)left.count) - (right.power - (int64_t)right.count);
	if (more < 0) {
		return false; /* a's last digit is not 0, and b is a multiple of ten in these units */
	}
	unsigned __int128 divisor = 0, rest = 0;
	for (const char *at = right.digits; at < right.end; at++) {
		divisor = *at == '.' ? divisor : divisor * 10 + (unsigned)(*at - '0');
	}
	for (const char *at = left.digits; at < left.end; at++) {
		rest = *at == '.' ? rest : (rest * 10 + (unsigned)(*at - '0')) % divisor;
	}
	/* A divisor below 10^18 holds fewer than 60 twos and fives: beyond that, more tens change nothing. */
	for (int64_t i = 0; i < more && i < 64 && rest != 0; i++) {
		rest = rest * 10 % divisor;
	}
	return rest == 0;
}

static bool check_number(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	const struct {
		struct xylem_span bound;
		int wrong; /* this order, or */
		bool equal_wrong;
		const char *says;
	} bounds[] = {
		{ schema->minimum, -1, false, "is less than the minimum" },
		{ schema->maximum, 1, false, "is more than the maximum" },
		{ schema->exclusive_minimum, -1, true, "is not more than" },
		{ schema->exclusive_maximum, 1, true, "is not less than" },
	};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (xylem_span_present(bounds[i].bound)) {
			int order = xylem_json_number_compare(frame->value, bounds[i].bound);
			if (order == bounds[i].wrong || (order == 0 && bounds[i].equal_wrong)) {
				return no(own, frame, "%s %s %s", show(frame->value).text, bounds[i].says,
					show(bounds[i].bound).text);
			}
		}
	}
	if (xylem_span_present(schema->multiple_of) &&
		!schema_is_multiple(frame->value, schema->multiple_of)) {
		return no(own, frame, "%s is not a multiple of %s", show(frame->value).text,
			show(schema->multiple_of).text);
	}
	return true;
}

static bool matches(struct checking *own, const pcre2_code *pattern, struct xylem_span value)
{
	struct xylem_span text;
	if (xylem_json_string(value, own->arena, &text) < 0) {
		return broken(own, -XYLEM_E_MEMORY, "out of memory");
	}
	int found = pcre2_match(pattern, (PCRE2_SPTR)text.at, text.n, 0, PCRE2_NO_UTF_CHECK,
		own->worker->match, own->worker->context);
	if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
		return broken(own, -XYLEM_E_LIMIT, "a pattern of the schema takes too long on this message");
	}
	return found >= 0;
}

static bool check_string(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	if (schema->min_length >= 0 || schema->max_length >= 0) {
		int64_t n = (int64_t)json_string_count(frame->value);
		if (n < schema->min_length) {
			return no(own, frame, "%s has %lld characters, expected at least %lld",
				show(frame->value).text, (long long)n, (long long)schema->min_length);
		}
		if (schema->max_length >= 0 && n > schema->max_length) {
			return no(own, frame, "%s has %lld characters, expected at most %lld",
				show(frame->value).text, (long long)n, (long long)schema->max_length);
		}
	}
	if (schema->pattern && !matches(own, schema->pattern, frame->value)) {
		return no(own, frame, "%s does not match the pattern %.*s", show(frame->value).text,
			(int)(schema->pattern_text.n > 100 ? 100 : schema->pattern_text.n),
			schema->pattern_text.at);
	}
	return true;
}

static bool check_count(struct checking *own, const struct frame *frame, int64_t n, int64_t minimum,
	int64_t maximum, const char *what)
{
	if (n < minimum) {
		return no(own, frame, "has %lld %s, expected at least %lld", (long long)n, what,
			(long long)minimum);
	}
	if (maximum >= 0 && n > maximum) {
		return no(own, frame, "has %lld %s, expected at most %lld", (long long)n, what,
			(long long)maximum);
	}
	return true;
}

static int item_order(const void *a, const void *b)
{
	return json_order(*(const struct xylem_span *)a, *(const struct xylem_span *)b);
}

/* Sorted, equal items stand side by side: a look at each pair would let one message cost minutes. */
static bool check_unique(struct checking *own, const struct frame *frame, size_t n)
{
	struct xylem_span *items = calloc(n + 1, sizeof(*items));
	struct xylem_json_iterator iterator;
	bool good = true;
	if (!items) {
		return broken(own, -XYLEM_E_MEMORY, "out of memory");
	}
	xylem_json_iterate(&iterator, frame->value);
	for (size_t i = 0; i < n && xylem_json_next(&iterator); i++) {
		items[i] = iterator.value;
	}
	qsort(items, n, sizeof(*items), item_order);
	for (size_t i = 1; i < n && good; i++) {
		good = json_order(items[i - 1], items[i]) != 0 ||
		       no(own, frame, "%s stands in it twice, expected unique items", show(items[i]).text);
	}
	free(items);
	return good;
}

static bool check_array(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	if (schema->min_items < 0 && schema->max_items < 0 && !schema->unique_items) {
		return true;
	}
	size_t n = xylem_json_count(frame->value);
	return check_count(own, frame, (int64_t)n, schema->min_items, schema->max_items, "items") &&
	       (!schema->unique_items || check_unique(own, frame, n));
}

static bool check_object(struct checking *own, const struct frame *frame)
{
	const struct schema *schema = frame->schema;
	for (size_t i = 0; i < schema->required_count; i++) {
		struct xylem_span name = schema->required[i];
		if (!xylem_span_present(xylem_json_member(frame->value, name))) {
			return no(own, frame, "the member \"%.*s\" is missing",
				(int)(name.n > SHOWN ? SHOWN : name.n), name.at);
		}
	}
	if (schema->min_properties < 0 && schema->max_properties < 0) {
		return true;
	}
	return check_count(own, frame, (int64_t)json_member_count(frame->value), schema->min_properties,
		schema->max_properties, "members");
}

static bool check_self(struct checking *own, const struct frame *frame)
{
	if (!check_type(own, frame) || !check_values(own, frame)) {
		return false;
	}
	switch (xylem_json_type(frame->value)) {
	case XYLEM_JSON_NUMBER:
		return check_number(own, frame);
	case XYLEM_JSON_STRING:
		return check_string(own, frame);
	case XYLEM_JSON_ARRAY:
		return check_array(own, frame);
	case XYLEM_JSON_OBJECT:
		return check_object(own, frame);
	default:
		return true;
	}
}

/* --- What it answers by way of other schemas -------------------------------- */

/* What a frame does next. */
enum move {
	MOVE_ASK,  /* about *ask */
	MOVE_NEXT, /* the phase is over, and all is well */
	MOVE_NO,
};

struct ask {
	const struct schema *schema;
	struct xylem_span value;
	bool quiet;
};

static enum move ask_same(const struct frame *frame, struct ask *ask, const struct schema *schema, bool quiet)
{
	*ask = (struct ask){ schema, frame->value, quiet || frame->quiet };
	return MOVE_ASK;
}

static enum move move_ref(struct frame *frame, struct ask *ask, bool answer)
{
	if (frame->waiting) {
		return answer ? MOVE_NEXT : MOVE_NO;
	}
	return frame->schema->ref ? ask_same(frame, ask, frame->schema->ref, false) : MOVE_NEXT;
}

static enum move move_all(struct frame *frame, struct ask *ask, bool answer)
{
	const struct schema_list *list = &frame->schema->all_of;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	return frame->index < list->n ? ask_same(frame, ask, list->items[frame->index++], false) : MOVE_NEXT;
}

static enum move move_any(struct checking *own, struct frame *frame, struct ask *ask, bool answer)
{
	const struct schema_list *list = &frame->schema->any_of;
	if (list->n == 0 || (frame->waiting && answer)) {
		return MOVE_NEXT;
	}
	if (frame->index < list->n) {
		return ask_same(frame, ask, list->items[frame->index++], true);
	}
	no(own, frame, "%s matches none of the %zu schemas of anyOf", show(frame->value).text, list->n);
	return MOVE_NO;
}

static enum move move_one(struct checking *own, struct frame *frame, struct ask *ask, bool answer)
{
	const struct schema_list *list = &frame->schema->one_of;
	frame->count += frame->waiting && answer;
	if (frame->count < 2 && frame->index < list->n) {
		return ask_same(frame, ask, list->items[frame->index++], true);
	}
	if (list->n == 0 || frame->count == 1) {
		return MOVE_NEXT;
	}
	no(own, frame, "%s matches %s of the %zu schemas of oneOf, expected one", show(frame->value).text,
		frame->count ? "more than one" : "none", list->n);
	return MOVE_NO;
}

static enum move move_not(struct checking *own, struct frame *frame, struct ask *ask, bool answer)
{
	if (!frame->schema->not_ || (frame->waiting && !answer)) {
		return MOVE_NEXT;
	}
	if (!frame->waiting) {
		return ask_same(frame, ask, frame->schema->not_, true);
	}
	no(own, frame, "%s matches what it must not match", show(frame->value).text);
	return MOVE_NO;
}

static enum move move_if(struct frame *frame, struct ask *ask, bool answer)
{
	if (!frame->schema->if_) {
		return MOVE_NEXT;
	}
	if (!frame->waiting) {
		return ask_same(frame, ask, frame->schema->if_, true);
	}
	if (frame->index++ == 0) {
		const struct schema *then = answer ? frame->schema->then_ : frame->schema->else_;
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
static const struct schema *member_schema(struct checking *own, struct frame *frame)
{
	const struct schema *schema = frame->schema, *found = NULL;
	const struct schema_properties *patterns = &schema->pattern_properties;
	if (frame->index == 0) {
		found = property_find(&schema->properties, frame->iterator.name);
		frame->index++;
	}
	while (!found && frame->index <= patterns->n && !own->error) {
		const struct schema_property *property = &patterns->items[frame->index++ - 1];
		found = matches(own, property->pattern, frame->iterator.name) ? property->schema : NULL;
	}
	if (!found && frame->index == patterns->n + 1) {
		frame->index++;
		found = frame->count == 0 ? schema->additional_properties : NULL;
	}
	frame->count += found != NULL;
	return found;
}

static enum move move_members(struct checking *own, struct frame *frame, struct ask *ask, bool answer)
{
	const struct schema *schema = frame->schema;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	if (!frame->waiting) {
		if (xylem_json_type(frame->value) != XYLEM_JSON_OBJECT ||
			(schema->properties.n == 0 && schema->pattern_properties.n == 0 &&
				!schema->additional_properties)) {
			return MOVE_NEXT;
		}
		xylem_json_iterate(&frame->iterator, frame->value);
		frame->inside = false;
	}
	while (frame->inside || xylem_json_next(&frame->iterator)) {
		if (!frame->inside) {
			frame->inside = true;
			frame->index = frame->count = 0;
		}
		const struct schema *next = member_schema(own, frame);
		if (next && next->never && next == schema->additional_properties && !own->error) {
			no(own, frame, "the member %s is not allowed", show(frame->iterator.name).text);
			return MOVE_NO;
		}
		if (next) {
			*ask = (struct ask){ next, frame->iterator.value, frame->quiet };
			return MOVE_ASK;
		}
		frame->inside = false;
	}
	return MOVE_NEXT;
}

static enum move move_items(struct frame *frame, struct ask *ask, bool answer)
{
	const struct schema *schema = frame->schema;
	if (frame->waiting && !answer) {
		return MOVE_NO;
	}
	if (!frame->waiting) {
		if (xylem_json_type(frame->value) != XYLEM_JSON_ARRAY ||
			(schema->prefix_items.n == 0 && !schema->items)) {
			return MOVE_NEXT;
		}
		xylem_json_iterate(&frame->iterator, frame->value);
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
	*ask = (struct ask){ next, frame->iterator.value, frame->quiet };
	return MOVE_ASK;
}

static enum move move(struct checking *own, struct frame *frame, struct ask *ask, bool answer)
{
	switch (frame->phase) {
	case PHASE_SELF:
		return check_self(own, frame) ? MOVE_NEXT : MOVE_NO;
	case PHASE_REF:
		return move_ref(frame, ask, answer);
	case PHASE_ALL:
		return move_all(frame, ask, answer);
	case PHASE_ANY:
		return move_any(own, frame, ask, answer);
	case PHASE_ONE:
		return move_one(own, frame, ask, answer);
	case PHASE_NOT:
		return move_not(own, frame, ask, answer);
	case PHASE_IF:
		return move_if(frame, ask, answer);
	case PHASE_MEMBERS:
		return move_members(own, frame, ask, answer);
	default:
		return move_items(frame, ask, answer);
	}
}

/* --- The stack -------------------------------------------------------------- */

static bool frame_push(struct checking *own, const struct ask *ask)
{
	struct schema_worker *worker = own->worker;
	if (worker->depth == FRAMES_MAX) {
		return broken(own, -XYLEM_E_LIMIT, "the schema goes too deep on this message");
	}
	if (worker->depth == worker->room) {
		size_t room = worker->room ? worker->room * 2 : 32;
		struct frame *frames = realloc(worker->frames, room * sizeof(*frames));
		if (!frames) {
			return broken(own, -XYLEM_E_MEMORY, "out of memory");
		}
		worker->frames = frames;
		worker->room = room;
	}
	worker->frames[worker->depth++] = (struct frame){
		.schema = ask->schema, .value = ask->value, .quiet = ask->quiet
	};
	return true;
}

/* Moves the top frame on until it asks or is through. *ret_answer: in, the answer it waited for; out, its own. */
static bool frame_run(struct checking *own, struct ask *ask, bool *ret_answer)
{
	struct frame *frame = &own->worker->frames[own->worker->depth - 1];
	while (frame->phase != PHASE_END) {
		enum move next = move(own, frame, ask, *ret_answer);
		if (next == MOVE_ASK) {
			frame->waiting = true;
			return true;
		}
		if (next == MOVE_NO || own->error) {
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
	struct checking own = { .worker = worker, .root = json, .arena = arena, .reason = reason };
	struct ask ask = { file->nodes[0], json, false };
	bool answer = false;
	worker->depth = 0;
	frame_push(&own, &ask);
	for (size_t steps = 0; worker->depth > 0 && !own.error; steps++) {
		if (steps > STEPS_MAX) {
			broken(&own, -XYLEM_E_LIMIT, "the schema asks too much of this message");
		} else if (frame_run(&own, &ask, &answer)) {
			frame_push(&own, &ask);
		} else {
			bool quiet = worker->frames[--worker->depth].quiet;
			if (!answer && !quiet) {
				break; /* nobody above takes a no */
			}
		}
	}
	return own.error ? own.error : answer ? 0 : -XYLEM_E_UNPROCESSABLE;
}

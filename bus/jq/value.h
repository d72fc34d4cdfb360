/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_VALUE_H
#define JQ_VALUE_H

#include <stdint.h>

#include <xylem/json.h>

/*
 * A value of the language in 16 bytes, given by value. What nobody looked into
 * is still the input's text (`LITERAL`, `STRING_RAW`, `ARRAY_RAW`,
 * `OBJECT_RAW`: borrowed spans of valid JSON) and is written back as those
 * bytes. Everything made lives in the machine's memory and ends with the run.
 *
 * Strings, arrays and objects that were made are counted. The count is a hint:
 * whoever holds the only reference may change in place. A release that is
 * missing costs a copy or memory until the end of the run, nothing more; a
 * retain that is missing changes a value under somebody's feet.
 *
 * NONE is no value: an error was raised (jq_fail) or a limit was reached;
 * whoever gets it from a constructor returns it.
 */
struct jq_machine;
struct jq_array;
struct jq_object;

enum jq_kind {
	JQ_NONE,
	JQ_NULL,
	JQ_FALSE,
	JQ_TRUE,
	JQ_INT,
	JQ_DOUBLE,
	JQ_LITERAL,    /* a number's text */
	JQ_STRING,     /* bytes: UTF-8, not terminated */
	JQ_STRING_RAW, /* JSON text with its quotes, that has escapes */
	JQ_ARRAY,
	JQ_ARRAY_RAW,
	JQ_OBJECT,
	JQ_OBJECT_RAW,
};

enum {
	JQ_COUNTED = 1, /* STRING: a counter stands before the bytes. Arrays and objects always have one */
	JQ_PLAIN = 2,   /* STRING: JSON text of it is its bytes between quotes */
};

struct jq_value {
	uint8_t kind;
	uint8_t flags;
	uint16_t spare; /* of text with an index: index.h */
	uint32_t n;     /* bytes of text (STRING and the raw kinds) */
	union {
		const char *at;
		int64_t integer;
		double number;
		struct jq_array *array;
		struct jq_object *object;
	};
};

/* The type that the language knows, by xylem_json_type's order, which is the order of values. */
enum xylem_json_type jq_type(struct jq_value value);
const char *jq_type_name(struct jq_value value); /* "null", "boolean", "number" ... */

static inline bool jq_is_none(struct jq_value value)
{
	return value.kind == JQ_NONE;
}
static inline bool jq_is_true(struct jq_value value)
{
	return value.kind > JQ_FALSE;
}
static inline bool jq_is_number(struct jq_value value)
{
	return value.kind >= JQ_INT && value.kind <= JQ_LITERAL;
}
static inline bool jq_is_string(struct jq_value value)
{
	return value.kind == JQ_STRING || value.kind == JQ_STRING_RAW;
}
static inline bool jq_is_array(struct jq_value value)
{
	return value.kind == JQ_ARRAY || value.kind == JQ_ARRAY_RAW;
}
static inline bool jq_is_object(struct jq_value value)
{
	return value.kind >= JQ_OBJECT;
}

/* --- Constructors ------------------------------------------------------------ */

static inline struct jq_value jq_simple(enum jq_kind kind)
{
	return (struct jq_value){ .kind = (uint8_t)kind };
}
static inline struct jq_value jq_bool(bool truth)
{
	return jq_simple(truth ? JQ_TRUE : JQ_FALSE);
}
static inline struct jq_value jq_int(int64_t integer)
{
	return (struct jq_value){ .kind = JQ_INT, .integer = integer };
}
/* A double; NaN and infinities are values as in jq. Integers stay doubles until compared or written. */
static inline struct jq_value jq_double(double number)
{
	return (struct jq_value){ .kind = JQ_DOUBLE, .number = number };
}
/* A string that outlives the run: a constant, the input. */
static inline struct jq_value jq_string_borrow(struct xylem_span bytes)
{
	return (struct jq_value){ .kind = JQ_STRING, .n = (uint32_t)bytes.n, .at = bytes.at };
}
/* Copies. The bytes are UTF-8. */
struct jq_value jq_string(struct jq_machine *machine, struct xylem_span bytes);
/* Uninitialised room for n bytes, to be filled at once. */
struct jq_value jq_string_room(struct jq_machine *machine, size_t n, char **ret_bytes);
/* Consumes `string` (a STRING); amortised O(bytes) when it is the only reference. */
struct jq_value jq_string_append(struct jq_machine *machine, struct jq_value string, struct xylem_span bytes);
/* Valid JSON text, trimmed or not, borrowed until the run ends. */
struct jq_value jq_value_json(struct xylem_span json);
/* A copy of text that is checked first. NONE with an error raised: what is wrong, as `fromjson` says it. */
struct jq_value jq_value_parse(struct jq_machine *machine, struct xylem_span text);

/* --- Counting ---------------------------------------------------------------- */

struct jq_value jq_retain_counted(struct jq_value value);
void jq_release_counted(struct jq_machine *machine, struct jq_value value);

static inline bool jq_is_counted(struct jq_value value)
{
	return value.kind == JQ_ARRAY || value.kind == JQ_OBJECT || (value.flags & JQ_COUNTED);
}
static inline struct jq_value jq_retain(struct jq_value value)
{
	return jq_is_counted(value) ? jq_retain_counted(value) : value;
}
static inline void jq_release(struct jq_machine *machine, struct jq_value value)
{
	if (jq_is_counted(value)) {
		jq_release_counted(machine, value);
	}
}

/* --- Numbers ------------------------------------------------------------------ */

/* Nearest binary64 of a number. */
double jq_number_double(struct jq_value number);
/* True when it is an integer that fits; with the value. (1.0 and 1e2 are.) */
bool jq_number_int64(struct jq_value number, int64_t *ret_integer);
enum { JQ_NUMBER_TEXT = 40 }; /* bytes: a sign and 32 digits are the longest */
/* The shortest text that reads back, as jq 1.7 prints it (1e1000 is the largest double, NaN is null); borrowed, or in `room`. */
struct xylem_span jq_number_text(struct jq_value number, char room[JQ_NUMBER_TEXT]);

/* --- Strings -------------------------------------------------------------------- */

/* The bytes of a string value, unescaped (valid as long as the value is held, or the run for escaped ones). */
struct xylem_span jq_string_bytes(struct jq_machine *machine, struct jq_value string);

/* --- Arrays and objects ------------------------------------------------------------ */

struct jq_value jq_array(struct jq_machine *machine, size_t room);
/* Consume both. */
struct jq_value jq_array_push(struct jq_machine *machine, struct jq_value array, struct jq_value item);
/* Elements of an array or members of an object (several of one name are one), code points of a string. */
size_t jq_count(struct jq_machine *machine, struct jq_value value);
/* Borrowed from the array; NONE beyond its end. */
struct jq_value jq_array_item(struct jq_machine *machine, struct jq_value array, size_t index);

struct jq_value jq_object(struct jq_machine *machine, size_t room);
/* Consume all three; the key is a string. */
struct jq_value jq_object_set(
	struct jq_machine *machine, struct jq_value object, struct jq_value key, struct jq_value item);
/* Borrowed from the object; NONE if there is no such member. */
struct jq_value jq_object_get(struct jq_machine *machine, struct jq_value object, struct xylem_span name);

/*
 * Walks an array or object in its order. `key` (objects: a string; arrays: the index) and
 * `value` are borrowed.
 *
 *     struct jq_walk walk = jq_walk_over(machine, container);
 *     while (jq_walk_next(&walk)) { ... walk.key, walk.value ... }
 */
struct jq_index;
struct json_entry;
struct jq_walk {
	struct jq_value key, value;
	const struct jq_array *array;
	const struct jq_object *object;
	const struct jq_index *places; /* of a text that has one: */
	const struct json_entry *entry, *entry_end;
	const char *at, *end; /* of another text */
	size_t index;
};
struct jq_walk jq_walk_over(struct jq_machine *machine, struct jq_value container);
bool jq_walk_next(struct jq_walk *walk);

/* True when the value, which was written as `json`, has more than `levels` levels of containers. */
bool jq_is_deeper(struct jq_value value, struct xylem_span json, size_t levels);

/* jq's order of all values, numbers by value exactly, NaN below all numbers: <0, 0, >0. */
int jq_order(struct jq_machine *machine, struct jq_value a, struct jq_value b);

/* --- Text of values ------------------------------------------------------------------ */

/* `tojson`: compact text as a string value. */
struct jq_value jq_value_tojson(struct jq_machine *machine, struct jq_value value);
/* `tostring`: strings as they are, else tojson. */
struct jq_value jq_value_tostring(struct jq_machine *machine, struct jq_value value);

/* --- Errors ------------------------------------------------------------------------ */

/* Raises an error that `try` catches; returns NONE. */
struct jq_value jq_fail(struct jq_machine *machine, const char *format, ...) XYLEM_PRINTF(2, 3);
/* `KIND (VALUE) TEXT`, and `KIND (VALUE) and KIND (VALUE) TEXT`, values cut as jq cuts them. */
struct jq_value jq_fail_type(struct jq_machine *machine, struct jq_value value, const char *text);
struct jq_value jq_fail_types(
	struct jq_machine *machine, struct jq_value a, struct jq_value b, const char *text);
/* Raises any value as the error (consumed). */
struct jq_value jq_fail_value(struct jq_machine *machine, struct jq_value value);

/* Counts steps of a long loop. False: the limit is reached, return NONE. */
bool jq_spend(struct jq_machine *machine, uint64_t steps);
/* The same for what may take long and has no steps to count: looks at the clock. */
bool jq_time_left(struct jq_machine *machine);
/* Memory of the run, for what is no value; 16-byte aligned. NULL: the limit is reached, return NONE. */
void *jq_take(struct jq_machine *machine, size_t n);
/* Gives it back, n as taken: for reuse within the run. */
void jq_give(struct jq_machine *machine, void *piece, size_t n);

int64_t jq_now_us(const struct jq_machine *machine);

#endif

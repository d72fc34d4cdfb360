/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where two JSON values differ: one line for each place, as deep as it can be
 * named, so that one wrong digit in a large document is one short line.
 *
 * Both texts are walked side by side, by a stack as deep as JSON may be.
 */
#include "json/difference.h"
#include "json/pointer.h"
#include "json/string.h"

#define SHOWN 160 /* bytes of a value in a line */

/* Two containers of one kind being compared. */
struct level {
	struct xylem_span expected, actual;
	struct xylem_json_iterator walk;  /* over `expected`, then over `actual` */
	struct xylem_json_iterator other; /* arrays: over the other one, in step */
	size_t index;
	size_t path; /* length of the place without this level's step */
	bool behind; /* in the second walk */
};

struct walk {
	struct json_difference *difference;
	struct xylem_buffer path;
	struct level levels[XYLEM_JSON_DEPTH];
	size_t depth;
};

static void value_write(struct xylem_buffer *out, struct xylem_span value)
{
	size_t n = value.n > SHOWN ? SHOWN : value.n;
	while (n < value.n && n > 0 && ((unsigned char)value.at[n] & 0xc0) == 0x80) {
		n--;
	}
	xylem_buffer_append(out, value.at, n);
	xylem_buffer_text(out, n < value.n ? "..." : "");
}

static void line_write(struct walk *walk, struct xylem_span expected, struct xylem_span actual)
{
	struct json_difference *difference = walk->difference;
	struct xylem_buffer *out = difference->out;
	if (++difference->count > difference->most) {
		return;
	}
	bool whole = !walk->path.n && !*difference->prefix;
	xylem_buffer_format(out, "%s%s", difference->indent, whole ? "the value" : difference->prefix);
	xylem_buffer_span(out, xylem_buffer_borrow(&walk->path));
	xylem_buffer_text(out, ": ");
	if (xylem_span_present(expected)) {
		xylem_buffer_text(out, "expected ");
		value_write(out, expected);
		xylem_buffer_text(out, xylem_span_present(actual) ? ", is " : ", is not there");
	} else {
		xylem_buffer_text(out, "not expected, is ");
	}
	if (xylem_span_present(actual)) {
		value_write(out, actual);
	}
	xylem_buffer_byte(out, '\n');
}

static bool containers_alike(struct xylem_span a, struct xylem_span b)
{
	enum xylem_json_type type = xylem_json_type(a);
	return type == xylem_json_type(b) && (type == XYLEM_JSON_ARRAY || type == XYLEM_JSON_OBJECT);
}

static void level_walk(struct level *level, struct xylem_span over, struct xylem_span other)
{
	level->index = 0;
	xylem_json_iterate(&level->walk, over);
	xylem_json_iterate(&level->other, other);
}

static void compare(struct walk *walk, struct xylem_span expected, struct xylem_span actual)
{
	if (xylem_span_present(expected) && xylem_span_present(actual) &&
		xylem_json_equal(expected, actual)) {
		return;
	}
	if (!containers_alike(expected, actual) || walk->depth == XYLEM_JSON_DEPTH) {
		line_write(walk, expected, actual);
		return;
	}
	struct level *level = &walk->levels[walk->depth++];
	*level = (struct level){ .expected = expected, .actual = actual, .path = walk->path.n };
	level_walk(level, expected, actual);
}

/* What stands in the other container where the walk stands in this one; the place is written. */
static struct xylem_span counterpart(struct walk *walk, struct level *level)
{
	xylem_buffer_cut(&walk->path, level->path);
	if (!level->walk.object) {
		xylem_buffer_format(&walk->path, "/%zu", level->index++);
		return xylem_json_next(&level->other) ? level->other.value : XYLEM_SPAN_NONE;
	}
	XYLEM_BUFFER_SCOPED name = { 0 };
	struct json_pieces pieces = json_pieces_over(level->walk.name);
	while (json_pieces_next(&pieces)) {
		xylem_buffer_span(&name, pieces.piece);
	}
	json_pointer_write_token(&walk->path, xylem_buffer_borrow(&name));
	return xylem_json_member(level->behind ? level->expected : level->actual,
		name.n ? xylem_buffer_borrow(&name) : xylem_span("", 0));
}

static void level_next(struct walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	bool partial = walk->difference->partial && walk->depth == 1 && level->walk.object;
	if (xylem_json_next(&level->walk)) {
		struct xylem_span value = level->walk.value;
		struct xylem_span other = counterpart(walk, level);
		if (!level->behind) {
			compare(walk, value, other);
		} else if (!xylem_span_present(other)) {
			line_write(walk, XYLEM_SPAN_NONE, value);
		}
	} else if (!level->behind && !partial) {
		level->behind = true;
		level_walk(level, level->actual, level->expected);
	} else {
		xylem_buffer_cut(&walk->path, level->path);
		walk->depth--;
	}
}

void json_difference_write(
	struct json_difference *difference, struct xylem_span expected, struct xylem_span actual)
{
	struct walk walk = { .difference = difference };
	compare(&walk, xylem_json_trim(expected), xylem_json_trim(actual));
	while (walk.depth > 0) {
		level_next(&walk);
	}
	xylem_buffer_finish(&walk.path);
}

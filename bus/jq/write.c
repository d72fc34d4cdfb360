/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as JSON text. What is still text of the input is copied (verbatim) or
 * read and written anew (tojson, the command's forms): without white space, the
 * last of several members of one name, strings escaped as little as can be.
 *
 * What is open is kept in frames on the heap of the run.
 */
#include "json/scan.h"
#include "json/utf8.h"

#include "jq/machine.h"
#include "jq/write.h"

struct frame {
	struct frame *outer;
	struct jq_value container; /* made */
	const struct jq_member **sorted;
	uint32_t at;
};

struct writing {
	struct jq_machine *machine;
	struct xylem_buffer *out;
	const struct jq_form *form;
	size_t most; /* bytes in the buffer after which it may stop */
	struct frame *frames;
	size_t depth;
};

/* --- Bytes ------------------------------------------------------------------------- */

/* Room for n bytes behind what is written, to be counted by whoever fills it; NULL: no memory. */
static inline char *room_for(struct xylem_buffer *out, size_t n)
{
	bool fits = out->room - out->n >= n || xylem_buffer_reserve(out, n);
	return fits ? out->bytes + out->n : NULL;
}

static inline void put_byte(struct xylem_buffer *out, char byte)
{
	char *at = room_for(out, 1);
	if (at) {
		*at = byte;
		out->n++;
	}
}

static inline void put_bytes(struct xylem_buffer *out, const char *bytes, size_t n)
{
	char *at = room_for(out, n);
	if (at && n) {
		memcpy(at, bytes, n);
		out->n += n;
	}
}

/* A string that is its own JSON text, and what stands behind it. */
static inline void put_plain(struct xylem_buffer *out, struct jq_value string, const char *behind, size_t n)
{
	char *at = room_for(out, (size_t)string.n + 2 + n);
	if (at) {
		*at++ = '"';
		memcpy(at, string.at, string.n);
		at[string.n] = '"';
		memcpy(at + string.n + 1, behind, n);
		out->n += (size_t)string.n + 2 + n;
	}
}

/* --- Strings and numbers ----------------------------------------------------------- */

static void write_unit(struct xylem_buffer *out, uint32_t unit)
{
	xylem_buffer_format(out, "\\u%04x", unit);
}

static void write_ascii(struct xylem_buffer *out, struct xylem_span bytes)
{
	const char *at = bytes.at, *end = at + bytes.n;
	xylem_buffer_byte(out, '"');
	while (at < end) {
		uint32_t point;
		const char *stop = scan_plain(at, end);
		xylem_buffer_append(out, at, (size_t)(stop - at));
		at = stop;
		if (at == end) {
			break;
		}
		size_t n = utf8_next(at, end, &point);
		if (n > 1) {
			if (point >= 0x10000) {
				write_unit(out, 0xd800 + ((point - 0x10000) >> 10));
				point = 0xdc00 + ((point - 0x10000) & 0x3ff);
			}
			write_unit(out, point);
		} else {
			struct xylem_buffer one = { 0 };
			xylem_json_write_string(&one, xylem_span(at, 1));
			xylem_buffer_append(out, one.bytes + 1, one.n - 2);
			xylem_buffer_finish(&one);
		}
		at += n ? n : 1;
	}
	xylem_buffer_byte(out, '"');
}

static void write_string(struct writing *writing, struct jq_value value)
{
	struct xylem_buffer *out = writing->out;
	if (value.kind == JQ_STRING_RAW && writing->form->verbatim) {
		put_bytes(out, value.at, value.n);
	} else if (writing->form->ascii) {
		write_ascii(out, jq_string_bytes(writing->machine, value));
	} else if (value.flags & JQ_PLAIN) {
		put_plain(out, value, "", 0);
	} else {
		xylem_json_write_string(out, jq_string_bytes(writing->machine, value));
	}
}

static void write_flat(struct writing *writing, struct jq_value value)
{
	char room[JQ_NUMBER_TEXT];
	struct xylem_span text = XYLEM_SPAN_LITERAL("null");
	switch (value.kind) {
	case JQ_FALSE:
		text = XYLEM_SPAN_LITERAL("false");
		break;
	case JQ_TRUE:
		text = XYLEM_SPAN_LITERAL("true");
		break;
	case JQ_INT:
	case JQ_DOUBLE:
	case JQ_LITERAL:
		text = jq_number_text(value, room);
		break;
	case JQ_STRING:
	case JQ_STRING_RAW:
		write_string(writing, value);
		return;
	default:
		break;
	}
	put_bytes(writing->out, text.at, text.n);
}

/* --- Containers -------------------------------------------------------------------- */

static void write_line(struct writing *writing, size_t depth)
{
	size_t n = depth * (writing->form->tab ? 1 : writing->form->indent);
	xylem_buffer_byte(writing->out, '\n');
	if (xylem_buffer_reserve(writing->out, n)) {
		memset(writing->out->bytes + writing->out->n, writing->form->tab ? '\t' : ' ', n);
		writing->out->n += n;
	}
}

static bool is_indented(const struct writing *writing)
{
	return writing->form->indent || writing->form->tab;
}

static uint32_t container_count(struct jq_value container)
{
	return container.kind == JQ_ARRAY ? container.array->n : container.object->n;
}

static bool frame_open(struct writing *writing, struct jq_value value)
{
	struct frame *frame = jq_take(writing->machine, sizeof(*frame));
	struct jq_value made = jq_made(writing->machine, jq_retain(value));
	if (!frame || jq_is_none(made)) {
		return false;
	}
	*frame = (struct frame){ .outer = writing->frames, .container = made };
	if (made.kind == JQ_OBJECT && writing->form->sorted) {
		frame->sorted = jq_members_sorted(writing->machine, made.object);
		if (!frame->sorted) {
			return false;
		}
	}
	writing->frames = frame;
	writing->depth++;
	put_byte(writing->out, made.kind == JQ_ARRAY ? '[' : '{');
	return true;
}

static void frame_close(struct writing *writing)
{
	struct frame *frame = writing->frames;
	writing->frames = frame->outer;
	writing->depth--;
	if (is_indented(writing) && container_count(frame->container) > 0) {
		write_line(writing, writing->depth);
	}
	put_byte(writing->out, frame->container.kind == JQ_ARRAY ? ']' : '}');
	if (frame->sorted) {
		jq_members_give(writing->machine, frame->sorted, frame->container.object);
	}
	jq_release(writing->machine, frame->container);
	jq_give(writing->machine, frame, sizeof(*frame));
}

/* A value, or the opening of one. */
static bool write_value(struct writing *writing, struct jq_value value)
{
	if (value.kind < JQ_ARRAY) {
		write_flat(writing, value);
		return true;
	}
	bool raw = value.kind == JQ_ARRAY_RAW || value.kind == JQ_OBJECT_RAW;
	if (raw && writing->form->verbatim) {
		put_bytes(writing->out, value.at, value.n);
		return true;
	}
	return frame_open(writing, value);
}

static void write_name(struct writing *writing, struct jq_value name)
{
	bool spaced = is_indented(writing);
	if (name.flags & JQ_PLAIN && !writing->form->ascii) {
		put_plain(writing->out, name, ": ", spaced ? 2 : 1);
	} else {
		write_string(writing, name);
		put_bytes(writing->out, ": ", spaced ? 2 : 1);
	}
}

/* What comes next in the innermost container: its comma, line and name are written. */
static struct jq_value frame_next(struct writing *writing, struct frame *frame)
{
	uint32_t i = frame->at++;
	if (i > 0) {
		put_byte(writing->out, ',');
	}
	if (is_indented(writing)) {
		write_line(writing, writing->depth);
	}
	if (frame->container.kind == JQ_ARRAY) {
		return frame->container.array->items[i];
	}
	const struct jq_member *member = frame->sorted ? frame->sorted[i]
						       : &frame->container.object->members[i];
	write_name(writing, member->key);
	return member->value;
}

bool jq_write(struct jq_machine *machine, struct jq_value value, const struct jq_form *form, size_t most,
	struct xylem_buffer *out)
{
	struct writing writing = { .machine = machine, .out = out, .form = form, .most = most };
	bool fine = write_value(&writing, value);
	uint64_t count = 0;
	while (fine && writing.frames && out->n <= most) {
		struct frame *frame = writing.frames;
		if (frame->at == container_count(frame->container)) {
			frame_close(&writing);
		} else {
			fine = write_value(&writing, frame_next(&writing, frame));
			count++;
		}
	}
	return jq_spend(machine, count / 4) && fine && !xylem_buffer_failed(out);
}

int jq_result_write(struct jq_machine *machine, struct jq_value value, const struct jq_form *form,
	struct xylem_buffer *out, struct xylem_reason *reason)
{
	static const struct jq_form compact = { 0 };
	size_t before = out->n, most = before + (machine->output - machine->written);
	bool fine = jq_write(machine, value, form ? form : &compact, most, out);
	if (out->n > most) {
		jq_limit_reached(machine, JQ_LIMIT_OUTPUT);
	} else if (!fine && machine->limit == JQ_LIMIT_NONE) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	if (machine->limit != JQ_LIMIT_NONE) {
		return jq_limit_reason(machine, reason);
	}
	machine->written += out->n - before;
	return 0;
}

/* --- In the language ---------------------------------------------------------------- */

static const struct jq_form canonical = { 0 };

struct jq_value jq_value_tojson(struct jq_machine *machine, struct jq_value value)
{
	struct xylem_buffer *out = &machine->scratch;
	xylem_buffer_clear(out);
	size_t most = machine->memory.limit - machine->memory.taken;
	bool fine = jq_write(machine, value, &canonical, most, out);
	if (out->n > most) {
		return jq_limit_reached(machine, JQ_LIMIT_MEMORY);
	}
	struct jq_value text = fine ? jq_string(machine, xylem_buffer_borrow(out)) : jq_simple(JQ_NONE);
	if (out->room > 64 * 1024) {
		xylem_buffer_finish(out);
	}
	return text;
}

struct jq_value jq_value_tostring(struct jq_machine *machine, struct jq_value value)
{
	return jq_is_string(value) ? jq_retain(value) : jq_value_tojson(machine, value);
}

void jq_value_cut(struct jq_machine *machine, struct jq_value value, size_t size, char *room)
{
	struct xylem_buffer out = { 0 };
	jq_write(machine, value, &canonical, size, &out);
	machine->fuel -= (int64_t)(out.n / 1024);
	size_t n = out.n < size ? out.n : size - 1;
	if (out.bytes) {
		memcpy(room, out.bytes, n);
	}
	if (out.n > size - 1) {
		n = size - 4;
		while (n > 0 && ((unsigned char)room[n] & 0xc0) == 0x80) {
			n--; /* not within a character */
		}
		memcpy(room + n, "...", 3);
		n += 3;
	}
	room[n] = '\0';
	xylem_buffer_finish(&out);
}

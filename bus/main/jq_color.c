/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colours for what `xylemd jq` prints at a terminal, put into text that is
 * already formatted: who writes JSON elsewhere knows nothing of them. The bytes
 * are those of jq 1.7.1, which sets a container's colour again behind each
 * of its members.
 */
#include <stdio.h>
#include <string.h>

#include <json/scan.h>
#include <main/jq_color.h>

enum {
	COLOR_NULL,
	COLOR_FALSE,
	COLOR_TRUE,
	COLOR_NUMBER,
	COLOR_STRING,
	COLOR_ARRAY,
	COLOR_OBJECT,
	COLOR_NAME
};

#define RESET "\033[0m"

bool jq_colors_init(struct jq_colors *colors, const char *wanted)
{
	static const char *const usual[] = { "0;90", "0;39", "0;39", "0;39", "0;32", "1;39", "1;39", "1;34" };
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		snprintf(colors->start[i], sizeof(colors->start[i]), "\033[%sm", usual[i]);
	}
	struct jq_colors own = *colors;
	for (size_t i = 0; wanted && *wanted && i < sizeof(usual) / sizeof(usual[0]); i++) {
		size_t n = strcspn(wanted, ":");
		if (n > sizeof(own.start[i]) - 4 || strspn(wanted, "0123456789;") < n) {
			return false;
		}
		snprintf(own.start[i], sizeof(own.start[i]), "\033[%.*sm", (int)n, wanted);
		wanted += n + (wanted[n] == ':');
	}
	*colors = own;
	return true;
}

/* Where a walk over the text is. */
struct walk {
	const struct jq_colors *colors;
	struct xylem_buffer *out;
	const char *at, *end;
	struct xylem_buffer open; /* the brackets that are open */
	bool name;                /* a name of a member comes next */
};

static void color_put(struct walk *walk, int color)
{
	xylem_buffer_text(walk->out, walk->colors->start[color]);
}

static void bytes_copy(struct walk *walk, const char *stop)
{
	xylem_buffer_span(walk->out, xylem_span(walk->at, (size_t)(stop - walk->at)));
	walk->at = stop;
}

static int color_of(char c)
{
	switch (c) {
	case 'n':
		return COLOR_NULL;
	case 'f':
		return COLOR_FALSE;
	case 't':
		return COLOR_TRUE;
	case '"':
		return COLOR_STRING;
	case '[':
	case ']':
		return COLOR_ARRAY;
	case '{':
	case '}':
		return COLOR_OBJECT;
	default:
		return COLOR_NUMBER;
	}
}

/* Behind a value: the container that it is in goes on. */
static void value_close(struct walk *walk)
{
	xylem_buffer_text(walk->out, RESET);
	if (walk->open.n) {
		color_put(walk, color_of(walk->open.bytes[walk->open.n - 1]));
	}
}

static void name_write(struct walk *walk)
{
	xylem_buffer_text(walk->out, RESET);
	color_put(walk, COLOR_NAME);
	bytes_copy(walk, scan_string(walk->at + 1, walk->end));
	xylem_buffer_text(walk->out, RESET);
	color_put(walk, COLOR_OBJECT);
	bytes_copy(walk, walk->at + 1 + (walk->end - walk->at > 1 && walk->at[1] == ' ')); /* `:` or `: ` */
	xylem_buffer_text(walk->out, RESET);
	walk->name = false;
}

static void container_open(struct walk *walk)
{
	color_put(walk, color_of(*walk->at));
	if (walk->end - walk->at > 1 && (walk->at[1] == ']' || walk->at[1] == '}')) {
		bytes_copy(walk, walk->at + 2);
		value_close(walk);
		return;
	}
	xylem_buffer_byte(&walk->open, *walk->at);
	walk->name = *walk->at == '{';
	bytes_copy(walk, walk->at + 1);
}

static void container_close(struct walk *walk)
{
	color_put(walk, color_of(*walk->at));
	bytes_copy(walk, walk->at + 1);
	walk->open.n -= walk->open.n > 0;
	value_close(walk);
}

static void word_write(struct walk *walk)
{
	char c = *walk->at;
	if (c == ',' || scan_is_space(c)) {
		walk->name = walk->name ||
			     (c == ',' && walk->open.n && walk->open.bytes[walk->open.n - 1] == '{');
		bytes_copy(walk, walk->at + 1);
	} else if (walk->name && c == '"') {
		name_write(walk);
	} else if (c == '[' || c == '{') {
		container_open(walk);
	} else if (c == ']' || c == '}') {
		container_close(walk);
	} else {
		const char *stop = scan_value(walk->at, walk->end);
		color_put(walk, color_of(c));
		bytes_copy(walk, stop > walk->at ? stop : walk->at + 1);
		value_close(walk);
	}
}

void jq_color_write(const struct jq_colors *colors, struct xylem_span json, struct xylem_buffer *out)
{
	struct walk walk = { .colors = colors, .out = out, .at = json.at, .end = json.at + json.n };
	while (walk.at < walk.end) {
		word_write(&walk);
	}
	xylem_buffer_finish(&walk.open);
}

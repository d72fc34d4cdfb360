/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to a tree with places. libyaml gives events; a stack of open lists and
 * mappings, as deep as TREE_DEPTH, turns them into nodes without recursion.
 * What YAML allows and this file refuses, it refuses with a place: tags, merge
 * keys, doubled keys, keys that are not scalars, a second document, and more
 * than the limits of tree.h. An alias shares the node that it stands for, and
 * is counted with all that is in it, so that ten lines cannot become millions.
 * Types are not decided here: a scalar is text until an option says more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include <config/interpolate.h>
#include <config/report.h>
#include <config/text.h>
#include <config/tree.h>

struct frame {
	struct tree_node *node;
	struct tree_node *key; /* of a mapping: read, its value still to come */
	char *anchor;
	void *entries; /* struct tree_node * or struct tree_member */
	size_t n, room;
};

struct anchor {
	struct anchor *next;
	const char *name;
	struct tree_node *node;
};

struct reader {
	const struct tree_file *file;
	struct xylem_arena *arena;
	struct config_report *report;
	yaml_parser_t parser;
	struct frame stack[TREE_DEPTH];
	size_t depth;
	struct anchor *anchors;
	size_t alias_count, node_count;
	struct tree_node *root;
	bool second; /* a document was read */
};

static struct config_place place_of(const struct reader *reader, yaml_mark_t mark)
{
	return (struct config_place){ reader->file->name, (int)mark.line + 1, (int)mark.column + 1 };
}

static int no_memory(struct reader *reader)
{
	report_error(reader->report, (struct config_place){ reader->file->name, 1, 1 },
		"the configuration needs more memory than it may have; make it smaller");
	return -XYLEM_E_MEMORY;
}

static struct tree_node *node_new(struct reader *reader, enum tree_kind kind, yaml_mark_t mark)
{
	struct tree_node *node = xylem_arena_zero(reader->arena, sizeof(*node));
	if (node) {
		node->kind = kind;
		node->file = reader->file;
		node->line = (int)mark.line + 1;
		node->column = (int)mark.column + 1;
		node->weight = 1;
	}
	return node;
}

static void *entry_add(struct frame *frame, size_t size)
{
	if (frame->n == frame->room) {
		size_t room = frame->room ? 2 * frame->room : 8;
		void *grown = realloc(frame->entries, room * size);
		if (!grown) {
			return NULL;
		}
		frame->entries = grown;
		frame->room = room;
	}
	return (char *)frame->entries + size * frame->n++;
}

static int key_take(struct reader *reader, struct frame *frame, struct tree_node *node)
{
	if (node->kind != TREE_SCALAR) {
		report_error(
			reader->report, tree_place(node), "a key is %s; write a name", tree_kind_name(node));
		return -XYLEM_E_INVALID;
	}
	if (node->style == TREE_PLAIN && strcmp(node->text, "<<") == 0) {
		report_error(reader->report, tree_place(node),
			"the merge key `<<` is not supported; write the options out, or use an alias as a "
			"whole value");
		return -XYLEM_E_INVALID;
	}
	if (node->n == 0) {
		report_error(
			reader->report, tree_place(node), "a key is empty; write a name before the colon");
	}
	frame->key = node;
	return 0;
}

/* A finished node goes into what is open, or becomes the root. */
static int node_place(struct reader *reader, struct tree_node *node)
{
	if (reader->depth == 0) {
		reader->root = node;
		return 0;
	}
	struct frame *frame = &reader->stack[reader->depth - 1];
	if (frame->node->kind == TREE_MAPPING && !frame->key) {
		return key_take(reader, frame, node);
	}
	frame->node->weight += node->weight;
	if (frame->node->kind == TREE_LIST) {
		struct tree_node **item = entry_add(frame, sizeof(*item));
		if (!item) {
			return no_memory(reader);
		}
		*item = node;
		return 0;
	}
	struct tree_member *member = entry_add(frame, sizeof(*member));
	if (!member) {
		return no_memory(reader);
	}
	*member = (struct tree_member){ frame->key, node };
	frame->key = NULL;
	return 0;
}

static int nodes_count(struct reader *reader, size_t more, yaml_mark_t mark)
{
	reader->node_count += more;
	if (reader->node_count > TREE_NODES) {
		report_error(reader->report, place_of(reader, mark),
			"the file has more than %d values (aliases counted as what they stand for); split or "
			"shorten it",
			TREE_NODES);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static void tag_refuse(struct reader *reader, const yaml_char_t *tag, yaml_mark_t mark)
{
	if (tag) {
		report_error(reader->report, place_of(reader, mark),
			"the tag `%.40s` is not supported; remove it: types follow from the option",
			(const char *)tag);
	}
}

static struct tree_node *anchor_find(const struct reader *reader, const char *name)
{
	for (const struct anchor *anchor = reader->anchors; anchor; anchor = anchor->next) {
		if (strcmp(anchor->name, name) == 0) {
			return anchor->node;
		}
	}
	return NULL;
}

static int anchor_add(struct reader *reader, const char *name, struct tree_node *node)
{
	if (!name) {
		return 0;
	}
	if (anchor_find(reader, name)) {
		report_error(reader->report, tree_place(node),
			"the anchor `&%.40s` is defined twice; rename one", name);
		return 0;
	}
	if (++reader->alias_count > TREE_ALIASES) {
		report_error(reader->report, tree_place(node),
			"more than %d anchors and aliases; write the values out", TREE_ALIASES);
		return -XYLEM_E_INVALID;
	}
	struct anchor *anchor = xylem_arena_take(reader->arena, sizeof(*anchor));
	char *copy = xylem_arena_text(reader->arena, xylem_span_of(name));
	if (!anchor || !copy) {
		return no_memory(reader);
	}
	*anchor = (struct anchor){ .next = reader->anchors, .name = copy, .node = node };
	reader->anchors = anchor;
	return 0;
}

static int alias_read(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct tree_node *node = anchor_find(reader, name);
	if (!node) {
		report_error(reader->report, place_of(reader, event->start_mark),
			"the alias `*%.40s` has no anchor above it; define `&%.40s` first, outside of this "
			"value",
			name, name);
		return -XYLEM_E_INVALID;
	}
	if (++reader->alias_count > TREE_ALIASES) {
		report_error(reader->report, place_of(reader, event->start_mark),
			"more than %d anchors and aliases; write the values out", TREE_ALIASES);
		return -XYLEM_E_INVALID;
	}
	int error = nodes_count(reader, node->weight, event->start_mark);
	return error ? error : node_place(reader, node);
}

static enum tree_style style_of(yaml_scalar_style_t style)
{
	switch (style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
		return TREE_SINGLE_QUOTED;
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		return TREE_DOUBLE_QUOTED;
	case YAML_LITERAL_SCALAR_STYLE:
		return TREE_LITERAL;
	case YAML_FOLDED_SCALAR_STYLE:
		return TREE_FOLDED;
	case YAML_ANY_SCALAR_STYLE:
	case YAML_PLAIN_SCALAR_STYLE:
		break;
	}
	return TREE_PLAIN;
}

/* Replaces variables in a value; a bad one is reported where it stands and left as it is. */
static int scalar_interpolate(struct reader *reader, struct tree_node *node)
{
	if (reader->file->variables == TREE_VARIABLES_NONE || !interpolate_needed(node->raw)) {
		return 0;
	}
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_reason reason;
	size_t offset = 0;
	int error = interpolate(node->raw, &out, &offset, &reason);
	if (error == -XYLEM_E_INVALID) {
		if (reader->file->variables == TREE_VARIABLES) {
			report_error(reader->report, tree_place_inside(node, offset), "%s", reason.text);
			node->unset = true;
		}
		return 0;
	}
	node->text = error ? NULL : xylem_arena_text(reader->arena, xylem_buffer_borrow(&out));
	node->n = out.n;
	node->interpolated = true;
	if (out.bytes) {
		explicit_bzero(out.bytes, out.n);
	}
	return node->text ? 0 : no_memory(reader);
}

static bool key_comes(const struct reader *reader)
{
	const struct frame *frame = reader->depth ? &reader->stack[reader->depth - 1] : NULL;
	return frame && frame->node->kind == TREE_MAPPING && !frame->key;
}

static int scalar_read(struct reader *reader, const yaml_event_t *event)
{
	struct xylem_span text = xylem_span(
		(const char *)event->data.scalar.value, event->data.scalar.length);
	struct tree_node *node = node_new(reader, TREE_SCALAR, event->start_mark);
	char *copy = xylem_arena_text(reader->arena, text);
	if (!node || !copy) {
		return no_memory(reader);
	}
	tag_refuse(reader, event->data.scalar.tag, event->start_mark);
	node->style = style_of(event->data.scalar.style);
	node->text = node->raw = copy;
	node->n = strlen(copy);
	if (node->n != text.n) {
		report_error(reader->report, tree_place(node), "the text has a NUL character; remove it");
	} else if (!text_is_utf8(text)) {
		report_error(reader->report, tree_place(node),
			"the text is not valid UTF-8; write the characters out");
		node->text = node->raw = "";
		node->n = 0;
	}
	int error = nodes_count(reader, 1, event->start_mark);
	if (!error && !key_comes(reader)) {
		error = scalar_interpolate(reader, node);
	}
	if (!error) {
		error = anchor_add(reader, (const char *)event->data.scalar.anchor, node);
	}
	return error ? error : node_place(reader, node);
}

static int container_open(struct reader *reader, enum tree_kind kind, const yaml_char_t *anchor,
	const yaml_char_t *tag, yaml_mark_t mark)
{
	if (reader->depth == TREE_DEPTH) {
		report_error(reader->report, place_of(reader, mark),
			"more than %d lists and mappings inside each other; make it flatter", TREE_DEPTH);
		return -XYLEM_E_INVALID;
	}
	tag_refuse(reader, tag, mark);
	struct frame *frame = &reader->stack[reader->depth];
	*frame = (struct frame){ .node = node_new(reader, kind, mark) };
	frame->anchor = anchor ? strdup((const char *)anchor) : NULL;
	if (!frame->node || (anchor && !frame->anchor)) {
		free(frame->anchor);
		return no_memory(reader);
	}
	reader->depth++;
	return nodes_count(reader, 1, mark);
}

static int member_compare(const void *a, const void *b)
{
	const struct tree_member *const *left = a, *const *right = b;
	int by_name = strcmp((*left)->key->text, (*right)->key->text);
	return by_name ? by_name : (*left < *right ? -1 : *left > *right);
}

static int doubled_report(struct reader *reader, const struct tree_node *mapping)
{
	if (mapping->n < 2) {
		return 0;
	}
	const struct tree_member **sorted = calloc(mapping->n, sizeof(*sorted));
	if (!sorted) {
		return no_memory(reader);
	}
	for (size_t i = 0; i < mapping->n; i++) {
		sorted[i] = &mapping->members[i];
	}
	qsort(sorted, mapping->n, sizeof(*sorted), member_compare);
	for (size_t i = 1; i < mapping->n; i++) {
		const struct tree_node *first = sorted[i - 1]->key, *again = sorted[i]->key;
		if (strcmp(first->text, again->text) == 0) {
			char quoted[TREE_QUOTE_SIZE];
			report_error(reader->report, tree_place(again),
				"%s is written twice, first at %s:%d:%d; remove one",
				tree_quote(again, quoted), first->file->name, first->line, first->column);
		}
	}
	free(sorted);
	return 0;
}

static int container_close(struct reader *reader)
{
	struct frame frame = reader->stack[--reader->depth];
	struct tree_node *node = frame.node;
	size_t size = frame.n * (node->kind == TREE_LIST ? sizeof(*node->items) : sizeof(*node->members));
	void *entries = xylem_arena_take(reader->arena, size ? size : 1);
	int error = entries ? 0 : no_memory(reader);
	if (!error) {
		if (size) {
			memcpy(entries, frame.entries, size);
		}
		node->n = frame.n;
		node->items = node->kind == TREE_LIST ? entries : NULL;
		node->members = node->kind == TREE_MAPPING ? entries : NULL;
		error = node->kind == TREE_MAPPING ? doubled_report(reader, node) : 0;
	}
	if (!error) {
		error = anchor_add(reader, frame.anchor, node);
	}
	free(frame.entries);
	free(frame.anchor);
	return error ? error : node_place(reader, node);
}

static int document_open(struct reader *reader, const yaml_event_t *event)
{
	if (reader->second) {
		report_error(reader->report, place_of(reader, event->start_mark),
			"a second document begins here; keep one in a file, or put the other into conf.d/");
		return -XYLEM_E_INVALID;
	}
	reader->second = true;
	if (event->data.document_start.tag_directives.start !=
		event->data.document_start.tag_directives.end) {
		report_error(reader->report, place_of(reader, event->start_mark),
			"%%TAG is not supported; remove it");
	}
	return 0;
}

static int event_take(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return document_open(reader, event);
	case YAML_ALIAS_EVENT:
		return alias_read(reader, event);
	case YAML_SCALAR_EVENT:
		return scalar_read(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return container_open(reader, TREE_LIST, event->data.sequence_start.anchor,
			event->data.sequence_start.tag, event->start_mark);
	case YAML_MAPPING_START_EVENT:
		return container_open(reader, TREE_MAPPING, event->data.mapping_start.anchor,
			event->data.mapping_start.tag, event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return container_close(reader);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* Bytes that are not text at all: libyaml gives an offset instead of a mark. */
static struct config_place place_of_offset(const struct reader *reader, size_t offset)
{
	struct config_place place = { reader->file->name, 1, 1 };
	for (size_t i = 0; i < offset && i < reader->file->text.n; i++) {
		bool newline = reader->file->text.at[i] == '\n';
		place.line += newline;
		place.column = newline ? 1 : place.column + ((reader->file->text.at[i] & 0xc0) != 0x80);
	}
	return place;
}

/* The byte at a line and column of the source, and whether that line has a `${`. */
static char source_at(const struct reader *reader, yaml_mark_t mark, bool *ret_variable)
{
	const char *at = reader->file->text.at, *end = at + reader->file->text.n;
	for (size_t line = 0; line < mark.line && at < end; at++) {
		line += *at == '\n';
	}
	const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	stop = stop ? stop : end;
	*ret_variable = at < stop && memmem(at, (size_t)(stop - at), "${", 2);
	return (size_t)(stop - at) > mark.column ? at[mark.column] : '\0';
}

static void syntax_report(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	bool variable;
	if (parser->error == YAML_MEMORY_ERROR) {
		no_memory(reader);
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		report_error(reader->report, place_of_offset(reader, parser->problem_offset),
			"the file is not text in UTF-8 here (%s); write it as UTF-8", parser->problem);
		return;
	}
	char at = source_at(reader, parser->problem_mark, &variable);
	const char *advice = variable     ? "inside { } and [ ] a variable needs quotes: \"${NAME}\""
			     : at == '\t' ? "there is a tab here: indent with spaces"
					  : "correct the indentation, quotes or brackets";
	struct config_place place = place_of(reader, parser->problem_mark);
	if (parser->context && parser->context_mark.line != parser->problem_mark.line) {
		report_error(reader->report, place,
			"the YAML is not well formed: %s (%s that began in line %zu); %s", parser->problem,
			parser->context, parser->context_mark.line + 1, advice);
	} else {
		report_error(reader->report, place, "the YAML is not well formed: %s; %s",
			parser->problem ? parser->problem : "unknown problem", advice);
	}
}

static int events_read(struct reader *reader)
{
	for (;;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&reader->parser, &event)) {
			syntax_report(reader);
			return -XYLEM_E_INVALID;
		}
		bool end = event.type == YAML_STREAM_END_EVENT;
		int error = event_take(reader, &event);
		yaml_event_delete(&event);
		if (error || end) {
			return error;
		}
	}
}

int tree_read(const struct tree_file *file, struct xylem_arena *arena, struct config_report *report,
	struct tree_node **ret_root)
{
	if (file->text.n > TREE_BYTES) {
		report_error(report, (struct config_place){ file->name, 1, 1 },
			"the file is larger than %d bytes; split it into conf.d/", TREE_BYTES);
		return -XYLEM_E_INVALID;
	}
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader || !yaml_parser_initialize(&reader->parser)) {
		free(reader);
		return -XYLEM_E_MEMORY;
	}
	reader->file = file;
	reader->arena = arena;
	reader->report = report;
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	struct xylem_span text = file->text.n ? file->text : XYLEM_SPAN_LITERAL("");
	size_t mark = text.n >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0
			      ? 3
			      : 0; /* libyaml would count it as a column */
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text.at + mark, text.n - mark);
	int error = events_read(reader);
	while (reader->depth) {
		struct frame *frame = &reader->stack[--reader->depth];
		free(frame->entries);
		free(frame->anchor);
	}
	yaml_parser_delete(&reader->parser);
	if (!error) {
		*ret_root = reader->root;
	}
	free(reader);
	return error;
}

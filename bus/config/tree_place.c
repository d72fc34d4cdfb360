/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a byte of a scalar's text back to its line and column in the file.
 * Quotes, folding and indentation change white space and nothing else, apart
 * from `''` and the backslash escapes: so the n-th character of the text that
 * is not white space is the n-th such character of the source.
 */
#include <stdlib.h>
#include <string.h>

#include <config/tree.h>

struct cursor {
	const char *at, *end;
	int line, column;
};

static bool white(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void step(struct cursor *cursor)
{
	if (cursor->at == cursor->end) {
		return;
	}
	char c = *cursor->at++;
	if (c == '\n' || (c == '\r' && !(cursor->at < cursor->end && *cursor->at == '\n'))) {
		cursor->line++;
		cursor->column = 1;
		return;
	}
	while (cursor->at < cursor->end && (*cursor->at & 0xc0) == 0x80) {
		cursor->at++;
	}
	cursor->column += c != '\r';
}

static struct cursor cursor_at(const struct tree_node *node)
{
	struct xylem_span text = node->file->text;
	struct cursor cursor = { text.at, text.at + text.n, 1, 1 };
	if (text.n >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
		cursor.at += 3;
	}
	while (cursor.at < cursor.end &&
		(cursor.line < node->line || (cursor.line == node->line && cursor.column < node->column))) {
		step(&cursor);
	}
	return cursor;
}

/* To the first character that can belong to the text. */
static void body_enter(struct cursor *cursor, enum tree_style style)
{
	if (cursor->at < cursor->end && *cursor->at == '&') {
		while (cursor->at < cursor->end && !white(*cursor->at)) {
			step(cursor);
		}
		while (cursor->at < cursor->end && white(*cursor->at)) {
			step(cursor);
		}
	}
	if (style == TREE_SINGLE_QUOTED || style == TREE_DOUBLE_QUOTED) {
		step(cursor);
	} else if (style == TREE_LITERAL || style == TREE_FOLDED) {
		int line = cursor->line;
		while (cursor->at < cursor->end && cursor->line == line) {
			step(cursor);
		}
	}
}

/* Steps over one character of the source as the text has it; true when that is not white space. */
static bool character_pass(struct cursor *cursor, enum tree_style style)
{
	char c = *cursor->at;
	step(cursor);
	if (style == TREE_SINGLE_QUOTED && c == '\'') {
		step(cursor);
	}
	if (style != TREE_DOUBLE_QUOTED || c != '\\' || cursor->at == cursor->end) {
		return !white(c);
	}
	char kind = *cursor->at;
	int digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
	char hex[9] = { 0 };
	step(cursor);
	for (int i = 0; i < digits && cursor->at < cursor->end; i++) {
		hex[i] = *cursor->at;
		step(cursor);
	}
	if (digits) {
		unsigned long code = strtoul(hex, NULL, 16);
		return !(code < 128 && white((char)code));
	}
	return !white(kind) && !strchr("ntr", kind);
}

struct config_place tree_place_inside(const struct tree_node *node, size_t offset)
{
	if (node->kind != TREE_SCALAR || node->interpolated || !node->file->text.at) {
		return tree_place(node);
	}
	size_t before = 0, gap = 0;
	bool newline = false;
	for (size_t i = 0; i < offset && i < node->n; i++) {
		if (white(node->text[i])) {
			gap++;
			newline |= node->text[i] == '\n';
		} else if ((node->text[i] & 0xc0) != 0x80) {
			before++;
			gap = 0;
			newline = false;
		}
	}
	struct cursor cursor = cursor_at(node);
	if (cursor.line != node->line || cursor.column != node->column) {
		return tree_place(node); /* behind the end, or after line ends that only YAML knows */
	}
	body_enter(&cursor, node->style);
	for (size_t seen = 0; seen < before && cursor.at < cursor.end;) {
		seen += character_pass(&cursor, node->style);
	}
	if (offset < node->n && !white(node->text[offset])) {
		struct cursor next = cursor;
		while (next.at < next.end && !character_pass(&next, node->style)) {
			cursor = next;
		}
		gap = 0;
	}
	return (struct config_place){ node->file->name, cursor.line,
		cursor.column + (newline ? 0 : (int)gap) };
}

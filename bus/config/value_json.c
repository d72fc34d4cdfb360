/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML values as JSON text. A plain scalar that is a JSON null, boolean or
 * number stands for itself with every digit it was written with; everything
 * else is a string. `yes`, `0x10` and `~` are strings, because nothing is guessed.
 */
#include <string.h>

#include <config/value.h>

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

/* RFC 8259, 6. */
static bool is_json_number(const char *at)
{
	at += *at == '-';
	size_t n = digits(at);
	if (n == 0 || (*at == '0' && n > 1)) {
		return false;
	}
	at += n;
	if (*at == '.') {
		n = digits(at + 1);
		if (n == 0) {
			return false;
		}
		at += 1 + n;
	}
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		n = digits(at);
		if (n == 0) {
			return false;
		}
		at += n;
	}
	return !*at;
}

static void scalar_write(const struct tree_node *node, struct xylem_buffer *out)
{
	const char *text = node->text;
	if (node->style == TREE_PLAIN && node->n == 0) {
		xylem_buffer_text(out, "null");
	} else if (node->style == TREE_PLAIN && (strcmp(text, "null") == 0 || strcmp(text, "true") == 0 ||
							strcmp(text, "false") == 0 || is_json_number(text))) {
		xylem_buffer_text(out, text);
	} else {
		xylem_json_write_string(out, xylem_span(text, node->n));
	}
}

/* Recursion is bounded by TREE_DEPTH. */
static void node_write(const struct tree_node *node, struct xylem_buffer *out)
{
	if (node->kind == TREE_SCALAR) {
		scalar_write(node, out);
	} else if (node->kind == TREE_LIST) {
		xylem_buffer_byte(out, '[');
		for (size_t i = 0; i < node->n; i++) {
			xylem_buffer_text(out, i ? "," : "");
			node_write(node->items[i], out);
		}
		xylem_buffer_byte(out, ']');
	} else {
		xylem_buffer_byte(out, '{');
		for (size_t i = 0; i < node->n; i++) {
			xylem_buffer_text(out, i ? "," : "");
			xylem_json_write_string(out, xylem_span_of(node->members[i].key->text));
			xylem_buffer_byte(out, ':');
			node_write(node->members[i].value, out);
		}
		xylem_buffer_byte(out, '}');
	}
}

int value_json(const struct tree_node *node, struct xylem_buffer *out)
{
	node_write(node, out);
	return xylem_buffer_failed(out) ? -XYLEM_E_MEMORY : 0;
}

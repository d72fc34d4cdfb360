/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scanner makes of documents, for comparing with another reader. On
 * standard input: documents, each as its length in decimal, a newline, bytes.
 * On standard output, a line for each: `no`, or the document written again
 * from its values; then ` ` and the first number in it as a C99 hexadecimal
 * double, or `-`.
 */
#include <stdio.h>
#include <stdlib.h>

#include <xylem/json.h>

static void rewrite(struct xylem_span value, struct xylem_arena *arena, struct xylem_buffer *out)
{
	enum xylem_json_type type = xylem_json_type(value);
	struct xylem_span bytes = XYLEM_SPAN_NONE;
	if (type == XYLEM_JSON_STRING) {
		xylem_json_string(value, arena, &bytes);
		xylem_json_write_string(out, bytes);
		return;
	}
	if (type < XYLEM_JSON_ARRAY) {
		xylem_buffer_span(out, value);
		return;
	}
	struct xylem_json_iterator iterator;
	xylem_json_iterate(&iterator, value);
	xylem_buffer_byte(out, type == XYLEM_JSON_ARRAY ? '[' : '{');
	while (xylem_json_next(&iterator)) {
		xylem_json_write_comma(out);
		if (iterator.object) {
			xylem_json_string(iterator.name, arena, &bytes);
			xylem_json_write_string(out, bytes);
			xylem_buffer_byte(out, ':');
		}
		rewrite(iterator.value, arena, out);
	}
	xylem_buffer_byte(out, type == XYLEM_JSON_ARRAY ? ']' : '}');
}

static void number_print(struct xylem_span value)
{
	double number;
	if (xylem_json_double(value, &number, NULL) == 0) {
		printf(" %a\n", number);
	} else {
		printf(" -\n");
	}
}

int main(void)
{
	size_t n;
	while (scanf("%zu", &n) == 1 && getchar() == '\n') {
		char *bytes = malloc(n + 1);
		if (!bytes || fread(bytes, 1, n, stdin) != n) {
			return 1;
		}
		struct xylem_span text = xylem_span(bytes, n);
		if (xylem_json_check(text, NULL, NULL) < 0) {
			printf("no -\n");
		} else {
			struct xylem_arena *arena = xylem_arena_new(0);
			struct xylem_buffer out = { 0 };
			rewrite(xylem_json_trim(text), arena, &out);
			fwrite(out.bytes, 1, out.n, stdout);
			number_print(xylem_json_trim(text));
			xylem_buffer_finish(&out);
			xylem_arena_free(arena);
		}
		free(bytes);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `where` says, for comparing with the jq program. Each line of standard
 * input is an expression, a tab, and an event in the JSON format; each line of
 * standard output `true`, `false`, `error`, or `refused` and why.
 */
#include <stdio.h>
#include <stdlib.h>

#include <route/where.h>

static void answer(const char *expression, struct xylem_span json)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_reason reason = { "" };
	struct xylem_message message;
	struct where *where = NULL;
	bool match = false;
	int column;
	if (where_compile(expression, &where, &column, &reason) < 0) {
		printf("refused at column %d: %s\n", column, reason.text);
	} else if (xylem_message_read_json(&message, arena, json, &reason) < 0) {
		printf("refused: %s\n", reason.text);
	} else if (where_match(where, &message, &match, &reason) < 0) {
		puts("error");
	} else {
		puts(match ? "true" : "false");
	}
	where_free(where);
	xylem_arena_free(arena);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
		char *tab = strchr(line, '\t');
		if (!tab) {
			return 1;
		}
		*tab = '\0';
		answer(line, xylem_span(tab + 1, (size_t)(line + n - tab - 1)));
	}
	free(line);
	return 0;
}

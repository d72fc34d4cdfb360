/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_CTL_CTL_H
#define CONSOLE_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <console/columns.h>

#include <xylem/buffer.h>

/* xylemctl: its parts and what they share. docs/xylemctl.md. */

/* Exit codes; scripts rely on them. */
enum { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3, CTL_UNAUTHORISED = 4 };

/* What stands before or between the words of a command. Borrowed from argv and the environment. */
struct ctl_options {
	const char *url, *token_file, *data, *bus;
	bool json; /* print what the API answers */
	bool all;  /* every page */
	bool as_test;
	bool help;
};

/* --- Which bus (place_find.c) -------------------------------------------------- */

struct ctl_bus {
	char url[256];
	char token[300];
};
/*
 * From options, environment, or the files that running buses leave. CTL_OK or CTL_USAGE with a
 * message printed.
 */
int ctl_find_bus(const struct ctl_options *options, struct ctl_bus *ret_bus);

/* --- Asking (client.c) ------------------------------------------------------------ */

struct client;
struct client *client_new(const struct ctl_bus *bus);
struct client *client_free(struct client *client);

struct client_answer {
	long status;
	struct xylem_buffer body;
	char type[128];
};
/*
 * `target`: path and query, encoded. A POST gets an Idempotency-Key and is
 * repeated when the connection breaks. CTL_OK with status below 400;
 * otherwise the problem is printed on standard error, and the exit code is
 * returned. `accept` may be NULL.
 */
int client_ask(struct client *client, const char *method, const char *target, const char *accept,
	struct xylem_span body, struct client_answer *answer);
/* The same for JSON answers; *ret_json is new. */
int client_ask_json(struct client *client, const char *method, const char *target, struct xylem_span body,
	json_t **ret_json);

/* Streams until the other side ends, or `event` returns false. CTL_OK, CTL_REFUSED, CTL_UNREACHABLE, ... */
typedef bool (*client_event)(void *context, const char *id, const char *name, const char *data);
int client_stream(
	struct client *client, const char *target, const char *last_id, client_event event, void *context);

/* %XX for a path or query; `/` and `:` stay in a path. */
void client_encode(struct xylem_buffer *out, struct xylem_span text, bool path);

/* --- Commands (command.c): the operation table, as docs/openapi.json has it ----------- */

struct command {
	const char *id, *words, *method, *path, *summary, *role;
	json_t *operation;
};
/* NULL after the last; sorted by words. */
const struct command *command_at(size_t i);
const struct command *command_find(const char *id);
/* The command whose words begin argv, longest first; *ret_words of them were used. */
const struct command *command_match(int argc, char **argv, int *ret_words);
/* A parameter by name: its schema; *ret_in is "path", "query" or "body"; NULL: there is none. */
const json_t *command_argument(const struct command *command, const char *name, const char **ret_in);
/* The i-th argument that must be given, path first; NULL after the last. */
const char *command_required(const struct command *command, size_t i);
/* Does it change cases, one or many, or a group? */
bool command_takes_cases(const struct command *command);
void command_usage(const struct command *command);
void command_list(void);

/* --- Arguments (arguments.c) ------------------------------------------------------------- */

struct arguments {
	json_t *values;     /* by name: strings as they were given */
	const char **words; /* what was no option, in order */
	size_t word_count;
};
/* `--name VALUE`, `--name=VALUE`, `name=value`; the rest are words. CTL_USAGE with a message. */
int arguments_read(const struct command *command, int argc, char **argv, struct ctl_options *options,
	struct arguments *ret_arguments);
void arguments_finish(struct arguments *arguments);
/*
 * Gives words to the arguments that must be there and are not yet. CTL_USAGE if some are left
 * over or missing.
 */
int arguments_place(const struct command *command, struct arguments *arguments);
/* Path with query, and for a POST the body. `@FILE` and `@-` are read. CTL_USAGE with a message. */
int arguments_write(const struct command *command, const json_t *values, struct xylem_buffer *ret_target,
	struct xylem_buffer *ret_body);
/* A whole file or standard input (`-`). */
bool arguments_file(const char *name, struct xylem_buffer *out);
/* Data as a member `data_text` or `data_base64`, whichever keeps every byte. */
void arguments_set_data(json_t *values, struct xylem_span data);

/* --- Showing (table.c, views.c) ------------------------------------------------------------ */

/* A JSON answer for people. */
void view_show(const char *operation, const json_t *answer);
void ctl_stages_show(const json_t *answer); /* stages.c */
/* One line of text: control characters shown, not obeyed. */
void view_plain(struct xylem_buffer *out, const char *text);

/*
 * `rows`: an array of objects. Columns end with a NULL title. The last one is cut at the edge
 * of a terminal.
 */
void table_show(const json_t *rows, const struct column *columns);
bool table_colour(void);
/* The colour of a state or outcome, or "". */
const char *table_state_colour(const char *state);
#define COLOUR_END "\033[0m"

/* --- Commands with a way of their own ------------------------------------------------------- */

int ctl_tail(struct client *client, const struct ctl_options *options, int argc, char **argv);
void ctl_tail_usage(FILE *out);
/* Replay, discard and restore: one or many cases, or a group. */
int ctl_cases(struct client *client, const struct ctl_options *options, const struct command *command,
	struct arguments *arguments);
/* A message as tests of the routes that take it. */
int ctl_as_test(struct client *client, const char *handle);
/* Edit: from a file, standard input or $EDITOR. */
int ctl_edit(struct client *client, const struct ctl_options *options, const struct command *command,
	struct arguments *arguments);

#endif

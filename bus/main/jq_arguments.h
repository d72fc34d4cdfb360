/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_JQ_ARGUMENTS_H
#define MAIN_JQ_ARGUMENTS_H

#include <jq/jq.h>
#include <main/jq_color.h>
#include <main/jq_input.h>
#include <xylem/arena.h>

/* The command line of `xylemd jq`, which is that of jq. */
struct jq_arguments {
	const char *program;
	const char *program_file; /* of -f; NULL: none */
	char **files;
	size_t file_count;
	enum jq_input_kind kind;
	bool null_input, raw_output, joined, zero, sequence, exit_status, unbuffered, step, unlimited;
	bool colored;
	struct jq_colors colors;
	struct jq_form form;
	struct jq_limits limits;
	struct jq_argument *variables; /* $NAME, and $ARGS last */
	size_t variable_count;
	const char **folders; /* -L */
	size_t folder_count;
	struct xylem_arena *arena;
};

/* 0; -1 where there is nothing to do (--help was printed); an exit code, with a message printed. */
int jq_arguments_init(struct jq_arguments *arguments, int argc, char **argv);
void jq_arguments_finish(struct jq_arguments *arguments);

/* As jq_modules.find, in the folders of -L (jq_module.c); `context` is the arguments. */
int jq_arguments_module(
	void *context, struct xylem_span name, bool data, struct xylem_span *ret_text, const char **ret_file);

#endif

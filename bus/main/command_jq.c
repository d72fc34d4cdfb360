/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd jq [OPTION ...] PROGRAM [FILE ...]: the language of the `jq` step on
 * the command line, with the options and exit codes of jq, over streams of
 * documents of any size.
 *
 * It runs with the world at hand (input, $ENV, debug, halt) and nearly without
 * limits; with --step, as a step of a route would.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/clock.h>
#include <config/source_file.h>
#include <jq/jq.h>
#include <main/commands.h>
#include <main/jq_arguments.h>
#include <main/jq_input.h>

#define OUTPUT_BLOCK ((size_t)128 * 1024)

enum { EXIT_FALSE = 1, EXIT_USAGE = 2, EXIT_COMPILE = 3, EXIT_NOTHING = 4, EXIT_FAILED = 5 };

extern char **environ;

struct running {
	const struct jq_arguments *arguments;
	struct jq_program *program;
	struct jq_machine *machine;
	struct jq_input *input;
	struct xylem_buffer out;
	enum { LAST_NOTHING, LAST_FALSE, LAST_TRUE } last; /* for --exit-status */
	int code;
	bool over; /* no further input is run */
	bool told; /* the error of this run was printed */
};

/* --- Out ----------------------------------------------------------------------- */

static int out_flush(struct running *running)
{
	size_t at = 0;
	while (at < running->out.n) {
		ssize_t written = write(STDOUT_FILENO, running->out.bytes + at, running->out.n - at);
		if (written < 0 && errno != EINTR) {
			running->over = true;
			running->code = EXIT_USAGE;
			if (errno != EPIPE) {
				fprintf(stderr, "xylemd jq: error: writing failed: %s\n", strerror(errno));
			}
			return -XYLEM_E_IO;
		}
		at += written > 0 ? (size_t)written : 0;
	}
	xylem_buffer_clear(&running->out);
	return 0;
}

/* A string as it is; where results are told apart by NUL, none may hold one. */
static int string_put(struct running *running, struct xylem_span bytes, struct xylem_reason *reason)
{
	if (running->arguments->zero && bytes.n && memchr(bytes.at, '\0', bytes.n)) {
		xylem_reason_set(reason, "a string that holds NUL cannot be told apart with --raw-output0");
		return -XYLEM_E_INVALID;
	}
	xylem_buffer_span(&running->out, bytes);
	return 0;
}

static int value_put(struct running *running, struct jq_value value, struct xylem_reason *reason)
{
	const struct jq_arguments *arguments = running->arguments;
	if (!arguments->colored) {
		return jq_result_write(running->machine, value, &arguments->form, &running->out, reason);
	}
	XYLEM_BUFFER_SCOPED json = { 0 };
	int error = jq_result_write(running->machine, value, &arguments->form, &json, reason);
	if (!error) {
		jq_color_write(&arguments->colors, xylem_buffer_borrow(&json), &running->out);
	}
	return error;
}

static int result_put(void *context, struct jq_machine *machine, struct jq_value value)
{
	struct running *running = context;
	const struct jq_arguments *arguments = running->arguments;
	struct xylem_reason reason = { "" };
	int error = 0;
	running->last = jq_is_true(value) ? LAST_TRUE : LAST_FALSE;
	if (arguments->sequence) {
		xylem_buffer_byte(&running->out, 0x1e);
	}
	if (arguments->raw_output && jq_is_string(value) && !arguments->form.ascii) {
		error = string_put(running, jq_string_bytes(machine, value), &reason);
	} else {
		error = value_put(running, value, &reason);
	}
	if (error) {
		out_flush(running);
		fprintf(stderr, "xylemd jq: error: %s\n", reason.text);
		running->told = true;
		return error;
	}
	if (arguments->zero || !arguments->joined) {
		xylem_buffer_byte(&running->out, arguments->zero ? '\0' : '\n');
	}
	if (xylem_buffer_failed(&running->out)) {
		return -XYLEM_E_MEMORY;
	}
	return running->out.n >= OUTPUT_BLOCK || arguments->unbuffered ? out_flush(running) : 0;
}

/* --- What a program may ask the world ------------------------------------------------ */

static void input_broken(struct running *running, const struct xylem_reason *reason)
{
	struct jq_input_place place = jq_input_place(running->input);
	out_flush(running);
	fprintf(stderr, "xylemd jq: error (at %s:%llu): %s\n", place.name ? place.name : "<unknown>",
		(unsigned long long)place.line, reason->text);
	running->code = EXIT_FAILED;
	running->over = true;
}

static bool world_input(void *context, struct xylem_span *ret_input)
{
	struct running *running = context;
	struct xylem_reason reason = { "" };
	int error = running->over ? -XYLEM_E_END : jq_input_next(running->input, ret_input, &reason);
	if (error && error != -XYLEM_E_END) {
		input_broken(running, &reason);
	}
	return error == 0;
}

static const char *world_file(void *context, uint64_t *ret_line)
{
	const struct running *running = context;
	*ret_line = jq_input_line(running->input);
	return jq_input_name(running->input);
}

static void world_debug(void *context, const char *name, struct xylem_span json)
{
	struct running *running = context;
	out_flush(running);
	if (*name) {
		fprintf(stderr, "[\"DEBUG:\",%.*s]\n", (int)json.n, json.at);
	} else {
		fwrite(json.at, 1, json.n, stderr);
	}
}

/* --- One run -------------------------------------------------------------------------- */

/* The error's own text, or what it is as JSON. */
static void error_print(struct running *running, const struct xylem_reason *reason)
{
	struct jq_value value = jq_machine_error(running->machine);
	struct xylem_reason ignored;
	XYLEM_BUFFER_SCOPED text = { 0 };
	bool string = jq_is_string(value);
	if (string) {
		xylem_buffer_span(&text, jq_string_bytes(running->machine, value));
	} else if (jq_is_none(value) || jq_result_write(running->machine, value, NULL, &text, &ignored) < 0) {
		string = true;
		xylem_buffer_text(&text, reason->text);
	}
	const char *name = jq_input_last(running->input);
	fprintf(stderr, "xylemd jq: error (at %s", name ? name : "<unknown>");
	if (name) {
		fprintf(stderr, ":%llu", (unsigned long long)jq_input_line(running->input));
	}
	fprintf(stderr, ")%s: %.*s\n", string ? "" : " (not a string)", (int)text.n,
		text.n ? text.bytes : "");
}

static void halted(struct running *running)
{
	struct jq_value value = jq_machine_error(running->machine);
	struct xylem_reason ignored;
	running->over = true;
	running->code = jq_machine_exit_status(running->machine);
	if (jq_is_none(value) || value.kind == JQ_NULL) {
		return;
	}
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (jq_is_string(value)) {
		xylem_buffer_span(&text, jq_string_bytes(running->machine, value));
	} else if (jq_result_write(running->machine, value, NULL, &text, &ignored) == 0) {
		xylem_buffer_byte(&text, '\n');
	}
	fwrite(text.n ? text.bytes : "", 1, text.n, stderr);
}

static void input_run(struct running *running, struct jq_value input)
{
	struct xylem_reason reason = { "" };
	int error = jq_machine_run(running->machine, input, result_put, running, &reason);
	if (error == -XYLEM_E_END) {
		out_flush(running);
		halted(running);
	} else if (error == -XYLEM_E_UNPROCESSABLE) {
		out_flush(running);
		error_print(running, &reason);
		running->code = running->over ? running->code : EXIT_FAILED;
	} else if (error && !running->over) {
		out_flush(running);
		if (!running->told) {
			fprintf(stderr, "xylemd jq: error: %s\n",
				reason.text[0] ? reason.text : "out of memory");
		}
		running->told = false;
		running->code = EXIT_FAILED;
	}
}

/* NONE: it is not JSON. Only what was read as JSON is not known to be. */
static struct jq_value input_value(
	struct running *running, struct xylem_span json, struct xylem_reason *reason)
{
	return running->arguments->kind == JQ_INPUT_JSON ? jq_value_text(running->machine, json, reason)
							 : jq_value_json(json);
}

static void inputs_run(struct running *running)
{
	struct xylem_reason reason = { "" };
	while (!running->over) {
		struct xylem_span json;
		int error = jq_input_text(running->input, &json, &reason);
		if (error == -XYLEM_E_END) {
			return;
		}
		jq_machine_begin(running->machine, clock_wall_us());
		struct jq_value value = error ? jq_simple(JQ_NONE) : input_value(running, json, &reason);
		if (jq_is_none(value)) {
			input_broken(running, &reason);
			return;
		}
		jq_input_hold(running->input);
		input_run(running, value);
		jq_input_release(running->input);
	}
}

static int machine_make(struct running *running)
{
	const struct jq_arguments *arguments = running->arguments;
	struct xylem_reason reason = { "" };
	struct jq_options options = { .file = arguments->program_file ? arguments->program_file : "program",
		.modules = { jq_arguments_module, (void *)(uintptr_t)arguments },
		.arguments = arguments->variables,
		.argument_count = arguments->variable_count,
		.limits = arguments->limits,
		.impure = !arguments->step };
	int error = jq_program_new(
		xylem_span_of(arguments->program), &options, &running->program, NULL, &reason);
	if (error) {
		fprintf(stderr, "xylemd jq: error: %s\nxylemd jq: 1 compile error\n", reason.text);
		return EXIT_COMPILE;
	}
	running->machine = jq_machine_new(running->program);
	if (!running->machine) {
		fputs("xylemd jq: error: out of memory\n", stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static void all_run(struct running *running)
{
	const struct jq_world world = { .input = world_input,
		.debug = world_debug,
		.file = world_file,
		.environment = (const char *const *)environ,
		.context = running };
	jq_machine_world(running->machine, &world);
	if (running->arguments->null_input) {
		jq_machine_begin(running->machine, clock_wall_us());
		input_run(running, jq_simple(JQ_NULL));
	} else {
		inputs_run(running);
	}
	out_flush(running);
	if (!running->code && jq_input_missing(running->input)) {
		running->code = EXIT_USAGE;
	}
	if (!running->code && running->arguments->exit_status && !running->over) {
		running->code = running->last == LAST_NOTHING ? EXIT_NOTHING
				: running->last == LAST_FALSE ? EXIT_FALSE
							      : 0;
	}
}

int command_jq(int argc, char **argv)
{
	struct jq_arguments arguments;
	int code = jq_arguments_init(&arguments, argc, argv);
	if (!code) {
		struct running running = { .arguments = &arguments };
		running.input = jq_input_new(arguments.kind, arguments.files, arguments.file_count);
		code = running.input ? machine_make(&running) : EXIT_USAGE;
		if (!code) {
			all_run(&running);
			code = running.code;
		}
		jq_machine_free(running.machine);
		jq_program_free(running.program);
		jq_input_free(running.input);
		xylem_buffer_finish(&running.out);
	}
	jq_arguments_finish(&arguments);
	return code < 0 ? 0 : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_JQ_H
#define JQ_JQ_H

#include <stdint.h>

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/message.h>
#include <xylem/span.h>

#include "jq/value.h"

/*
 * The jq language (https://jqlang.org/manual/v1.7/): a text is compiled once
 * into a program, immutable and shared by threads; each worker runs it on a
 * machine of its own. What it does differently from jq 1.7 is listed in
 * docs/jq.md, its limits in docs/limits.md.
 */
struct jq_program;
struct jq_machine;

/* What one run may use; 0 in any of them: the default. Beyond one the run ends and says where. */
struct jq_limits {
	uint64_t steps;  /* evaluated expressions and visited elements; 10,000,000 */
	size_t memory;   /* bytes of values; 64 MiB */
	size_t depth;    /* calls within calls; 10,000 */
	size_t output;   /* bytes of all results as JSON; 16 MiB (checked by jq_result_write) */
	int64_t time_us; /* of the clock on the wall; 5 s */
};

/*
 * Gives the text of a module by the name that the program imports, or its JSON
 * values (`data`: `import "NAME" as $x`). Spans stay valid until jq_program_new
 * returns; `ret_file` names it in messages. -XYLEM_E_NOT_FOUND.
 */
struct jq_modules {
	int (*find)(void *context, struct xylem_span name, bool data, struct xylem_span *ret_text,
		const char **ret_file);
	void *context;
};

/* A variable that is there from the start: `$NAME`. */
struct jq_argument {
	const char *name;       /* without the dollar sign */
	struct xylem_span json; /* valid JSON */
};

struct jq_options {
	const char *file; /* what messages call the program; "program" by default */
	struct jq_modules modules;
	const struct jq_argument *arguments;
	size_t argument_count;
	struct jq_limits limits;
	/*
	 * jq_value_message leaves away what the program cannot reach, and data that it reaches by its name only is
	 * checked when it does (payload.c).
	 */
	bool spare;
	bool impure; /* allows input, inputs, debug, stderr, env, $ENV, halt, input_filename ...: for the command only */
};

/*
 * Compiles. Takes no reference to `text` or `options`. -XYLEM_E_INVALID with
 * FILE:LINE:COLUMN: what is wrong, the line and a caret below it (also for
 * what is impure). `ret_place` may be NULL; set on failure, both from 1.
 */
struct jq_place {
	uint32_t line, column;
};
int jq_program_new(struct xylem_span text, const struct jq_options *options, struct jq_program **ret_program,
	struct jq_place *ret_place, struct xylem_reason *reason);
struct jq_program *jq_program_free(struct jq_program *program);
/* Is what comes out of it a changed copy of its input (`.a = 1`, also as an operand of `and`, `or`)? Then where. */
bool jq_program_assigns(const struct jq_program *program, struct jq_place *ret_place);

/* What one thread needs. `program` stays valid until jq_machine_free. NULL: out of memory. */
struct jq_machine *jq_machine_new(const struct jq_program *program);
struct jq_machine *jq_machine_free(struct jq_machine *machine);

/* What an impure program may ask for; all may be NULL. */
struct jq_world {
	/* The next input: true with *ret_input (JSON, valid until the next call); false at the end. */
	bool (*input)(void *context, struct xylem_span *ret_input);
	/* `debug` (name "debug:"): a value as JSON; `stderr` (name ""): the same, but a string as it is. */
	void (*debug)(void *context, const char *name, struct xylem_span json);
	const char *const *environment; /* NAME=VALUE, ends with NULL */
	/* Where the last input came from and on which line it ended; NULL: from nowhere. */
	const char *(*file)(void *context, uint64_t *ret_line);
	void *context;
};
void jq_machine_world(struct jq_machine *machine, const struct jq_world *world);

/*
 * Begins a run: everything that the last one made becomes invalid. `now_us`:
 * what `now` says. Then make the input with jq_value_text, jq_value_message, or
 * the constructors of value.h (jq_value_json of what is known to be valid).
 */
void jq_machine_begin(struct jq_machine *machine, int64_t now_us);

/*
 * An input that is JSON text, borrowed until the run ends. It is checked, and on the way noted where its
 * values stand, so that the program need not scan it. NONE: it is not valid (reason).
 */
struct jq_value jq_value_text(
	struct jq_machine *machine, struct xylem_span text, struct xylem_reason *reason);

/* The event as docs/where.md has it; its spans are borrowed. NONE: data is not valid JSON (reason). */
struct jq_value jq_value_message(
	struct jq_machine *machine, const struct xylem_message *message, struct xylem_reason *reason);

/*
 * Runs. Each result is given to `result` as it comes, valid until the next
 * jq_machine_begin; a negative value from there ends the run and is returned.
 * -XYLEM_E_UNPROCESSABLE: the program raised an error nobody caught (reason: its
 * text as jq says it). -XYLEM_E_LIMIT: a limit, with program, line, column and
 * limit. -XYLEM_E_INVALID: with `spare`, the program asked for data that is
 * no valid JSON (reason). -XYLEM_E_END: `halt` or `halt_error` (impure only).
 */
typedef int jq_result(void *context, struct jq_machine *machine, struct jq_value value);
int jq_machine_run(struct jq_machine *machine, struct jq_value input, jq_result *result, void *context,
	struct xylem_reason *reason);

/* After -XYLEM_E_UNPROCESSABLE or -XYLEM_E_END: the value of the error (NONE for plain `halt`). */
struct jq_value jq_machine_error(struct jq_machine *machine);
int jq_machine_exit_status(const struct jq_machine *machine);

/* How JSON text is written. */
struct jq_form {
	bool verbatim;  /* what was not touched is copied byte for byte, white space included */
	bool sorted;    /* names in order (-S) */
	bool ascii;     /* everything beyond ASCII escaped (-a) */
	uint8_t indent; /* 0: one line */
	bool tab;       /* indents by tabs */
};

/*
 * Appends the value as JSON. -XYLEM_E_LIMIT beyond the output limit of this run,
 * -XYLEM_E_MEMORY; the reason says where. `form` NULL: compact.
 */
int jq_result_write(struct jq_machine *machine, struct jq_value value, const struct jq_form *form,
	struct xylem_buffer *out, struct xylem_reason *reason);

#endif

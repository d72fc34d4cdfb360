/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_MACHINE_H
#define JQ_MACHINE_H

#include "jq/container.h"
#include "jq/jq.h"

/* The inside of a machine: memory, limits, the error in flight. For this room alone. */

struct jq_node;

enum { JQ_CLASSES = 40, JQ_KNOWN = 32 };

/* A chunk of memory; what is given out follows it. */
struct jq_chunk {
	struct jq_chunk *next;
	size_t size;
};

struct jq_free {
	struct jq_free *next;
};

struct jq_memory {
	char *at, *end;
	struct jq_chunk *chunks;
	size_t taken, limit; /* bytes of chunks */
	struct jq_free *free[JQ_CLASSES];
	uint64_t given; /* bits: classes that something was given back to in this run */
};

/*
 * An object's text that was asked for a member: its members as they stand, names
 * that come twice too. Where they are many, only that it was asked; the second
 * time it is made.
 */
struct jq_known {
	const char *at;
	uint64_t run; /* that it belongs to */
	struct jq_member *members;
	uint32_t n, room;
	uint32_t asked, members_count; /* how often, and of how many: where the text has an index */
	struct jq_object *object;
};

/* A text and the places of its values: index.h. */
struct json_entry;
struct jq_index {
	const char *begin;
	size_t n;
	const struct json_entry *entries; /* NULL: none */
	uint32_t count;
};

/* A variable or an argument: see evaluate.h. */
struct jq_cell {
	struct jq_cell *parent;
	union {
		struct jq_value value; /* of a variable; of a label its number */
		struct {
			const struct jq_node *node;
			struct jq_cell *cells;
		};
	};
	uint32_t index; /* cells below it on the stack of cells */
	bool closure;   /* node and cells */
};

enum { JQ_CELLS = 128, JQ_CELL_CHUNKS = 4096 }; /* cells in a chunk, chunks */
struct jq_cell_chunk {
	struct jq_cell cells[JQ_CELLS];
};

enum jq_limit {
	JQ_LIMIT_NONE,
	JQ_LIMIT_STEPS,
	JQ_LIMIT_MEMORY,
	JQ_LIMIT_DEPTH,
	JQ_LIMIT_NESTING,
	JQ_LIMIT_TIME,
	JQ_LIMIT_OUTPUT,
};

struct jq_machine {
	const struct jq_program *program;
	struct jq_memory memory;
	int64_t fuel;   /* steps until the clock and the limit are looked at */
	uint64_t steps; /* steps given out as fuel so far */
	int64_t deadline_us;
	size_t level;               /* evaluations within evaluations */
	enum jq_limit limit;        /* reached: the run ends */
	const struct jq_node *node; /* where it is */
	struct jq_value error;      /* in flight */
	uint64_t label;             /* of the `break` in flight */
	uint64_t labels;            /* given out */
	int callback;               /* what the receiver of results returned to end the run */
	bool halted;
	int exit_status;
	int64_t now_us;
	struct xylem_span payload;          /* of the event, not checked yet; absent: none, or it was */
	struct xylem_reason payload_reason; /* what is wrong with it */
	size_t written, output;             /* bytes of results, and how many they may be */
	struct xylem_buffer scratch;        /* for text under way */

	struct jq_cell_chunk **cell_chunks; /* JQ_CELL_CHUNKS places */
	uint32_t cell_count, cell_room;     /* used, and in chunks */

	struct jq_index index;
	struct jq_known known[JQ_KNOWN];
	uint64_t run; /* counted */
	struct jq_array *dead_arrays;
	struct jq_object *dead_objects;

	jq_result *result;
	void *context;
	const struct jq_world *world;
	void *patterns;
	void (*patterns_release)(void *patterns);
	void *stack; /* for deep recursion: stack.c */
	bool on_stack;
};

/* Of what was just taken only the first `used` bytes are needed. */
void jq_take_less(struct jq_machine *machine, void *piece, size_t n, size_t used);
/* evaluate.c: the steps of a run that begins. */
void jq_fuel_begin(struct jq_machine *machine);
void jq_memory_reset(struct jq_memory *memory);
void jq_memory_free(struct jq_memory *memory);

/* Ends the run by a limit, at the node where it is; NONE. The first one counts. */
struct jq_value jq_limit_reached(struct jq_machine *machine, enum jq_limit limit);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_JQ_SHAPES_H
#define BENCH_JQ_SHAPES_H

#include <stddef.h>

/*
 * What jq programs in a bus look like: one row for each, run by jq.c on our
 * engine and by jq_libjq.c on libjq, over the same documents.
 */
struct jq_shape {
	const char *name;
	const char *program;
	const char *(*document)(size_t *ret_n); /* made once */
};
extern const struct jq_shape jq_shapes[];
extern const size_t jq_shape_count;

/* Runs one program over its document, `rounds` times; bytes of all results of one round. */
struct jq_engine {
	const char *name;
	void *(*compile)(const char *program);
	size_t (*run)(void *compiled, const char *document, size_t n);
	void (*release)(void *compiled);
};
/* The program: `bench [--rounds N] [--shape NAME]`; prints a JSON object a line. */
int jq_bench_main(const struct jq_engine *engine, int argc, char **argv);

#endif

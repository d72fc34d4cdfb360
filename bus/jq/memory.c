/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a machine: taken in pieces from chunks, given back as a whole
 * when the next run begins. What is given back earlier waits in a list of its
 * size class (powers of two) for the next piece of that size, so that a program
 * that makes and drops a million values needs the memory of a few.
 *
 * The limit counts chunks, which is what the process pays.
 */
#include <stdlib.h>

#include "jq/machine.h"

enum { CLASS_LOWEST = 4 }; /* 16 bytes */
#define CHUNK_FIRST ((size_t)32 * 1024)
#define CHUNK_MOST ((size_t)1024 * 1024)
#define CHUNK_KEPT ((size_t)256 * 1024)

static unsigned class_of(size_t n)
{
	return n <= 16 ? CLASS_LOWEST : 64 - (unsigned)__builtin_clzll((unsigned long long)n - 1);
}

static void chunk_use(struct jq_memory *memory, struct jq_chunk *chunk)
{
	memory->at = (char *)chunk + 16;
	memory->end = (char *)chunk + chunk->size;
}

static bool chunk_add(struct jq_memory *memory, size_t n)
{
	size_t size = memory->chunks ? memory->chunks->size * 2 : CHUNK_FIRST;
	size = size > CHUNK_MOST ? CHUNK_MOST : size;
	size = size < n + 16 ? n + 16 : size;
	if (size > memory->limit || memory->taken > memory->limit - size) {
		size = n + 16; /* the last bit of room */
		if (size > memory->limit || memory->taken > memory->limit - size) {
			return false;
		}
	}
	struct jq_chunk *chunk = malloc(size);
	if (!chunk) {
		return false;
	}
	*chunk = (struct jq_chunk){ .next = memory->chunks, .size = size };
	memory->chunks = chunk;
	memory->taken += size;
	chunk_use(memory, chunk);
	return true;
}

void *jq_take(struct jq_machine *machine, size_t n)
{
	struct jq_memory *memory = &machine->memory;
	unsigned class = class_of(n);
	if (class >= JQ_CLASSES) {
		jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		return NULL;
	}
	/* What is taken is filled: so that the clock is looked at in time where few steps do much. */
	machine->fuel -= (int64_t)(n / 1024);
	struct jq_free *piece = memory->free[class];
	if (piece) {
		memory->free[class] = piece->next;
		return piece;
	}
	size_t size = (size_t)1 << class;
	if ((size_t)(memory->end - memory->at) < size && !chunk_add(memory, size)) {
		jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		return NULL;
	}
	void *taken = memory->at;
	memory->at += size;
	return taken;
}

void jq_take_less(struct jq_machine *machine, void *piece, size_t n, size_t used)
{
	char *at = piece;
	if (at + ((size_t)1 << class_of(n)) == machine->memory.at) {
		machine->memory.at = at + ((used + 15) & ~(size_t)15);
	}
}

void jq_give(struct jq_machine *machine, void *piece, size_t n)
{
	if (piece) {
		unsigned class = class_of(n);
		struct jq_free *free = piece;
		free->next = machine->memory.free[class];
		machine->memory.free[class] = free;
		machine->memory.given |= (uint64_t)1 << class;
	}
}

void jq_memory_reset(struct jq_memory *memory)
{
	struct jq_chunk *kept = NULL;
	for (struct jq_chunk *chunk = memory->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		if (chunk->size <= CHUNK_KEPT && (!kept || chunk->size > kept->size)) {
			free(kept);
			kept = chunk;
		} else {
			free(chunk);
		}
	}
	memory->chunks = kept;
	memory->taken = kept ? kept->size : 0;
	memory->at = memory->end = NULL;
	if (kept) {
		kept->next = NULL;
		chunk_use(memory, kept);
	}
	for (; memory->given; memory->given &= memory->given - 1) {
		memory->free[__builtin_ctzll(memory->given)] = NULL;
	}
}

void jq_memory_free(struct jq_memory *memory)
{
	for (struct jq_chunk *chunk = memory->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	memory->chunks = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory given out in pieces and taken back as a whole. Blocks form a chain;
 * a reset keeps the first one, which has grown to what a usual batch needs.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/arena.h>

#define BLOCK_FIRST ((size_t)16 * 1024)
#define BLOCK_KEPT ((size_t)256 * 1024)
#define ARENA_MAGIC 0x6172656eU

struct block {
	struct block *next;
	size_t size; /* of the room behind this header */
	size_t used;
	size_t pad;
};

struct xylem_arena {
	uint32_t magic;
	size_t limit;
	size_t taken; /* bytes of all blocks */
	size_t used;  /* bytes given out */
	struct block *top;
};

struct xylem_arena *xylem_arena_new(size_t limit)
{
	struct xylem_arena *arena = calloc(1, sizeof(*arena));
	if (arena) {
		arena->magic = ARENA_MAGIC;
		arena->limit = limit;
	}
	return arena;
}

static void blocks_free(struct block *block)
{
	while (block) {
		struct block *next = block->next;
		free(block);
		block = next;
	}
}

struct xylem_arena *xylem_arena_free(struct xylem_arena *arena)
{
	if (arena) {
		assert(arena->magic == ARENA_MAGIC);
		blocks_free(arena->top);
		arena->magic = 0;
		free(arena);
	}
	return NULL;
}

void xylem_arena_reset(struct xylem_arena *arena)
{
	/* The largest block that is small enough is worth keeping. */
	struct block *kept = NULL;
	for (struct block *block = arena->top, *next; block; block = next) {
		next = block->next;
		if (block->size <= BLOCK_KEPT && (!kept || block->size > kept->size)) {
			free(kept);
			kept = block;
		} else {
			free(block);
		}
	}
	if (kept) {
		kept->next = NULL;
		kept->used = 0;
	}
	arena->top = kept;
	arena->taken = kept ? kept->size : 0;
	arena->used = 0;
}

static struct block *block_add(struct xylem_arena *arena, size_t n)
{
	size_t size = arena->top ? arena->top->size * 2 : BLOCK_FIRST;
	if (size > BLOCK_KEPT) {
		size = BLOCK_KEPT;
	}
	if (size < n) {
		size = n;
	}
	size_t total;
	if (__builtin_add_overflow(size, sizeof(struct block), &total)) {
		return NULL;
	}
	if (arena->limit && (n > arena->limit || arena->taken > arena->limit - n)) {
		return NULL;
	}
	struct block *block = malloc(total);
	if (!block) {
		return NULL;
	}
	*block = (struct block){ .next = arena->top, .size = size };
	arena->top = block;
	arena->taken += size;
	return block;
}

static void *take(struct xylem_arena *arena, size_t n, size_t alignment)
{
	assert(arena->magic == ARENA_MAGIC);
	struct block *block = arena->top;
	size_t start = block ? (block->used + alignment - 1) & ~(alignment - 1) : 0;
	if (!block || start > block->size || block->size - start < n) {
		block = block_add(arena, n);
		if (!block) {
			return NULL;
		}
		start = 0;
	}
	block->used = start + n;
	arena->used += n;
	return (char *)(block + 1) + start;
}

void *xylem_arena_take(struct xylem_arena *arena, size_t n)
{
	return take(arena, n, 16);
}

void *xylem_arena_zero(struct xylem_arena *arena, size_t n)
{
	void *piece = take(arena, n, 16);
	if (piece) {
		memset(piece, 0, n);
	}
	return piece;
}

struct xylem_span xylem_arena_copy(struct xylem_arena *arena, struct xylem_span span)
{
	if (!span.at) {
		return XYLEM_SPAN_NONE;
	}
	char *copy = take(arena, span.n ? span.n : 1, 1);
	if (!copy) {
		return XYLEM_SPAN_NONE;
	}
	memcpy(copy, span.at, span.n);
	return xylem_span(copy, span.n);
}

char *xylem_arena_text(struct xylem_arena *arena, struct xylem_span span)
{
	char *copy = take(arena, span.n + 1, 1);
	if (copy) {
		if (span.n) {
			memcpy(copy, span.at, span.n);
		}
		copy[span.n] = '\0';
	}
	return copy;
}

char *xylem_arena_format(struct xylem_arena *arena, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *text = n < 0 ? NULL : take(arena, (size_t)n + 1, 1);
	if (text) {
		va_start(arguments, format);
		vsnprintf(text, (size_t)n + 1, format, arguments);
		va_end(arguments);
	}
	return text;
}

size_t xylem_arena_used(const struct xylem_arena *arena)
{
	return arena->used;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_ARENA_H
#define XYLEM_ARENA_H

#include <xylem/span.h>
#include <xylem/visible.h>

/*
 * Memory that is given out in pieces and taken back as a whole: one arena for
 * a batch of messages. Pieces are aligned to 16 bytes, except copied text. One
 * thread at a time. NULL when memory or the arena's limit is exhausted.
 */
struct xylem_arena;

/* `limit`: bytes it may hold in all; 0 for none. */
XYLEM_PUBLIC struct xylem_arena *xylem_arena_new(size_t limit);
XYLEM_PUBLIC struct xylem_arena *xylem_arena_free(struct xylem_arena *arena);
/* Everything given out becomes invalid; up to 256 KiB of memory is kept for reuse. */
XYLEM_PUBLIC void xylem_arena_reset(struct xylem_arena *arena);
XYLEM_PUBLIC void *xylem_arena_take(struct xylem_arena *arena, size_t n);
XYLEM_PUBLIC void *xylem_arena_zero(struct xylem_arena *arena, size_t n);
XYLEM_PUBLIC struct xylem_span xylem_arena_copy(struct xylem_arena *arena, struct xylem_span span);
/* Terminated copy. */
XYLEM_PUBLIC char *xylem_arena_text(struct xylem_arena *arena, struct xylem_span span);
XYLEM_PUBLIC char *xylem_arena_format(struct xylem_arena *arena, const char *format, ...) XYLEM_PRINTF(2, 3);
XYLEM_PUBLIC size_t xylem_arena_used(const struct xylem_arena *arena);

#endif

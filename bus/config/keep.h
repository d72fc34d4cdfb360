/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_KEEP_H
#define CONFIG_KEEP_H

#include <xylem/arena.h>
#include <xylem/json.h>
#include <xylem/option.h>

/*
 * What the filled structs of one generation point at: text and arrays in an
 * arena, secrets (wiped at the end) and compiled JSON pointers. One thread
 * fills it; after that it is read only.
 */
struct keep {
	struct xylem_arena *arena;
	struct xylem_secret *secrets;
	struct keep_pointer *pointers;
};

/* `limit`: bytes that the arena may hold; 0: none. -XYLEM_E_MEMORY. */
int keep_init(struct keep *keep, size_t limit);
/* Wipes the secrets. Takes a zeroed one. */
void keep_finish(struct keep *keep);

/* Room for a secret of up to `room` bytes, to be written by the caller; NULL: no memory. */
struct xylem_secret *keep_secret(struct keep *keep, size_t room);
char *keep_secret_room(struct xylem_secret *secret);
/* Says how many bytes were written. They are terminated here. */
void keep_secret_set(struct xylem_secret *secret, size_t n);

/* Takes the pointer over, also when it fails. -XYLEM_E_MEMORY. */
int keep_pointer_take(struct keep *keep, struct xylem_json_pointer *pointer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory behind filled options. Everything that can lie in an arena does;
 * secrets lie apart, in memory of their own that is overwritten before it is
 * given back, so that a freed generation leaves none of them behind. The rule:
 * a secret's bytes are never copied into the arena, a report or a log.
 */
#include <errno.h>
#include <stdlib.h>

#include <xylem/error.h>

#include <config/keep.h>

struct xylem_secret {
	struct xylem_secret *next;
	size_t room;
	size_t n;
	char bytes[];
};

struct keep_pointer {
	struct keep_pointer *next;
	struct xylem_json_pointer *pointer;
};

int keep_init(struct keep *keep, size_t limit)
{
	*keep = (struct keep){ .arena = xylem_arena_new(limit) };
	return keep->arena ? 0 : -XYLEM_E_MEMORY;
}

static void secrets_free(struct xylem_secret *secret)
{
	while (secret) {
		struct xylem_secret *next = secret->next;
		explicit_bzero(secret, sizeof(*secret) + secret->room + 1);
		free(secret);
		secret = next;
	}
}

void keep_finish(struct keep *keep)
{
	secrets_free(keep->secrets);
	while (keep->pointers) {
		struct keep_pointer *next = keep->pointers->next;
		xylem_json_pointer_free(keep->pointers->pointer);
		free(keep->pointers);
		keep->pointers = next;
	}
	xylem_arena_free(keep->arena);
	*keep = (struct keep){ 0 };
}

struct xylem_secret *keep_secret(struct keep *keep, size_t room)
{
	struct xylem_secret *secret = calloc(1, sizeof(*secret) + room + 1);
	if (secret) {
		secret->room = room;
		secret->next = keep->secrets;
		keep->secrets = secret;
	}
	return secret;
}

char *keep_secret_room(struct xylem_secret *secret)
{
	return secret->bytes;
}

void keep_secret_set(struct xylem_secret *secret, size_t n)
{
	secret->n = n;
	secret->bytes[n] = '\0';
}

struct xylem_span xylem_secret_borrow(const struct xylem_secret *secret)
{
	return secret ? xylem_span(secret->bytes, secret->n) : XYLEM_SPAN_NONE;
}

int keep_pointer_take(struct keep *keep, struct xylem_json_pointer *pointer)
{
	struct keep_pointer *link = malloc(sizeof(*link));
	if (!link) {
		xylem_json_pointer_free(pointer);
		return -XYLEM_E_MEMORY;
	}
	*link = (struct keep_pointer){ .next = keep->pointers, .pointer = pointer };
	keep->pointers = link;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_TOKEN_H
#define CONSOLE_TOKEN_H

#include <xylem/error.h>
#include <xylem/span.h>

/*
 * The first admin token: 256 random bits in DATA/admin.token (0600), made at
 * the first start. It belongs to the built-in user `admin`. Only its SHA-256
 * stays in memory.
 */
struct admin_token {
	unsigned char sha256[32];
	char path[512];
};

/*
 * Reads it, or makes it (written whole, synced, then renamed into place). A
 * file that others may read is refused: -XYLEM_E_INVALID; -XYLEM_E_IO.
 */
int admin_token_init(struct admin_token *token, const char *data_folder, struct xylem_reason *reason);
/* Takes the same time for every token. */
bool admin_token_is(const struct admin_token *token, struct xylem_span given);

/* Writes a small file whole or not at all: a temporary one beside it, synced, renamed. 0 or -XYLEM_E_IO. */
int file_replace(const char *path, struct xylem_span text, unsigned mode, struct xylem_reason *reason);

#endif

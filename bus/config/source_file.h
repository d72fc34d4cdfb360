/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SOURCE_FILE_H
#define CONFIG_SOURCE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <xylem/arena.h>
#include <xylem/error.h>

/*
 * Files that the configuration is made of. Only regular files are read (never
 * a pipe or device: reading must not wait), and never more than `limit` bytes.
 */
#define SOURCE_FILE_LIMIT ((size_t)16 * 1024 * 1024) /* of one file named in an option */
#define SOURCE_SECRET_LIMIT ((size_t)64 * 1024)

/* -XYLEM_E_NOT_FOUND, -XYLEM_E_TOO_LARGE, -XYLEM_E_INVALID (not a regular file), -XYLEM_E_IO; the reason names no path. */
int source_file_open(const char *path, size_t limit, int *ret_descriptor, struct stat *ret_status,
	struct xylem_reason *reason);
/* Reads all into `bytes`, which has room for `limit`; the descriptor is closed in every case. */
int source_file_read(int descriptor, char *bytes, size_t limit, size_t *ret_n, struct xylem_reason *reason);

/* Open and read into the arena, terminated. */
int source_file_take(const char *path, size_t limit, struct xylem_arena *arena, struct xylem_span *ret_bytes,
	struct xylem_reason *reason);

/* The path as an absolute one, from `folder` when it is relative; in the arena, NULL: no memory. */
const char *source_file_path(struct xylem_arena *arena, const char *folder, const char *path);
/* Absolute folder in which the file `path` stands; in the arena. */
const char *source_file_folder(struct xylem_arena *arena, const char *path);

#endif

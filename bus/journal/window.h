/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_WINDOW_H
#define JOURNAL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/io.h>

/*
 * A part of a file in memory, moved along as it is read. With no `file` it is
 * all of the bytes it was given: so that what reads files can be tested and
 * fuzzed on bytes.
 */
struct window {
	struct io *io;
	struct io_file *file;
	uint64_t end; /* nothing is read at or beyond it */
	char *bytes;
	size_t n, room;
	uint64_t at; /* where in the file bytes[0] stands */
	int error;   /* the first -errno of reading, or -ENOMEM; the rest then looks like the end */
};

void journal_window_init(struct window *window, struct io *io, struct io_file *file, uint64_t end);
void journal_window_init_bytes(struct window *window, const char *bytes, size_t n);
void journal_window_finish(struct window *window);

/*
 * At least `n` bytes at `at`, valid until the next call, or NULL when the file
 * ends before them. *ret_n, if given, is how many there are (n or more).
 */
const char *journal_window_need(struct window *window, uint64_t at, size_t n, size_t *ret_n);

#endif

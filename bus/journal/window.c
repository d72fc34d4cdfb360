/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a segment front to back in large steps, by pread: an I/O error has
 * to be an error, and with mapped memory it would be a signal.
 */
#include <journal/window.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP ((size_t)1024 * 1024)

void journal_window_init(struct window *window, struct io *io, struct io_file *file, uint64_t end)
{
	*window = (struct window){ .io = io, .file = file, .end = end };
}

void journal_window_init_bytes(struct window *window, const char *bytes, size_t n)
{
	/* Never written to without a file. */
	*window = (struct window){ .end = n, .bytes = (char *)(uintptr_t)bytes, .n = n };
}

void journal_window_finish(struct window *window)
{
	if (window->file) {
		free(window->bytes);
	}
	window->bytes = NULL;
	window->n = window->room = 0;
}

static bool window_grow(struct window *window, size_t room)
{
	if (window->room >= room) {
		return true;
	}
	char *bytes = realloc(window->bytes, room);
	if (!bytes) {
		window->error = -ENOMEM;
		return false;
	}
	window->bytes = bytes;
	window->room = room;
	return true;
}

/* Reads [at, at + n) and what fits behind it. */
static void window_fill(struct window *window, uint64_t at, size_t n)
{
	size_t room = n > STEP ? n : STEP;
	window->n = 0;
	window->at = at;
	if (window->error || !window_grow(window, room)) {
		return;
	}
	uint64_t left = window->end - at;
	ssize_t got = window->io->pread(
		window->io, window->file, window->bytes, left < room ? (size_t)left : room, at);
	if (got < 0) {
		window->error = (int)got;
		return;
	}
	window->n = (size_t)got;
}

const char *journal_window_need(struct window *window, uint64_t at, size_t n, size_t *ret_n)
{
	if (at > window->end || n > window->end - at) {
		return NULL;
	}
	if (window->file &&
		(at < window->at || at - window->at > window->n || window->n - (at - window->at) < n)) {
		window_fill(window, at, n);
	}
	if (at < window->at || at - window->at > window->n || window->n - (at - window->at) < n) {
		return NULL;
	}
	if (ret_n) {
		*ret_n = window->n - (size_t)(at - window->at);
	}
	return window->bytes + (at - window->at);
}

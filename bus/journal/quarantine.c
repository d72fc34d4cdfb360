/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged bytes are put aside for a person to look at, since the segment that
 * holds them will be trimmed one day. The copy is not what recovery rests on.
 */
#include <journal/quarantine.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include <journal/window.h>

static void copy(struct io *io, struct io_file *from, const struct damage *damage, struct io_file *to)
{
	enum { CHUNK = 256 * 1024 };
	struct window window;
	journal_window_init(&window, io, from, damage->at + damage->length);
	for (uint64_t done = 0; done < damage->length;) {
		size_t n = damage->length - done < CHUNK ? (size_t)(damage->length - done) : CHUNK;
		const char *bytes = journal_window_need(&window, damage->at + done, n, NULL);
		if (!bytes || io->pwrite(io, to, bytes, n, done) != 0) {
			break;
		}
		done += n;
	}
	journal_window_finish(&window);
	io->fdatasync(io, to);
}

void journal_quarantine_copy(
	struct io *io, const char *folder, const struct segment *segment, const struct damage *damage)
{
	char path[PATH_MAX];
	struct io_file *to;
	if (damage->length == 0 || !segment->file ||
		snprintf(path, sizeof(path), "%s/quarantine", folder) >= (int)sizeof(path)) {
		return;
	}
	mkdir(path, 0700);
	if (snprintf(path, sizeof(path), "%s/quarantine/%020" PRIu64 "-%" PRIu64 "-%" PRIu64, folder,
		    segment->header.base, damage->at, damage->length) >= (int)sizeof(path) ||
		io->open(io, path, O_RDWR | O_CREAT | O_EXCL, 0600, &to) != 0) {
		return;
	}
	copy(io, segment->file, damage, to);
	io->close(io, to);
}

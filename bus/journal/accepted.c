/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of accepted damage: FOLDER/accepted, one line for each stretch,
 * `segment byte length first end`, in decimal. A stretch counts as accepted
 * only if every number is the same, so that further damage is told of again.
 */
#include <journal/accepted.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/buffer.h>

#define ACCEPTED_MAX ((int64_t)1024 * 1024)

int journal_accepted_add(struct accepted *accepted, uint64_t base, const struct damage *damage)
{
	if (accepted->n == accepted->room) {
		size_t room = accepted->room ? accepted->room * 2 : 8;
		struct accepted_row *rows = realloc(accepted->rows, room * sizeof(*rows));
		if (!rows) {
			return -XYLEM_E_MEMORY;
		}
		accepted->rows = rows;
		accepted->room = room;
	}
	accepted->rows[accepted->n++] = (struct accepted_row){ base, *damage };
	return 0;
}

void journal_accepted_finish(struct accepted *accepted)
{
	free(accepted->rows);
	*accepted = (struct accepted){ 0 };
}

bool journal_accepted_has(const struct accepted *accepted, uint64_t base, const struct damage *damage)
{
	for (size_t i = 0; i < accepted->n; i++) {
		const struct accepted_row *row = &accepted->rows[i];
		if (row->base == base && row->damage.at == damage->at &&
			row->damage.length == damage->length && row->damage.first == damage->first &&
			row->damage.end == damage->end) {
			return true;
		}
	}
	return false;
}

int journal_accepted_parse(struct accepted *accepted, const char *text, size_t n)
{
	int error = 0;
	while (n > 0 && error == 0) {
		const char *newline = memchr(text, '\n', n);
		size_t length = newline ? (size_t)(newline - text) : n;
		char line[128];
		struct accepted_row row;
		if (length < sizeof(line)) {
			memcpy(line, text, length);
			line[length] = '\0';
			if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
				    &row.base, &row.damage.at, &row.damage.length, &row.damage.first,
				    &row.damage.end) == 5) {
				error = journal_accepted_add(accepted, row.base, &row.damage);
			}
		}
		n -= newline ? length + 1 : length;
		text += newline ? length + 1 : length;
	}
	return error;
}

int journal_accepted_load(struct accepted *accepted, struct io *io, const char *folder)
{
	char path[PATH_MAX];
	struct io_file *file;
	*accepted = (struct accepted){ 0 };
	if (snprintf(path, sizeof(path), "%s/accepted", folder) >= (int)sizeof(path) ||
		io->open(io, path, O_RDONLY, 0, &file) != 0) {
		return 0;
	}
	int error = 0;
	int64_t size = io->size(io, file);
	char *text = size > 0 && size <= ACCEPTED_MAX ? malloc((size_t)size) : NULL;
	if (text && io->pread(io, file, text, (size_t)size, 0) == size) {
		error = journal_accepted_parse(accepted, text, (size_t)size);
	}
	free(text);
	io->close(io, file);
	return error;
}

static int text_put(struct io *io, const char *path, struct xylem_span text)
{
	struct io_file *file;
	int error = io->open(io, path, O_RDWR | O_CREAT | O_TRUNC, 0600, &file);
	if (error == 0) {
		error = io->pwrite(io, file, text.at, text.n, 0);
		error = error ? error : io->fdatasync(io, file);
		io->close(io, file);
	}
	return error;
}

int journal_accepted_save(const struct accepted *accepted, struct io *io, const char *folder)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	for (size_t i = 0; i < accepted->n; i++) {
		const struct accepted_row *row = &accepted->rows[i];
		xylem_buffer_format(&text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			row->base, row->damage.at, row->damage.length, row->damage.first, row->damage.end);
	}
	char path[PATH_MAX], temporary[PATH_MAX];
	if (xylem_buffer_failed(&text)) {
		return -XYLEM_E_MEMORY;
	}
	if (snprintf(path, sizeof(path), "%s/accepted", folder) >= (int)sizeof(path) ||
		snprintf(temporary, sizeof(temporary), "%s/accepted.new", folder) >= (int)sizeof(temporary) ||
		text_put(io, temporary, xylem_buffer_borrow(&text)) != 0 ||
		io->rename(io, temporary, path) != 0 || io->sync_folder(io, folder) != 0) {
		return -XYLEM_E_IO;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of the journal: made, locked, listed. Nothing but names is looked
 * at here; names that are not the journal's own are left alone.
 */
#include <journal/folder.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <journal/segment.h>

int journal_folder_make(struct io *io, const char *path, struct xylem_reason *reason)
{
	char parent[PATH_MAX];
	if (snprintf(parent, sizeof(parent), "%s", path) >= (int)sizeof(parent)) {
		xylem_reason_set(reason, "the path of the journal is too long: %s", path);
		return -XYLEM_E_INVALID;
	}
	if (mkdir(path, 0700) == 0) {
		char *slash = strrchr(parent, '/');
		if (slash) {
			*(slash == parent ? slash + 1 : slash) = '\0';
		}
		int error = io->sync_folder(io, slash ? parent : ".");
		if (error == 0) {
			return 0;
		}
		errno = -error;
	}
	if (errno == EEXIST) {
		return 0;
	}
	int error = errno;
	xylem_reason_set(reason, "%s cannot be made: %s", path, strerrordesc_np(error));
	return error == ENOSPC || error == EDQUOT ? -XYLEM_E_FULL : -XYLEM_E_IO;
}

int journal_folder_lock(
	struct io *io, const char *path, struct io_file **ret_file, struct xylem_reason *reason)
{
	char name[PATH_MAX];
	struct io_file *file;
	int error = snprintf(name, sizeof(name), "%s/lock", path) < (int)sizeof(name) ? 0 : -ENAMETOOLONG;
	error = error ? error : io->open(io, name, O_RDWR | O_CREAT, 0600, &file);
	if (error) {
		xylem_reason_set(reason, "%s/lock cannot be opened: %s", path, strerrordesc_np(-error));
		return journal_segment_error(error) == -XYLEM_E_FULL ? -XYLEM_E_FULL : -XYLEM_E_IO;
	}
	if (flock(io->descriptor(file), LOCK_EX | LOCK_NB) != 0) {
		error = errno;
		io->close(io, file);
		xylem_reason_set(reason,
			error == EWOULDBLOCK ? "%s is used by another process: one bus a folder"
					     : "%s cannot be locked",
			path);
		return error == EWOULDBLOCK ? -XYLEM_E_BUSY : -XYLEM_E_IO;
	}
	*ret_file = file;
	return 0;
}

/* --- Listing -------------------------------------------------------------- */

static bool number_add(uint64_t **numbers, size_t *n, size_t *room, uint64_t number)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 16;
		uint64_t *grown = realloc(*numbers, more * sizeof(*grown));
		if (!grown) {
			return false;
		}
		*numbers = grown;
		*room = more;
	}
	(*numbers)[(*n)++] = number;
	return true;
}

/* Decimal digits up to `suffix`, and nothing else. */
static bool number_parse(const char *text, const char *suffix, uint64_t *ret_number)
{
	char *end;
	if (*text < '0' || *text > '9') {
		return false;
	}
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno == 0 && strcmp(end, suffix) == 0;
}

static bool name_take(struct folder *folder, const char *name)
{
	uint64_t number;
	if (strlen(name) == 20 + strlen(SEGMENT_SUFFIX) && number_parse(name, SEGMENT_SUFFIX, &number)) {
		return number_add(&folder->segments, &folder->segment_count, &folder->segment_room, number);
	}
	if (strncmp(name, SPARE_PREFIX, strlen(SPARE_PREFIX)) == 0 &&
		number_parse(name + strlen(SPARE_PREFIX), "", &number)) {
		return number_add(&folder->spares, &folder->spare_count, &folder->spare_room, number);
	}
	folder->reserve |= strcmp(name, "reserve") == 0;
	return true;
}

static int number_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int journal_folder_list(struct folder *folder, const char *path, struct xylem_reason *reason)
{
	*folder = (struct folder){ 0 };
	DIR *stream = opendir(path);
	if (!stream) {
		xylem_reason_set(reason, "%s cannot be listed: %s", path, strerrordesc_np(errno));
		return -XYLEM_E_IO;
	}
	bool room = true;
	const struct dirent *entry;
	errno = 0;
	while (room && (entry = readdir(stream))) {
		room = name_take(folder, entry->d_name);
		errno = 0;
	}
	int error = !room ? -XYLEM_E_MEMORY : errno ? -XYLEM_E_IO : 0;
	closedir(stream);
	if (error) {
		xylem_reason_set(reason, "%s cannot be listed", path);
		journal_folder_finish(folder);
		return error;
	}
	if (folder->segment_count > 0) {
		qsort(folder->segments, folder->segment_count, sizeof(uint64_t), number_compare);
	}
	return 0;
}

void journal_folder_finish(struct folder *folder)
{
	free(folder->segments);
	free(folder->spares);
	*folder = (struct folder){ 0 };
}

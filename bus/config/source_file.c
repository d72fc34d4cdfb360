/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the files of a configuration, bounded and without waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <config/source_file.h>

static int open_failed(struct xylem_reason *reason)
{
	int error = errno == ENOENT || errno == ENOTDIR ? -XYLEM_E_NOT_FOUND : -XYLEM_E_IO;
	xylem_reason_set(reason, "cannot be opened: %s", strerror(errno));
	return error;
}

int source_file_open(const char *path, size_t limit, int *ret_descriptor, struct stat *ret_status,
	struct xylem_reason *reason)
{
	struct stat status;
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (descriptor < 0) {
		return open_failed(reason);
	}
	int error = 0;
	if (fstat(descriptor, &status) < 0) {
		error = open_failed(reason);
	} else if (!S_ISREG(status.st_mode)) {
		error = -XYLEM_E_INVALID;
		xylem_reason_set(reason, "is not a regular file");
	} else if ((uintmax_t)status.st_size > limit) {
		error = -XYLEM_E_TOO_LARGE;
		xylem_reason_set(reason, "is larger than the limit of %zu bytes", limit);
	}
	if (error) {
		close(descriptor);
		return error;
	}
	*ret_descriptor = descriptor;
	*ret_status = status;
	return 0;
}

int source_file_read(int descriptor, char *bytes, size_t limit, size_t *ret_n, struct xylem_reason *reason)
{
	size_t n = 0;
	ssize_t got = 1;
	while (n < limit && got != 0) {
		got = read(descriptor, bytes + n, limit - n);
		if (got < 0 && errno != EINTR) {
			xylem_reason_set(reason, "cannot be read: %s", strerror(errno));
			close(descriptor);
			return -XYLEM_E_IO;
		}
		n += got > 0 ? (size_t)got : 0;
	}
	close(descriptor);
	*ret_n = n;
	return 0;
}

int source_file_take(const char *path, size_t limit, struct xylem_arena *arena, struct xylem_span *ret_bytes,
	struct xylem_reason *reason)
{
	int descriptor;
	struct stat status;
	int error = source_file_open(path, limit, &descriptor, &status, reason);
	if (error) {
		return error;
	}
	size_t n = (size_t)status.st_size;
	char *bytes = xylem_arena_take(arena, n + 1);
	if (!bytes) {
		close(descriptor);
		xylem_reason_set(reason, "needs more memory than the configuration may have");
		return -XYLEM_E_MEMORY;
	}
	error = source_file_read(descriptor, bytes, n, &n, reason);
	if (!error) {
		bytes[n] = '\0';
		*ret_bytes = xylem_span(bytes, n);
	}
	return error;
}

const char *source_file_path(struct xylem_arena *arena, const char *folder, const char *path)
{
	while (strncmp(path, "./", 2) == 0) {
		path += 2 + strspn(path + 2, "/");
	}
	if (path[0] == '/' || !folder) {
		return xylem_arena_text(arena, xylem_span_of(path));
	}
	if (strcmp(path, ".") == 0 || !*path) {
		return folder;
	}
	return xylem_arena_format(arena, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
}

const char *source_file_folder(struct xylem_arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *folder = slash ? xylem_arena_text(arena, xylem_span(path, (size_t)(slash - path))) : ".";
	if (!folder) {
		return NULL;
	}
	char *real = realpath(slash == path ? "/" : folder, NULL);
	const char *copy = real ? xylem_arena_text(arena, xylem_span_of(real)) : folder;
	free(real);
	return copy;
}

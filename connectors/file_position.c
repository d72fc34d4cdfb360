/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How far a followed file has been handed in: one line of text in a file that
 * is replaced as a whole.
 *
 * The rule not to break: written and synced only after the journal has what
 * the position covers. Behind, lines come in twice with the same ids; ahead,
 * they would be lost.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/hash.h>
#include <connectors/file_position.h>

int file_position_parse(struct xylem_span text, struct file_position *ret_position)
{
	char line[256];
	struct file_position position = { 0 };
	int end = 0;
	if (text.n >= sizeof(line)) {
		return -XYLEM_E_INVALID;
	}
	memcpy(line, text.at ? text.at : "", text.n);
	line[text.n] = '\0';
	int read = sscanf(line,
		"xylem-file-1 %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNx32 " %36[0-9a-f-]\n%n",
		&position.device, &position.inode, &position.offset, &position.head_n, &position.head_sum,
		position.generation, &end);
	if (read != 6 || (size_t)end != text.n || line[text.n - 1] != '\n' ||
		strlen(position.generation) != 36 || position.head_n > FILE_POSITION_HEAD) {
		return -XYLEM_E_INVALID;
	}
	*ret_position = position;
	return 0;
}

size_t file_position_format(const struct file_position *position, char text[256])
{
	return (size_t)snprintf(text, 256,
		"xylem-file-1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %08" PRIx32 " %s\n",
		position->device, position->inode, position->offset, position->head_n, position->head_sum,
		position->generation);
}

int file_position_load(const char *path, struct file_position *ret_position, struct xylem_reason *reason)
{
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		xylem_reason_set(reason, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? -XYLEM_E_NOT_FOUND : -XYLEM_E_IO;
	}
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0 || file_position_parse(xylem_span(text, (size_t)n), ret_position)) {
		xylem_reason_set(reason,
			"%s is not a position: remove it to read the followed file from its beginning", path);
		return -XYLEM_E_DAMAGED;
	}
	return 0;
}

static bool written(int fd, const char *text, size_t n)
{
	return write(fd, text, n) == (ssize_t)n && fdatasync(fd) == 0;
}

/* The rename is on disk when the folder is. */
static bool folder_sync(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

int file_position_save(const char *path, const struct file_position *position, struct xylem_reason *reason)
{
	char text[256], next[4096];
	size_t n = file_position_format(position, text);
	snprintf(next, sizeof(next), "%s.next", path);
	int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && written(fd, text, n);
	int error = errno;
	if (fd >= 0) {
		close(fd);
	}
	errno = error;
	if (!ok || rename(next, path) < 0 || !folder_sync(path)) {
		xylem_reason_set(reason, "%s: %s", path, strerror(errno));
		return -XYLEM_E_IO;
	}
	return 0;
}

static bool head_sum(int fd, uint32_t n, uint32_t *ret_sum)
{
	char head[FILE_POSITION_HEAD];
	if (pread(fd, head, n, 0) != (ssize_t)n) {
		return false;
	}
	*ret_sum = crc32c(0, head, n);
	return true;
}

int file_position_head(struct file_position *position, int fd)
{
	uint32_t n = position->offset < FILE_POSITION_HEAD ? (uint32_t)position->offset : FILE_POSITION_HEAD;
	if (n == position->head_n) {
		return 0;
	}
	uint32_t sum = 0;
	if (!head_sum(fd, n, &sum)) {
		return -XYLEM_E_IO;
	}
	position->head_n = n;
	position->head_sum = sum;
	return 0;
}

bool file_position_fits(const struct file_position *position, int fd)
{
	struct stat status;
	uint32_t sum = 0;
	return fstat(fd, &status) == 0 && status.st_dev == position->device &&
	       status.st_ino == position->inode && (uint64_t)status.st_size >= position->offset &&
	       head_sum(fd, position->head_n, &sum) && sum == position->head_sum;
}

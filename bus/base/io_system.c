/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O seam as the system calls it stands for. A failed fdatasync is
 * returned, never tried again: the kernel may have marked the pages clean
 * (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/io.h>

struct io_file {
	int descriptor;
};

static int system_open(struct io *io, const char *path, int flags, mode_t mode, struct io_file **ret_file)
{
	(void)io;
	struct io_file *file = malloc(sizeof(*file));
	if (!file) {
		return -ENOMEM;
	}
	do {
		file->descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
	} while (file->descriptor < 0 && errno == EINTR);
	if (file->descriptor < 0) {
		int error = errno;
		free(file);
		return -error;
	}
	*ret_file = file;
	return 0;
}

static void system_close(struct io *io, struct io_file *file)
{
	(void)io;
	if (file) {
		close(file->descriptor);
		free(file);
	}
}

static ssize_t system_pread(struct io *io, struct io_file *file, void *bytes, size_t n, uint64_t at)
{
	(void)io;
	size_t done = 0;
	while (done < n) {
		ssize_t got = pread(file->descriptor, (char *)bytes + done, n - done, (off_t)(at + done));
		if (got == 0) {
			break;
		}
		if (got < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -errno;
		}
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int system_pwrite(struct io *io, struct io_file *file, const void *bytes, size_t n, uint64_t at)
{
	(void)io;
	size_t done = 0;
	while (done < n) {
		ssize_t put = pwrite(
			file->descriptor, (const char *)bytes + done, n - done, (off_t)(at + done));
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put <= 0) {
			return put < 0 ? -errno : -ENOSPC;
		}
		done += (size_t)put;
	}
	return 0;
}

static int system_fdatasync(struct io *io, struct io_file *file)
{
	(void)io;
	return fdatasync(file->descriptor) == 0 ? 0 : -errno;
}

static int system_allocate(struct io *io, struct io_file *file, uint64_t size)
{
	(void)io;
	int failed;
	do {
		failed = fallocate(file->descriptor, 0, 0, (off_t)size) == 0 ? 0 : errno;
	} while (failed == EINTR);
	return -failed;
}

static int system_truncate(struct io *io, struct io_file *file, uint64_t size)
{
	(void)io;
	return ftruncate(file->descriptor, (off_t)size) == 0 ? 0 : -errno;
}

static int64_t system_size(struct io *io, struct io_file *file)
{
	(void)io;
	struct stat status;
	return fstat(file->descriptor, &status) == 0 ? (int64_t)status.st_size : -errno;
}

static int system_rename(struct io *io, const char *from, const char *to)
{
	(void)io;
	return rename(from, to) == 0 ? 0 : -errno;
}

static int system_unlink(struct io *io, const char *path)
{
	(void)io;
	return unlink(path) == 0 ? 0 : -errno;
}

static int system_sync_folder(struct io *io, const char *path)
{
	(void)io;
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		return -errno;
	}
	int result = fsync(folder) == 0 ? 0 : -errno;
	close(folder);
	return result;
}

static int system_descriptor(struct io_file *file)
{
	return file->descriptor;
}

struct io *io_system(void)
{
	static struct io io = {
		.open = system_open,
		.close = system_close,
		.pread = system_pread,
		.pwrite = system_pwrite,
		.fdatasync = system_fdatasync,
		.allocate = system_allocate,
		.truncate = system_truncate,
		.size = system_size,
		.rename = system_rename,
		.unlink = system_unlink,
		.sync_folder = system_sync_folder,
		.descriptor = system_descriptor,
	};
	return &io;
}

#ifndef XYLEM_TEST_SEAMS
struct io *io_chosen(void)
{
	return io_system();
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The I/O seam: every file that a promise rests on (journal, catalogue) is
 * reached through one of these. `io_system()` is the system calls. Test builds
 * have two more, chosen by the environment variable XYLEM_IO (bus/base/io_volatile.c):
 * writes held in process memory until they are synced, so that kill -9 is a
 * power loss; and the same with syncs that do nothing, the negative control.
 *
 * Calls return what the system call returns, or -errno. EINTR and short writes
 * are handled inside: pwrite writes all or fails.
 */
struct io_file; /* an open file; its descriptor number is not promised */

struct io {
	int (*open)(struct io *io, const char *path, int flags, mode_t mode, struct io_file **ret_file);
	void (*close)(struct io *io, struct io_file *file);
	ssize_t (*pread)(struct io *io, struct io_file *file, void *bytes, size_t n, uint64_t at);
	int (*pwrite)(struct io *io, struct io_file *file, const void *bytes, size_t n, uint64_t at);
	int (*fdatasync)(struct io *io, struct io_file *file);
	int (*allocate)(
		struct io *io, struct io_file *file, uint64_t size); /* fallocate from 0; extends the size */
	int (*truncate)(struct io *io, struct io_file *file, uint64_t size);
	int64_t (*size)(struct io *io, struct io_file *file);
	int (*rename)(struct io *io, const char *from, const char *to);
	int (*unlink)(struct io *io, const char *path);
	int (*sync_folder)(struct io *io, const char *path); /* fsync of the directory */
	/* Descriptor for locks and statfs only. */
	int (*descriptor)(struct io_file *file);
};

/* The system calls; static, never freed. */
struct io *io_system(void);

/* What XYLEM_IO asks for in builds with the test seam; io_system() otherwise. */
struct io *io_chosen(void);

#endif

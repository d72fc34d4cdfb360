/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th fault: a loop that fails the first call, then the second and so on
 * until a run meets no fault goes through every error path that I/O has (the
 * method is SQLite's, sqlite.org/testing.html).
 *
 * Files and answers are those of the implementation underneath; only the
 * counting is here.
 */
#include <base/io_fault.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault {
	struct io io; /* first: what callers see */
	struct io *under;
	char op[16];
	uint64_t nth;
	bool and_later;
	int error;
	_Atomic uint64_t calls;
	atomic_bool fired, healed;
};

/* 0, or what the call is to answer. */
static int fault_meet(struct io *io, const char *op)
{
	struct fault *fault = (struct fault *)io;
	if (strcmp(fault->op, "any") != 0 && strcmp(fault->op, op) != 0) {
		return 0;
	}
	uint64_t call = atomic_fetch_add(&fault->calls, 1) + 1;
	if (atomic_load(&fault->healed) || call < fault->nth || (call > fault->nth && !fault->and_later)) {
		return 0;
	}
	atomic_store(&fault->fired, true);
	if (fault->error == IO_FAULT_KILL) {
		kill(getpid(), SIGKILL);
	}
	return -fault->error;
}

static struct io *under(struct io *io)
{
	return ((struct fault *)io)->under;
}

static int fault_open(struct io *io, const char *path, int flags, mode_t mode, struct io_file **ret_file)
{
	int error = fault_meet(io, "open");
	return error ? error : under(io)->open(under(io), path, flags, mode, ret_file);
}

static void fault_close(struct io *io, struct io_file *file)
{
	under(io)->close(under(io), file);
}

static ssize_t fault_pread(struct io *io, struct io_file *file, void *bytes, size_t n, uint64_t at)
{
	int error = fault_meet(io, "pread");
	return error ? error : under(io)->pread(under(io), file, bytes, n, at);
}

/* A failed write leaves half of its bytes behind, as a full disk does. */
static int fault_pwrite(struct io *io, struct io_file *file, const void *bytes, size_t n, uint64_t at)
{
	int error = fault_meet(io, "pwrite");
	int result = under(io)->pwrite(under(io), file, bytes, error ? n / 2 : n, at);
	return error ? error : result;
}

static int fault_fdatasync(struct io *io, struct io_file *file)
{
	int error = fault_meet(io, "fdatasync");
	return error ? error : under(io)->fdatasync(under(io), file);
}

static int fault_allocate(struct io *io, struct io_file *file, uint64_t size)
{
	int error = fault_meet(io, "allocate");
	return error ? error : under(io)->allocate(under(io), file, size);
}

static int fault_truncate(struct io *io, struct io_file *file, uint64_t size)
{
	int error = fault_meet(io, "truncate");
	return error ? error : under(io)->truncate(under(io), file, size);
}

static int64_t fault_size(struct io *io, struct io_file *file)
{
	int error = fault_meet(io, "size");
	return error ? error : under(io)->size(under(io), file);
}

static int fault_rename(struct io *io, const char *from, const char *to)
{
	int error = fault_meet(io, "rename");
	return error ? error : under(io)->rename(under(io), from, to);
}

static int fault_unlink(struct io *io, const char *path)
{
	int error = fault_meet(io, "unlink");
	return error ? error : under(io)->unlink(under(io), path);
}

static int fault_sync_folder(struct io *io, const char *path)
{
	int error = fault_meet(io, "sync_folder");
	return error ? error : under(io)->sync_folder(under(io), path);
}

struct io *io_fault_new(struct io *lower, const char *op, uint64_t nth, bool and_later, int error)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	if (!fault || strlen(op) >= sizeof(fault->op)) {
		free(fault);
		return NULL;
	}
	fault->io = (struct io){
		.open = fault_open,
		.close = fault_close,
		.pread = fault_pread,
		.pwrite = fault_pwrite,
		.fdatasync = fault_fdatasync,
		.allocate = fault_allocate,
		.truncate = fault_truncate,
		.size = fault_size,
		.rename = fault_rename,
		.unlink = fault_unlink,
		.sync_folder = fault_sync_folder,
		.descriptor = lower->descriptor,
	};
	fault->under = lower;
	strcpy(fault->op, op);
	fault->nth = nth;
	fault->and_later = and_later;
	fault->error = error;
	return &fault->io;
}

struct io *io_fault_free(struct io *io)
{
	free(io);
	return NULL;
}

uint64_t io_fault_calls(struct io *io)
{
	return atomic_load(&((struct fault *)io)->calls);
}

bool io_fault_fired(struct io *io)
{
	return atomic_load(&((struct fault *)io)->fired);
}

void io_fault_heal(struct io *io)
{
	atomic_store(&((struct fault *)io)->healed, true);
}

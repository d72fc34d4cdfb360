/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's files through the I/O seam of base/io.h, so that the tests can fail
 * the n-th write or take the power away from the catalogue as from the journal.
 *
 * The VFS stands on SQLite's own one for unix. The bytes of the database, its
 * write-ahead log and its rollback journal go through the seam; locks and the
 * index of the log in shared memory are the unix VFS's, on a second handle of
 * the database that reads and writes nothing. That index is rebuilt by whoever
 * opens first, and is no part of the promise. Temporary files are SQLite's.
 *
 * The rule not to break: no byte of a durable file passes the seam by. With
 * io_system() there is no such VFS at all: the bus then runs what SQLite
 * tested. (Closing a handle of the seam drops the locks that POSIX keeps for
 * the process; they keep a second process out, which the tests do not have and
 * the bus keeps out by the lock of its journal.)
 */
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <xylem/error.h>

#define SECTOR_BYTES 4096

struct seam {
	sqlite3_vfs vfs; /* first */
	sqlite3_vfs *unix_vfs;
	struct io *io;
	char name[VFS_NAME_SIZE];
};

struct file {
	sqlite3_file base; /* first */
	struct seam *seam;
	struct io_file *bytes;
	const char *path;      /* SQLite keeps it as long as the file is open */
	bool fresh;            /* its name is not synced yet */
	sqlite3_file *locking; /* behind this struct; NULL but for the database */
};

static struct file *file_of(sqlite3_file *file)
{
	return (struct file *)file;
}

static int sync_folder_of(struct seam *seam, const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	int n = slash == path ? 1 : slash ? (int)(slash - path) : 1;
	snprintf(folder, sizeof(folder), "%.*s", n, slash ? path : ".");
	return seam->io->sync_folder(seam->io, folder);
}

/* --- Bytes ---------------------------------------------------------------- */

static int read_bytes(sqlite3_file *public, void *bytes, int n, sqlite3_int64 at)
{
	struct file *file = file_of(public);
	ssize_t got = file->seam->io->pread(file->seam->io, file->bytes, bytes, (size_t)n, (uint64_t)at);
	if (got < 0) {
		return SQLITE_IOERR_READ;
	}
	if (got < n) {
		memset((char *)bytes + got, 0, (size_t)(n - got)); /* SQLite asks for that */
		return SQLITE_IOERR_SHORT_READ;
	}
	return SQLITE_OK;
}

static int write_bytes(sqlite3_file *public, const void *bytes, int n, sqlite3_int64 at)
{
	struct file *file = file_of(public);
	int r = file->seam->io->pwrite(file->seam->io, file->bytes, bytes, (size_t)n, (uint64_t)at);
	if (r < 0) {
		return r == -ENOSPC || r == -EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	}
	return SQLITE_OK;
}

static int truncate_bytes(sqlite3_file *public, sqlite3_int64 size)
{
	struct file *file = file_of(public);
	int r = file->seam->io->truncate(file->seam->io, file->bytes, (uint64_t)size);
	return r < 0 ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int sync_bytes(sqlite3_file *public, int flags)
{
	struct file *file = file_of(public);
	if (file->seam->io->fdatasync(file->seam->io, file->bytes) < 0) {
		return SQLITE_IOERR_FSYNC;
	}
	if (file->fresh) {
		if (sync_folder_of(file->seam, file->path) < 0) {
			return SQLITE_IOERR_DIR_FSYNC;
		}
		file->fresh = false;
	}
	return SQLITE_OK;
}

static int size_of_bytes(sqlite3_file *public, sqlite3_int64 *ret_size)
{
	struct file *file = file_of(public);
	int64_t size = file->seam->io->size(file->seam->io, file->bytes);
	if (size < 0) {
		return SQLITE_IOERR_FSTAT;
	}
	*ret_size = size;
	return SQLITE_OK;
}

static int close_file(sqlite3_file *public)
{
	struct file *file = file_of(public);
	if (file->locking && file->locking->pMethods) {
		file->locking->pMethods->xClose(file->locking);
	}
	if (file->bytes) {
		file->seam->io->close(file->seam->io, file->bytes);
	}
	public->pMethods = NULL;
	return SQLITE_OK;
}

/* --- Locks and the log's index: the unix VFS ------------------------------- */

static int lock_file(sqlite3_file *public, int level)
{
	sqlite3_file *locking = file_of(public)->locking;
	return locking ? locking->pMethods->xLock(locking, level) : SQLITE_OK;
}

static int unlock_file(sqlite3_file *public, int level)
{
	sqlite3_file *locking = file_of(public)->locking;
	return locking ? locking->pMethods->xUnlock(locking, level) : SQLITE_OK;
}

static int check_reserved(sqlite3_file *public, int *ret_reserved)
{
	sqlite3_file *locking = file_of(public)->locking;
	*ret_reserved = 0;
	return locking ? locking->pMethods->xCheckReservedLock(locking, ret_reserved) : SQLITE_OK;
}

static int control(sqlite3_file *public, int op, void *argument)
{
	sqlite3_file *locking = file_of(public)->locking;
	bool about_locks = op == SQLITE_FCNTL_LOCKSTATE || op == SQLITE_FCNTL_LOCK_TIMEOUT ||
			   op == SQLITE_FCNTL_PERSIST_WAL;
	return locking && about_locks ? locking->pMethods->xFileControl(locking, op, argument)
				      : SQLITE_NOTFOUND;
}

static int shm_map(sqlite3_file *public, int page, int size, int extend, void volatile **ret_page)
{
	sqlite3_file *locking = file_of(public)->locking;
	return locking->pMethods->xShmMap(locking, page, size, extend, ret_page);
}

static int shm_lock(sqlite3_file *public, int offset, int n, int flags)
{
	sqlite3_file *locking = file_of(public)->locking;
	return locking->pMethods->xShmLock(locking, offset, n, flags);
}

static void shm_barrier(sqlite3_file *public)
{
	sqlite3_file *locking = file_of(public)->locking;
	locking->pMethods->xShmBarrier(locking);
}

static int shm_unmap(sqlite3_file *public, int remove)
{
	sqlite3_file *locking = file_of(public)->locking;
	return locking->pMethods->xShmUnmap(locking, remove);
}

static int sector_size(sqlite3_file *public)
{
	return SECTOR_BYTES;
}

static int characteristics(sqlite3_file *public)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite assumes on unix */
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, /* no mapped memory: an I/O error must be an error, not a signal */
	.xClose = close_file,
	.xRead = read_bytes,
	.xWrite = write_bytes,
	.xTruncate = truncate_bytes,
	.xSync = sync_bytes,
	.xFileSize = size_of_bytes,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_reserved,
	.xFileControl = control,
	.xSectorSize = sector_size,
	.xDeviceCharacteristics = characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* --- Names ---------------------------------------------------------------- */

static struct seam *seam_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* 1: there, with bytes in it; 0: not, or empty, which SQLite takes for the same. */
static int exists(struct seam *seam, const char *path)
{
	struct io_file *file;
	int r = seam->io->open(seam->io, path, O_RDONLY | O_CLOEXEC, 0, &file);
	if (r < 0) {
		return r == -ENOENT ? 0 : r;
	}
	int64_t size = seam->io->size(seam->io, file);
	seam->io->close(seam->io, file);
	return size < 0 ? (int)size : size > 0;
}

static int open_locking(struct file *file, int flags)
{
	sqlite3_vfs *unix_vfs = file->seam->unix_vfs;
	file->locking = (sqlite3_file *)(file + 1);
	memset(file->locking, 0, (size_t)unix_vfs->szOsFile);
	return unix_vfs->xOpen(unix_vfs, file->path, file->locking, flags, NULL);
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *public, int flags, int *ret_flags)
{
	struct seam *seam = seam_of(vfs);
	public->pMethods = NULL;
	if (!path || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL))) {
		return seam->unix_vfs->xOpen(seam->unix_vfs, path, public, flags, ret_flags);
	}
	struct file *file = file_of(public);
	*file = (struct file){ .seam = seam, .path = path };
	int mode = flags & SQLITE_OPEN_READWRITE ? O_RDWR : O_RDONLY;
	file->fresh = (flags & SQLITE_OPEN_CREATE) && exists(seam, path) == 0;
	int r = seam->io->open(seam->io, path, mode | O_CLOEXEC | (flags & SQLITE_OPEN_CREATE ? O_CREAT : 0),
		0600, &file->bytes);
	if (r < 0) {
		return SQLITE_CANTOPEN;
	}
	r = flags & SQLITE_OPEN_MAIN_DB ? open_locking(file, flags) : SQLITE_OK;
	public->pMethods = &methods;
	if (r != SQLITE_OK) {
		close_file(public);
	} else if (ret_flags) {
		*ret_flags = flags;
	}
	return r;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct seam *seam = seam_of(vfs);
	int r = seam->io->unlink(seam->io, path);
	if (r == -ENOENT) {
		return SQLITE_IOERR_DELETE_NOENT;
	}
	if (r == 0 && sync) {
		r = sync_folder_of(seam, path);
	}
	return r < 0 ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int access_file(sqlite3_vfs *vfs, const char *path, int flags, int *ret_result)
{
	struct seam *seam = seam_of(vfs);
	if (flags != SQLITE_ACCESS_EXISTS) {
		return seam->unix_vfs->xAccess(seam->unix_vfs, path, flags, ret_result);
	}
	int r = exists(seam, path);
	if (r < 0) {
		return SQLITE_IOERR_ACCESS;
	}
	*ret_result = r;
	return SQLITE_OK;
}

/* --- Registering ---------------------------------------------------------- */

int vfs_register(struct io *io, char ret_name[VFS_NAME_SIZE])
{
	if (io == io_system()) {
		ret_name[0] = '\0';
		return 0;
	}
	sqlite3_initialize();
	struct seam *seam = calloc(1, sizeof(*seam));
	sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
	if (!seam || !unix_vfs) {
		free(seam);
		return -XYLEM_E_MEMORY;
	}
	seam->io = io;
	seam->unix_vfs = unix_vfs;
	snprintf(seam->name, sizeof(seam->name), "xylem-%p", (void *)seam);
	seam->vfs = *unix_vfs;
	seam->vfs.pNext = NULL;
	seam->vfs.zName = seam->name;
	seam->vfs.pAppData = seam;
	seam->vfs.szOsFile = (int)sizeof(struct file) + unix_vfs->szOsFile;
	seam->vfs.xOpen = open_file;
	seam->vfs.xDelete = delete_file;
	seam->vfs.xAccess = access_file;
	if (sqlite3_vfs_register(&seam->vfs, 0) != SQLITE_OK) {
		free(seam);
		return -XYLEM_E_MEMORY;
	}
	memcpy(ret_name, seam->name, VFS_NAME_SIZE);
	return 0;
}

void vfs_unregister(const char *name)
{
	sqlite3_vfs *vfs = name[0] ? sqlite3_vfs_find(name) : NULL;
	if (vfs) {
		sqlite3_vfs_unregister(vfs);
		free(vfs->pAppData);
	}
}

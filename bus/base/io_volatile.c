/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that forgets: what is not synced exists in this process only, so that
 * kill -9 is a power loss. Held back are
 *   - written bytes, file sizes and truncations, until fdatasync of the file
 *     (which writes them through; other files are untouched);
 *   - renames and unlinks, until sync_folder of any folder, in their order.
 * Not held back, which is as legal, since a disk may always be early: new files
 * (their name and size 0), and the reservation of blocks by allocate, so that
 * "no room" is found where it would be.
 *
 * The process itself sees everything as if it were done, through this seam.
 * Only what goes round it (opendir, stat) sees the disk.
 *
 * With `nosync`, syncs do nothing and the power loss takes everything: a suite
 * that proves durability must fail with it.
 *
 * Test builds only. One lock, no cleverness: it need not be fast.
 */
#include <base/io_fault.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, PAGE = 4096, SECTORS = PAGE / SECTOR };

/* Bytes as the process sees them; a bit for each sector that differs from the disk. */
struct page {
	char bytes[PAGE];
	unsigned dirty;
};

/* A file, however often it is open. It stays known while something of it is held back. */
struct node {
	dev_t device;
	ino_t inode;
	int descriptor; /* read and write, own */
	uint64_t size;  /* as the process sees it */
	uint64_t floor; /* bytes of the disk at or beyond it are not seen: truncated or not there */
	bool size_held;
	struct page **pages;
	size_t page_room;
	unsigned opened;
	struct node *next;
};

struct io_file {
	struct node *node;
	int descriptor; /* for locks, which belong to an open file */
	bool writable;
};

/* A rename, or an unlink when `to` is empty. */
struct move {
	char from[PATH_MAX], to[PATH_MAX];
	struct move *next;
};

struct volatile_io {
	struct io io; /* first */
	pthread_mutex_t lock;
	bool nosync;
	struct node *nodes;
	struct move *moves; /* in order */
};

static struct volatile_io *self(struct io *io)
{
	return (struct volatile_io *)io;
}

/* --- Names ---------------------------------------------------------------- */

/* Where the disk has what the process calls `path`; false: for the process it is not there. */
static bool name_resolve(const struct volatile_io *io, const char *path, char real[PATH_MAX])
{
	/* Backwards through the moves: the last one decides. */
	const struct move *upto = NULL;
	snprintf(real, PATH_MAX, "%s", path);
	for (;;) {
		const struct move *last = NULL;
		for (const struct move *move = io->moves; move != upto; move = move->next) {
			last = move;
		}
		if (!last) {
			return true;
		}
		if (strcmp(last->to, real) == 0) {
			snprintf(real, PATH_MAX, "%s", last->from);
		} else if (strcmp(last->from, real) == 0) {
			return false;
		}
		upto = last;
	}
}

static int move_apply(const struct move *move)
{
	int failed = move->to[0] ? rename(move->from, move->to) : unlink(move->from);
	return failed == 0 ? 0 : -errno;
}

/* The first `count` moves reach the disk. */
static int moves_apply(struct volatile_io *io, size_t count)
{
	int error = 0;
	while (io->moves && count-- > 0) {
		struct move *move = io->moves;
		int one = move_apply(move);
		error = error ? error : one;
		io->moves = move->next;
		free(move);
	}
	return error;
}

static int move_add(struct volatile_io *io, const char *from, const char *to)
{
	struct move *move = calloc(1, sizeof(*move)), **end = &io->moves;
	if (!move || strlen(from) >= PATH_MAX || strlen(to) >= PATH_MAX) {
		free(move);
		return -ENOMEM;
	}
	strcpy(move->from, from);
	strcpy(move->to, to);
	while (*end) {
		end = &(*end)->next;
	}
	*end = move;
	return 0;
}

static bool name_exists(const struct volatile_io *io, const char *path)
{
	char real[PATH_MAX];
	struct stat status;
	return name_resolve(io, path, real) && lstat(real, &status) == 0;
}

/* --- Nodes ---------------------------------------------------------------- */

static struct node *node_find(struct volatile_io *io, const struct stat *status)
{
	for (struct node *node = io->nodes; node; node = node->next) {
		if (node->device == status->st_dev && node->inode == status->st_ino) {
			return node;
		}
	}
	return NULL;
}

static struct node *node_new(struct volatile_io *io, const char *real, const struct stat *status)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node) {
		return NULL;
	}
	node->descriptor = open(real, O_RDWR | O_CLOEXEC);
	if (node->descriptor < 0) {
		node->descriptor = open(real, O_RDONLY | O_CLOEXEC);
	}
	node->device = status->st_dev;
	node->inode = status->st_ino;
	node->size = node->floor = (uint64_t)status->st_size;
	node->next = io->nodes;
	io->nodes = node;
	return node;
}

static void node_clean(struct node *node)
{
	for (size_t i = 0; i < node->page_room; i++) {
		free(node->pages[i]);
	}
	free(node->pages);
	node->pages = NULL;
	node->page_room = 0;
	node->size_held = false;
}

static void node_drop(struct volatile_io *io, struct node *node)
{
	struct node **at = &io->nodes;
	while (*at != node) {
		at = &(*at)->next;
	}
	*at = node->next;
	node_clean(node);
	close(node->descriptor);
	free(node);
}

/* The page as the process sees it, made from the disk when it is wanted for writing. NULL: no memory. */
static struct page *page_make(struct node *node, size_t index)
{
	if (index >= node->page_room) {
		size_t room = index + index / 2 + 16;
		struct page **pages = realloc(node->pages, room * sizeof(struct page *));
		if (!pages) {
			return NULL;
		}
		memset(pages + node->page_room, 0, (room - node->page_room) * sizeof(struct page *));
		node->pages = pages;
		node->page_room = room;
	}
	if (!node->pages[index]) {
		struct page *page = calloc(1, sizeof(*page));
		uint64_t at = (uint64_t)index * PAGE;
		if (page && at < node->floor) {
			uint64_t seen = node->floor - at < PAGE ? node->floor - at : PAGE;
			if (pread(node->descriptor, page->bytes, (size_t)seen, (off_t)at) < 0) {
				free(page);
				page = NULL;
			}
		}
		node->pages[index] = page;
	}
	return node->pages[index];
}

static struct page *page_find(const struct node *node, size_t index)
{
	return index < node->page_room ? node->pages[index] : NULL;
}

static int node_write(struct node *node, const char *bytes, size_t n, uint64_t at)
{
	while (n > 0) {
		size_t in = (size_t)(at % PAGE), part = PAGE - in < n ? PAGE - in : n;
		struct page *page = page_make(node, (size_t)(at / PAGE));
		if (!page) {
			return -ENOMEM;
		}
		memcpy(page->bytes + in, bytes, part);
		for (size_t sector = in / SECTOR; sector <= (in + part - 1) / SECTOR; sector++) {
			page->dirty |= 1u << sector;
		}
		bytes += part;
		n -= part;
		at += part;
	}
	if (at > node->size) {
		node->size = at;
		node->size_held = true;
	}
	return 0;
}

static ssize_t node_read(struct node *node, char *bytes, size_t n, uint64_t at)
{
	n = at >= node->size ? 0 : node->size - at < n ? (size_t)(node->size - at) : n;
	for (size_t done = 0; done < n;) {
		size_t in = (size_t)((at + done) % PAGE), part = PAGE - in < n - done ? PAGE - in : n - done;
		const struct page *page = page_find(node, (size_t)((at + done) / PAGE));
		memset(bytes + done, 0, part);
		if (page) {
			memcpy(bytes + done, page->bytes + in, part);
		} else if (at + done < node->floor) {
			size_t seen = node->floor - (at + done) < part ? (size_t)(node->floor - (at + done))
								       : part;
			if (pread(node->descriptor, bytes + done, seen, (off_t)(at + done)) < 0) {
				return -errno;
			}
		}
		done += part;
	}
	return (ssize_t)n;
}

static int node_truncate(struct node *node, uint64_t size)
{
	if (size < node->size && size % PAGE != 0) {
		struct page *page = page_make(node, (size_t)(size / PAGE));
		if (!page) {
			return -ENOMEM;
		}
		size_t in = (size_t)(size % PAGE);
		memset(page->bytes + in, 0, PAGE - in);
		for (size_t sector = in / SECTOR; sector < SECTORS; sector++) {
			page->dirty |= 1u << sector;
		}
	}
	for (size_t i = (size_t)((size + PAGE - 1) / PAGE); i < node->page_room; i++) {
		free(node->pages[i]);
		node->pages[i] = NULL;
	}
	node->floor = size < node->floor ? size : node->floor;
	node->size = size;
	node->size_held = true;
	return 0;
}

/* Which of what is held back reaches the disk: all of it, or what the seed says. */
struct choice {
	bool all;
	uint64_t state;
};

static bool choose(struct choice *choice)
{
	if (choice->all) {
		return true;
	}
	/* xorshift64 */
	choice->state ^= choice->state << 13;
	choice->state ^= choice->state >> 7;
	choice->state ^= choice->state << 17;
	return choice->state >> 63;
}

static int sector_put(struct node *node, const struct page *page, size_t index, size_t sector, uint64_t size)
{
	uint64_t at = (uint64_t)index * PAGE + sector * SECTOR;
	size_t n = at >= size ? 0 : size - at < SECTOR ? (size_t)(size - at) : SECTOR;
	if (n > 0 && pwrite(node->descriptor, page->bytes + sector * SECTOR, n, (off_t)at) != (ssize_t)n) {
		return -EIO;
	}
	return 0;
}

static int node_put(struct node *node, struct choice *choice)
{
	struct stat status;
	int error = fstat(node->descriptor, &status) == 0 ? 0 : -errno;
	uint64_t size = (uint64_t)status.st_size;
	if (error == 0 && node->size_held && choose(choice)) {
		if (node->floor < size && ftruncate(node->descriptor, (off_t)node->floor) != 0) {
			error = -errno;
		}
		if (error == 0 && ftruncate(node->descriptor, (off_t)node->size) != 0) {
			error = -errno;
		}
		size = node->size;
	}
	for (size_t i = 0; i < node->page_room; i++) {
		const struct page *page = node->pages[i];
		for (size_t sector = 0; page && sector < SECTORS && error == 0; sector++) {
			if (page->dirty & (1u << sector) && choose(choice)) {
				error = sector_put(node, page, i, sector, size);
			}
		}
	}
	return error;
}

/* --- The seam ------------------------------------------------------------- */

/* Opens what the disk calls `real`. */
static int real_open(
	struct volatile_io *io, const char *real, int flags, mode_t mode, struct io_file **ret_file)
{
	struct io_file *file = calloc(1, sizeof(*file));
	struct stat status;
	if (!file) {
		return -ENOMEM;
	}
	file->descriptor = open(real, (flags & ~O_TRUNC) | O_CLOEXEC | O_NOFOLLOW, mode);
	if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0) {
		int error = errno;
		if (file->descriptor >= 0) {
			close(file->descriptor);
		}
		free(file);
		return -error;
	}
	file->writable = (flags & O_ACCMODE) != O_RDONLY;
	file->node = node_find(io, &status);
	file->node = file->node ? file->node : node_new(io, real, &status);
	int error = file->node ? 0 : -ENOMEM;
	if (error == 0 && flags & O_TRUNC) {
		error = node_truncate(file->node, 0);
	}
	if (error) {
		close(file->descriptor);
		free(file);
		return error;
	}
	file->node->opened++;
	*ret_file = file;
	return 0;
}

static int volatile_open(
	struct io *public, const char *path, int flags, mode_t mode, struct io_file **ret_file)
{
	struct volatile_io *io = self(public);
	char real[PATH_MAX];
	pthread_mutex_lock(&io->lock);
	bool there = name_resolve(io, path, real);
	if (!there && flags & O_CREAT) {
		/* A new file under a name that is on its way out: then that is out first. */
		moves_apply(io, SIZE_MAX);
		snprintf(real, sizeof(real), "%s", path);
		there = true;
	}
	int error = there ? real_open(io, real, flags, mode, ret_file) : -ENOENT;
	pthread_mutex_unlock(&io->lock);
	return error;
}

static void volatile_close(struct io *public, struct io_file *file)
{
	struct volatile_io *io = self(public);
	if (file) {
		pthread_mutex_lock(&io->lock);
		struct node *node = file->node;
		node->opened--;
		if (node->opened == 0 && !node->size_held && !node->pages) {
			node_drop(io, node);
		}
		close(file->descriptor);
		free(file);
		pthread_mutex_unlock(&io->lock);
	}
}

static ssize_t volatile_pread(struct io *public, struct io_file *file, void *bytes, size_t n, uint64_t at)
{
	struct volatile_io *io = self(public);
	pthread_mutex_lock(&io->lock);
	ssize_t got = node_read(file->node, bytes, n, at);
	pthread_mutex_unlock(&io->lock);
	return got;
}

static int volatile_pwrite(struct io *public, struct io_file *file, const void *bytes, size_t n, uint64_t at)
{
	struct volatile_io *io = self(public);
	if (!file->writable) {
		return -EBADF;
	}
	pthread_mutex_lock(&io->lock);
	int error = node_write(file->node, bytes, n, at);
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int volatile_fdatasync(struct io *public, struct io_file *file)
{
	struct volatile_io *io = self(public);
	struct choice all = { .all = true };
	if (io->nosync) {
		return 0;
	}
	pthread_mutex_lock(&io->lock);
	int error = node_put(file->node, &all);
	if (error == 0) {
		node_clean(file->node);
		file->node->floor = file->node->size;
	}
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int volatile_allocate(struct io *public, struct io_file *file, uint64_t size)
{
	struct volatile_io *io = self(public);
	if (fallocate(file->node->descriptor, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) != 0) {
		return -errno;
	}
	pthread_mutex_lock(&io->lock);
	if (size > file->node->size) {
		file->node->size = size;
		file->node->size_held = true;
	}
	pthread_mutex_unlock(&io->lock);
	return 0;
}

static int volatile_truncate(struct io *public, struct io_file *file, uint64_t size)
{
	struct volatile_io *io = self(public);
	pthread_mutex_lock(&io->lock);
	int error = node_truncate(file->node, size);
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int64_t volatile_size(struct io *public, struct io_file *file)
{
	struct volatile_io *io = self(public);
	pthread_mutex_lock(&io->lock);
	int64_t size = (int64_t)file->node->size;
	pthread_mutex_unlock(&io->lock);
	return size;
}

static int volatile_rename(struct io *public, const char *from, const char *to)
{
	struct volatile_io *io = self(public);
	pthread_mutex_lock(&io->lock);
	int error = name_exists(io, from) ? move_add(io, from, to) : -ENOENT;
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int volatile_unlink(struct io *public, const char *path)
{
	struct volatile_io *io = self(public);
	pthread_mutex_lock(&io->lock);
	int error = name_exists(io, path) ? move_add(io, path, "") : -ENOENT;
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int volatile_sync_folder(struct io *public, const char *path)
{
	struct volatile_io *io = self(public);
	(void)path;
	pthread_mutex_lock(&io->lock);
	int error = io->nosync ? 0 : moves_apply(io, SIZE_MAX);
	pthread_mutex_unlock(&io->lock);
	return error;
}

static int volatile_descriptor(struct io_file *file)
{
	return file->descriptor;
}

/* --- Life ----------------------------------------------------------------- */

struct io *io_volatile_new(bool nosync)
{
	struct volatile_io *io = calloc(1, sizeof(*io));
	if (!io) {
		return NULL;
	}
	io->io = (struct io){
		.open = volatile_open,
		.close = volatile_close,
		.pread = volatile_pread,
		.pwrite = volatile_pwrite,
		.fdatasync = volatile_fdatasync,
		.allocate = volatile_allocate,
		.truncate = volatile_truncate,
		.size = volatile_size,
		.rename = volatile_rename,
		.unlink = volatile_unlink,
		.sync_folder = volatile_sync_folder,
		.descriptor = volatile_descriptor,
	};
	pthread_mutex_init(&io->lock, NULL);
	io->nosync = nosync;
	return &io->io;
}

void io_volatile_lose(struct io *public, uint64_t seed)
{
	struct volatile_io *io = self(public);
	struct choice choice = { .state = seed };
	pthread_mutex_lock(&io->lock);
	size_t count = 0;
	while (seed && choose(&choice)) {
		count++;
	}
	moves_apply(io, count);
	while (io->nodes) {
		if (seed) {
			node_put(io->nodes, &choice);
		}
		node_drop(io, io->nodes);
	}
	while (io->moves) {
		struct move *move = io->moves;
		io->moves = move->next;
		free(move);
	}
	pthread_mutex_unlock(&io->lock);
}

struct io *io_volatile_free(struct io *public)
{
	if (public) {
		struct volatile_io *io = self(public);
		io_volatile_lose(public, 0);
		pthread_mutex_destroy(&io->lock);
		free(io);
	}
	return NULL;
}

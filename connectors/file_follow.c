/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A file read as it grows. One thread reads what is there, hands complete
 * lines in, waits for the disk, moves the position, and sleeps until the
 * folder changes (inotify, and a look every second for file systems that do
 * not tell).
 *
 * A line without its end waits, until the file is rotated away: then nobody
 * will end it. Rotation is seen by the inode behind the path; the old file is
 * read to its end first. After a restart the old file is looked for by its
 * inode beside the path, so that a rotation meanwhile loses nothing (one that
 * happened twice does, unless the names kept their inodes: it is said).
 * A file that got shorter was truncated, and begins again.
 *
 * What is no event is not thrown away: it comes in as a message of the type
 * NAME.malformed with the line as its data.
 *
 * The rule not to break: the position moves after the journal's answer.
 */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/thread.h>
#include <connectors/file_follow.h>
#include <connectors/file_position.h>
#include <xylem/buffer.h>
#include <xylem/json.h>
#include <xylem/log.h>

#define FOLLOW_MAGIC 0x66696c66
#define READ_SIZE (256 * 1024)
#define BATCH 1000
#define SAVE_US 100000
#define LOOK_MS 1000
#define AGAIN_MS 100

struct follow {
	uint32_t magic;
	struct xylem_host *host;
	struct xylem_source *source;
	const struct follow_rules *rules;
	char position_path[4096];
	pthread_t thread;
	int stop_fd, watch_fd;

	/* The thread's own. */
	int fd;
	struct file_position position; /* up to where the journal has it */
	uint64_t saved_offset;
	int64_t saved_us;
	struct xylem_buffer bytes; /* from the position on */
	bool skipping;             /* within a line that is longer than a message may be */
	struct xylem_arena *arena;
	struct xylem_message *messages;
	struct xylem_receipt *receipts;
	char malformed[160];
};

/* True when stop was asked for within the time. */
static bool wait_for(struct follow *follow, int milliseconds, bool for_change)
{
	struct pollfd fds[2] = { { .fd = follow->stop_fd, .events = POLLIN },
		{ .fd = for_change ? follow->watch_fd : -1, .events = POLLIN } };
	poll(fds, 2, milliseconds);
	if (fds[1].revents) {
		char events[4096];
		while (read(follow->watch_fd, events, sizeof(events)) > 0) {
		}
	}
	return fds[0].revents != 0;
}

/* --- The position ------------------------------------------------------ */

static void position_save(struct follow *follow)
{
	struct xylem_reason reason;
	if (!follow->rules->path || follow->fd < 0) {
		return;
	}
	if (file_position_head(&follow->position, follow->fd) ||
		file_position_save(follow->position_path, &follow->position, &reason)) {
		xylem_host_health(follow->host, false,
			"cannot keep the position in %s: lines may come in twice", follow->position_path);
		return;
	}
	follow->saved_offset = follow->position.offset;
	follow->saved_us = clock_mono_us();
}

static void position_save_soon(struct follow *follow, bool now)
{
	bool due = now || clock_mono_us() - follow->saved_us > SAVE_US;
	if (due && follow->saved_offset != follow->position.offset) {
		position_save(follow);
	}
}

/* A file that was never read: a new generation, on disk before its first line is handed in. */
static void position_begin(struct follow *follow, bool at_end)
{
	struct stat status = { 0 };
	fstat(follow->fd, &status);
	follow->position = (struct file_position){
		.device = status.st_dev,
		.inode = status.st_ino,
		.offset = at_end ? (uint64_t)status.st_size : 0,
	};
	xylem_uuid_new(follow->position.generation);
	xylem_buffer_clear(&follow->bytes);
	follow->skipping = false;
	position_save(follow);
}

/* --- Lines into messages ----------------------------------------------- */

static void message_plain(struct follow *follow, struct xylem_span line, uint64_t offset, bool malformed,
	struct xylem_message *message)
{
	const struct follow_rules *rules = follow->rules;
	bool json = rules->format == FILE_NDJSON && !malformed;
	*message = (struct xylem_message){
		.id = xylem_span_of(xylem_arena_format(
			follow->arena, "%s-%llu", follow->position.generation, (unsigned long long)offset)),
		.source = xylem_span_of(rules->source),
		.datacontenttype = json        ? XYLEM_SPAN_LITERAL("application/json")
				   : malformed ? XYLEM_SPAN_LITERAL("application/octet-stream")
					       : XYLEM_SPAN_LITERAL("text/plain"),
		.data = line,
	};
	if (malformed) {
		message->type = xylem_span_of(follow->malformed);
		xylem_host_count(follow->host, "malformed", 1);
		return;
	}
	message->subject = pick_value(&rules->pick_subject, message, json, NULL, NULL, follow->arena);
	message->type = pick_value(&rules->pick_type, message, json, NULL, NULL, follow->arena);
	if (message->type.n == 0) {
		message->type = xylem_span_of(rules->type);
	}
	message->key = pick_value(&rules->pick_key, message, json, NULL, NULL, follow->arena);
}

static bool message_event(struct follow *follow, struct xylem_span line, struct xylem_message *message)
{
	struct xylem_reason reason;
	const struct pick *key = &follow->rules->pick_key;
	if (xylem_message_read_json(message, follow->arena, line, &reason) ||
		xylem_message_check(message, &reason)) {
		return false;
	}
	bool json = key->kind == PICK_DATA && message->data.n &&
		    xylem_content_type_is_json(message->datacontenttype) &&
		    xylem_json_check(message->data, NULL, NULL) == 0;
	message->key = key->kind == PICK_NONE
			       ? xylem_message_attribute(message, XYLEM_SPAN_LITERAL("partitionkey"))
			       : pick_value(key, message, json, NULL, NULL, follow->arena);
	message->key = message->key.n ? message->key : XYLEM_SPAN_NONE;
	return true;
}

static void message_make(
	struct follow *follow, struct xylem_span line, uint64_t offset, struct xylem_message *message)
{
	if (follow->rules->format == FILE_EVENTS) {
		if (!message_event(follow, line, message)) {
			message_plain(follow, line, offset, true, message);
		}
		return;
	}
	bool malformed = follow->rules->format == FILE_NDJSON && xylem_json_check(line, NULL, NULL) != 0;
	message_plain(follow, line, offset, malformed, message);
}

/* Hands in, again and again while the bus cannot take it. False: stopped. */
static bool batch_submit(struct follow *follow, size_t n)
{
	for (;;) {
		struct xylem_reason reason = { "" };
		int error = n ? xylem_source_submit_wait(
					follow->source, follow->messages, n, follow->receipts, &reason)
			      : 0;
		if (!error) {
			xylem_host_count(follow->host, "lines", n);
			return true;
		}
		if (!xylem_error_row(error)->transient) {
			/* Everything was checked before: this is a fault of ours, and no reason to lose the lines. */
			xylem_host_health(follow->host, false, "lines were refused: %s", reason.text);
		}
		if (wait_for(follow, AGAIN_MS, false)) {
			return false;
		}
	}
}

static bool line_blank(struct xylem_span line)
{
	return strspn(line.n ? line.at : "", " \t\r") >= line.n;
}

/*
 * Takes complete lines off the buffer, a batch at a time. `end`: what is left
 * is a line too. False: stopped.
 */
static bool lines_submit(struct follow *follow, bool end)
{
	size_t maximum = xylem_source_max_message(follow->source);
	size_t taken = 0;
	bool more = true;
	while (more) {
		size_t n = 0, at = taken;
		while (n < BATCH) {
			const char *from = follow->bytes.bytes + at;
			size_t left = follow->bytes.n - at;
			const char *newline = left ? memchr(from, '\n', left) : NULL;
			if (!newline && (!end || left == 0)) {
				more = false;
				break;
			}
			struct xylem_span line = xylem_span(from, newline ? (size_t)(newline - from) : left);
			uint64_t offset = follow->position.offset + (at - taken);
			at += line.n + (newline ? 1 : 0);
			line.n -= line.n > 0 && line.at[line.n - 1] == '\r';
			bool rest = follow->skipping;
			follow->skipping = false;
			if (rest || line.n == 0 || line_blank(line)) {
				continue;
			}
			if (line.n > maximum) {
				xylem_log(XYLEM_LOG_ERROR, "file",
					"%s: the line at byte %llu has %zu bytes, more than "
					"bus.max_message: passed over",
					xylem_host_name(follow->host), (unsigned long long)offset, line.n);
				xylem_host_count(follow->host, "too_long", 1);
				continue;
			}
			message_make(follow, line, offset, &follow->messages[n++]);
		}
		bool submitted = batch_submit(follow, n);
		xylem_arena_reset(follow->arena);
		if (!submitted) {
			break;
		}
		follow->position.offset += at - taken;
		taken = at;
		position_save_soon(follow, false);
	}
	if (taken > 0) {
		memmove(follow->bytes.bytes, follow->bytes.bytes + taken, follow->bytes.n - taken);
		xylem_buffer_cut(&follow->bytes, follow->bytes.n - taken);
	}
	return !more;
}

/* A line without an end in sight that no message may have: its bytes go as they come. */
static void overlong_drop(struct follow *follow)
{
	size_t maximum = xylem_source_max_message(follow->source);
	if (follow->bytes.n <= maximum + 2) {
		return;
	}
	if (!follow->skipping) {
		xylem_log(XYLEM_LOG_ERROR, "file",
			"%s: the line at byte %llu is longer than bus.max_message: passed over",
			xylem_host_name(follow->host), (unsigned long long)follow->position.offset);
		xylem_host_count(follow->host, "too_long", 1);
	}
	follow->skipping = true;
	follow->position.offset += follow->bytes.n;
	xylem_buffer_clear(&follow->bytes);
}

/* --- The file ---------------------------------------------------------- */

/* Reads and hands in all that is there. 1: at the end; 0: stopped. */
static bool file_read(struct follow *follow, bool last)
{
	for (;;) {
		if (!xylem_buffer_reserve(&follow->bytes, READ_SIZE)) {
			xylem_host_health(follow->host, false, "no memory to read on");
			follow->bytes = (struct xylem_buffer){ 0 };
			return !wait_for(follow, AGAIN_MS, false);
		}
		char *to = follow->bytes.bytes + follow->bytes.n;
		ssize_t n = follow->rules->path ? pread(follow->fd, to, READ_SIZE,
							  (off_t)(follow->position.offset + follow->bytes.n))
						: read(follow->fd, to, READ_SIZE);
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			xylem_host_health(follow->host, false, "cannot read: %s", strerror(errno));
		}
		if (n <= 0) {
			return !last || follow->bytes.n == 0 || lines_submit(follow, true);
		}
		follow->bytes.n += (size_t)n;
		if (!lines_submit(follow, false)) {
			return false;
		}
		overlong_drop(follow);
		if (!follow->rules->path) {
			return true; /* one read a wake-up: the next may block */
		}
	}
}

static void file_drop(struct follow *follow)
{
	if (follow->fd > 0) {
		close(follow->fd);
	}
	follow->fd = -1;
}

/* Is the file behind the path still the one that is open? */
static bool file_same(const struct follow *follow)
{
	struct stat named, open_one;
	if (fstat(follow->fd, &open_one) < 0 || stat(follow->rules->path, &named) < 0) {
		return true; /* moved away, and the new one not there yet */
	}
	return named.st_ino == open_one.st_ino && named.st_dev == open_one.st_dev;
}

/* Shorter than what was read, or with another beginning: written anew under the same inode. */
static bool file_truncated(const struct follow *follow)
{
	return !file_position_fits(&follow->position, follow->fd);
}

/* A file in the folder of the path that the position fits; -1 if there is none. */
static int file_rotated(const struct follow *follow, const struct file_position *position)
{
	char folder[4096];
	const char *path = follow->rules->path;
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
	DIR *listing = opendir(folder);
	int fd = -1;
	for (struct dirent *entry; listing && fd < 0 && (entry = readdir(listing));) {
		if (entry->d_ino != position->inode) {
			continue;
		}
		fd = openat(dirfd(listing), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && !file_position_fits(position, fd)) {
			close(fd);
			fd = -1;
		}
	}
	if (listing) {
		closedir(listing);
	}
	return fd;
}

/* The first file of a start: the one of the position if it can be found, under whatever name. */
static void file_resume(struct follow *follow)
{
	struct file_position position;
	struct xylem_reason reason;
	int fd = open(follow->rules->path, O_RDONLY | O_CLOEXEC);
	int error = file_position_load(follow->position_path, &position, &reason);
	if (!error && (fd < 0 || !file_position_fits(&position, fd))) {
		int rotated = file_rotated(follow, &position);
		if (rotated >= 0) {
			if (fd >= 0) {
				close(fd);
			}
			fd = rotated;
		} else {
			xylem_log(XYLEM_LOG_WARNING, "file",
				"%s: the file that was read up to byte %llu is gone; what it "
				"had beyond that was not read",
				xylem_host_name(follow->host), (unsigned long long)position.offset);
			error = -XYLEM_E_GONE;
		}
	} else if (error == -XYLEM_E_DAMAGED) {
		xylem_log(XYLEM_LOG_WARNING, "file", "%s", reason.text);
	}
	follow->fd = fd;
	if (fd < 0) {
		return;
	}
	if (!error) {
		follow->position = position;
		follow->saved_offset = position.offset;
	} else {
		position_begin(follow, error == -XYLEM_E_NOT_FOUND && follow->rules->from_end);
	}
}

static void file_next(struct follow *follow)
{
	follow->fd = open(follow->rules->path, O_RDONLY | O_CLOEXEC);
	if (follow->fd < 0) {
		xylem_host_health(follow->host, false, "%s: %s", follow->rules->path, strerror(errno));
		return;
	}
	xylem_host_health(follow->host, true, "following");
	position_begin(follow, false);
}

static void follow_file(struct follow *follow)
{
	bool stopped = false;
	while (!stopped) {
		if (follow->fd < 0) {
			file_next(follow);
		}
		bool same = follow->fd < 0 || file_same(follow);
		if (follow->fd >= 0 && file_truncated(follow)) {
			xylem_log(XYLEM_LOG_NOTICE, "file", "%s: truncated, begins again",
				xylem_host_name(follow->host));
			position_begin(follow, false);
			same = true;
		}
		if (follow->fd >= 0 && !file_read(follow, !same)) {
			break;
		}
		position_save_soon(follow, true);
		if (!same) {
			file_drop(follow); /* read to its end after the other one had taken its name */
			continue;
		}
		stopped = wait_for(follow, LOOK_MS, true);
	}
	position_save_soon(follow, true);
}

static void follow_input(struct follow *follow)
{
	struct pollfd fds[2] = { { .fd = follow->stop_fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	xylem_uuid_new(follow->position.generation);
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		if (fds[0].revents) {
			return;
		}
		size_t before = follow->bytes.n;
		uint64_t offset = follow->position.offset;
		if (!file_read(follow, false)) {
			return;
		}
		/* Readable and nothing read: the end. */
		if (follow->bytes.n == before && follow->position.offset == offset) {
			lines_submit(follow, true);
			xylem_host_health(follow->host, true, "standard input has ended");
			return;
		}
	}
}

static void *follow_run(void *context)
{
	struct follow *follow = context;
	assert(follow->magic == FOLLOW_MAGIC);
	if (follow->rules->path) {
		follow_file(follow);
	} else {
		follow_input(follow);
	}
	return NULL;
}

/* --- Life -------------------------------------------------------------- */

static void follow_free(struct follow *follow)
{
	file_drop(follow);
	if (follow->stop_fd >= 0) {
		close(follow->stop_fd);
	}
	if (follow->watch_fd >= 0) {
		close(follow->watch_fd);
	}
	xylem_buffer_finish(&follow->bytes);
	xylem_arena_free(follow->arena);
	free(follow->messages);
	free(follow->receipts);
	follow->magic = 0;
	free(follow);
}

static int follow_watch(struct follow *follow, struct xylem_reason *reason)
{
	char folder[4096];
	const char *path = follow->rules->path;
	const char *kept = path ? xylem_host_folder(follow->host) : "";
	if (!kept) {
		xylem_reason_set(reason, "there is no folder to keep the position in");
		return -XYLEM_E_IO;
	}
	if (path) {
		snprintf(follow->position_path, sizeof(follow->position_path), "%s/position", kept);
		snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
		follow->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		/* Without a watch there is the look every second. */
		if (follow->watch_fd >= 0) {
			inotify_add_watch(follow->watch_fd, folder,
				IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM);
		}
		file_resume(follow);
	}
	return 0;
}

int follow_start(struct follow **ret_follow, struct xylem_host *host, struct xylem_source *source,
	const struct follow_rules *rules, struct xylem_reason *reason)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	if (!follow) {
		return -XYLEM_E_MEMORY;
	}
	follow->magic = FOLLOW_MAGIC;
	follow->host = host;
	follow->source = source;
	follow->rules = rules;
	follow->fd = rules->path ? -1 : 0;
	follow->watch_fd = -1;
	follow->stop_fd = eventfd(0, EFD_CLOEXEC);
	follow->arena = xylem_arena_new(0);
	follow->messages = calloc(BATCH, sizeof(*follow->messages));
	follow->receipts = calloc(BATCH, sizeof(*follow->receipts));
	snprintf(follow->malformed, sizeof(follow->malformed), "%s.malformed", xylem_host_name(host));
	bool made = follow->stop_fd >= 0 && follow->arena && follow->messages && follow->receipts;
	int error = made ? follow_watch(follow, reason) : -XYLEM_E_MEMORY;
	if (!error) {
		error = thread_start(&follow->thread, "file", 0, follow_run, follow);
	}
	if (error) {
		follow_free(follow);
		return error;
	}
	*ret_follow = follow;
	return 0;
}

struct follow *follow_stop(struct follow *follow)
{
	if (follow) {
		uint64_t one = 1;
		if (write(follow->stop_fd, &one, sizeof(one)) < 0) {
			xylem_log(XYLEM_LOG_ERROR, "file", "cannot stop the reader: %s", strerror(errno));
		}
		pthread_join(follow->thread, NULL);
		follow_free(follow);
	}
	return NULL;
}

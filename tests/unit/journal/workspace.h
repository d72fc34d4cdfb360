/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JOURNAL_WORKSPACE_H
#define TESTS_JOURNAL_WORKSPACE_H

/* What the programs of this folder share: a folder of their own, messages that can be told apart, files. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <base/clock.h>
#include <journal/journal.h>

static char workspace[512]; /* FOLDER/journal lies in it */

static inline void workspace_make(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(workspace, sizeof(workspace), "%s/xylem-journal-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(workspace));
}

static inline void folder_remove(const char *path)
{
	DIR *stream = opendir(path);
	if (!stream) {
		return;
	}
	for (const struct dirent *entry; (entry = readdir(stream));) {
		char *name = NULL;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
			continue;
		}
		assert_true(asprintf(&name, "%s/%s", path, entry->d_name) > 0);
		if (unlink(name) != 0) {
			folder_remove(name);
		}
		free(name);
	}
	closedir(stream);
	rmdir(path);
}

static inline void workspace_remove(void)
{
	folder_remove(workspace);
}

static inline const char *in_workspace(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof(path), "%s/%s", workspace, name);
	return path;
}

/* Every test begins with nothing. */
static inline void workspace_clear(void)
{
	folder_remove(in_workspace("journal"));
}

static inline struct journal_options options_make(struct io *io)
{
	static char folder[1024];
	snprintf(folder, sizeof(folder), "%s/journal", workspace);
	return (struct journal_options){
		.folder = folder,
		.io = io,
		.segment_size = (uint64_t)256 * 1024,
		.retain_bytes = (uint64_t)1 << 40,
		.hold_bytes = (uint64_t)1 << 40,
		.reserve_bytes = (uint64_t)128 * 1024,
	};
}

static inline struct journal *open_with(
	const struct journal_options *options, struct journal_recovery *ret_recovery)
{
	struct journal *journal = NULL;
	struct xylem_reason reason = { 0 };
	int error = journal_open(&journal, options, ret_recovery, &reason);
	if (error) {
		print_error("journal_open: %s\n", reason.text);
	}
	assert_int_equal(error, 0);
	return journal;
}

static inline struct journal *open_plain(void)
{
	struct journal_options options = options_make(io_system());
	return open_with(&options, NULL);
}

static inline struct xylem_position at_offset(uint64_t offset)
{
	return (struct xylem_position){ 0, offset };
}

/* --- Messages -------------------------------------------------------------- */

struct sample {
	struct xylem_message message;
	struct xylem_extension extension;
	char id[32];
	char data[1024];
};

/* The number is in the id and decides the data. */
static inline void sample_make(struct sample *sample, uint64_t number, size_t size)
{
	assert(size <= sizeof(sample->data));
	snprintf(sample->id, sizeof(sample->id), "n%" PRIu64, number);
	for (size_t i = 0; i < size; i++) {
		sample->data[i] = (char)(number * 31 + i * 7);
	}
	sample->extension = (struct xylem_extension){ XYLEM_SPAN_LITERAL("traceparent"),
		XYLEM_SPAN_LITERAL("00-ab-cd-01") };
	sample->message = (struct xylem_message){
		.kind = XYLEM_MESSAGE,
		.ingress = XYLEM_SPAN_LITERAL("shop"),
		.key = XYLEM_SPAN_LITERAL("k"),
		.id = xylem_span_of(sample->id),
		.source = XYLEM_SPAN_LITERAL("/shop"),
		.type = XYLEM_SPAN_LITERAL("order.created"),
		.extensions = &sample->extension,
		.extension_count = number % 2,
		.data = xylem_span(sample->data, size),
	};
}

static inline void sample_check(const struct xylem_message *message, uint64_t number, size_t size)
{
	struct sample want;
	sample_make(&want, number, size);
	assert_true(xylem_span_equal(message->id, want.message.id));
	assert_true(xylem_span_equal(message->data, want.message.data));
	assert_true(xylem_span_equal(message->ingress, want.message.ingress));
	assert_int_equal(message->extension_count, want.message.extension_count);
	if (message->extension_count > 0) {
		assert_true(xylem_span_equal(message->extensions[0].value, want.extension.value));
	}
	assert_true(message->journal_time_us > 0);
}

/* One batch of messages numbered from `first`; in a fresh journal numbers are offsets. */
static inline int append_try(struct journal *journal, uint64_t first, size_t n, size_t size, bool urgent)
{
	struct sample *samples = calloc(n, sizeof(*samples));
	struct xylem_message *messages = calloc(n, sizeof(*messages));
	struct xylem_position *positions = calloc(n, sizeof(*positions));
	for (size_t i = 0; i < n; i++) {
		sample_make(&samples[i], first + i, size);
		messages[i] = samples[i].message;
	}
	int error = journal_append_wait(journal, messages, n, urgent, positions);
	for (size_t i = 1; i < n && error == 0; i++) {
		assert_true(positions[i].offset > positions[i - 1].offset);
	}
	free(samples);
	free(messages);
	free(positions);
	return error;
}

static inline void append_numbers(struct journal *journal, uint64_t first, size_t n, size_t size)
{
	assert_int_equal(append_try(journal, first, n, size, false), 0);
}

/* Reads [first, end) in small steps; every offset has to be there and to be its number. */
static inline void expect_numbers(struct journal *journal, uint64_t first, uint64_t end, size_t size)
{
	struct journal_batch *batch = journal_batch_new();
	struct xylem_position from = at_offset(first);
	while (from.offset < end) {
		assert_int_equal(journal_read(journal, from, 7, 4000, batch), 0);
		assert_true(batch->n > 0);
		for (size_t i = 0; i < batch->n; i++) {
			assert_int_equal(batch->messages[i].position.offset, from.offset + i);
			sample_check(&batch->messages[i], from.offset + i, size);
		}
		from = batch->next;
	}
	journal_batch_free(batch);
}

/* --- Files ----------------------------------------------------------------- */

static inline const char *segment_name(uint64_t base)
{
	static char path[1024];
	snprintf(path, sizeof(path), "%s/journal/%020" PRIu64 ".segment", workspace, base);
	return path;
}

static inline bool file_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static inline char *file_load(const char *path, size_t *ret_n)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	struct stat status;
	assert_int_equal(fstat(file, &status), 0);
	char *bytes = malloc((size_t)status.st_size + 1);
	assert_int_equal(read(file, bytes, (size_t)status.st_size), status.st_size);
	close(file);
	*ret_n = (size_t)status.st_size;
	return bytes;
}

static inline void file_store(const char *path, const char *bytes, size_t n)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, n), (ssize_t)n);
	close(file);
}

static inline void file_flip(const char *path, uint64_t at)
{
	char byte;
	int file = open(path, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(pread(file, &byte, 1, (off_t)at), 1);
	byte = (char)(byte ^ 0x10);
	assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
	close(file);
}

static inline int64_t in_seconds(int64_t seconds)
{
	return clock_mono_us() + seconds * 1000000;
}

/* Retention and notices happen on the commit thread, beside what a call waits for. */
static inline void until_state(struct journal *journal, bool (*reached)(const struct journal_state *state))
{
	struct journal_state now;
	int64_t deadline = in_seconds(60);
	struct journal_waiter *waiter = journal_waiter_new(journal);
	journal_state(journal, &now);
	while (!reached(&now)) {
		assert_true(clock_mono_us() < deadline);
		journal_wait(waiter, at_offset(UINT64_MAX), clock_mono_us() + 1000);
		journal_state(journal, &now);
	}
	journal_waiter_free(waiter);
}

#endif

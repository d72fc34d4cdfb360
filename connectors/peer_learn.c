/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the receiving half of `peer` learns at its start what it took before.
 *
 * The truth is the journal: each message carries whose it is and under which
 * name, and came to the disk with it. The file DATA/connectors/NAME/known says
 * what was known up to a position of the journal, so that only the rest has to be
 * read. It is written every now and then and when the source stops. Missing, old or
 * damaged, it costs time and nothing else.
 *
 * The rule not to break: the file holds only what is on the disk, and claims a
 * position only if all below it is in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <connectors/peer_source.h>
#include <connectors/peer_wire.h>
#include <xylem/log.h>

/* The file is written anew after so many messages: what a start has to read of the journal at most. */
#define SAVE_EVERY 32768U
/* And after so long if there was any: so that what retention takes from the journal is in the file before. */
#define SAVE_US ((int64_t)60000000)
#define FILE_MAX ((off_t)1 << 30)

/* --- The file of what is known ------------------------------------------------- */

static bool path_of(const struct peer_source *in, char path[4096])
{
	const char *folder = xylem_host_folder(in->peer->host);
	return folder && snprintf(path, 4096, "%s/known", folder) < 4090;
}

static bool write_whole(int fd, struct xylem_span bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.at, bytes.n);
		if (n < 0 && errno != EINTR) {
			return false;
		}
		bytes = xylem_span(bytes.at + (n > 0 ? n : 0), bytes.n - (size_t)(n > 0 ? n : 0));
	}
	return fdatasync(fd) == 0;
}

/* It may be an old one after a power loss: then more of the journal is read. */
static bool replace(const char *path, struct xylem_span bytes)
{
	char next[4200];
	snprintf(next, sizeof(next), "%s.next", path);
	int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write_whole(fd, bytes);
	if (fd >= 0) {
		close(fd);
	}
	return ok && rename(next, path) == 0;
}

void peer_learn_save(struct peer_source *in)
{
	XYLEM_BUFFER_SCOPED bytes = { 0 };
	char path[4096];

	pthread_mutex_lock(&in->lock);
	peer_known_write(in->known, in->from, &bytes);
	in->unsaved = 0;
	pthread_mutex_unlock(&in->lock);
	if (xylem_buffer_failed(&bytes) || !path_of(in, path) ||
		!replace(path, xylem_buffer_borrow(&bytes))) {
		xylem_log(XYLEM_LOG_WARNING, "peer",
			"%s: what is known of repeats could not be written (%s): the next start takes longer",
			xylem_host_name(in->peer->host), strerror(errno));
	}
}

void *peer_learn_saver(void *context)
{
	struct peer_source *in = context;
	int64_t due_us = clock_mono_us() + SAVE_US;

	pthread_mutex_lock(&in->lock);
	while (!in->ending) {
		struct timespec due = clock_timespec(due_us);
		if (in->unsaved < SAVE_EVERY && clock_mono_us() < due_us) {
			pthread_cond_clockwait(&in->changed, &in->lock, CLOCK_MONOTONIC, &due);
			continue;
		}
		due_us = clock_mono_us() + SAVE_US;
		if (in->unsaved > 0) {
			pthread_mutex_unlock(&in->lock);
			peer_learn_save(in);
			pthread_mutex_lock(&in->lock);
		}
	}
	pthread_mutex_unlock(&in->lock);
	return NULL;
}

/* The file's bytes, to be freed; NULL: there is none that can be read. */
static char *load(const char *path, size_t *ret_n)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		return NULL;
	}
	bool fits = fstat(fd, &status) == 0 && status.st_size > 0 && status.st_size < FILE_MAX;
	char *bytes = fits ? malloc((size_t)status.st_size) : NULL;
	ssize_t n = bytes ? read(fd, bytes, (size_t)status.st_size) : -1;
	close(fd);
	if (n != status.st_size) {
		free(bytes);
		return NULL;
	}
	*ret_n = (size_t)n;
	return bytes;
}

static int learn_file(struct peer_source *in)
{
	char path[4096];
	size_t n = 0;
	char *bytes = path_of(in, path) ? load(path, &n) : NULL;
	in->from = (struct xylem_position){ 0, 0 };
	int error = bytes ? peer_known_read(in->known, xylem_span(bytes, n), &in->from) : 0;
	if (error == -XYLEM_E_DAMAGED) {
		xylem_log(XYLEM_LOG_WARNING, "peer",
			"%s is damaged: the journal is read from its beginning instead", path);
		error = 0;
	}
	free(bytes);
	return error;
}

/* --- Learning from the journal --------------------------------------------------- */

struct learning {
	struct peer_source *in;
	int error;
};

static bool learn_one(void *context, const struct xylem_message *message)
{
	struct learning *learning = context;
	struct xylem_span from = xylem_message_attribute(message, XYLEM_SPAN_LITERAL(PEER_FROM));
	const char *peer_end = from.n > 0 ? memchr(from.at, '/', from.n) : NULL;
	const char *end = from.at + from.n;
	const char *stream_end = peer_end ? memchr(peer_end + 1, '/', (size_t)(end - peer_end - 1)) : NULL;
	struct peer_stream *stream;
	if (!stream_end) {
		return true; /* of a connector of another kind that had this name */
	}
	int error = peer_known_stream(learning->in->known, xylem_span(from.at, (size_t)(peer_end - from.at)),
		xylem_span(peer_end + 1, (size_t)(stream_end - peer_end - 1)), message->journal_time_us,
		&stream);
	if (error == 0) {
		error = peer_stream_add(stream,
			peer_name_of(xylem_span(stream_end + 1, (size_t)(end - stream_end - 1))),
			message->position);
	}
	learning->error = error == -XYLEM_E_LIMIT ? 0 : error;
	return learning->error == 0;
}

int peer_learn(struct peer_source *in, struct xylem_source *source, struct xylem_reason *reason)
{
	struct learning learning = { in, 0 };
	struct xylem_position end;
	int error = learn_file(in);
	error = error ? error : xylem_source_recall(source, in->from, learn_one, &learning, &end, reason);
	error = error ? error : learning.error;
	if (error == 0) {
		in->from = end;
	}
	return error;
}

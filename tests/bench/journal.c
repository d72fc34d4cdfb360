/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the journal appends and reads, beside what the disk gives in the
 * same run: pwrite and fdatasync of the same bytes to a preallocated file. One
 * appender that waits for each batch, as a ceiling does; then one that keeps
 * several batches on their way, as the intake does.
 *
 *     bench-journal [--json] [--seconds N] [--folder DIR]
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <journal/journal.h>

enum { DATA = 512, BATCH_MAX_N = 1000, FLIGHT = 8 };
#define SEGMENT ((uint64_t)128 * 1024 * 1024)

static struct xylem_message messages[BATCH_MAX_N];
static char data[DATA], ids[BATCH_MAX_N][40];
static char folder[512];
static bool json;
static double seconds = 2.0;

static void messages_make(void)
{
	for (size_t i = 0; i < DATA; i++) {
		data[i] = (char)('a' + i % 26);
	}
	for (size_t i = 0; i < BATCH_MAX_N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "0190f5d0-0000-7000-8000-%012zu", i);
		messages[i] = (struct xylem_message){
			.kind = XYLEM_MESSAGE,
			.ingress = XYLEM_SPAN_LITERAL("shop"),
			.id = xylem_span_of(ids[i]),
			.source = XYLEM_SPAN_LITERAL("/shop"),
			.type = XYLEM_SPAN_LITERAL("order.created"),
			.datacontenttype = XYLEM_SPAN_LITERAL("application/json"),
			.data = xylem_span(data, DATA),
		};
	}
}

static double cpu_seconds(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print(const char *what, size_t batch, double rate, double cpu_us, double ceiling)
{
	if (json) {
		printf("{\"bench\":\"journal\",\"what\":\"%s\",\"batch\":%zu,\"per_second\":%.0f,\"cpu_us\":%"
		       ".3f,"
		       "\"ceiling\":%.0f}\n",
			what, batch, rate, cpu_us, ceiling);
	} else if (ceiling > 0) {
		printf("%-28s batch %4zu  %10.0f msg/s  %6.2f us CPU/msg  ceiling %10.0f (%.0f %%)\n", what,
			batch, rate, cpu_us, ceiling, 100 * rate / ceiling);
	} else {
		printf("%-28s batch %4zu  %10.0f msg/s  %6.2f us CPU/msg\n", what, batch, rate, cpu_us);
	}
	fflush(stdout);
}

/* --- The ceiling -------------------------------------------------------------- */

static double ceiling_run(size_t batch, size_t message_bytes)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/ceiling", folder);
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = batch * message_bytes;
	char *bytes = calloc(1, n);
	if (file < 0 || !bytes || fallocate(file, 0, 0, (off_t)SEGMENT) != 0 || fdatasync(file) != 0) {
		perror(path);
		exit(1);
	}
	uint64_t done = 0, at = 0;
	double cpu = cpu_seconds();
	int64_t begin = clock_mono_us(), end = begin + (int64_t)(seconds * 1e6);
	while (clock_mono_us() < end) {
		at = at + n > SEGMENT ? 0 : at;
		memset(bytes, (int)done, 64);
		if (pwrite(file, bytes, n, (off_t)at) != (ssize_t)n || fdatasync(file) != 0) {
			perror(path);
			exit(1);
		}
		at += n;
		done += batch;
	}
	double rate = (double)done * 1e6 / (double)(clock_mono_us() - begin);
	print("raw pwrite+fdatasync", batch, rate, (cpu_seconds() - cpu) * 1e6 / (double)done, 0);
	close(file);
	unlink(path);
	free(bytes);
	return rate;
}

/* --- The journal -------------------------------------------------------------- */

static struct journal *journal_make(void)
{
	static char path[600];
	snprintf(path, sizeof(path), "%s/journal", folder);
	struct journal_options options = {
		.folder = path,
		.io = io_system(),
		.segment_size = SEGMENT,
		.retain_bytes = 4 * SEGMENT,
		.hold_bytes = (uint64_t)1 << 40,
		.reserve_bytes = (uint64_t)1024 * 1024,
	};
	struct journal *journal;
	struct xylem_reason reason;
	if (journal_open(&journal, &options, NULL, &reason) != 0) {
		fprintf(stderr, "bench-journal: %s\n", reason.text);
		exit(1);
	}
	return journal;
}

struct flight {
	pthread_mutex_t lock;
	pthread_cond_t landed;
	unsigned up;
	int error;
};

static void land(void *context, int error, const struct xylem_position *positions, size_t n)
{
	struct flight *flight = context;
	(void)positions;
	(void)n;
	pthread_mutex_lock(&flight->lock);
	flight->up--;
	flight->error = error ? error : flight->error;
	pthread_cond_signal(&flight->landed);
	pthread_mutex_unlock(&flight->lock);
}

static void land_until(struct flight *flight, unsigned up)
{
	pthread_mutex_lock(&flight->lock);
	while (flight->up > up) {
		pthread_cond_wait(&flight->landed, &flight->lock);
	}
	pthread_mutex_unlock(&flight->lock);
}

static void append_run(
	struct journal *journal, const char *what, size_t batch, unsigned flights, double ceiling)
{
	struct flight flight = { .lock = PTHREAD_MUTEX_INITIALIZER, .landed = PTHREAD_COND_INITIALIZER };
	uint64_t done = 0;
	double cpu = cpu_seconds();
	int64_t begin = clock_mono_us(), end = begin + (int64_t)(seconds * 1e6);
	while (clock_mono_us() < end) {
		land_until(&flight, flights - 1);
		pthread_mutex_lock(&flight.lock);
		flight.up++;
		pthread_mutex_unlock(&flight.lock);
		int error = journal_append(journal, messages, batch, false, land, &flight);
		if (error || flight.error) {
			fprintf(stderr, "bench-journal: %s\n",
				xylem_error_row(error ? error : flight.error)->text);
			exit(1);
		}
		done += batch;
		if (done % 20000 < batch) {
			journal_release(journal, journal_end(journal));
		}
	}
	land_until(&flight, 0);
	double rate = (double)done * 1e6 / (double)(clock_mono_us() - begin);
	print(what, batch, rate, (cpu_seconds() - cpu) * 1e6 / (double)done, ceiling);
}

static void read_run(struct journal *journal)
{
	struct journal_batch *batch = journal_batch_new();
	struct xylem_position from = journal_begin(journal);
	uint64_t done = 0;
	double cpu = cpu_seconds();
	int64_t begin = clock_mono_us(), end = begin + (int64_t)(seconds * 1e6);
	while (clock_mono_us() < end) {
		int error = journal_read(journal, from, BATCH_MAX_N, (size_t)1024 * 1024, batch);
		if (error) {
			fprintf(stderr, "bench-journal: %s\n", xylem_error_row(error)->text);
			exit(1);
		}
		done += batch->n;
		from = batch->n > 0 ? batch->next : journal_begin(journal);
	}
	double rate = (double)done * 1e6 / (double)(clock_mono_us() - begin);
	print("read, sums checked", BATCH_MAX_N, rate, (cpu_seconds() - cpu) * 1e6 / (double)done, 0);
	journal_batch_free(batch);
}

/* --- Around it ---------------------------------------------------------------- */

static void folder_remove(const char *path)
{
	DIR *stream = opendir(path);
	for (const struct dirent *entry; stream && (entry = readdir(stream));) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			unlinkat(dirfd(stream), entry->d_name, 0);
		}
	}
	if (stream) {
		closedir(stream);
	}
	rmdir(path);
}

static void arguments(int argc, char **argv)
{
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/bench-journal-XXXXXX", base ? base : "/tmp");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
			seconds = strtod(argv[++i], NULL);
		} else if (strcmp(argv[i], "--folder") == 0 && i + 1 < argc) {
			snprintf(folder, sizeof(folder), "%s/bench-journal-XXXXXX", argv[++i]);
		} else {
			fprintf(stderr, "usage: bench-journal [--json] [--seconds N] [--folder DIR]\n");
			exit(2);
		}
	}
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const size_t batches[] = { 1, 100, 1000 };
	arguments(argc, argv);
	messages_make();
	struct journal *journal = journal_make();
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		struct journal_state before, after;
		journal_state(journal, &before);
		double ceiling = ceiling_run(batches[i], 656);
		append_run(journal, "append and wait", batches[i], 1, ceiling);
		append_run(journal, "append, 8 on their way", batches[i], FLIGHT, ceiling);
		journal_state(journal, &after);
		if (!json) {
			printf("%-28s            %10" PRIu64 " commits, last sync %" PRId64 " us\n", "",
				after.commits - before.commits, after.last_sync_us);
		}
	}
	read_run(journal);
	journal_close(journal);
	char path[600];
	snprintf(path, sizeof(path), "%s/journal", folder);
	folder_remove(path);
	folder_remove(folder);
	return 0;
}

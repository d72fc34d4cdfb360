/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file connector: messages from the lines of a file that grows, or of
 * standard input, and messages as lines at the end of a file.
 *
 *     log:     { file: { path: /var/log/shop/orders.ndjson, format: ndjson, key: /data/customer } }
 *     archive: { file: { path: /srv/archive/orders.ndjson } }
 *
 * file_follow.c is the source; here are the options and the sink. A batch is
 * one write at the end of the file and one fdatasync; the file is opened again
 * when another one has taken its name.
 *
 * The rule not to break: a line is in the file whole or not at all. A write
 * that went only part of the way is taken back before it is reported.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <connectors/file_follow.h>
#include <xylem/buffer.h>
#include <xylem/connector.h>
#include <xylem/json.h>

struct options {
	const char *path;
	bool standard_input;
	int format; /* enum file_format */
	int from;   /* 0 beginning, 1 end */
	bool sync;
	int64_t mode;
	const char *source, *type, *subject, *key;
};

struct instance {
	struct xylem_host *host;
	const struct options *options;
	struct follow_rules rules;
	char *own_source, *own_type;
	struct follow *follow;
};

struct worker {
	struct instance *instance;
	int fd;
	struct xylem_buffer lines;
	int up; /* what the health view was told: -1 nothing yet */
};

/* --- Life -------------------------------------------------------------- */

static int picks_init(struct follow_rules *rules, const struct options *options, struct xylem_reason *reason)
{
	struct {
		const char *name, *text;
		struct pick *pick;
	} const rows[] = {
		{ "type", options->type, &rules->pick_type },
		{ "subject", options->subject, &rules->pick_subject },
		{ "key", options->key, &rules->pick_key },
	};
	for (size_t i = 0; i < 3; i++) {
		struct xylem_reason why = { "out of memory" };
		int error = rows[i].pick == &rules->pick_key
				    ? pick_init_key(rows[i].pick, rows[i].text, false, &why)
				    : pick_init(rows[i].pick, rows[i].text, false, &why);
		if (error) {
			xylem_reason_set(reason, "%s: %.400s", rows[i].name, why.text);
			return error; /* the caller finishes what was made */
		}
	}
	return 0;
}

static void picks_finish(struct follow_rules *rules)
{
	pick_finish(&rules->pick_type);
	pick_finish(&rules->pick_subject);
	pick_finish(&rules->pick_key);
}

static int check(const void *opaque, struct xylem_reason *reason)
{
	const struct options *options = opaque;
	if (!options->path == !options->standard_input) {
		xylem_reason_set(reason, "write either `path` or `stdin: true`");
		return -XYLEM_E_INVALID;
	}
	struct follow_rules rules = { 0 };
	int error = picks_init(&rules, options, reason);
	picks_finish(&rules);
	return error;
}

static void close_instance(void *opaque)
{
	struct instance *instance = opaque;
	if (instance) {
		follow_stop(instance->follow);
		picks_finish(&instance->rules);
		free(instance->own_source);
		free(instance->own_type);
		free(instance);
	}
}

static int rules_init(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	const char *name = xylem_host_name(instance->host);
	if (asprintf(&instance->own_source, "/connectors/%s", name) < 0) {
		instance->own_source = NULL;
		return -XYLEM_E_MEMORY;
	}
	if (asprintf(&instance->own_type, "%s.received", name) < 0) {
		instance->own_type = NULL;
		return -XYLEM_E_MEMORY;
	}
	instance->rules.path = options->standard_input ? NULL : options->path;
	instance->rules.format = (enum file_format)options->format;
	instance->rules.from_end = options->from == 1;
	instance->rules.source = options->source ? options->source : instance->own_source;
	instance->rules.type = instance->own_type;
	return picks_init(&instance->rules, options, reason);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance) {
		return -XYLEM_E_MEMORY;
	}
	instance->host = host;
	instance->options = options;
	int error = rules_init(instance, reason);
	if (error) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

static int source_start(void *opaque, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = opaque;
	return follow_start(&instance->follow, instance->host, source, &instance->rules, reason);
}

static void source_stop(void *opaque)
{
	struct instance *instance = opaque;
	instance->follow = follow_stop(instance->follow);
}

/* --- Sink -------------------------------------------------------------- */

/* What an errno of opening or writing means to a delivery. */
static void fail(struct worker *worker, struct xylem_result *results, size_t n, const char *what, int error)
{
	bool configured = error == EACCES || error == EPERM || error == EROFS || error == ENOENT ||
			  error == ENOTDIR || error == EISDIR || error == ELOOP || error == ENAMETOOLONG;
	enum xylem_failure failure = configured ? XYLEM_FAILURE_MISCONFIGURED : XYLEM_FAILURE_DOWN;
	char code[32];
	snprintf(code, sizeof(code), "file-%.20s", strerrorname_np(error) ? strerrorname_np(error) : "error");
	for (size_t i = 0; i < n; i++) {
		xylem_result_fail(&results[i], i ? XYLEM_NOT_TRIED : failure, code, "%s %s: %s", what,
			worker->instance->options->path, strerror(error));
	}
	if (worker->up != 0) {
		worker->up = 0;
		xylem_host_health(worker->instance->host, false, "%s", results[0].reason.text);
	}
}

/*
 * A line that a kill cut in the middle was never reported delivered, and comes
 * again whole. It is ended here, so that it takes no other line with it; cutting
 * it off could take what somebody else wrote.
 */
static int torn_line_end(const char *path, int fd)
{
	struct stat status;
	char last = '\n';
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
		return 0;
	}
	int reading = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = reading < 0 ? -1 : pread(reading, &last, 1, status.st_size - 1);
	if (reading >= 0) {
		close(reading);
	}
	return got == 1 && last != '\n' && write(fd, "\n", 1) != 1 ? -errno : 0;
}

/* The file that has the name now. */
static int file_open(struct worker *worker)
{
	const struct options *options = worker->instance->options;
	struct stat named, held;
	bool same = worker->fd >= 0 && stat(options->path, &named) == 0 && fstat(worker->fd, &held) == 0 &&
		    named.st_ino == held.st_ino && named.st_dev == held.st_dev;
	if (same) {
		return 0;
	}
	if (worker->fd >= 0) {
		close(worker->fd);
	}
	worker->fd = open(options->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, (mode_t)options->mode);
	return worker->fd < 0 ? -errno : torn_line_end(options->path, worker->fd);
}

/* One line of a message. False: it cannot be one, *result says why. */
static bool line_write(
	struct worker *worker, const struct xylem_message *message, struct xylem_result *result)
{
	struct xylem_buffer *out = &worker->lines;
	size_t begin = out->n;
	if (worker->instance->options->format == FILE_EVENTS) {
		xylem_message_write_json(message, out);
	} else {
		xylem_buffer_span(out, message->data);
	}
	bool breaks = out->n > begin && (memchr(out->bytes + begin, '\n', out->n - begin) ||
						memchr(out->bytes + begin, '\r', out->n - begin));
	if (worker->instance->options->format != FILE_LINES) {
		/* Line breaks in valid JSON are white space. */
		if (worker->instance->options->format == FILE_NDJSON &&
			xylem_json_check(message->data, NULL, NULL)) {
			xylem_buffer_cut(out, begin);
			xylem_result_fail(result, XYLEM_FAILURE_WRONG, "not-json",
				"the data is not JSON, and cannot be a line");
			return false;
		}
		for (size_t i = begin; breaks && i < out->n; i++) {
			out->bytes[i] = (char)(out->bytes[i] == '\n' || out->bytes[i] == '\r'
						       ? ' '
						       : out->bytes[i]);
		}
	} else if (breaks) {
		xylem_buffer_cut(out, begin);
		xylem_result_fail(result, XYLEM_FAILURE_WRONG, "line-break",
			"the data has a line break, and cannot be a line");
		return false;
	}
	xylem_buffer_byte(out, '\n');
	return true;
}

/* All of it or nothing: what went half way is taken back, if nobody has written behind it. */
static int lines_append(struct worker *worker)
{
	size_t n = worker->lines.n;
	ssize_t wrote = write(worker->fd, worker->lines.bytes, n);
	if (wrote == (ssize_t)n) {
		return worker->instance->options->sync && fdatasync(worker->fd) < 0 ? -errno : 0;
	}
	int error = wrote < 0 ? errno : ENOSPC;
	off_t end = wrote > 0 ? lseek(worker->fd, 0, SEEK_CUR) : -1; /* O_APPEND: where our bytes end */
	struct stat status;
	if (end >= wrote && fstat(worker->fd, &status) == 0 && status.st_size == end &&
		ftruncate(worker->fd, end - wrote) < 0) {
		error = errno;
	}
	return -error;
}

static void deliver(
	void *opaque, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = opaque;
	int error = file_open(worker);
	if (error) {
		fail(worker, results, n, "cannot open", -error);
		return;
	}
	xylem_buffer_clear(&worker->lines);
	size_t taken = 0;
	while (taken < n && line_write(worker, messages[taken], &results[taken])) {
		taken++;
	}
	for (size_t i = taken + 1; i < n; i++) {
		xylem_result_fail(&results[i], XYLEM_NOT_TRIED, "order", "a message before it was refused");
	}
	error = xylem_buffer_failed(&worker->lines) ? -ENOMEM : worker->lines.n ? lines_append(worker) : 0;
	if (error) {
		fail(worker, results, n, "cannot write to", -error);
		xylem_buffer_finish(&worker->lines);
	} else if (worker->up != 1) {
		worker->up = 1;
		xylem_host_health(worker->instance->host, true, "writing");
	}
}

static void sink_close(void *opaque)
{
	struct worker *worker = opaque;
	if (worker) {
		if (worker->fd >= 0) {
			close(worker->fd);
		}
		xylem_buffer_finish(&worker->lines);
		free(worker);
	}
}

static int sink_open(void *opaque, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct instance *instance = opaque;
	if (instance->options->standard_input) {
		xylem_reason_set(reason, "standard input cannot be written to: give the connector a `path`");
		return -XYLEM_E_INVALID;
	}
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return -XYLEM_E_MEMORY;
	}
	worker->instance = instance;
	worker->fd = -1;
	worker->up = -1;
	*ret_worker = worker;
	return 0;
}

/* --- The tables -------------------------------------------------------- */

#define OPTION(field) .offset = offsetof(struct options, field)

static const struct xylem_option options[] = {
	{ .name = "path",
		.type = XYLEM_OPTION_PATH,
		.flags = XYLEM_OPTION_SHORT,
		OPTION(path),
		.since = "0.1",
		.summary = "The file to follow or to append to.",
		.example = "/var/log/shop/orders.ndjson" },
	{ .name = "stdin",
		.type = XYLEM_OPTION_BOOL,
		OPTION(standard_input),
		.default_value = "false",
		.since = "0.1",
		.summary = "Reads standard input instead of a file; nothing is remembered of it." },
	{ .name = "format",
		.type = XYLEM_OPTION_ENUM,
		OPTION(format),
		.default_value = "events",
		.choices = (const char *const[]){ "events", "ndjson", "lines", NULL },
		.since = "0.1",
		.summary = "What a line is: a CloudEvent in JSON, JSON data, or text." },
	{ .name = "from",
		.type = XYLEM_OPTION_ENUM,
		OPTION(from),
		.default_value = "beginning",
		.choices = (const char *const[]){ "beginning", "end", NULL },
		.since = "0.1",
		.summary = "Where to begin in a file that was never read." },
	{ .name = "sync",
		.type = XYLEM_OPTION_BOOL,
		OPTION(sync),
		.default_value = "true",
		.since = "0.1",
		.summary = "A message counts as delivered when its line is on disk, not only written." },
	{ .name = "mode",
		.type = XYLEM_OPTION_INTEGER,
		OPTION(mode),
		.default_value = "416",
		.maximum = 511,
		.since = "0.1",
		.summary = "The permissions of a file that is made, as a decimal number: 416 is 0640.",
		.example = "384" },
	{ .name = "source",
		.type = XYLEM_OPTION_STRING,
		OPTION(source),
		.since = "0.1",
		.summary = "The source of messages that are no CloudEvents; else `/connectors/NAME`.",
		.example = "/shop/log" },
	{ .name = "type",
		.type = XYLEM_OPTION_STRING,
		OPTION(type),
		.since = "0.1",
		.summary = "Their type: a pointer into the event or a text; else `NAME.received`.",
		.example = "/data/kind" },
	{ .name = "subject",
		.type = XYLEM_OPTION_STRING,
		OPTION(subject),
		.since = "0.1",
		.summary = "Their subject: a pointer into the event or a text.",
		.example = "/data/number" },
	{ .name = "key",
		.type = XYLEM_OPTION_STRING,
		OPTION(key),
		.since = "0.1",
		.summary = "The ordering key: a pointer into the event or a text; else an event's "
			   "`partitionkey`.",
		.example = "/data/customer" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_file;
const struct xylem_connector xylem_connector_file = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "file",
	.summary = "Lines of a file that grows, or of standard input; and lines at the end of a file.",
	.options = options,
	.options_size = sizeof(struct options),
	.batch = { .count = 1000, .bytes = 1024 * 1024 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.source_start = source_start,
	.source_stop = source_stop,
	.sink_open = sink_open,
	.deliver = deliver,
	.sink_close = sink_close,
};

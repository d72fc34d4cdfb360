/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line a call to standard error, as text or JSON. A line that
 * repeats too often is counted instead of written. Whoever decides what an
 * error leads to logs it, once; a function logs or returns, never both. No
 * secret can get here: the type that holds them has no printer.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/logging.h>
#include <xylem/buffer.h>

#define REPEAT_SLOTS 64
#define REPEAT_LIMIT 10
#define REPEAT_SPAN_US ((int64_t)10 * 1000000)

static _Atomic int least = XYLEM_LOG_NOTICE;
static _Atomic bool as_json;

/* Lines of one format and room within the span, by hash: a collision only merges two counts. */
static struct {
	uint64_t hash;
	int64_t since_us;
	unsigned count;
} repeats[REPEAT_SLOTS];
static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;

void logging_set(enum xylem_log_level level, bool json)
{
	atomic_store(&least, (int)level);
	atomic_store(&as_json, json);
}

/* True: write it. *ret_suppressed: how many were not, since the last that was. */
static bool repeat_admits(const char *room, const char *text, unsigned *ret_suppressed)
{
	uint64_t hash = hash_bytes(text, strlen(text)) ^ hash_bytes(room, strlen(room));
	int64_t now = clock_mono_us();
	pthread_mutex_lock(&repeats_lock);
	size_t slot = hash % REPEAT_SLOTS;
	bool fresh = repeats[slot].hash != hash || now - repeats[slot].since_us > REPEAT_SPAN_US;
	*ret_suppressed = 0;
	if (fresh) {
		if (repeats[slot].hash == hash && repeats[slot].count > REPEAT_LIMIT) {
			*ret_suppressed = repeats[slot].count - REPEAT_LIMIT;
		}
		repeats[slot].hash = hash;
		repeats[slot].since_us = now;
		repeats[slot].count = 0;
	}
	bool admitted = ++repeats[slot].count <= REPEAT_LIMIT;
	pthread_mutex_unlock(&repeats_lock);
	return admitted;
}

/* JSON string content and, for the text form, one safe line: control characters escaped either way. */
static void escape(struct xylem_buffer *out, const char *text, bool json)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at < 0x20 || *at == 0x7F) {
			xylem_buffer_text(out, json ? "\\u00" : "\\x");
			xylem_buffer_format(out, "%02x", *at);
		} else {
			if (json && (*at == '"' || *at == '\\')) {
				xylem_buffer_byte(out, '\\');
			}
			xylem_buffer_byte(out, (char)*at);
		}
	}
}

static const char *const names[] = { "error", "warning", "notice", "info", "debug" };

static void line_write(enum xylem_log_level level, const char *room, const char *text, unsigned suppressed)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	char time[CLOCK_TEXT_SIZE];
	bool json = atomic_load(&as_json);
	clock_format(clock_wall_us(), time);
	if (json) {
		xylem_buffer_format(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\",\"text\":\"",
			time, names[level], room);
	} else {
		xylem_buffer_format(&line, "%s %-7s %s: ", time, names[level], room);
	}
	escape(&line, text, json);
	if (suppressed) {
		xylem_buffer_format(&line, " (and %u more like it)", suppressed);
	}
	xylem_buffer_text(&line, json ? "\"}\n" : "\n");
	if (!xylem_buffer_failed(&line)) {
		/* One write, so that lines of several threads do not mix. What cannot be written has nowhere to go. */
		ssize_t ignored = write(STDERR_FILENO, line.bytes, line.n);
		(void)ignored;
	}
}

void xylem_log(enum xylem_log_level level, const char *room, const char *format, ...)
{
	if ((int)level > atomic_load_explicit(&least, memory_order_relaxed)) {
		return;
	}
	char text[2048];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	unsigned suppressed;
	if (repeat_admits(room, text, &suppressed)) {
		line_write(level, room, text, suppressed);
	}
}

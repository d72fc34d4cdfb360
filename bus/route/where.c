/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `where`, the question that a route asks of each event: a program in the jq
 * language (bus/jq), compiled once, run for each event.
 *
 *     routes:
 *       orders:
 *         from: [shop]
 *         where: .type == "order.created" and .data.order.total > 100
 *
 * Whoever asks takes one of the machines that stand ready and puts it back;
 * there are as many as threads ever asked at the same time.
 *
 * The rule not to break: data that nobody asks for is not read, so that an
 * event whose payload is broken is still an event of its type.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "jq/jq.h"
#include "json/utf8.h"
#include "route/where.h"

/* One question is small; beyond these it is a mistake in the expression. */
static const struct jq_limits limits = {
	.steps = 1000000, .memory = (size_t)16 * 1024 * 1024, .time_us = 1000000
};

#define WHERE_BYTES 16384

struct ready {
	struct ready *next;
	struct jq_machine *machine;
};

struct where {
	struct jq_program *program;
	pthread_mutex_t lock; /* a leaf */
	struct ready *ready;
};

/* --- Compiling --------------------------------------------------------------- */

/* Characters before a place of the text, from 1. */
static int column_of(const char *text, struct jq_place place)
{
	const char *line = text;
	for (uint32_t i = 1; i < place.line && (line = strchr(line, '\n')); i++) {
		line++;
	}
	size_t before = line ? utf8_count(xylem_span(text, (size_t)(line - text))) : 0;
	return (int)(before + place.column);
}

/* `data.total > 0` wants a dot, `.type == order` quotes; `n` bytes are the name. */
static void reason_hint(struct xylem_reason *reason, int n)
{
	static const char *const members[] = { "data", "id", "source", "subject", "time", "type" };
	struct xylem_reason whole = *reason;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strlen(members[i]) == (size_t)n && strncmp(whole.text, members[i], (size_t)n) == 0) {
			xylem_reason_set(reason, "%s; the event's is `.%s`", whole.text, members[i]);
			return;
		}
	}
	xylem_reason_set(reason, "%s; a text stands in quotes: \"%.*s\"", whole.text, n, whole.text);
}

/* Without the program's name and place, and the line that is shown below: whoever asked says where. */
static void reason_shorten(struct xylem_reason *reason)
{
	unsigned line, column;
	int skip = 0;
	if (sscanf(reason->text, "where:%u:%u: %n", &line, &column, &skip) != 2) {
		skip = strncmp(reason->text, "where: ", 7) == 0 ? 7 : 0;
	}
	size_t n = strcspn(reason->text + skip, "\n");
	memmove(reason->text, reason->text + skip, n);
	reason->text[n] = '\0';
	const char *arity = strstr(reason->text, "/0 is not defined");
	if (arity) {
		reason_hint(reason, (int)(arity - reason->text));
	}
}

static int program_make(
	struct where *where, const char *text, struct jq_place *ret_place, struct xylem_reason *reason)
{
	const struct jq_options options = { .file = "where", .limits = limits, .spare = true };
	size_t n = strlen(text);
	if (strspn(text, " \t\r\n") == n) {
		xylem_reason_set(reason, "an expression is expected");
		return -XYLEM_E_INVALID;
	}
	if (n > WHERE_BYTES) {
		xylem_reason_set(reason, "the expression is longer than %d bytes", WHERE_BYTES);
		return -XYLEM_E_INVALID;
	}
	int error = jq_program_new(xylem_span(text, n), &options, &where->program, ret_place, reason);
	if (error < 0) {
		reason_shorten(reason);
		return error;
	}
	if (jq_program_assigns(where->program, ret_place)) {
		xylem_reason_set(reason, "a changed event is always a yes; equality is `==`");
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int where_compile(const char *text, struct where **ret_where, int *ret_column, struct xylem_reason *reason)
{
	struct jq_place place = { 1, 1 };
	struct xylem_reason why = { "" };
	struct where *where = calloc(1, sizeof(*where));
	if (!where) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_init(&where->lock, NULL);
	int error = program_make(where, text, &place, &why);
	if (error == 0) {
		*ret_where = where;
		return 0;
	}
	where_free(where);
	if (ret_column) {
		*ret_column = column_of(text, place);
	}
	if (reason) {
		*reason = why;
	}
	return error;
}

struct where *where_free(struct where *where)
{
	if (!where) {
		return NULL;
	}
	for (struct ready *ready = where->ready, *next; ready; ready = next) {
		next = ready->next;
		jq_machine_free(ready->machine);
		free(ready);
	}
	jq_program_free(where->program);
	pthread_mutex_destroy(&where->lock);
	free(where);
	return NULL;
}

/* --- Asking ------------------------------------------------------------------- */

static struct ready *ready_take(struct where *where)
{
	pthread_mutex_lock(&where->lock);
	struct ready *ready = where->ready;
	where->ready = ready ? ready->next : NULL;
	pthread_mutex_unlock(&where->lock);
	if (ready) {
		return ready;
	}
	ready = calloc(1, sizeof(*ready));
	if (ready && !(ready->machine = jq_machine_new(where->program))) {
		free(ready);
		return NULL;
	}
	return ready;
}

static void ready_give(struct where *where, struct ready *ready)
{
	pthread_mutex_lock(&where->lock);
	ready->next = where->ready;
	where->ready = ready;
	pthread_mutex_unlock(&where->lock);
}

#define FOUND (-XYLEM_E_END) /* ends the run at the first yes */

static int result_take(void *context, struct jq_machine *machine, struct jq_value value)
{
	bool *match = context;
	*match = jq_is_true(value);
	return *match ? FOUND : 0;
}

static int ask(struct jq_machine *machine, const struct xylem_message *message, bool *ret_match,
	struct xylem_reason *reason)
{
	struct xylem_reason why = { "" };
	jq_machine_begin(machine, message->journal_time_us);
	struct jq_value event = jq_value_message(machine, message, &why);
	if (jq_is_none(event)) {
		xylem_reason_set(reason, "the expression asks for .data, which is %s", why.text);
		return -XYLEM_E_UNPROCESSABLE;
	}
	bool match = false;
	int error = jq_machine_run(machine, event, result_take, &match, &why);
	if (error && !match) {
		xylem_reason_set(reason, "%s%s",
			error == -XYLEM_E_INVALID ? "the expression asks for .data, which is " : "",
			why.text);
		return -XYLEM_E_UNPROCESSABLE;
	}
	*ret_match = match;
	return 0;
}

int where_match(struct where *where, const struct xylem_message *message, bool *ret_match,
	struct xylem_reason *reason)
{
	struct ready *ready = ready_take(where);
	if (!ready) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_UNPROCESSABLE;
	}
	int error = ask(ready->machine, message, ret_match, reason);
	ready_give(where, ready);
	return error;
}

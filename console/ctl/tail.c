/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail: what happens, as it happens. A broken connection is taken up again
 * after the last event that was seen; a gap is told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <console/ctl/ctl.h>

struct tail {
	bool json;
	unsigned long long left; /* events still to show; 0 with `bounded`: enough */
	bool bounded, any;
	char last_id[128];
};

static const char *text_of(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(event, name));
	return text ? text : "";
}

static void show_rest(const json_t *event)
{
	static const char *const first[] = { "time", "handle", "lane", "outcome", NULL };
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)event, name, value)
	{
		size_t i = 0;
		while (first[i] && strcmp(first[i], name) != 0) {
			i++;
		}
		if (first[i] || (json_is_string(value) && !json_string_length(value))) {
			continue;
		}
		char *dump = json_dumps(value, JSON_ENCODE_ANY);
		XYLEM_BUFFER_SCOPED plain = { 0 };
		view_plain(&plain, json_is_string(value) ? json_string_value(value) : dump ? dump : "");
		printf("  %s=%.*s", name, (int)plain.n, plain.n ? plain.bytes : "");
		free(dump);
	}
}

static void show(const char *name, const json_t *event)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	const char *time = text_of(event, "time"), *outcome = text_of(event, "outcome");
	const char *colour = table_state_colour(outcome);
	xylem_buffer_format(&line, "%.12s  %-9s  ", strlen(time) == 24 ? time + 11 : "", name);
	view_plain(&line, text_of(event, "handle"));
	xylem_buffer_text(&line, *text_of(event, "handle") ? "  " : "");
	view_plain(&line, text_of(event, "lane"));
	printf("%.*s%s%s%s%s", (int)line.n, line.n ? line.bytes : "",
		*text_of(event, "lane") && *outcome ? "  " : "", colour, outcome, *colour ? COLOUR_END : "");
	show_rest(event);
	putchar('\n');
}

static bool take(void *context, const char *id, const char *name, const char *data)
{
	struct tail *tail = context;
	tail->any = true;
	snprintf(tail->last_id, sizeof(tail->last_id), "%s", id);
	json_t *event = json_loads(data, 0, NULL);
	if (tail->json) {
		json_object_set_new(event, "event", json_string(name));
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		show(name, event);
	}
	json_decref(event);
	bool written = fflush(stdout) == 0;
	return written && !(tail->bounded && --tail->left == 0);
}

static void wait_a_moment(void)
{
	struct timespec moment = { .tv_sec = 2 };
	nanosleep(&moment, NULL);
}

void ctl_tail_usage(FILE *out)
{
	fputs("usage: xylemctl tail [--count N] [--json] "
	      "[accepted|settled|case|lane|connector|reload ...]\n",
		out);
}

/* `tail [--count N] [TYPE ...]` */
static int read_line(int argc, char **argv, struct tail *tail, struct xylem_buffer *target)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
			tail->left = strtoull(argv[++i], NULL, 10);
			tail->bounded = tail->left > 0;
		} else if (strncmp(argv[i], "--", 2) == 0) {
			ctl_tail_usage(stderr);
			return CTL_USAGE;
		} else {
			xylem_buffer_text(target, strchr(target->bytes, '?') ? "," : "?types=");
			client_encode(target, xylem_span_of(argv[i]), false);
			xylem_buffer_byte(target, '\0');
			xylem_buffer_cut(target, target->n - 1);
		}
	}
	return CTL_OK;
}

int ctl_tail(struct client *client, const struct ctl_options *options, int argc, char **argv)
{
	struct tail tail = { .json = options->json };
	XYLEM_BUFFER_SCOPED target = { 0 };
	xylem_buffer_append(&target, "/api/v1/events", sizeof("/api/v1/events"));
	xylem_buffer_cut(&target, target.n - 1);
	int code = read_line(argc, argv, &tail, &target);
	xylem_buffer_byte(&target, '\0');
	bool connected = false;
	while (code == CTL_OK || (code == CTL_UNREACHABLE && connected)) {
		code = client_stream(client, target.bytes, tail.last_id, take, &tail);
		if ((tail.bounded && !tail.left) || ferror(stdout)) {
			return CTL_OK;
		}
		connected |= code == CTL_OK;
		if (connected && (code == CTL_OK || code == CTL_UNREACHABLE)) {
			fprintf(stderr, "xylemctl: the stream broke off; trying again\n");
			wait_a_moment();
		}
	}
	if (code == CTL_UNREACHABLE) {
		fprintf(stderr, "xylemctl: the bus cannot be reached\n");
	}
	return code;
}

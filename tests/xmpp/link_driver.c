/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The component link on a string: commands come on standard input, what happens
 * is printed, a line each. The tests in link_test.py drive it against real
 * servers.
 *
 *     link_driver HOST:PORT DOMAIN MAX_STANZA        (the secret: LINK_SECRET in the environment)
 *     send ID TO TYPE SIZE       a message with a body of SIZE bytes, tracked
 *     raw ID TO XML              one line of XML as it stands, tracked
 *     flush | state | quit
 *
 * Prints: up | down WHY | refused ID CODE | settled ID ERROR TYPE CONDITION | in NAME FROM XML | state ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xmpp/link.h>
#include <xmpp/stanza.h>

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	XYLEM_BUFFER_SCOPED text = { 0 };

	xml_write(stanza, &text);
	printf("in %.*s %d %.*s\n", (int)stanza->name.n, stanza->name.at, violation, (int)text.n, text.bytes);
}

static void on_changed(void *context, bool up, const char *why)
{
	printf("%s %s\n", up ? "up" : "down", why);
}

static void on_settled(void *context, const struct link_outcome *outcome)
{
	printf("settled %s %s %s %s\n", (char *)context,
		outcome->error == 0 ? "ok" : xylem_error_row(outcome->error)->name,
		outcome->type[0] != '\0' ? outcome->type : "-",
		outcome->condition[0] != '\0' ? outcome->condition : "-");
	free(context);
}

static void send_bytes(struct link *link, struct xylem_buffer *out, const char *id, const char *to)
{
	struct xylem_reason reason;
	char *context = strdup(id);
	const struct outbox_track track = { id, to, on_settled, context };
	int error = link_send(link, xylem_buffer_borrow(out), &track, &reason);

	while (error == -XYLEM_E_BUSY) {
		link_wait_room(link, INT64_MAX / 2, NULL);
		error = link_send(link, xylem_buffer_borrow(out), &track, &reason);
	}
	if (error != 0) {
		printf("refused %s %s\n", id, xylem_error_row(error)->name);
		free(context);
	}
}

static void send_message(struct link *link, const char *id, const char *to, const char *type, size_t size)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	stanza_open(&out, "message", type, xylem_span_of(link_domain(link)), xylem_span_of(to),
		xylem_span_of(id));
	xylem_buffer_text(&out, "><body>");
	for (size_t i = 0; i < size; i++) {
		xylem_buffer_byte(&out, 'x');
	}
	xylem_buffer_text(&out, "</body></message>");
	send_bytes(link, &out, id, to);
}

static void print_state(struct link *link)
{
	struct link_state s;

	link_state(link, &s);
	printf("state up=%d sent=%llu received=%llu resent=%llu refused=%llu connects=%llu unconfirmed=%zu "
	       "queued=%zu\n",
		s.up, (unsigned long long)s.sent, (unsigned long long)s.received,
		(unsigned long long)s.resent, (unsigned long long)s.refused, (unsigned long long)s.connects,
		s.unconfirmed, s.queued_bytes);
}

/* False at `quit`. */
static bool obey(struct link *link, char *line)
{
	char id[64], to[256], type[32];
	size_t size;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "send %63s %255s %31s %zu", id, to, type, &size) == 4) {
		send_message(link, id, to, type, size);
	} else if (sscanf(line, "raw %63s %255s %n", id, to, &at) == 2 && at > 0) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		xylem_buffer_text(&out, line + at);
		send_bytes(link, &out, id, to);
	} else if (strcmp(line, "flush") == 0) {
		link_flush(link);
	} else if (strcmp(line, "state") == 0) {
		print_state(link);
	}
	return strcmp(line, "quit") != 0;
}

int main(int argc, char **argv)
{
	struct link *link;
	struct xylem_reason reason;

	if (argc != 4 || getenv("LINK_SECRET") == NULL) {
		fprintf(stderr, "usage: LINK_SECRET=... link_driver HOST:PORT DOMAIN MAX_STANZA\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	const struct link_options options = { .server = argv[1],
		.domain = argv[2],
		.secret = xylem_span_of(getenv("LINK_SECRET")),
		.max_stanza = strtoul(argv[3], NULL, 10),
		.stanza = on_stanza,
		.changed = on_changed };
	if (link_new(&link, &options, &reason) != 0 || link_start(link, &reason) != 0) {
		fprintf(stderr, "%s\n", reason.text);
		return 1;
	}
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, stdin) > 0 && obey(link, line)) {
	}
	free(line);
	link_stop(link, 5000000);
	link_free(link);
	return 0;
}

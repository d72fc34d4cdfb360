/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker sink: an HTTP server that writes down every message it gets, one file
 * a path: POST /partner goes to FOLDER/partner.receipts.
 *
 * What it answers can be changed while it runs: SIGHUP makes it read its control
 * file, lines of `NAME RULE`, and say `control N lines` on its output. Without a
 * line a path answers 204 at once.
 *     NAME delay MS      answers so much later
 *     NAME answer CODE   refuses everything with CODE, and writes nothing down
 *     NAME refuse ID CODE  refuses one id with CODE
 *     NAME inside        writes down the id in the payload: of messages made from another
 *     * deaf             takes no connections and closes those there are
 *
 * The rule not to break: a message is written down before it is answered, and
 * only if the answer is a 2xx.
 */
#include <checker/checker.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <checker/http_head.h>
#include <checker/record.h>

#define NAME_SIZE 32
#define BUFFER_ROOM ((size_t)256 * 1024)
#define NAMES_MAX 64
#define RULES_MAX 4096

struct place {
	char name[NAME_SIZE];
	FILE *file;
};

struct rule {
	char name[NAME_SIZE], verb[16], id[RECORD_ID_SIZE];
	int value;
};

struct peer {
	int descriptor;
	int64_t due_us; /* an answer waits until then; 0: none */
	int code;
	char *bytes;
	size_t n;
	struct peer *next;
};

static struct place places[NAMES_MAX];
static size_t place_count;
static struct rule rules[RULES_MAX];
static size_t rule_count;
static struct peer *peers;
static const char *folder, *control;
static int poller, listener = -1, port;
static volatile sig_atomic_t stopping, control_wanted;

static int64_t mono_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- Rules ---------------------------------------------------------------- */

static const struct rule *rule_find(const char *name, const char *verb, const char *id)
{
	for (size_t i = 0; i < rule_count; i++) {
		if (strcmp(rules[i].name, name) == 0 && strcmp(rules[i].verb, verb) == 0 &&
			(!id || strcmp(rules[i].id, id) == 0)) {
			return &rules[i];
		}
	}
	return NULL;
}

static void rules_read(void)
{
	FILE *file = fopen(control, "r");
	char line[256];
	rule_count = 0;
	while (file && fgets(line, sizeof(line), file) && rule_count < RULES_MAX) {
		struct rule rule = { .value = 0 };
		bool one = sscanf(line, "%31s %15s", rule.name, rule.verb) == 2;
		if (one && strcmp(rule.verb, "refuse") == 0) {
			one = sscanf(line, "%*s %*s %47s %d", rule.id, &rule.value) == 2;
		} else if (one && strcmp(rule.verb, "deaf") != 0 && strcmp(rule.verb, "inside") != 0) {
			one = sscanf(line, "%*s %*s %d", &rule.value) == 1;
		}
		if (one) {
			rules[rule_count++] = rule;
		} else {
			fprintf(stderr, "checker sink: not understood: %s", line);
		}
	}
	if (file) {
		fclose(file);
	}
}

/* --- Listening ------------------------------------------------------------ */

static bool listen_open(void)
{
	int one = 1;
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(listener, 1024) != 0) {
		perror("checker sink: listen");
		return false;
	}
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	return epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0;
}

static void peer_close(struct peer *peer)
{
	struct peer **at = &peers;
	while (*at != peer) {
		at = &(*at)->next;
	}
	*at = peer->next;
	close(peer->descriptor);
	free(peer->bytes);
	free(peer);
}

static void control_apply(void)
{
	rules_read();
	bool deaf = rule_find("*", "deaf", NULL) != NULL;
	if (deaf && listener >= 0) {
		close(listener);
		listener = -1;
		while (peers) {
			peer_close(peers);
		}
	} else if (!deaf && listener < 0) {
		listen_open();
	}
	printf("control %zu lines\n", rule_count);
	fflush(stdout);
}

static void accept_all(void)
{
	for (;;) {
		int one = 1, descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (descriptor < 0) {
			return;
		}
		struct peer *peer = calloc(1, sizeof(*peer));
		if (!peer || !(peer->bytes = malloc(BUFFER_ROOM))) {
			free(peer);
			close(descriptor);
			return;
		}
		setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer->descriptor = descriptor;
		peer->next = peers;
		peers = peer;
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
		epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
	}
}

/* --- Receipts ------------------------------------------------------------- */

static struct place *place_find(const char *name)
{
	for (size_t i = 0; i < place_count; i++) {
		if (strcmp(places[i].name, name) == 0) {
			return &places[i];
		}
	}
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s.receipts", folder, name);
	FILE *file = place_count < NAMES_MAX ? fopen(path, "a") : NULL;
	if (!file) {
		return NULL;
	}
	struct place *place = &places[place_count++];
	snprintf(place->name, sizeof(place->name), "%s", name);
	place->file = file;
	return place;
}

/* The status to answer with. */
static int message_take(const struct http_head *head, const char *body)
{
	char name[NAME_SIZE], id[RECORD_ID_SIZE], key[RECORD_KEY_SIZE], hash[RECORD_HASH_SIZE];
	size_t n = 0;
	uint64_t sequence = 0;
	const char *given = http_head_field(head, "ce-id", &n);
	given = given ? given : http_head_field(head, "webhook-id", &n);
	if (sscanf(head->first, "POST /%31[A-Za-z0-9_-] ", name) != 1 || !given ||
		!record_word(given, n, sizeof(id))) {
		return 400;
	}
	memcpy(id, given, n);
	id[n] = '\0';
	const struct rule *rule = rule_find(name, "answer", NULL);
	rule = rule ? rule : rule_find(name, "refuse", id);
	if (rule) {
		return rule->value;
	}
	if (!record_read_payload(body, head->length, key, &sequence)) {
		strcpy(key, "?");
	}
	if (rule_find(name, "inside", NULL) && !record_read_id(body, head->length, id)) {
		strcpy(id, "?");
	}
	record_hash(body, head->length, hash);
	struct place *place = place_find(name);
	if (!place || fprintf(place->file, "%s %s %llu %s %lld\n", id, key, (unsigned long long)sequence,
			      hash, (long long)record_now_us()) < 0) {
		return 500;
	}
	return 204;
}

static int64_t delay_of(const struct http_head *head)
{
	char name[NAME_SIZE] = "";
	sscanf(head->first, "%*s /%31[A-Za-z0-9_-]", name);
	const struct rule *rule = rule_find(name, "delay", NULL);
	return rule ? (int64_t)rule->value * 1000 : 0;
}

/* False: the peer is gone. */
static bool answer(struct peer *peer)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\n%s\r\n", peer->code,
		peer->code == 204 ? "" : "Content-Length: 0\r\n");
	peer->due_us = 0;
	if (send(peer->descriptor, text, (size_t)n, MSG_NOSIGNAL) != n) {
		peer_close(peer);
		return false;
	}
	return true;
}

/* Takes the requests that lie whole in the buffer, one at a time. */
static void requests_take(struct peer *peer)
{
	struct http_head head;
	int whole = 0;
	while (peer->due_us == 0 && (whole = http_head_read(peer->bytes, peer->n, &head)) == 1) {
		bool post = head.first_n > 5 && memcmp(head.first, "POST ", 5) == 0;
		peer->code = post ? message_take(&head, peer->bytes + head.body) : 204;
		int64_t delay = delay_of(&head);
		size_t used = head.body + head.length;
		memmove(peer->bytes, peer->bytes + used, peer->n - used);
		peer->n -= used;
		if (delay > 0) {
			peer->due_us = mono_us() + delay;
		} else if (!answer(peer)) {
			return;
		}
	}
	if (whole < 0 || peer->n == BUFFER_ROOM) {
		peer_close(peer);
	}
}

static void peer_read(struct peer *peer)
{
	ssize_t n = recv(peer->descriptor, peer->bytes + peer->n, BUFFER_ROOM - peer->n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		peer_close(peer);
		return;
	}
	peer->n += (size_t)n;
	requests_take(peer);
}

static void delayed_answer(void)
{
	int64_t now = mono_us();
	for (struct peer *peer = peers, *next; peer; peer = next) {
		next = peer->next;
		if (peer->due_us && now >= peer->due_us && answer(peer)) {
			requests_take(peer);
		}
	}
}

/* --- The loop ------------------------------------------------------------- */

static void files_flush(void)
{
	for (size_t i = 0; i < place_count; i++) {
		fflush(places[i].file);
	}
}

static void run(void)
{
	struct epoll_event events[64];
	int64_t flushed = 0;
	while (!stopping) {
		int n = epoll_wait(poller, events, 64, rule_count > 0 ? 1 : 20);
		bool closing = control_wanted;
		for (int i = 0; i < n; i++) {
			/* One peer, one event in the list: closing it here cannot touch another's. */
			if (events[i].data.ptr) {
				peer_read(events[i].data.ptr);
			} else if (listener >= 0) {
				accept_all();
			}
		}
		delayed_answer();
		if (closing) {
			control_wanted = 0;
			control_apply();
		}
		if (mono_us() - flushed > 50000) {
			files_flush();
			flushed = mono_us();
		}
	}
	files_flush();
}

static void told(int signal)
{
	if (signal == SIGHUP) {
		control_wanted = 1;
	} else {
		stopping = 1;
	}
}

int checker_sink(int argc, char **argv)
{
	static const struct option table[] = { { "port", 1, NULL, 'p' }, { "folder", 1, NULL, 'f' },
		{ "control", 1, NULL, 'c' }, { NULL, 0, NULL, 0 } };
	control = "/dev/null";
	for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
		port = option == 'p' ? atoi(optarg) : port;
		folder = option == 'f' ? optarg : folder;
		control = option == 'c' ? optarg : control;
	}
	if (port == 0 || !folder) {
		fputs("usage: checker sink --port PORT --folder FOLDER [--control FILE]\n", stderr);
		return 2;
	}
	struct sigaction action = { .sa_handler = told };
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 || !listen_open()) {
		return 1;
	}
	rules_read();
	printf("listening %d\n", port);
	fflush(stdout);
	run();
	return 0;
}

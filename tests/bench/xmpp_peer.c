/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other ends of the XMPP figures, both as components (XEP-0114) on a raw
 * socket, doing as little as they can.
 *
 *     bench-xmpp-peer sink HOST:PORT DOMAIN SECRET
 *     bench-xmpp-peer raw  HOST:PORT DOMAIN SECRET TO ITEMS SUBSCRIBERS FILE
 *
 * `sink` is a domain full of subscribers, u0@DOMAIN and so on. It counts the
 * messages that come in, woken for some of them at once so that it does not take
 * turns with the server for each, and obeys lines on standard input, each answered
 * by a line of JSON:
 *
 *     subscribe BUS NODE N       N subscriptions; answered when all are
 *     iq TYPE TO N WINDOW XML    N IQs with that payload, WINDOW unanswered at most; the same
 *     ask | reset | sample       the counters; zero them; the first bytes since, in hexadecimal
 *
 * `raw` is the ceiling: it sends ITEMS times SUBSCRIBERS messages with the
 * content of FILE to u0@TO ..., then a ping to itself, and ends when that is back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { ROOM = 256 * 1024, TAG = 1024, SAMPLE = 64 * 1024 };
enum { LAZY_BYTES = 32 * 1024, LAZY_MS = 5 }; /* what the sink is woken for, or then */

struct peer {
	int fd;
	const char *domain;
	char *out; /* not written yet */
	size_t out_n, out_room, out_at;
	char tag[TAG]; /* a start tag that is not whole yet */
	size_t tag_n;
	bool in_tag;
	uint64_t messages, results, errors;
	int64_t first_us, last_us;
	char sample[SAMPLE];
	size_t sample_n;
	bool sampling;
};

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "bench-xmpp-peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- The stream ------------------------------------------------------------ */

static void put(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct peer *peer, const char *format, ...)
{
	va_list arguments;

	if (peer->out_room - peer->out_n < ROOM) {
		peer->out_room = peer->out_room * 2 + ROOM;
		peer->out = realloc(peer->out, peer->out_room);
		if (peer->out == NULL) {
			die("memory");
		}
	}
	va_start(arguments, format);
	peer->out_n += (size_t)vsnprintf(
		peer->out + peer->out_n, peer->out_room - peer->out_n, format, arguments);
	va_end(arguments);
}

static void write_out(struct peer *peer)
{
	while (peer->out_at < peer->out_n) {
		ssize_t n = send(peer->fd, peer->out + peer->out_at, peer->out_n - peer->out_at,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			return;
		}
		if (n < 0) {
			die("send");
		}
		peer->out_at += (size_t)n;
	}
	peer->out_at = peer->out_n = 0;
}

static void connect_to(struct peer *peer, char *address)
{
	char *colon = strrchr(address, ':');
	int one = 1;
	if (colon == NULL) {
		die("HOST:PORT");
	}
	*colon = '\0';
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
	inet_pton(AF_INET, address, &to.sin_addr);
	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		die("connect");
	}
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Reads into `text` until it has `wanted`; where that begins. */
static char *read_until(struct peer *peer, char *text, size_t room, const char *wanted)
{
	size_t n = strlen(text);
	char *found;

	while ((found = strstr(text, wanted)) == NULL) {
		ssize_t more = n + 1 < room ? recv(peer->fd, text + n, room - 1 - n, 0) : 0;
		if (more <= 0) {
			fprintf(stderr, "bench-xmpp-peer: no %s in: %s\n", wanted, text);
			exit(1);
		}
		n += (size_t)more;
		text[n] = '\0';
	}
	return found;
}

static void handshake(struct peer *peer, const char *secret)
{
	char text[4096] = "", input[512];
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	put(peer,
		"<stream:stream xmlns='jabber:component:accept' "
		"xmlns:stream='http://etherx.jabber.org/streams' to='%s'>",
		peer->domain);
	write_out(peer);
	char *id = read_until(peer, text, sizeof(text), " id=") + 5;
	char *end = read_until(peer, text, sizeof(text), " id=") + 5;
	while (*end != '\0' && *end != id[-1]) {
		end++;
	}
	snprintf(input, sizeof(input), "%.*s%s", (int)(end - id), id, secret);
	EVP_Digest(input, strlen(input), sum, &n, EVP_sha1(), NULL);
	put(peer, "<handshake>");
	for (unsigned i = 0; i < n; i++) {
		put(peer, "%02x", sum[i]);
	}
	put(peer, "</handshake>");
	write_out(peer);
	text[0] = '\0';
	read_until(peer, text, sizeof(text), "<handshake");
}

/* --- Counting -------------------------------------------------------------- */

static void count_tag(struct peer *peer)
{
	peer->tag[peer->tag_n < TAG ? peer->tag_n : TAG - 1] = '\0';
	if (strncmp(peer->tag, "message", 7) == 0) {
		peer->last_us = now_us();
		peer->first_us = peer->messages++ == 0 ? peer->last_us : peer->first_us;
	} else if (strncmp(peer->tag, "iq ", 3) == 0) {
		bool error = strstr(peer->tag, "type='error'") != NULL ||
			     strstr(peer->tag, "type=\"error\"") != NULL;
		peer->errors += error ? 1 : 0;
		peer->results += error ? 0 : 1;
		peer->last_us = now_us();
	}
}

static void scan(struct peer *peer, const char *at, size_t n)
{
	const char *end = at + n;

	while (at < end) {
		const char *next = memchr(at, peer->in_tag ? '>' : '<', (size_t)(end - at));
		const char *stop = next != NULL ? next : end;
		if (peer->in_tag && peer->tag_n < TAG - 1) {
			size_t more = (size_t)(stop - at) < TAG - 1 - peer->tag_n ? (size_t)(stop - at)
										  : TAG - 1 - peer->tag_n;
			memcpy(peer->tag + peer->tag_n, at, more);
			peer->tag_n += more;
		}
		if (next == NULL) {
			return;
		}
		if (peer->in_tag) {
			count_tag(peer);
		}
		peer->in_tag = !peer->in_tag;
		peer->tag_n = 0;
		at = next + 1;
	}
}

static void take_in(struct peer *peer)
{
	static char bytes[ROOM];
	ssize_t n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		die("the server closed the stream");
	}
	if (n > 0 && peer->sampling) {
		size_t more = (size_t)n < SAMPLE - peer->sample_n ? (size_t)n : SAMPLE - peer->sample_n;
		memcpy(peer->sample + peer->sample_n, bytes, more);
		peer->sample_n += more;
	}
	scan(peer, bytes, n > 0 ? (size_t)n : 0);
}

static void wait_for(struct peer *peer, int bytes)
{
	setsockopt(peer->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* Waits for either way; true when standard input has something, where that is asked for. */
static bool turn(struct peer *peer, bool commands)
{
	struct pollfd fds[2] = { { peer->fd, (short)(POLLIN | (peer->out_n > 0 ? POLLOUT : 0)), 0 },
		{ STDIN_FILENO, POLLIN, 0 } };

	int ready = poll(fds, commands ? 2 : 1, commands ? LAZY_MS : -1);
	if (ready < 0) {
		die("poll");
	}
	if (ready == 0 || fds[0].revents & POLLIN) {
		take_in(peer);
	}
	write_out(peer);
	return commands && fds[1].revents != 0;
}

/* --- The sink --------------------------------------------------------------- */

static void print_counters(const struct peer *peer)
{
	printf("{\"messages\":%" PRIu64 ",\"results\":%" PRIu64 ",\"errors\":%" PRIu64
	       ",\"first_us\":%" PRId64 ",\"last_us\":%" PRId64 "}\n",
		peer->messages, peer->results, peer->errors, peer->first_us, peer->last_us);
}

static void reset(struct peer *peer)
{
	peer->messages = peer->results = peer->errors = 0;
	peer->first_us = peer->last_us = 0;
	peer->sample_n = 0;
	peer->sampling = true;
}

/* Sends `n` IQs, at most `window` of them unanswered; first_us is then when the first was sent. */
static void ask_all(struct peer *peer, const char *type, const char *to, size_t n, size_t window,
	const char *payload, const char *node)
{
	reset(peer);
	wait_for(peer, 1);
	int64_t began = now_us();
	for (size_t sent = 0; peer->results + peer->errors < n;) {
		while (sent < n && sent - peer->results - peer->errors < window) {
			put(peer, "<iq type='%s' from='u%zu@%s' to='%s' id='i%zu'>", type,
				node != NULL ? sent : sent % 100, peer->domain, to, sent);
			if (node != NULL) {
				put(peer,
					"<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe "
					"node='%s' "
					"jid='u%zu@%s'/></pubsub></iq>",
					node, sent, peer->domain);
			} else {
				put(peer, "%s</iq>", payload);
			}
			sent++;
		}
		write_out(peer);
		(void)turn(peer, false);
	}
	peer->first_us = began;
	wait_for(peer, LAZY_BYTES);
	print_counters(peer);
}

static void print_sample(const struct peer *peer)
{
	printf("{\"sample\":\"");
	for (size_t i = 0; i < peer->sample_n; i++) {
		printf("%02x", (unsigned char)peer->sample[i]);
	}
	printf("\"}\n");
}

static void obey(struct peer *peer, char *line)
{
	char type[16], to[256], node[256];
	size_t n, window;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "subscribe %255s %255s %zu", to, node, &n) == 3) {
		ask_all(peer, "set", to, n, 200, NULL, node);
	} else if (sscanf(line, "iq %15s %255s %zu %zu %n", type, to, &n, &window, &at) == 4 && at > 0) {
		ask_all(peer, type, to, n, window, line + at, NULL);
	} else if (strcmp(line, "sample") == 0) {
		print_sample(peer);
	} else {
		if (strcmp(line, "reset") == 0) {
			reset(peer);
		}
		print_counters(peer);
	}
	fflush(stdout);
}

static void run_sink(struct peer *peer)
{
	char *line = NULL;
	size_t room = 0;

	setvbuf(stdin, NULL, _IONBF, 0);
	wait_for(peer, LAZY_BYTES);
	while (true) {
		if (turn(peer, true)) {
			if (getline(&line, &room, stdin) <= 0) {
				break;
			}
			obey(peer, line);
		}
	}
	free(line);
}

/* --- The ceiling ------------------------------------------------------------ */

static char *read_file(const char *path)
{
	char *text = calloc(1, ROOM);
	FILE *file = fopen(path, "rb");
	if (text == NULL || file == NULL || fread(text, 1, ROOM / 2, file) == 0) {
		die(path);
	}
	fclose(file);
	return text;
}

static void run_raw(struct peer *peer, char **arguments)
{
	const char *to = arguments[0];
	size_t items = strtoul(arguments[1], NULL, 10), subscribers = strtoul(arguments[2], NULL, 10);
	char *content = read_file(arguments[3]);
	int64_t began = now_us();

	for (size_t i = 0; i < items; i++) {
		for (size_t j = 0; j < subscribers; j++) {
			put(peer,
				"<message type='normal' from='%s' to='u%zu@%s' id='item-0-%zu'>%s</message>",
				peer->domain, j, to, i, content);
			while (peer->out_n - peer->out_at > ROOM) {
				write_out(peer);
				if (peer->out_n > 0) {
					(void)turn(peer, false);
				}
			}
		}
	}
	put(peer, "<iq type='get' id='end' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
		peer->domain, peer->domain);
	while (peer->results == 0) {
		(void)turn(peer, false);
	}
	printf("{\"sent\":%zu,\"begin_us\":%" PRId64 ",\"end_us\":%" PRId64 "}\n", items * subscribers, began,
		now_us());
	free(content);
}

int main(int argc, char **argv)
{
	struct peer peer = { .fd = -1 };

	if (!(argc == 5 && strcmp(argv[1], "sink") == 0) && !(argc == 9 && strcmp(argv[1], "raw") == 0)) {
		fprintf(stderr, "usage: bench-xmpp-peer sink|raw HOST:PORT DOMAIN SECRET "
				"[TO ITEMS SUBSCRIBERS FILE]\n");
		return 2;
	}
	peer.domain = argv[3];
	connect_to(&peer, argv[2]);
	handshake(&peer, argv[4]);
	if (argc == 5) {
		reset(&peer);
		print_counters(&peer);
		fflush(stdout);
		run_sink(&peer);
	} else {
		run_raw(&peer, argv + 5);
	}
	close(peer.fd);
	free(peer.out);
	return 0;
}

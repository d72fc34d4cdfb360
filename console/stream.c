/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of events. The bus calls `listen` on the thread where something
 * happened; it copies the line into the ring and goes on. A pump thread wakes
 * the clients that wait, at most every 20 ms, so that a busy bus does not wake
 * the listener for each event; the listener's thread then writes what lies
 * between a client's place and the head of the ring. Memory is the ring's,
 * however slow a client is: what it missed is one `dropped` event.
 *
 * Locks, in this order: `registering` (around bus_listen and bus_unlisten),
 * then the bus's own, then `lock`. The rule not to break: `listen` takes only
 * `lock`, and nothing waits while it is held. An id is EPOCH-SEQUENCE; one of
 * another epoch (another run of the bus) starts at the present.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/thread.h>
#include <console/stream.h>
#include <xylem/buffer.h>

#define COALESCE_US 20000
/*
 * How long the bus is listened to after the last client left, for one that comes back with its
 * Last-Event-ID.
 */
#define LINGER_US 30000000
#define CHUNK 16384
#define TYPES_ALL ~0u

const char *const stream_event_names[] = { "accepted", "settled", "case", "lane", "connector", "reload",
	NULL };

struct event {
	enum bus_event type;
	char *json;
	size_t n;
};

struct client {
	struct streams *streams;
	struct MHD_Connection *connection;
	char user[128];
	unsigned types;
	uint64_t next; /* sequence of the event that it gets next */
	bool suspended;
	bool heartbeat; /* due */
	struct xylem_buffer out;
	size_t sent; /* of `out` */
	struct client *after;
};

struct streams {
	struct bus *bus;
	pthread_mutex_t registering;
	uint64_t listener; /* of bus_listen; 0: none */
	pthread_mutex_t lock;
	pthread_cond_t news;
	pthread_t pump;
	bool pumping, stopping, dirty;
	struct client *clients;
	size_t client_count;
	int64_t alone_us; /* since when there is no client; monotonic */
	uint64_t epoch;
	uint64_t head; /* sequence of the event that comes next; the first is 1 */
	struct event ring[STREAM_RING];
};

/* --- In: from the bus ------------------------------------------------------ */

static void listen_event(void *context, enum bus_event type, struct xylem_span json)
{
	struct streams *streams = context;
	char *copy = malloc(json.n ? json.n : 1);
	if (!copy) {
		return;
	}
	memcpy(copy, json.at, json.n);
	pthread_mutex_lock(&streams->lock);
	struct event *event = &streams->ring[streams->head++ % STREAM_RING];
	char *old = event->json;
	*event = (struct event){ .type = type, .json = copy, .n = json.n };
	if (!streams->dirty) {
		streams->dirty = true;
		pthread_cond_signal(&streams->news);
	}
	pthread_mutex_unlock(&streams->lock);
	free(old);
}

static void start_listening(struct streams *streams)
{
	pthread_mutex_lock(&streams->registering);
	if (!streams->listener) {
		streams->listener = bus_listen(streams->bus, BUS_EVENTS_ALL, listen_event, streams);
	}
	pthread_mutex_unlock(&streams->registering);
}

static void stop_listening(struct streams *streams, bool if_alone)
{
	pthread_mutex_lock(&streams->registering);
	pthread_mutex_lock(&streams->lock);
	bool stop = streams->listener && (!if_alone || streams->client_count == 0);
	pthread_mutex_unlock(&streams->lock);
	if (stop) {
		bus_unlisten(streams->bus, streams->listener);
		streams->listener = 0;
	}
	pthread_mutex_unlock(&streams->registering);
}

/* --- Out: to the clients, on the listener's thread -------------------------- */

static void write_dropped(struct client *client)
{
	const struct streams *streams = client->streams;
	uint64_t tail = streams->head > STREAM_RING ? streams->head - STREAM_RING : 1;
	if (client->next < tail) {
		xylem_buffer_format(&client->out, "event: dropped\ndata: {\"dropped\":%" PRIu64 "}\n\n",
			tail - client->next);
		client->next = tail;
	}
}

static void write_events(struct client *client)
{
	const struct streams *streams = client->streams;
	write_dropped(client);
	for (; client->next < streams->head && client->out.n < CHUNK; client->next++) {
		const struct event *event = &streams->ring[client->next % STREAM_RING];
		if (client->types & 1u << event->type) {
			xylem_buffer_format(&client->out,
				"id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", streams->epoch,
				client->next, stream_event_names[event->type]);
			xylem_buffer_append(&client->out, event->json, event->n);
			xylem_buffer_text(&client->out, "\n\n");
		}
	}
	if (client->heartbeat && !client->out.n) {
		xylem_buffer_text(&client->out, ":\n\n");
	}
	client->heartbeat = false;
}

static ssize_t client_read(void *context, uint64_t position, char *out, size_t room)
{
	struct client *client = context;
	struct streams *streams = client->streams;
	ssize_t n = 0;
	pthread_mutex_lock(&streams->lock);
	if (client->sent == client->out.n) {
		xylem_buffer_clear(&client->out);
		client->sent = 0;
		write_events(client);
	}
	size_t left = client->out.n - client->sent;
	if (xylem_buffer_failed(&client->out)) {
		n = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (left) {
		n = (ssize_t)(left < room ? left : room);
		memcpy(out, client->out.bytes + client->sent, (size_t)n);
		client->sent += (size_t)n;
	} else if (streams->stopping) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		client->suspended = true;
		MHD_suspend_connection(client->connection);
	}
	pthread_mutex_unlock(&streams->lock);
	return n;
}

static void client_free(void *context)
{
	struct client *client = context;
	struct streams *streams = client->streams;
	pthread_mutex_lock(&streams->lock);
	for (struct client **at = &streams->clients; *at; at = &(*at)->after) {
		if (*at == client) {
			*at = client->after;
			streams->client_count--;
			break;
		}
	}
	streams->alone_us = clock_mono_us();
	pthread_mutex_unlock(&streams->lock);
	xylem_buffer_finish(&client->out);
	free(client);
}

static int read_types(const char *text, unsigned *ret_types, struct xylem_reason *reason)
{
	unsigned types = 0;
	while (text && *text) {
		size_t n = strcspn(text, ","), i = 0;
		while (stream_event_names[i] && (strlen(stream_event_names[i]) != n ||
							strncmp(stream_event_names[i], text, n) != 0)) {
			i++;
		}
		if (!stream_event_names[i]) {
			xylem_reason_set(reason,
				"`types`: there is no event `%.*s`; there are accepted, settled, case, lane, "
				"connector, "
				"reload",
				(int)(n > 64 ? 64 : n), text);
			return -XYLEM_E_INVALID;
		}
		types |= 1u << i;
		text += n + (text[n] == ',');
	}
	*ret_types = types ? types : TYPES_ALL;
	return 0;
}

/* Where a client goes on that has seen `last_id`. Under the lock. */
static uint64_t place_after(const struct streams *streams, const char *last_id)
{
	uint64_t epoch, sequence;
	if (last_id && sscanf(last_id, "%" SCNx64 "-%" SCNu64, &epoch, &sequence) == 2 &&
		epoch == streams->epoch && sequence < streams->head) {
		return sequence + 1;
	}
	return streams->head;
}

static int add_client(
	struct streams *streams, struct client *client, const char *last_id, struct xylem_reason *reason)
{
	int error = 0;
	size_t of_user = 0;
	pthread_mutex_lock(&streams->lock);
	for (const struct client *other = streams->clients; other; other = other->after) {
		of_user += strcmp(other->user, client->user) == 0;
	}
	if (streams->stopping) {
		error = -XYLEM_E_STOPPING;
	} else if (streams->client_count >= STREAM_CLIENTS || of_user >= STREAM_CLIENTS_PER_USER) {
		xylem_reason_set(reason, "at most %d streams, %d for one user, at the same time",
			STREAM_CLIENTS, STREAM_CLIENTS_PER_USER);
		error = -XYLEM_E_LIMIT;
	} else {
		client->next = place_after(streams, last_id);
		client->after = streams->clients;
		streams->clients = client;
		streams->client_count++;
	}
	pthread_mutex_unlock(&streams->lock);
	return error;
}

int stream_open(struct streams *streams, struct MHD_Connection *connection, const char *user,
	const char *types, const char *last_id, struct MHD_Response **ret_response,
	struct xylem_reason *reason)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client) {
		return -XYLEM_E_MEMORY;
	}
	client->streams = streams;
	client->connection = connection;
	snprintf(client->user, sizeof(client->user), "%s", user);
	xylem_buffer_text(&client->out, "retry: 2000\n\n");
	int error = read_types(types, &client->types, reason);
	if (!error) {
		start_listening(streams);
		error = add_client(streams, client, last_id, reason);
	}
	if (error) {
		xylem_buffer_finish(&client->out);
		free(client);
		return error;
	}
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, CHUNK, client_read, client, client_free);
	if (!response) {
		client_free(client);
		return -XYLEM_E_MEMORY;
	}
	MHD_add_response_header(response, "Content-Type", "text/event-stream");
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	*ret_response = response;
	return 0;
}

/* --- The pump ---------------------------------------------------------------- */

/* Under the lock. */
static void wake_clients(struct streams *streams, bool heartbeat)
{
	for (struct client *client = streams->clients; client; client = client->after) {
		client->heartbeat |= heartbeat;
		if (client->suspended && (heartbeat || streams->stopping || client->next < streams->head)) {
			client->suspended = false;
			MHD_resume_connection(client->connection);
		}
	}
}

/* Waits for news or the time; under the lock, which it lets go meanwhile. */
static void wait_until(struct streams *streams, int64_t until_us, const bool *news)
{
	struct timespec until = clock_timespec(until_us);
	while (!streams->stopping && !(news && *news)) {
		if (pthread_cond_clockwait(&streams->news, &streams->lock, CLOCK_MONOTONIC, &until)) {
			return;
		}
	}
}

static void *pump(void *context)
{
	struct streams *streams = context;
	int64_t heartbeat_us = clock_mono_us() + STREAM_HEARTBEAT_US;
	pthread_mutex_lock(&streams->lock);
	while (!streams->stopping) {
		wait_until(streams, heartbeat_us, &streams->dirty);
		int64_t now_us = clock_mono_us();
		bool heartbeat = now_us >= heartbeat_us;
		streams->dirty = false;
		wake_clients(streams, heartbeat);
		if (heartbeat) {
			heartbeat_us = now_us + STREAM_HEARTBEAT_US;
			if (!streams->client_count && now_us - streams->alone_us > LINGER_US) {
				pthread_mutex_unlock(&streams->lock);
				stop_listening(streams, true);
				pthread_mutex_lock(&streams->lock);
			}
		}
		wait_until(streams, now_us + COALESCE_US, NULL);
	}
	wake_clients(streams, true);
	pthread_mutex_unlock(&streams->lock);
	return NULL;
}

/* --- Life ---------------------------------------------------------------------- */

struct streams *streams_new(struct bus *bus)
{
	struct streams *streams = calloc(1, sizeof(*streams));
	if (!streams) {
		return NULL;
	}
	streams->bus = bus;
	streams->head = 1;
	streams->epoch = (uint64_t)clock_wall_us() / 1000;
	pthread_mutex_init(&streams->registering, NULL);
	pthread_mutex_init(&streams->lock, NULL);
	pthread_cond_init(&streams->news, NULL);
	if (thread_start(&streams->pump, "console-events", 0, pump, streams)) {
		return streams_free(streams);
	}
	streams->pumping = true;
	return streams;
}

void streams_stop(struct streams *streams)
{
	if (!streams) {
		return;
	}
	stop_listening(streams, false);
	pthread_mutex_lock(&streams->lock);
	streams->stopping = true;
	pthread_cond_broadcast(&streams->news);
	pthread_mutex_unlock(&streams->lock);
	if (streams->pumping) {
		pthread_join(streams->pump, NULL);
		streams->pumping = false;
	}
}

struct streams *streams_free(struct streams *streams)
{
	if (!streams) {
		return NULL;
	}
	streams_stop(streams);
	for (size_t i = 0; i < STREAM_RING; i++) {
		free(streams->ring[i].json);
	}
	pthread_cond_destroy(&streams->news);
	pthread_mutex_destroy(&streams->lock);
	pthread_mutex_destroy(&streams->registering);
	free(streams);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many requests to one URL, over libcurl's multi interface. A worker has as
 * many slots as it may use connections; a slot keeps its easy handle, its
 * buffers and, through libcurl, its connection from one request to the next,
 * so that a request costs no set-up.
 *
 * A deliver is a queue of ranges of messages: one message each, or, for bodies
 * that carry many, all of them, which are halved until the one at fault stands
 * alone. When an answer says that nobody's messages would be taken now (down,
 * misconfigured), what is still in the queue is not sent but gets that same
 * result: a dead partner is asked once, not a hundred times.
 *
 * The rule not to break: "delivered" is a status of 2xx that was read to its
 * end, and nothing else.
 *
 * It follows no redirects and looks at no proxy of the environment.
 */

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <base/clock.h>
#include <connectors/http_failure.h>
#include <connectors/http_transfer.h>
#include <json/utf8.h>
#include <xylem/json.h>

#define WORKER_MAGIC 0x68777263
#define ANSWER_KEPT 2048          /* of an answer's body, for the reason */
#define ANSWER_READ (1024 * 1024) /* more than this is not read: the connection goes instead */

struct range {
	size_t first, n;
};

struct slot {
	struct http_worker *worker;
	CURL *easy;
	struct slot *next_free;
	struct outgoing outgoing;
	struct range range;
	bool busy;
	bool headers_ended; /* the empty line after the status that counts was read */
	char answer[ANSWER_KEPT];
	size_t answer_n, answer_read;
};

/* Where an open-socket callback says what it refused. */
struct gate {
	const struct address_guard *guard;
	char refused[80];
};

struct http_worker {
	uint32_t magic;
	const struct http_target *target;
	const struct outgoing_rules *rules;
	int64_t timeout_us;
	CURLM *multi;
	struct gate gate;
	struct slot *slots;
	struct slot *free_slots;
	atomic_bool interrupted;

	/* Of the deliver under way. */
	const struct xylem_message *const *messages;
	struct xylem_result *results;
	struct range *queue; /* a stack; the first message on top */
	size_t queue_n, queue_room;
	size_t in_flight;
	int64_t end_us;
	bool stopped; /* nobody's messages would be taken */
	struct xylem_result stop;
};

/* --- What libcurl calls ------------------------------------------------ */

static curl_socket_t socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct gate *gate = context;
	if (!address_guard_allows(gate->guard, &address->addr)) {
		char text[INET6_ADDRSTRLEN] = "";
		const void *bytes =
			address->family == AF_INET6
				? (const void *)&((struct sockaddr_in6 *)&address->addr)->sin6_addr
				: (const void *)&((struct sockaddr_in *)&address->addr)->sin_addr;
		inet_ntop(address->family, bytes, text, sizeof(text));
		snprintf(gate->refused, sizeof(gate->refused), "%s is a %s address", text,
			address_class_name(address_class_of(&address->addr)));
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/*
 * libcurl calls a connection that ends within the headers a success, with the
 * status it has seen: only the empty line says that they were all there.
 */
static size_t header_read(char *bytes, size_t size, size_t n, void *context)
{
	struct slot *slot = context;
	slot->headers_ended = n <= 2 && (bytes[0] == '\r' || bytes[0] == '\n');
	return n;
}

static size_t answer_read(char *bytes, size_t size, size_t n, void *context)
{
	struct slot *slot = context;
	size_t room = sizeof(slot->answer) - slot->answer_n;
	size_t kept = n < room ? n : room;
	memcpy(slot->answer + slot->answer_n, bytes, kept);
	slot->answer_n += kept;
	slot->answer_read += n;
	return slot->answer_read > ANSWER_READ ? 0 : n;
}

static size_t answer_drop(char *bytes, size_t size, size_t n, void *context)
{
	return n;
}

/* --- Handles ----------------------------------------------------------- */

static bool set(CURLcode code)
{
	return code == CURLE_OK;
}

static bool tls_set(CURL *easy, const struct http_target *target)
{
	bool ok = set(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)) &&
		  set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, target->verify ? 1L : 0L)) &&
		  set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, target->verify ? 2L : 0L));
	ok = ok && (!target->ca || set(curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca)));
	ok = ok &&
	     (!target->certificate || set(curl_easy_setopt(easy, CURLOPT_SSLCERT, target->certificate)));
	return ok && (!target->key || set(curl_easy_setopt(easy, CURLOPT_SSLKEY, target->key)));
}

static CURL *easy_new(const struct http_target *target, struct gate *gate)
{
	CURL *easy = curl_easy_init();
	bool ok = easy && set(curl_easy_setopt(easy, CURLOPT_URL, target->url)) &&
		  set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https")) &&
		  set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)) &&
		  set(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L)) &&
		  set(curl_easy_setopt(easy, CURLOPT_PROXY, target->proxy ? target->proxy : "")) &&
		  set(curl_easy_setopt(easy, CURLOPT_USERAGENT, "xylem")) &&
		  set(curl_easy_setopt(
			  easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(target->connect_timeout_us / 1000))) &&
		  set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L)) &&
		  set(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open)) &&
		  set(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, gate)) && tls_set(easy, target);
	if (!ok) {
		curl_easy_cleanup(easy);
		return NULL;
	}
	return easy;
}

static bool slot_init(struct http_worker *worker, struct slot *slot)
{
	slot->worker = worker;
	slot->easy = easy_new(worker->target, &worker->gate);
	return slot->easy && set(curl_easy_setopt(slot->easy, CURLOPT_POST, 1L)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, worker->target->method)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_HEADERFUNCTION, header_read)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_HEADERDATA, slot)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, answer_read)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot));
}

int http_worker_new(struct http_worker **ret_worker, const struct http_target *target,
	const struct outgoing_rules *rules, int64_t timeout_us)
{
	struct http_worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return -XYLEM_E_MEMORY;
	}
	worker->magic = WORKER_MAGIC;
	worker->target = target;
	worker->rules = rules;
	worker->timeout_us = timeout_us;
	worker->gate.guard = &target->guard;
	worker->multi = curl_multi_init();
	worker->slots = calloc(target->connections, sizeof(*worker->slots));
	bool ok = worker->multi && worker->slots;
	for (unsigned i = 0; ok && i < target->connections; i++) {
		ok = slot_init(worker, &worker->slots[i]);
		worker->slots[i].next_free = worker->free_slots;
		worker->free_slots = &worker->slots[i];
	}
	if (!ok) {
		http_worker_free(worker);
		return -XYLEM_E_MEMORY;
	}
	curl_multi_setopt(worker->multi, CURLMOPT_MAXCONNECTS, (long)target->connections);
	curl_multi_setopt(worker->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)target->connections);
	*ret_worker = worker;
	return 0;
}

struct http_worker *http_worker_free(struct http_worker *worker)
{
	if (worker) {
		assert(worker->magic == WORKER_MAGIC);
		for (unsigned i = 0; worker->slots && i < worker->target->connections; i++) {
			curl_easy_cleanup(worker->slots[i].easy);
			outgoing_finish(&worker->slots[i].outgoing);
		}
		curl_multi_cleanup(worker->multi);
		free(worker->slots);
		free(worker->queue);
		worker->magic = 0;
		free(worker);
	}
	return NULL;
}

void http_worker_interrupt(struct http_worker *worker)
{
	atomic_store(&worker->interrupted, true);
	curl_multi_wakeup(worker->multi);
}

/* --- The queue --------------------------------------------------------- */

static bool queue_push(struct http_worker *worker, size_t first, size_t n)
{
	if (worker->queue_n == worker->queue_room) {
		size_t room = worker->queue_room ? worker->queue_room * 2 : 128;
		struct range *queue = realloc(worker->queue, room * sizeof(*queue));
		if (!queue) {
			return false;
		}
		worker->queue = queue;
		worker->queue_room = room;
	}
	worker->queue[worker->queue_n++] = (struct range){ first, n };
	return true;
}

static void range_settle(struct http_worker *worker, struct range range, const struct xylem_result *result)
{
	for (size_t i = range.first; i < range.first + range.n; i++) {
		worker->results[i] = *result;
	}
}

static void range_fail(struct http_worker *worker, struct range range, enum xylem_failure failure,
	const char *code, const char *text)
{
	struct xylem_result result = { 0 };
	xylem_result_fail(&result, failure, code, "%s", text);
	range_settle(worker, range, &result);
}

/* Settles all that was not sent. */
static void queue_settle(struct http_worker *worker, const struct xylem_result *result)
{
	while (worker->queue_n > 0) {
		range_settle(worker, worker->queue[--worker->queue_n], result);
	}
}

/*
 * Puts every message that can be sent in the queue, the first on top. Those
 * that cannot are settled, and stand between the ranges of the others.
 */
static void queue_fill(struct http_worker *worker, size_t n)
{
	bool batch = outgoing_form_is_batch(worker->rules->form);
	size_t run = 0; /* sendable messages right after i */
	for (size_t i = n; i-- > 0;) {
		const char *code = "";
		struct xylem_reason reason = { "" };
		bool fits = outgoing_check(worker->rules->form, worker->messages[i], &code, &reason) == 0;
		if (!fits) {
			xylem_result_fail(&worker->results[i], XYLEM_FAILURE_WRONG, code, "%s", reason.text);
		}
		run += fits ? 1 : 0;
		bool ends = !batch || !fits || i == 0;
		size_t first = fits ? i : i + 1;
		if (ends && run > 0) {
			if (!queue_push(worker, first, run)) {
				range_fail(worker, (struct range){ first, run }, XYLEM_FAILURE_BUSY, "memory",
					"no memory for the request");
			}
			run = 0;
		}
	}
}

/* --- Reasons ----------------------------------------------------------- */

/* The URL without its query, which may hold secrets. */
static int url_shown(const struct http_target *target)
{
	return (int)strcspn(target->url, "?#");
}

static struct xylem_span json_words(struct xylem_span answer, struct xylem_arena *arena)
{
	static const char *const names[] = { "detail", "message", "error", "title" };
	struct xylem_span text = XYLEM_SPAN_NONE;
	if (xylem_json_check(answer, NULL, NULL) ||
		xylem_json_type(xylem_json_trim(answer)) != XYLEM_JSON_OBJECT) {
		return XYLEM_SPAN_NONE;
	}
	for (size_t i = 0; i < 4; i++) {
		struct xylem_span value = xylem_json_member(xylem_json_trim(answer), xylem_span_of(names[i]));
		if (xylem_json_type(value) == XYLEM_JSON_STRING && !xylem_json_string(value, arena, &text)) {
			return text;
		}
	}
	return XYLEM_SPAN_NONE;
}

/* What the other side says, on one line: a problem's words, or the beginning of the body. */
static void answer_words(const struct slot *slot, char words[300])
{
	struct xylem_span answer = xylem_span(slot->answer, slot->answer_n);
	struct xylem_arena *arena = xylem_arena_new(64 * 1024);
	struct xylem_span text = arena ? json_words(answer, arena) : XYLEM_SPAN_NONE;
	if (text.n == 0) {
		text = answer;
	}
	bool unicode = utf8_valid(text);
	size_t n = 0;
	for (size_t i = 0; i < text.n && n < 299; i++) {
		unsigned char byte = (unsigned char)text.at[i];
		words[n++] = (char)(byte < 0x20 || byte == 0x7f ? ' '
				    : byte >= 0x80 && !unicode  ? '?'
								: byte);
	}
	while (n > 0 && words[n - 1] == ' ') {
		n--; /* the line's end */
	}
	words[n] = '\0';
	xylem_arena_free(arena);
}

static void status_result(struct slot *slot, long status, struct xylem_result *result)
{
	const struct http_target *target = slot->worker->target;
	char code[32], words[300];
	snprintf(code, sizeof(code), "http-%ld", status);
	answer_words(slot, words);
	xylem_result_fail(result, xylem_failure_of_http(status), code, "%s %.*s answered %ld%s%s",
		target->method, url_shown(target), target->url, status, *words ? ": " : "", words);
	curl_off_t after = 0;
	if (curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0) {
		result->retry_after_us = (after > 86400 ? 86400 : after) * 1000000LL;
	}
}

static void curl_result(CURL *easy, const struct http_target *target, const char *method, struct gate *gate,
	CURLcode code, struct xylem_result *result)
{
	if (gate->refused[0]) {
		xylem_result_fail(result, XYLEM_FAILURE_MISCONFIGURED, "address-refused",
			"%.*s: %s, which the option `allow` does not list", url_shown(target), target->url,
			gate->refused);
		gate->refused[0] = '\0';
		return;
	}
	long sent = 0;
	const char *name = "";
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
	enum xylem_failure failure = http_failure_of_curl(code, sent > 0, &name);
	xylem_result_fail(result, failure, name, "%s %.*s: %s", method, url_shown(target), target->url,
		curl_easy_strerror(code));
}

/* --- Requests ---------------------------------------------------------- */

static int64_t time_left(const struct http_worker *worker)
{
	int64_t left = worker->end_us - clock_mono_us();
	return left < worker->target->timeout_us ? left : worker->target->timeout_us;
}

static bool request_set(struct slot *slot, int64_t timeout_us)
{
	struct outgoing *outgoing = &slot->outgoing;
	return set(curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, outgoing->body.at)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.n)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, outgoing->headers)) &&
	       set(curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_us / 1000 + 1)));
}

static void request_start(struct http_worker *worker, struct range range, int64_t timeout_us)
{
	struct slot *slot = worker->free_slots;
	int error = outgoing_make(&slot->outgoing, worker->rules, worker->messages + range.first, range.n,
		clock_wall_us() / 1000000);
	slot->range = range;
	slot->answer_n = slot->answer_read = 0;
	slot->headers_ended = false;
	if (error || !request_set(slot, timeout_us) ||
		curl_multi_add_handle(worker->multi, slot->easy) != CURLM_OK) {
		range_fail(worker, range, XYLEM_FAILURE_BUSY, "memory", "no memory for the request");
		return;
	}
	worker->free_slots = slot->next_free;
	slot->busy = true;
	worker->in_flight++;
}

static void slot_release(struct http_worker *worker, struct slot *slot)
{
	curl_multi_remove_handle(worker->multi, slot->easy);
	slot->busy = false;
	slot->next_free = worker->free_slots;
	worker->free_slots = slot;
	worker->in_flight--;
}

static void range_refused(struct http_worker *worker, struct range range, const struct xylem_result *result)
{
	size_t half = range.n / 2;
	if (result->failure == XYLEM_FAILURE_WRONG && range.n > 1 &&
		queue_push(worker, range.first + half, range.n - half)) {
		if (!queue_push(worker, range.first, half)) {
			range_settle(worker, (struct range){ range.first, half }, result);
		}
		return;
	}
	range_settle(worker, range, result);
	if (result->failure == XYLEM_FAILURE_DOWN || result->failure == XYLEM_FAILURE_MISCONFIGURED) {
		worker->stopped = true;
		worker->stop = *result;
	}
}

static void request_end(struct http_worker *worker, struct slot *slot, CURLcode code)
{
	long status = 0;
	curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	bool overlong = code == CURLE_WRITE_ERROR && slot->answer_read > ANSWER_READ;
	struct range range = slot->range;
	if (code == CURLE_OK && !slot->headers_ended) {
		code = CURLE_RECV_ERROR;
	}
	if (code == CURLE_OK && status >= 200 && status < 300) {
		slot_release(worker, slot);
		return; /* delivered is zero, and so are the results */
	}
	struct xylem_result result = { 0 };
	if (status >= 200 && (code == CURLE_OK || overlong)) {
		if (status < 300) {
			slot_release(worker, slot); /* taken, with a very long answer that nobody needs */
			return;
		}
		status_result(slot, status, &result);
	} else {
		curl_result(slot->easy, worker->target, worker->target->method, &worker->gate, code, &result);
	}
	slot_release(worker, slot);
	range_refused(worker, range, &result);
}

static bool requests_ended(struct http_worker *worker)
{
	bool any = false;
	int left = 0;
	for (CURLMsg *message; (message = curl_multi_info_read(worker->multi, &left));) {
		if (message->msg == CURLMSG_DONE) {
			struct slot *slot = NULL;
			CURLcode code = message->data.result;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
			request_end(worker, slot, code);
			any = true;
		}
	}
	return any;
}

static void requests_start(struct http_worker *worker)
{
	while (worker->free_slots && worker->queue_n > 0 && !worker->stopped) {
		int64_t left = time_left(worker);
		if (left <= 0) {
			return;
		}
		request_start(worker, worker->queue[--worker->queue_n], left);
	}
}

/* Interrupted: what was sent may have arrived, what was not did not; neither is an attempt. */
static void requests_abandon(struct http_worker *worker)
{
	struct xylem_result result = { 0 };
	xylem_result_fail(&result, XYLEM_NOT_TRIED, "interrupted", "the delivery was interrupted");
	for (unsigned i = 0; i < worker->target->connections; i++) {
		if (worker->slots[i].busy) {
			range_settle(worker, worker->slots[i].range, &result);
			slot_release(worker, &worker->slots[i]);
		}
	}
	queue_settle(worker, &result);
}

static void deliver_run(struct http_worker *worker)
{
	while (worker->in_flight > 0 || worker->queue_n > 0) {
		if (atomic_load(&worker->interrupted)) {
			requests_abandon(worker);
			return;
		}
		requests_start(worker);
		if (worker->in_flight == 0) {
			return; /* stopped, or out of time: the queue is settled by the caller */
		}
		int running = 0;
		curl_multi_perform(worker->multi, &running);
		if (!requests_ended(worker)) {
			curl_multi_poll(worker->multi, NULL, 0, 1000, NULL);
		}
	}
}

void http_worker_deliver(struct http_worker *worker, const struct xylem_message *const *messages, size_t n,
	struct xylem_result *results)
{
	assert(worker->magic == WORKER_MAGIC);
	atomic_store(&worker->interrupted, false);
	worker->messages = messages;
	worker->results = results;
	worker->queue_n = 0;
	worker->stopped = false;
	worker->gate.refused[0] = '\0';
	worker->end_us = clock_mono_us() + worker->timeout_us;
	queue_fill(worker, n);
	deliver_run(worker);

	struct xylem_result late = { 0 };
	xylem_result_fail(&late, XYLEM_NOT_TRIED, "deadline", "the delivery's time was over before its turn");
	queue_settle(worker, worker->stopped ? &worker->stop : &late);
}

/* --- Probe ------------------------------------------------------------- */

/*
 * A server that is there answers OPTIONS with something; 404 or 405 is an
 * answer too. What counts is what would fail a delivery as well: no
 * connection, a gateway's 502 to 504, refused credentials.
 */
static void probe_judge(const struct http_target *target, long status, struct xylem_result *result)
{
	bool refused = status == 401 || status == 403 || status == 407;
	if (!refused && xylem_failure_of_http(status) != XYLEM_FAILURE_DOWN) {
		return;
	}
	char code[32];
	snprintf(code, sizeof(code), "http-%ld", status);
	xylem_result_fail(result, xylem_failure_of_http(status), code, "OPTIONS %.*s answered %ld",
		url_shown(target), target->url, status);
}

int http_target_probe(const struct http_target *target, struct curl_slist *headers, int64_t timeout_us,
	struct xylem_result *result)
{
	struct gate gate = { .guard = &target->guard };
	CURL *easy = easy_new(target, &gate);
	bool ok = easy && set(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "OPTIONS")) &&
		  set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers)) &&
		  set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_drop)) &&
		  set(curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_us / 1000 + 1)));
	if (!ok) {
		curl_easy_cleanup(easy);
		xylem_result_fail(result, XYLEM_FAILURE_BUSY, "memory", "no memory for the probe");
		return -XYLEM_E_MEMORY;
	}
	CURLcode code = curl_easy_perform(easy);
	if (code == CURLE_OK) {
		long status = 0;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		probe_judge(target, status, result);
	} else {
		curl_result(easy, target, "OPTIONS", &gate, code, result);
	}
	curl_easy_cleanup(easy);
	return result->failure ? -XYLEM_E_UNREACHABLE : 0;
}

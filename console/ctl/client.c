/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the bus over HTTP (libcurl). A POST carries an Idempotency-Key, so
 * that it can be repeated when the connection breaks before the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include <console/ctl/ctl.h>
#include <xylem/message.h>

#define TRIES 3
#define ANSWER_MAX (256u * 1024 * 1024)

struct client {
	CURL *curl;
	char base[256];   /* without a slash at the end */
	char socket[128]; /* of a Unix socket */
	char authorization[340];
	char error[CURL_ERROR_SIZE];
};

struct client *client_new(const struct ctl_bus *bus)
{
	struct client *client = calloc(1, sizeof(*client));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (!client || !(client->curl = curl_easy_init())) {
		return client_free(client);
	}
	if (strncmp(bus->url, "unix:", 5) == 0) {
		snprintf(client->socket, sizeof(client->socket), "%.120s", bus->url + 5);
		strcpy(client->base, "http://localhost");
	} else {
		snprintf(client->base, sizeof(client->base), "%s", bus->url);
		size_t n = strlen(client->base);
		while (n && client->base[n - 1] == '/') {
			client->base[--n] = '\0';
		}
	}
	if (bus->token[0]) {
		snprintf(client->authorization, sizeof(client->authorization), "Authorization: Bearer %s",
			bus->token);
	}
	return client;
}

struct client *client_free(struct client *client)
{
	if (client) {
		curl_easy_cleanup(client->curl);
		explicit_bzero(client->authorization, sizeof(client->authorization));
		free(client);
	}
	return NULL;
}

void client_encode(struct xylem_buffer *out, struct xylem_span text, bool path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	for (size_t i = 0; i < text.n; i++) {
		char c = text.at[i];
		if (memchr(plain, c, sizeof(plain) - 1) || (path && (c == '/' || c == ':'))) {
			xylem_buffer_byte(out, c);
		} else {
			xylem_buffer_format(out, "%%%02X", (unsigned char)c);
		}
	}
}

static void prepare(struct client *client, const char *target)
{
	char url[8192];
	snprintf(url, sizeof(url), "%s%s", client->base, target);
	curl_easy_reset(client->curl);
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->error);
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	if (client->socket[0]) {
		curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	}
	client->error[0] = '\0';
}

/* --- Problems ------------------------------------------------------------------ */

static void print_errors(const json_t *errors)
{
	size_t i;
	const json_t *error;
	json_array_foreach(errors, i, error)
	{
		XYLEM_BUFFER_SCOPED line = { 0 };
		const char *file = json_string_value(json_object_get(error, "file"));
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		const char *detail = json_string_value(json_object_get(error, "detail"));
		if (file) {
			view_plain(&line, file);
			xylem_buffer_format(&line,
				":%lld:%lld: ", (long long)json_integer_value(json_object_get(error, "line")),
				(long long)json_integer_value(json_object_get(error, "column")));
		} else if (pointer) {
			view_plain(&line, pointer);
			xylem_buffer_text(&line, ": ");
		}
		view_plain(&line, detail ? detail : "?");
		fprintf(stderr, "  %.*s\n", (int)line.n, line.bytes);
	}
}

static int explain(const struct client *client, const struct client_answer *answer)
{
	json_t *problem = json_loadb(answer->body.bytes, answer->body.n, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	XYLEM_BUFFER_SCOPED line = { 0 };
	view_plain(&line, detail ? detail : "the answer is no problem document: is this a Xylem bus?");
	fprintf(stderr, "xylemctl: %.*s (%ld)\n", (int)line.n, line.bytes, answer->status);
	const json_t *errors = json_object_get(problem, "errors");
	if (json_array_size(errors) > 1 || json_object_get(json_array_get(errors, 0), "file")) {
		print_errors(errors);
	}
	json_decref(problem);
	if (answer->status == 401 && !client->authorization[0]) {
		fprintf(stderr,
			"give a token: --token-file FILE, XYLEM_TOKEN, or --data-folder DIR of the bus\n");
	}
	return answer->status == 401 ? CTL_UNAUTHORISED : CTL_REFUSED;
}

/* --- One request ------------------------------------------------------------------ */

static size_t take(char *bytes, size_t size, size_t n, void *context)
{
	struct xylem_buffer *body = context;
	if (body->n + n > ANSWER_MAX) {
		return 0;
	}
	xylem_buffer_append(body, bytes, n);
	return n;
}

static CURLcode ask_once(struct client *client, const char *method, const char *target,
	struct curl_slist *headers, struct xylem_span body, struct client_answer *answer)
{
	prepare(client, target);
	xylem_buffer_clear(&answer->body);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &answer->body);
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, 120L);
	if (strcmp(method, "POST") == 0) {
		curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.n ? body.at : "{}");
		curl_easy_setopt(
			client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body.n ? body.n : 2));
	}
	CURLcode code = curl_easy_perform(client->curl);
	char *type = NULL;
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
	snprintf(answer->type, sizeof(answer->type), "%s", type ? type : "");
	return code;
}

static struct curl_slist *make_headers(const struct client *client, const char *method, const char *accept)
{
	char text[256], uuid[XYLEM_UUID_SIZE];
	struct curl_slist *headers = curl_slist_append(NULL, "User-Agent: xylemctl");
	headers = curl_slist_append(headers, "Expect:");
	if (client->authorization[0]) {
		headers = curl_slist_append(headers, client->authorization);
	}
	if (accept) {
		snprintf(text, sizeof(text), "Accept: %s", accept);
		headers = curl_slist_append(headers, text);
	}
	if (strcmp(method, "POST") == 0) {
		headers = curl_slist_append(headers, "Content-Type: application/json");
		snprintf(text, sizeof(text), "Idempotency-Key: \"%s\"", xylem_uuid_new(uuid));
		headers = curl_slist_append(headers, text);
	}
	return headers;
}

int client_ask(struct client *client, const char *method, const char *target, const char *accept,
	struct xylem_span body, struct client_answer *answer)
{
	struct curl_slist *headers = make_headers(client, method, accept);
	CURLcode code = CURLE_OK;
	for (int try = 0; try < TRIES; try++) {
		code = ask_once(client, method, target, headers, body, answer);
		if (code != CURLE_GOT_NOTHING && code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR) {
			break;
		}
	}
	curl_slist_free_all(headers);
	if (code != CURLE_OK) {
		fprintf(stderr, "xylemctl: no answer from %s: %s\n",
			client->socket[0] ? client->socket : client->base,
			client->error[0] ? client->error : curl_easy_strerror(code));
		return CTL_UNREACHABLE;
	}
	return answer->status >= 400 || answer->status < 200 ? explain(client, answer) : CTL_OK;
}

int client_ask_json(struct client *client, const char *method, const char *target, struct xylem_span body,
	json_t **ret_json)
{
	struct client_answer answer = { 0 };
	int code = client_ask(client, method, target, "application/json", body, &answer);
	if (code == CTL_OK) {
		json_t *json = json_loadb(answer.body.bytes, answer.body.n, 0, NULL);
		if (json) {
			*ret_json = json;
		} else {
			fprintf(stderr, "xylemctl: the answer is not JSON: is this a Xylem bus?\n");
			code = CTL_REFUSED;
		}
	}
	xylem_buffer_finish(&answer.body);
	return code;
}

/* --- Streams ------------------------------------------------------------------------ */

struct stream {
	struct client *client;
	client_event event;
	void *context;
	struct xylem_buffer line, data;
	char id[128], name[64];
	bool ended; /* by the callback */
	struct client_answer answer;
};

/* One line of text/event-stream (WHATWG HTML, 9.2.6). */
static void take_line(struct stream *stream, const char *line)
{
	if (!*line) {
		if (stream->data.n) {
			xylem_buffer_byte(&stream->data, '\0');
			stream->ended = !stream->event(
				stream->context, stream->id, stream->name, stream->data.bytes);
		}
		xylem_buffer_clear(&stream->data);
		stream->name[0] = '\0';
	} else if (strncmp(line, "data: ", 6) == 0) {
		xylem_buffer_text(&stream->data, line + 6);
	} else if (strncmp(line, "id: ", 4) == 0) {
		snprintf(stream->id, sizeof(stream->id), "%s", line + 4);
	} else if (strncmp(line, "event: ", 7) == 0) {
		snprintf(stream->name, sizeof(stream->name), "%s", line + 7);
	}
}

static size_t take_stream(char *bytes, size_t size, size_t n, void *context)
{
	struct stream *stream = context;
	long status = 0;
	curl_easy_getinfo(stream->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		return take(bytes, size, n, &stream->answer.body);
	}
	for (size_t i = 0; i < n && !stream->ended; i++) {
		if (bytes[i] == '\n') {
			xylem_buffer_byte(&stream->line, '\0');
			take_line(stream, stream->line.bytes);
			xylem_buffer_clear(&stream->line);
		} else if (bytes[i] != '\r' && stream->line.n < ANSWER_MAX) {
			xylem_buffer_byte(&stream->line, bytes[i]);
		}
	}
	return stream->ended ? 0 : n;
}

int client_stream(
	struct client *client, const char *target, const char *last_id, client_event event, void *context)
{
	struct stream stream = { .client = client, .event = event, .context = context };
	struct curl_slist *headers = make_headers(client, "GET", "text/event-stream");
	char text[160];
	if (last_id && *last_id) {
		snprintf(text, sizeof(text), "Last-Event-ID: %s", last_id);
		headers = curl_slist_append(headers, text);
	}
	prepare(client, target);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_stream);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &stream);
	/* The bus sends a heartbeat every 15 s: silence means that it is gone. */
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, 45L);
	curl_easy_perform(client->curl);
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &stream.answer.status);
	curl_slist_free_all(headers);
	int code = stream.ended || stream.answer.status == 200 ? CTL_OK : CTL_UNREACHABLE;
	if (stream.answer.status >= 400) {
		code = explain(client, &stream.answer);
	}
	xylem_buffer_finish(&stream.line);
	xylem_buffer_finish(&stream.data);
	xylem_buffer_finish(&stream.answer.body);
	return code;
}

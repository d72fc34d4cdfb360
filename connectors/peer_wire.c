/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol between two buses in XML: one `batch` out, one `taken` back.
 *
 *     <batch xmlns='urn:xylem:bus:0' stream='orders:partner' call='k3f' n='1'>
 *       <event ref='0-1234.0.6432f1' key='c42' id='A1' source='/shop' type='order.created'>
 *         <ext name='traceparent'>00-...</ext>
 *         <data>{"total":19.99}</data>
 *       </event>
 *     </batch>
 *
 *     <taken xmlns='urn:xylem:bus:0' handles='0-88 0-89'/>
 *
 * Data are bytes and arrive as the same bytes. As text they travel only where no
 * server on the way can change them (XML characters, no CR, which some write
 * bare), and only where that is not longer than base64 once every quote has been
 * escaped: servers escape more than we do.
 *
 * The rule not to break: what is written reads back to the same, and a reader of
 * version 0 refuses what it does not know in this namespace; to pass over it
 * could mean to lose it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <connectors/peer_known.h>
#include <connectors/peer_wire.h>
#include <message/base64.h>

/* The attributes of an event that stand as XML attributes; the rest are `ext`. */
static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
	{ "id", offsetof(struct xylem_message, id) },
	{ "source", offsetof(struct xylem_message, source) },
	{ "type", offsetof(struct xylem_message, type) },
	{ "subject", offsetof(struct xylem_message, subject) },
	{ "time", offsetof(struct xylem_message, time) },
	{ "datacontenttype", offsetof(struct xylem_message, datacontenttype) },
	{ "dataschema", offsetof(struct xylem_message, dataschema) },
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static struct xylem_span *span_of(struct xylem_message *message, size_t i)
{
	return (struct xylem_span *)(void *)((char *)message + attributes[i].offset);
}

static struct xylem_span span_get(const struct xylem_message *message, size_t i)
{
	return *(const struct xylem_span *)(const void *)((const char *)message + attributes[i].offset);
}

/* --- Bytes ----------------------------------------------------------------- */

/* How long a server may make it: `&quot;` and the like. */
static size_t escaped_size(struct xylem_span text)
{
	size_t n = text.n;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.at[i];
		n += c == '<' || c == '>' || c == '&' || c == '\'' || c == '"' ? 5 : 0;
	}
	return n;
}

static size_t base64_size(struct xylem_span bytes)
{
	return (bytes.n + 2) / 3 * 4;
}

/* Text is easier on whoever looks at the wire: it may be so much longer. */
#define TEXT_MORE 16

static bool travels_as_text(struct xylem_span data)
{
	size_t at;
	return escaped_size(data) <= base64_size(data) + TEXT_MORE && xml_check(data, &at) &&
	       (data.n == 0 || memchr(data.at, '\r', data.n) == NULL);
}

/* Keys are bytes too; in an attribute, white space would become spaces. */
static bool key_is_plain(struct xylem_span key)
{
	size_t at;
	for (size_t i = 0; i < key.n; i++) {
		if ((unsigned char)key.at[i] < 0x20) {
			return false;
		}
	}
	return xml_check(key, &at);
}

/* --- Writing --------------------------------------------------------------- */

void peer_stream_name(struct xylem_span route, const char *connector, char ret_name[PEER_NAME_MAX + 1])
{
	char whole[512]; /* names of the configuration have at most 64 characters */
	int n = snprintf(
		whole, sizeof(whole), "%.*s:%s", (int)route.n, route.n > 0 ? route.at : "", connector);
	if (n <= PEER_NAME_MAX) {
		memcpy(ret_name, whole, (size_t)n + 1);
		return;
	}
	struct peer_name sum = peer_name_of(xylem_span_of(whole));
	for (size_t i = 0; i < sizeof(sum.bytes); i++) {
		snprintf(ret_name + 2 * i, 3, "%02x", sum.bytes[i]);
	}
}

void peer_batch_open(
	struct xylem_buffer *out, struct xylem_span stream, struct xylem_span call, uint32_t number)
{
	xylem_buffer_text(out, "<batch xmlns='" NS_PEER "'");
	xml_write_attribute(out, "stream", stream);
	xml_write_attribute(out, "call", call);
	xylem_buffer_format(out, " n='%u'>", number);
}

void peer_batch_close(struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</batch>");
}

static void write_data(struct xylem_buffer *out, struct xylem_span data)
{
	if (!xylem_span_present(data)) {
		return;
	}
	if (travels_as_text(data)) {
		xylem_buffer_text(out, "<data>");
		xml_escape_text(out, data);
		xylem_buffer_text(out, "</data>");
	} else {
		xylem_buffer_text(out, "<data64>");
		message_base64_write(out, data);
		xylem_buffer_text(out, "</data64>");
	}
}

static void write_key(struct xylem_buffer *out, struct xylem_span key)
{
	if (!xylem_span_present(key) || key_is_plain(key)) {
		xml_write_attribute(out, "key", key);
		return;
	}
	xylem_buffer_text(out, " key64='");
	message_base64_write(out, key);
	xylem_buffer_byte(out, '\'');
}

void peer_event_write(struct xylem_buffer *out, struct xylem_span ref, const struct xylem_message *message)
{
	xylem_buffer_text(out, "<event");
	xml_write_attribute(out, "ref", ref);
	write_key(out, message->key);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		xml_write_attribute(out, attributes[i].name, span_get(message, i));
	}
	xylem_buffer_byte(out, '>');
	for (size_t i = 0; i < message->extension_count; i++) {
		xylem_buffer_text(out, "<ext");
		xml_write_attribute(out, "name", message->extensions[i].name);
		xylem_buffer_byte(out, '>');
		xml_escape_text(out, message->extensions[i].value);
		xylem_buffer_text(out, "</ext>");
	}
	write_data(out, message->data);
	xylem_buffer_text(out, "</event>");
}

size_t peer_event_cost(const struct xylem_message *message)
{
	size_t n = sizeof("<event ref='' key=''></event><data></data>") + PEER_NAME_MAX;
	n += key_is_plain(message->key) ? escaped_size(message->key) : base64_size(message->key);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		n += escaped_size(span_get(message, i)) + strlen(attributes[i].name) + sizeof(" =''");
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		n += sizeof("<ext name=''></ext>") + message->extensions[i].name.n +
		     escaped_size(message->extensions[i].value);
	}
	size_t text = escaped_size(message->data), coded = base64_size(message->data) + TEXT_MORE;
	return n + (text < coded ? coded : base64_size(message->data));
}

/* --- Reading --------------------------------------------------------------- */

static int refuse(struct xylem_reason *reason, const char *what)
{
	xylem_reason_set(reason, "%s", what);
	return -XYLEM_E_INVALID;
}

/* Names that the protocol itself needs: printable ASCII without space and slash. */
static bool name_valid(struct xylem_span name)
{
	if (name.n == 0 || name.n > PEER_NAME_MAX) {
		return false;
	}
	for (size_t i = 0; i < name.n; i++) {
		if (name.at[i] <= ' ' || name.at[i] > '~' || name.at[i] == '/') {
			return false;
		}
	}
	return true;
}

static bool number_read(struct xylem_span text, uint32_t *ret_number)
{
	uint64_t number = 0;
	for (size_t i = 0; i < text.n && i < 10; i++) {
		if (text.at[i] < '0' || text.at[i] > '9') {
			return false;
		}
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret_number = (uint32_t)number;
	return text.n > 0 && text.n <= 10 && number > 0 && number <= UINT32_MAX;
}

static int read_coded(struct xylem_span text, struct xylem_arena *arena, struct xylem_span *ret_bytes,
	struct xylem_reason *reason)
{
	int error = message_base64_read(text, arena, ret_bytes);
	if (error == 0 && !xylem_span_present(*ret_bytes)) {
		*ret_bytes = XYLEM_SPAN_LITERAL("");
	}
	return error == -XYLEM_E_INVALID ? refuse(reason, "what is not base64 stands where it must be")
					 : error;
}

/* An element inside of a text would be lost, so it is refused. */
static int read_text(const struct xml_node *child, struct xylem_arena *arena, struct xylem_span *ret_text,
	struct xylem_reason *reason)
{
	if (xml_child(child, NULL, NULL)) {
		return refuse(reason, "an element stands where text must be");
	}
	*ret_text = xml_text(child, arena);
	return xylem_span_present(*ret_text) ? 0 : -XYLEM_E_MEMORY;
}

static int read_extension(const struct xml_node *child, struct xylem_arena *arena,
	struct xylem_message *message, struct xylem_extension *room, struct xylem_reason *reason)
{
	struct xylem_extension *extension = &room[message->extension_count];
	extension->name = xml_attribute(child, "name");
	if (extension->name.n == 0) {
		return refuse(reason, "an `ext` has no name");
	}
	int error = read_text(child, arena, &extension->value, reason);
	message->extension_count += error == 0;
	return error;
}

static int read_child(const struct xml_node *child, struct xylem_arena *arena, struct xylem_message *message,
	struct xylem_extension *room, struct xylem_reason *reason)
{
	bool plain = xml_is(child, NS_PEER, "data"), coded = xml_is(child, NS_PEER, "data64");
	if (xml_is(child, NS_PEER, "ext")) {
		return read_extension(child, arena, message, room, reason);
	}
	if (!plain && !coded) {
		return xml_is(child, NS_PEER, NULL) ? refuse(reason, "an event has a part that is not known")
						    : 0;
	}
	if (xylem_span_present(message->data)) {
		return refuse(reason, "an event has data twice");
	}
	int error = read_text(child, arena, &message->data, reason);
	return coded && !error ? read_coded(message->data, arena, &message->data, reason) : error;
}

static size_t count_children(const struct xml_node *element, const char *name)
{
	size_t n = 0;
	for (const struct xml_node *c = xml_child(element, NS_PEER, name); c;
		c = xml_next(c, NS_PEER, name)) {
		n++;
	}
	return n;
}

static int read_key(const struct xml_node *element, struct xylem_arena *arena, struct xylem_message *message,
	struct xylem_reason *reason)
{
	struct xylem_span coded = xml_attribute(element, "key64");
	message->key = xml_attribute(element, "key");
	if (!xylem_span_present(coded)) {
		return 0;
	}
	return xylem_span_present(message->key) ? refuse(reason, "an event has a key twice")
						: read_coded(coded, arena, &message->key, reason);
}

static int read_event(const struct xml_node *element, struct xylem_arena *arena, struct peer_event *event,
	struct xylem_reason *reason)
{
	struct xylem_message *message = &event->message;
	size_t extensions = count_children(element, "ext");
	struct xylem_extension *room = xylem_arena_take(arena, (extensions + 1) * sizeof(*room));

	*event = (struct peer_event){ .ref = xml_attribute(element, "ref") };
	message->kind = XYLEM_MESSAGE;
	if (!name_valid(event->ref)) {
		return refuse(reason, "an event has no valid `ref`");
	}
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		*span_of(message, i) = xml_attribute(element, attributes[i].name);
	}
	int error = room ? read_key(element, arena, message, reason) : -XYLEM_E_MEMORY;
	for (const struct xml_node *c = xml_child(element, NULL, NULL); c && !error;
		c = xml_next(c, NULL, NULL)) {
		error = read_child(c, arena, message, room, reason);
	}
	message->extensions = message->extension_count > 0 ? room : NULL;
	return error;
}

static int read_events(const struct xml_node *element, struct xylem_arena *arena, struct peer_batch *batch,
	struct xylem_reason *reason)
{
	size_t n = count_children(element, NULL);
	if (n == 0 || n > PEER_EVENTS_MAX) {
		return refuse(reason, n == 0 ? "a batch without events" : "a batch of more than 1000 events");
	}
	batch->events = xylem_arena_zero(arena, n * sizeof(*batch->events));
	int error = batch->events ? 0 : -XYLEM_E_MEMORY;
	for (const struct xml_node *c = xml_child(element, NS_PEER, NULL); c && !error;
		c = xml_next(c, NS_PEER, NULL)) {
		error = xml_is(c, NS_PEER, "event")
				? read_event(c, arena, &batch->events[batch->count++], reason)
				: refuse(reason, "a batch has a part that is not known");
	}
	return error;
}

int peer_batch_read(const struct xml_node *element, struct xylem_arena *arena, struct peer_batch *ret_batch,
	struct xylem_reason *reason)
{
	struct peer_batch batch = { .stream = xml_attribute(element, "stream"),
		.call = xml_attribute(element, "call") };
	if (!name_valid(batch.stream) || !name_valid(batch.call) ||
		!number_read(xml_attribute(element, "n"), &batch.number)) {
		return refuse(reason, "a batch needs `stream`, `call` and `n`");
	}
	int error = read_events(element, arena, &batch, reason);
	if (error == 0) {
		*ret_batch = batch;
	}
	return error;
}

unsigned peer_hops(const struct xylem_message *message)
{
	struct xylem_span text = xylem_message_attribute(message, XYLEM_SPAN_LITERAL(PEER_HOPS));
	uint32_t hops = 0;
	if (!xylem_span_present(text) || xylem_span_is(text, "0")) {
		return 0;
	}
	return number_read(text, &hops) && hops < 1000 ? hops : 1000;
}

/* --- The answer ------------------------------------------------------------ */

void peer_taken_write(struct xylem_buffer *out, const struct peer_taken *taken)
{
	char handle[XYLEM_HANDLE_SIZE];

	xylem_buffer_text(out, "<taken xmlns='" NS_PEER "' handles='");
	for (size_t i = 0; i < taken->count; i++) {
		xylem_buffer_format(
			out, "%s%s", i > 0 ? " " : "", xylem_handle_format(taken->handles[i], handle));
	}
	xylem_buffer_byte(out, '\'');
	if (!xylem_span_present(taken->code)) {
		xylem_buffer_text(out, "/>");
		return;
	}
	xylem_buffer_text(out, "><refused");
	xml_write_attribute(out, "code", taken->code);
	xylem_buffer_byte(out, '>');
	xml_escape_text(out, taken->text);
	xylem_buffer_text(out, "</refused></taken>");
}

/* One of the names between spaces; moves *text behind it and the space after it. */
static struct xylem_span next_word(struct xylem_span *text)
{
	const char *space = memchr(text->at, ' ', text->n);
	struct xylem_span word = xylem_span(text->at, space ? (size_t)(space - text->at) : text->n);
	size_t used = word.n + (space != NULL);
	*text = xylem_span(text->at + used, text->n - used);
	return word;
}

static int read_handles(struct xylem_span text, struct xylem_arena *arena, struct peer_taken *taken)
{
	taken->handles = xylem_arena_take(arena, PEER_EVENTS_MAX * sizeof(*taken->handles));
	if (!taken->handles) {
		return -XYLEM_E_MEMORY;
	}
	while (text.n > 0) {
		struct xylem_span word = next_word(&text);
		if (word.n == 0) {
			continue;
		}
		if (taken->count == PEER_EVENTS_MAX ||
			xylem_handle_parse(word, &taken->handles[taken->count]) != 0) {
			return -XYLEM_E_INVALID;
		}
		taken->count++;
	}
	return 0;
}

int peer_taken_read(const struct xml_node *element, struct xylem_arena *arena, struct peer_taken *ret_taken)
{
	struct peer_taken taken = { 0 };
	struct xylem_span handles = xml_attribute(element, "handles");
	const struct xml_node *refused = xml_child(element, NS_PEER, "refused");

	if (!xml_is(element, NS_PEER, "taken") || !xylem_span_present(handles)) {
		return -XYLEM_E_INVALID;
	}
	if (refused) {
		taken.code = xml_attribute(refused, "code");
		taken.text = xml_text(refused, arena);
		if (!name_valid(taken.code)) {
			return -XYLEM_E_INVALID;
		}
	}
	int error = read_handles(handles, arena, &taken);
	if (error == 0) {
		*ret_taken = taken;
	}
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a receiving address knows of what its peers have sent.
 *
 * For each stream a ring of the last names, in the order in which they came, and
 * a hash table over it. A sender repeats only what its lane has taken up and not
 * settled for good, which is at most twice the lane's window; so a ring that is
 * longer than that forgets nothing that can come again, however long the sender
 * was away. That is why there is no time in it.
 *
 * The truth is the journal, where each message carries its name: this is rebuilt
 * from there. The byte form below only shortens how far back has to be read.
 *
 * The rule not to break: a name is in the ring before its message can be on the
 * disk, so that no repeat slips in between.
 */
#include <stdlib.h>

#include <openssl/sha.h>

#include <base/hash.h>
#include <connectors/peer_known.h>

#define NONE UINT32_MAX

struct slot {
	struct peer_name name;
	struct xylem_position handle; /* offset 0: under way */
	uint32_t next;                /* of its chain */
	bool used;
};

struct call {
	struct peer_name name;
	uint32_t next; /* number; 0: broken */
	uint64_t used;
};

struct peer_stream {
	char *name; /* PEER/STREAM */
	int64_t used_us;
	struct slot *slots; /* a ring that grows up to `most` and then goes round */
	size_t n, room, most, oldest;
	uint32_t *chains;
	size_t chain_count; /* a power of two */
	struct call calls[PEER_CALLS_MAX];
	uint64_t clock; /* of `used` of the calls */
};

struct peer_known {
	size_t remember;
	struct peer_stream *streams[PEER_STREAMS_ALL];
	size_t n;
};

struct peer_name peer_name_of(struct xylem_span ref)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	struct peer_name name;
	SHA256((const unsigned char *)(ref.at ? ref.at : ""), ref.n, sum);
	memcpy(name.bytes, sum, sizeof(name.bytes));
	return name;
}

/* --- A stream's ring --------------------------------------------------------- */

static size_t chain_of(const struct peer_stream *stream, struct peer_name name)
{
	uint64_t number;
	memcpy(&number, name.bytes, sizeof(number));
	return (size_t)number & (stream->chain_count - 1);
}

static struct slot *slot_find(const struct peer_stream *stream, struct peer_name name)
{
	if (stream->chain_count == 0) {
		return NULL;
	}
	uint32_t i = stream->chains[chain_of(stream, name)];
	while (i != NONE && memcmp(stream->slots[i].name.bytes, name.bytes, sizeof(name.bytes)) != 0) {
		i = stream->slots[i].next;
	}
	return i == NONE ? NULL : &stream->slots[i];
}

static void chain_in(struct peer_stream *stream, uint32_t i)
{
	uint32_t *head = &stream->chains[chain_of(stream, stream->slots[i].name)];
	stream->slots[i].next = *head;
	*head = i;
}

static void chain_out(struct peer_stream *stream, uint32_t i)
{
	uint32_t *at = &stream->chains[chain_of(stream, stream->slots[i].name)];
	while (*at != i) {
		at = &stream->slots[*at].next;
	}
	*at = stream->slots[i].next;
	stream->slots[i].used = false;
}

static bool stream_grow(struct peer_stream *stream)
{
	size_t room = stream->room ? stream->room * 2 : 256, count = 256;
	room = room < stream->most ? room : stream->most;
	while (count < room) {
		count *= 2;
	}
	struct slot *slots = realloc(stream->slots, room * sizeof(*slots));
	stream->slots = slots ? slots : stream->slots;
	uint32_t *chains = slots ? realloc(stream->chains, count * sizeof(*chains)) : NULL;
	if (!chains) {
		return false;
	}
	stream->chains = chains;
	stream->chain_count = count;
	stream->room = room;
	memset(chains, 0xff, count * sizeof(*chains));
	for (size_t i = 0; i < stream->n; i++) {
		if (slots[i].used) {
			chain_in(stream, (uint32_t)i);
		}
	}
	return true;
}

enum peer_verdict peer_stream_find(
	const struct peer_stream *stream, struct peer_name name, struct xylem_position *ret_handle)
{
	const struct slot *slot = slot_find(stream, name);
	if (!slot) {
		return PEER_NEW;
	}
	*ret_handle = slot->handle;
	return slot->handle.offset ? PEER_TAKEN : PEER_UNDER_WAY;
}

/* The place for the next: a new one, or that of the oldest. */
static int slot_take(struct peer_stream *stream, uint32_t *ret_index)
{
	if (stream->n == stream->room && stream->room < stream->most && !stream_grow(stream)) {
		return -XYLEM_E_MEMORY;
	}
	if (stream->n < stream->room) {
		*ret_index = (uint32_t)stream->n++;
		return 0;
	}
	*ret_index = (uint32_t)stream->oldest;
	stream->oldest = (stream->oldest + 1) % stream->n;
	if (stream->slots[*ret_index].used) {
		chain_out(stream, *ret_index);
	}
	return 0;
}

int peer_stream_add(struct peer_stream *stream, struct peer_name name, struct xylem_position handle)
{
	uint32_t i = 0;
	struct slot *known = slot_find(stream, name);
	if (known) {
		known->handle = handle.offset ? handle : known->handle;
		return 0;
	}
	int error = slot_take(stream, &i);
	if (error == 0) {
		stream->slots[i] = (struct slot){ .name = name, .handle = handle, .used = true };
		chain_in(stream, i);
	}
	return error;
}

void peer_stream_settle(struct peer_stream *stream, struct peer_name name, struct xylem_position handle)
{
	struct slot *slot = slot_find(stream, name);
	if (slot) {
		slot->handle = handle;
	}
}

void peer_stream_drop(struct peer_stream *stream, struct peer_name name)
{
	struct slot *slot = slot_find(stream, name);
	if (slot && slot->handle.offset == 0) {
		chain_out(stream, (uint32_t)(slot - stream->slots));
	}
}

/* --- Calls --------------------------------------------------------------------- */

static const struct call *call_find(const struct peer_stream *stream, struct peer_name name)
{
	for (size_t i = 0; i < PEER_CALLS_MAX; i++) {
		const struct call *call = &stream->calls[i];
		if (call->used && memcmp(call->name.bytes, name.bytes, sizeof(name.bytes)) == 0) {
			return call;
		}
	}
	return NULL;
}

static struct call *call_oldest(struct peer_stream *stream)
{
	struct call *oldest = &stream->calls[0];
	for (size_t i = 1; i < PEER_CALLS_MAX; i++) {
		oldest = stream->calls[i].used < oldest->used ? &stream->calls[i] : oldest;
	}
	return oldest;
}

bool peer_stream_next(const struct peer_stream *stream, struct xylem_span call, uint32_t number)
{
	if (number == 1) {
		return true;
	}
	const struct call *known = call_find(stream, peer_name_of(call));
	return known && known->next == number;
}

void peer_stream_break(struct peer_stream *stream, struct peer_name name)
{
	const struct call *call = call_find(stream, name);
	if (call) {
		stream->calls[call - stream->calls].next = 0;
	}
}

void peer_stream_took(struct peer_stream *stream, struct xylem_span call, uint32_t number, bool broken)
{
	struct peer_name name = peer_name_of(call);
	const struct call *known = call_find(stream, name);
	struct call *slot = known ? &stream->calls[known - stream->calls] : call_oldest(stream);
	*slot = (struct call){ name, broken || number == UINT32_MAX ? 0 : number + 1, ++stream->clock };
}

/* --- Streams ------------------------------------------------------------------- */

static struct peer_stream *stream_free(struct peer_stream *stream)
{
	if (stream) {
		free(stream->name);
		free(stream->slots);
		free(stream->chains);
		free(stream);
	}
	return NULL;
}

static struct peer_stream *stream_new(char *name, size_t most)
{
	struct peer_stream *stream = name ? calloc(1, sizeof(*stream)) : NULL;
	if (!stream) {
		free(name);
		return NULL;
	}
	stream->name = name;
	stream->most = most;
	return stream;
}

struct peer_known *peer_known_new(size_t remember)
{
	struct peer_known *known = calloc(1, sizeof(*known));
	if (known) {
		known->remember = remember;
	}
	return known;
}

static void known_clear(struct peer_known *known)
{
	for (size_t i = 0; i < known->n; i++) {
		known->streams[i] = stream_free(known->streams[i]);
	}
	known->n = 0;
}

struct peer_known *peer_known_free(struct peer_known *known)
{
	if (known) {
		known_clear(known);
		free(known);
	}
	return NULL;
}

static bool is_of(const struct peer_stream *stream, struct xylem_span peer)
{
	return strncmp(stream->name, peer.at, peer.n) == 0 && stream->name[peer.n] == '/';
}

/*
 * The place for a new stream of the peer; NULL: all are in use. What one peer
 * names takes no place from another, as long as there are no 32 peers.
 */
static struct peer_stream **place_for(struct peer_known *known, struct xylem_span peer, int64_t now_us)
{
	struct peer_stream **oldest = NULL;
	size_t own = 0;
	for (size_t i = 0; i < known->n; i++) {
		own += is_of(known->streams[i], peer);
	}
	if (own < PEER_STREAMS_MAX && known->n < PEER_STREAMS_ALL) {
		return &known->streams[known->n++];
	}
	for (size_t i = 0; i < known->n; i++) {
		bool may_go = own < PEER_STREAMS_MAX || is_of(known->streams[i], peer);
		if (may_go && (oldest == NULL || known->streams[i]->used_us < (*oldest)->used_us)) {
			oldest = &known->streams[i];
		}
	}
	if ((*oldest)->used_us > now_us - PEER_STREAM_KEPT_US) {
		return NULL;
	}
	stream_free(*oldest);
	return oldest;
}

static char *stream_name(struct xylem_span peer, struct xylem_span stream)
{
	XYLEM_BUFFER_SCOPED name = { 0 };
	xylem_buffer_span(&name, peer);
	xylem_buffer_byte(&name, '/');
	xylem_buffer_span(&name, stream);
	return xylem_buffer_take(&name, NULL);
}

int peer_known_stream(struct peer_known *known, struct xylem_span peer, struct xylem_span stream,
	int64_t now_us, struct peer_stream **ret_stream)
{
	char *name = stream_name(peer, stream);
	if (!name) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; i < known->n; i++) {
		if (strcmp(known->streams[i]->name, name) == 0) {
			free(name);
			*ret_stream = known->streams[i];
			(*ret_stream)->used_us = now_us;
			return 0;
		}
	}
	struct peer_stream *made = stream_new(name, known->remember);
	struct peer_stream **place = made ? place_for(known, peer, now_us) : NULL;
	if (!place) {
		int error = made ? -XYLEM_E_LIMIT : -XYLEM_E_MEMORY;
		stream_free(made);
		return error;
	}
	made->used_us = now_us;
	*place = *ret_stream = made;
	return 0;
}

/* --- The byte form ---------------------------------------------------------------
 *
 *     "XYLEMKNOWN1\n", then numbers as LEB128: position (partition, offset), streams;
 *     for each: time of last use, length and bytes of the name, names; for each of
 *     these from the oldest on: 16 bytes, partition, offset. At the end 4 bytes of
 *     CRC32C over all before, little-endian.
 */
#define MAGIC "XYLEMKNOWN1\n"
#define MAGIC_SIZE (sizeof(MAGIC) - 1)

static void put(struct xylem_buffer *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7) {
		xylem_buffer_byte(out, (char)(number | 0x80));
	}
	xylem_buffer_byte(out, (char)number);
}

static const struct slot *slot_at(const struct peer_stream *stream, size_t i)
{
	return &stream->slots[(stream->oldest + i) % stream->n];
}

static bool slot_kept(const struct slot *slot)
{
	return slot->used && slot->handle.offset > 0;
}

static void write_stream(const struct peer_stream *stream, struct xylem_buffer *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < stream->n; i++) {
		kept += slot_kept(slot_at(stream, i));
	}
	put(out, (uint64_t)stream->used_us);
	put(out, strlen(stream->name));
	xylem_buffer_text(out, stream->name);
	put(out, kept);
	for (size_t i = 0; i < stream->n; i++) {
		const struct slot *slot = slot_at(stream, i);
		if (slot_kept(slot)) {
			xylem_buffer_append(out, slot->name.bytes, sizeof(slot->name.bytes));
			put(out, slot->handle.partition);
			put(out, slot->handle.offset);
		}
	}
}

void peer_known_write(const struct peer_known *known, struct xylem_position from, struct xylem_buffer *out)
{
	xylem_buffer_text(out, MAGIC);
	put(out, from.partition);
	put(out, from.offset);
	put(out, known->n);
	for (size_t i = 0; i < known->n; i++) {
		write_stream(known->streams[i], out);
	}
	uint32_t sum = crc32c(0, out->bytes, out->n);
	for (int i = 0; i < 4; i++) {
		xylem_buffer_byte(out, (char)(sum >> (8 * i)));
	}
}

struct reader {
	const unsigned char *at, *end;
};

static bool get(struct reader *reader, uint64_t *ret_number)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		unsigned char byte = *reader->at++;
		if (shift == 63 && byte > 1) {
			return false;
		}
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

static bool get_position(struct reader *reader, struct xylem_position *ret_position)
{
	uint64_t partition, offset;
	if (!get(reader, &partition) || !get(reader, &offset) || partition > UINT32_MAX) {
		return false;
	}
	*ret_position = (struct xylem_position){ (uint32_t)partition, offset };
	return true;
}

static int read_names(struct reader *reader, struct peer_stream *stream)
{
	uint64_t names;
	if (!get(reader, &names)) {
		return -XYLEM_E_DAMAGED;
	}
	for (uint64_t i = 0; i < names; i++) {
		struct peer_name name;
		struct xylem_position handle;
		if (reader->end - reader->at < (ptrdiff_t)sizeof(name.bytes)) {
			return -XYLEM_E_DAMAGED;
		}
		memcpy(name.bytes, reader->at, sizeof(name.bytes));
		reader->at += sizeof(name.bytes);
		if (!get_position(reader, &handle) || handle.offset == 0) {
			return -XYLEM_E_DAMAGED;
		}
		int error = peer_stream_add(stream, name, handle);
		if (error) {
			return error;
		}
	}
	return 0;
}

static int read_stream(struct reader *reader, struct peer_known *known)
{
	uint64_t used_us, n;
	if (!get(reader, &used_us) || !get(reader, &n) || n > (uint64_t)(reader->end - reader->at)) {
		return -XYLEM_E_DAMAGED;
	}
	struct xylem_span name = xylem_span((const char *)reader->at, (size_t)n);
	const char *slash = memchr(name.at, '/', name.n);
	reader->at += n;
	if (!slash || memchr(name.at, '\0', name.n)) {
		return -XYLEM_E_DAMAGED;
	}
	struct peer_stream *stream;
	size_t peer = (size_t)(slash - name.at);
	int error = peer_known_stream(known, xylem_span(name.at, peer),
		xylem_span(slash + 1, name.n - peer - 1), (int64_t)used_us, &stream);
	return error ? error : read_names(reader, stream);
}

static int read_all(struct reader *reader, struct peer_known *known, struct xylem_position *ret_from)
{
	uint64_t streams;
	if (!get_position(reader, ret_from) || !get(reader, &streams) || streams > PEER_STREAMS_ALL) {
		return -XYLEM_E_DAMAGED;
	}
	int error = 0;
	for (uint64_t i = 0; i < streams && !error; i++) {
		error = read_stream(reader, known);
	}
	return error ? error : reader->at == reader->end ? 0 : -XYLEM_E_DAMAGED;
}

int peer_known_read(struct peer_known *known, struct xylem_span bytes, struct xylem_position *ret_from)
{
	if (bytes.n < MAGIC_SIZE + 4 || memcmp(bytes.at, MAGIC, MAGIC_SIZE) != 0) {
		return -XYLEM_E_DAMAGED;
	}
	const unsigned char *at = (const unsigned char *)bytes.at, *end = at + bytes.n - 4;
	uint32_t sum = (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 |
		       (uint32_t)end[3] << 24;
	struct xylem_position from;
	struct reader reader = { at + MAGIC_SIZE, end };
	int error = crc32c(0, bytes.at, bytes.n - 4) == sum ? read_all(&reader, known, &from)
							    : -XYLEM_E_DAMAGED;
	if (error) {
		known_clear(known);
		return error;
	}
	*ret_from = from;
	return 0;
}

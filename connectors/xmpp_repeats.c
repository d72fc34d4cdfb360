/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an XMPP address has taken lately. The link has no acknowledgements: whoever got no
 * result or receipt sends again, and a part of those messages is on the disk already.
 *
 *     names ── a ring of the latest, found by a hash of chains
 *
 * The truth is the journal: message and name (`xmppfrom`, `xmppid`, content) are
 * one record, so that after a restart the last records tell what was taken. Each name
 * is under way until the sync has answered.
 *
 * The rule not to break: a name is `taken` only when it is on the disk. What is
 * not done here: repeats from longer ago; receivers know them by (source, id).
 */
#include <connectors/xmpp_repeats.h>

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <base/jid.h>
#include <xylem/log.h>

#define REPEATS_MAGIC 0x72657065U
#define NONE UINT32_MAX

struct entry {
	struct repeats_name name;
	uint32_t chain; /* the next of the bucket */
	bool used, taken;
};

struct repeats {
	uint32_t magic;
	pthread_mutex_t lock;
	uint32_t next; /* the oldest place of the ring, taken next */
	uint32_t buckets[REPEATS_KEPT];
	struct entry ring[REPEATS_KEPT];
};

struct repeats *repeats_new(void)
{
	struct repeats *repeats = calloc(1, sizeof(*repeats));
	if (repeats != NULL) {
		repeats->magic = REPEATS_MAGIC;
		pthread_mutex_init(&repeats->lock, NULL);
		memset(repeats->buckets, 0xff, sizeof(repeats->buckets));
	}
	return repeats;
}

struct repeats *repeats_free(struct repeats *repeats)
{
	if (repeats != NULL) {
		assert(repeats->magic == REPEATS_MAGIC);
		pthread_mutex_destroy(&repeats->lock);
		repeats->magic = 0;
		free(repeats);
	}
	return NULL;
}

/* --- Names -------------------------------------------------------------------- */

/* With its length, so that no two lists of parts are one. */
static bool add_part(EVP_MD_CTX *md, struct xylem_span part)
{
	uint64_t n = part.n;
	return EVP_DigestUpdate(md, &n, sizeof(n)) == 1 &&
	       (part.n == 0 || EVP_DigestUpdate(md, part.at, part.n) == 1);
}

bool repeats_name(const struct xylem_message *message, struct repeats_name *ret_name)
{
	struct xylem_span id = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppid"));
	struct xylem_span from = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppfrom"));
	struct xylem_span kind = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppkind"));
	char bare[JID_SIZE];
	if (id.n == 0 || kind.n > 0 || !jid_normalise(from, bare)) {
		return false;
	}
	const struct xylem_span parts[] = { xylem_span_of(bare), id, message->id, message->type,
		message->data };
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; ok && i < sizeof(parts) / sizeof(parts[0]); i++) {
		ok = add_part(md, parts[i]);
	}
	ok = ok && EVP_DigestFinal_ex(md, sum, NULL) == 1;
	EVP_MD_CTX_free(md);
	if (ok) {
		memcpy(ret_name->bytes, sum, sizeof(ret_name->bytes));
	}
	return ok;
}

/* --- The ring: all under the lock ----------------------------------------------- */

static uint32_t *bucket_of(struct repeats *repeats, const struct repeats_name *name)
{
	uint32_t word;
	memcpy(&word, name->bytes, sizeof(word));
	return &repeats->buckets[word % REPEATS_KEPT];
}

static struct entry *find(struct repeats *repeats, const struct repeats_name *name)
{
	for (uint32_t at = *bucket_of(repeats, name); at != NONE; at = repeats->ring[at].chain) {
		if (memcmp(repeats->ring[at].name.bytes, name->bytes, sizeof(name->bytes)) == 0) {
			return &repeats->ring[at];
		}
	}
	return NULL;
}

static void forget(struct repeats *repeats, struct entry *entry)
{
	uint32_t place = (uint32_t)(entry - repeats->ring);
	uint32_t *link = bucket_of(repeats, &entry->name);

	while (*link != place) {
		link = &repeats->ring[*link].chain;
	}
	*link = entry->chain;
	entry->used = false;
}

static void add(struct repeats *repeats, const struct repeats_name *name)
{
	struct entry *entry = &repeats->ring[repeats->next];
	uint32_t *bucket;

	if (entry->used) {
		forget(repeats, entry);
	}
	bucket = bucket_of(repeats, name);
	*entry = (struct entry){ .name = *name, .chain = *bucket, .used = true };
	*bucket = repeats->next;
	repeats->next = (repeats->next + 1) % REPEATS_KEPT;
}

/* --- For the address ------------------------------------------------------------ */

enum repeats_verdict repeats_see(struct repeats *repeats, const struct repeats_name *name)
{
	pthread_mutex_lock(&repeats->lock);
	const struct entry *entry = find(repeats, name);
	enum repeats_verdict verdict = entry == NULL  ? REPEATS_NEW
				       : entry->taken ? REPEATS_TAKEN
						      : REPEATS_UNDER_WAY;
	if (entry == NULL) {
		add(repeats, name);
	}
	pthread_mutex_unlock(&repeats->lock);
	return verdict;
}

void repeats_settle(struct repeats *repeats, const struct repeats_name *name, bool taken)
{
	pthread_mutex_lock(&repeats->lock);
	struct entry *entry = find(repeats, name);
	if (entry != NULL && taken) {
		entry->taken = true;
	} else if (entry != NULL) {
		forget(repeats, entry);
	}
	pthread_mutex_unlock(&repeats->lock);
}

static bool recall_one(void *context, const struct xylem_message *message)
{
	struct repeats_name name;

	if (repeats_name(message, &name) && repeats_see(context, &name) == REPEATS_NEW) {
		repeats_settle(context, &name, true);
	}
	return true;
}

void repeats_recall(struct repeats *repeats, struct xylem_source *source, const char *connector)
{
	struct xylem_reason reason = { "" };
	struct xylem_position from = xylem_source_end(source), end;

	from.offset = from.offset > REPEATS_RECALLED ? from.offset - REPEATS_RECALLED : 0;
	if (xylem_source_recall(source, from, recall_one, repeats, &end, &reason) != 0) {
		xylem_log(XYLEM_LOG_WARNING, "xmpp",
			"%s: what was taken before is not known, repeats of it are taken again: %s",
			connector, reason.text);
	}
}

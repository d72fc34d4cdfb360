/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker verify: what was acknowledged against what arrived.
 *
 * For each destination:
 *   lost       acknowledged, neither there nor in the hospital
 *   corrupted  there with another sum, key or sequence than was sent
 *   reordered  first deliveries of one key against the order of their
 *              acknowledgements; what went through the hospital is left out
 *   invented   there, and never sent
 * Each must be 0. Duplicates are counted. An id that was sent and not
 * acknowledged ("maybe") may be there or not.
 *
 * The rule not to break: a log that cannot be read, has a line that cannot be
 * understood, or is empty is a violation. Silence must not pass for success.
 * The one exception is a last line without its end: who wrote it may have been
 * killed, and it is counted as not written.
 */
#include <checker/checker.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <checker/record.h>

#define DESTINATIONS_MAX 32
#define SHOWN_MAX 5

struct sent {
	struct record record;
	bool acknowledged;
	uint32_t key;     /* number of its key */
	uint32_t there;   /* bit for each destination */
	uint32_t excused; /* the same, by the hospital */
	uint64_t turn;    /* of the acknowledgement among those of its key, from 1; 0: none */
};

struct destination {
	const char *name, *path;
	uint64_t received, acknowledged, maybe, hospital, duplicates, lost, corrupted, reordered, invented;
	uint64_t *turns; /* of each key: the latest that came */
};

static struct sent *table; /* open addressing, by id */
static size_t table_room, table_count, acknowledged_count, maybe_count;
static char (*keys)[RECORD_KEY_SIZE];
static uint64_t *key_turns;
static size_t *key_slots;
static size_t key_count, key_room;
static struct destination destinations[DESTINATIONS_MAX];
static size_t destination_count;
static uint64_t malformed;
static FILE *details;

/* --- Tables --------------------------------------------------------------- */

static uint64_t sum_of(const char *text)
{
	uint64_t sum = 14695981039346656037u; /* FNV-1a */
	for (; *text; text++) {
		sum = (sum ^ (unsigned char)*text) * 1099511628211u;
	}
	return sum ^ (sum >> 29);
}

static void *memory(void *at, size_t n, size_t size)
{
	void *bytes = reallocarray(at, n, size);
	if (!bytes) {
		fputs("checker verify: out of memory\n", stderr);
		exit(2);
	}
	return bytes;
}

static struct sent *slot_of(struct sent *in, size_t room, const char *id)
{
	size_t at = sum_of(id) & (room - 1);
	while (in[at].record.id[0] && strcmp(in[at].record.id, id) != 0) {
		at = (at + 1) & (room - 1);
	}
	return &in[at];
}

static struct sent *sent_find(const char *id)
{
	struct sent *slot = table_room ? slot_of(table, table_room, id) : NULL;
	return slot && slot->record.id[0] ? slot : NULL;
}

static struct sent *sent_add(const char *id)
{
	if (table_count * 2 >= table_room) {
		size_t room = table_room ? table_room * 2 : 4096;
		struct sent *bigger = memory(NULL, room, sizeof(*bigger));
		memset(bigger, 0, room * sizeof(*bigger));
		for (size_t i = 0; i < table_room; i++) {
			if (table[i].record.id[0]) {
				*slot_of(bigger, room, table[i].record.id) = table[i];
			}
		}
		free(table);
		table = bigger;
		table_room = room;
	}
	table_count++;
	return slot_of(table, table_room, id);
}

static void keys_grow(void)
{
	size_t room = key_room ? key_room * 2 : 1024;
	keys = memory(keys, room, sizeof(*keys));
	key_turns = memory(key_turns, room, sizeof(*key_turns));
	key_slots = memory(key_slots, room * 2, sizeof(*key_slots));
	memset(key_slots, 0, room * 2 * sizeof(*key_slots));
	key_room = room;
	for (size_t i = 0; i < key_count; i++) {
		size_t at = sum_of(keys[i]) & (room * 2 - 1);
		while (key_slots[at]) {
			at = (at + 1) & (room * 2 - 1);
		}
		key_slots[at] = i + 1;
	}
}

static uint32_t key_number(const char *key)
{
	if (key_count == key_room) {
		keys_grow();
	}
	size_t at = sum_of(key) & (key_room * 2 - 1);
	while (key_slots[at] && strcmp(keys[key_slots[at] - 1], key) != 0) {
		at = (at + 1) & (key_room * 2 - 1);
	}
	if (!key_slots[at]) {
		strcpy(keys[key_count], key);
		key_turns[key_count] = 0;
		key_slots[at] = ++key_count;
	}
	return (uint32_t)(key_slots[at] - 1);
}

/* --- Logs ----------------------------------------------------------------- */

static void show(const struct destination *destination, const char *what, uint64_t number, const char *id)
{
	if (number < SHOWN_MAX) {
		printf("# %s: %s %s\n", destination->name, what, id);
	}
	if (details) {
		fprintf(details, "%s %s %s\n", destination->name, what, id);
	}
}

/* The next line without its end; false: no more. */
static bool line_read(FILE *file, char *line, size_t room)
{
	if (!fgets(line, (int)room, file)) {
		return false;
	}
	size_t n = strlen(line);
	if (n == 0 || line[n - 1] != '\n') {
		malformed += !feof(file);
		return false;
	}
	line[n - 1] = '\0';
	return true;
}

static void complain(const char *path, const char *line)
{
	if (malformed++ < SHOWN_MAX) {
		printf("# %s: not understood: %s\n", path, line);
	}
}

static FILE *log_open(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		malformed++;
	}
	return file;
}

static void oracle_line(const char *path, const char *line)
{
	struct record record;
	char kind, handle[RECORD_HANDLE_SIZE], answered[24];
	long long sent_us;
	if (sscanf(line, "%c %47s %23s %" SCNu64 " %64s %lld %23s %39s", &kind, record.id, record.key,
		    &record.sequence, record.hash, &sent_us, answered, handle) != 8 ||
		(kind != 'A' && kind != 'M') || sent_find(record.id)) {
		complain(path, line);
		return;
	}
	struct sent *sent = sent_add(record.id);
	*sent = (struct sent){ .record = record, .acknowledged = kind == 'A', .key = key_number(record.key) };
	if (sent->acknowledged) {
		sent->turn = ++key_turns[sent->key];
	}
	acknowledged_count += sent->acknowledged;
	maybe_count += !sent->acknowledged;
}

static void each_line(const char *path, void (*take)(const char *path, const char *line))
{
	FILE *file = log_open(path);
	char line[512];
	while (file && line_read(file, line, sizeof(line))) {
		take(path, line);
	}
	if (file) {
		fclose(file);
	}
}

static void hospital_line(const char *path, const char *line)
{
	char id[RECORD_ID_SIZE], name[64] = "";
	struct sent *sent = sscanf(line, "%47s %63s", id, name) >= 1 ? sent_find(id) : NULL;
	if (!sent) {
		complain(path, line);
		return;
	}
	for (size_t i = 0; i < destination_count; i++) {
		if (!name[0] || strcmp(name, destinations[i].name) == 0) {
			destinations[i].hospital += !(sent->excused >> i & 1);
			sent->excused |= 1u << i;
		}
	}
}

/* --- Receipts ------------------------------------------------------------- */

static void first_delivery(struct destination *destination, const struct sent *sent, bool excused)
{
	if (!sent->acknowledged) {
		destination->maybe++;
		return;
	}
	destination->acknowledged++;
	if (excused) {
		return;
	}
	uint64_t *latest = &destination->turns[sent->key];
	if (sent->turn < *latest) {
		show(destination, "reordered", destination->reordered++, sent->record.id);
	} else {
		*latest = sent->turn;
	}
}

static void receipt(struct destination *destination, unsigned number, const struct record *record)
{
	struct sent *sent = sent_find(record->id);
	destination->received++;
	if (!sent) {
		show(destination, "invented", destination->invented++, record->id);
		return;
	}
	if (strcmp(sent->record.hash, record->hash) != 0 || strcmp(sent->record.key, record->key) != 0 ||
		sent->record.sequence != record->sequence) {
		show(destination, "corrupted", destination->corrupted++, record->id);
	}
	if (sent->there >> number & 1) {
		destination->duplicates++;
		return;
	}
	sent->there |= 1u << number;
	first_delivery(destination, sent, sent->excused >> number & 1);
}

static void receipts_read(unsigned number)
{
	struct destination *destination = &destinations[number];
	FILE *file = log_open(destination->path);
	char line[512];
	destination->turns = calloc(key_count + 1, sizeof(*destination->turns));
	while (file && destination->turns && line_read(file, line, sizeof(line))) {
		struct record record;
		long long received_us;
		if (sscanf(line, "%47s %23s %" SCNu64 " %64s %lld", record.id, record.key, &record.sequence,
			    record.hash, &received_us) == 5) {
			receipt(destination, number, &record);
		} else {
			complain(destination->path, line);
		}
	}
	if (file) {
		fclose(file);
	}
	free(destination->turns);
}

static void lost_find(unsigned number)
{
	struct destination *destination = &destinations[number];
	for (size_t i = 0; i < table_room; i++) {
		const struct sent *sent = &table[i];
		if (sent->acknowledged && !((sent->there | sent->excused) >> number & 1)) {
			show(destination, "lost", destination->lost++, sent->record.id);
		}
	}
}

/* --- The verdict ---------------------------------------------------------- */

static bool verdict(void)
{
	uint64_t bad = malformed;
	printf("%-12s %10s %10s %9s %9s %10s %8s %10s %10s %9s\n", "destination", "received", "distinct",
		"of maybe", "hospital", "duplicates", "lost", "corrupted", "reordered", "invented");
	for (size_t i = 0; i < destination_count; i++) {
		const struct destination *d = &destinations[i];
		printf("%-12s %10" PRIu64 " %10" PRIu64 " %9" PRIu64 " %9" PRIu64 " %10" PRIu64 " %8" PRIu64
		       " %10" PRIu64 " %10" PRIu64 " %9" PRIu64 "\n",
			d->name, d->received, d->acknowledged + d->maybe, d->maybe, d->hospital,
			d->duplicates, d->lost, d->corrupted, d->reordered, d->invented);
		bad += d->lost + d->corrupted + d->reordered + d->invented;
	}
	if (acknowledged_count == 0) {
		printf("nothing was acknowledged: this proves nothing\n");
		bad++;
	}
	printf("%zu acknowledged, %zu maybe, %" PRIu64 " lines not understood: %s\n", acknowledged_count,
		maybe_count, malformed, bad ? "VIOLATED" : "kept");
	return bad == 0;
}

static bool destination_read(char *text)
{
	char *equals = strchr(text, '=');
	if (!equals || destination_count == DESTINATIONS_MAX) {
		return false;
	}
	*equals = '\0';
	destinations[destination_count++] = (struct destination){ .name = text, .path = equals + 1 };
	return true;
}

int checker_verify(int argc, char **argv)
{
	static const struct option options[] = { { "oracle", 1, NULL, 'o' }, { "to", 1, NULL, 't' },
		{ "hospital", 1, NULL, 'h' }, { "details", 1, NULL, 'd' }, { NULL, 0, NULL, 0 } };
	const char *oracle = NULL, *hospital = NULL;
	bool good = true;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		oracle = option == 'o' ? optarg : oracle;
		hospital = option == 'h' ? optarg : hospital;
		details = option == 'd' ? fopen(optarg, "w") : details;
		good = good && option != '?' && (option != 't' || destination_read(optarg));
	}
	if (!good || !oracle || destination_count == 0) {
		fputs("usage: checker verify --oracle FILE --to NAME=RECEIPTS ... [--hospital FILE] "
		      "[--details FILE]\n"
		      "exit status 0: every promise kept; 1: not\n",
			stderr);
		return 2;
	}
	each_line(oracle, oracle_line);
	if (hospital) {
		each_line(hospital, hospital_line);
	}
	for (unsigned i = 0; i < destination_count; i++) {
		receipts_read(i);
		lost_find(i);
	}
	bool kept = verdict();
	if (details) {
		fclose(details);
	}
	free(table);
	free(keys);
	free(key_turns);
	free(key_slots);
	return kept ? 0 : 1;
}

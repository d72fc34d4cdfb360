/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rosters of the bus's addresses: a sorted array in memory, a row each in
 * the catalogue. Memory is changed first, so that two stanzas of one person in
 * a row see each other; what is told to that person waits for the COMMIT.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xmpp/contacts.h>

#define CONTACTS_OF_PERSON 5000U
#define CONTACTS_MOST 100000U

/* A row: the texts lie behind it. */
struct entry {
	struct contact contact;
	char text[];
};

struct contacts {
	struct catalogue *catalogue;
	pthread_mutex_t lock;
	pthread_cond_t quiet; /* `under_way` has become 0 */
	size_t under_way;
	struct entry **entries; /* sorted by local part, then JID */
	size_t n, room;
};

static struct entry *entry_new(const struct contact *contact)
{
	size_t local = strlen(contact->local) + 1, jid = strlen(contact->jid) + 1;
	struct entry *entry = malloc(sizeof(*entry) + local + jid);
	if (entry != NULL) {
		entry->contact = *contact;
		entry->contact.local = memcpy(entry->text, contact->local, local);
		entry->contact.jid = memcpy(entry->text + local, contact->jid, jid);
	}
	return entry;
}

static int compare(const struct entry *entry, const char *local, const char *jid)
{
	int order = strcmp(entry->contact.local, local);
	return order != 0 ? order : strcmp(entry->contact.jid, jid);
}

/* Where it is, or would be. Under the lock. */
static size_t place(const struct contacts *contacts, const char *local, const char *jid)
{
	size_t low = 0, high = contacts->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(contacts->entries[middle], local, jid) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct entry *find(const struct contacts *contacts, const char *local, const char *jid)
{
	size_t at = place(contacts, local, jid);
	return at < contacts->n && compare(contacts->entries[at], local, jid) == 0 ? contacts->entries[at]
										   : NULL;
}

/* --- Memory, under the lock ------------------------------------------------- */

static void drop(struct contacts *contacts, size_t at)
{
	free(contacts->entries[at]);
	contacts->n--;
	memmove(contacts->entries + at, contacts->entries + at + 1,
		(contacts->n - at) * sizeof(contacts->entries[0]));
}

static int insert(struct contacts *contacts, const struct contact *contact)
{
	if (contacts->n == contacts->room) {
		size_t room = contacts->room == 0 ? 64 : contacts->room * 2;
		struct entry **grown = realloc(contacts->entries, room * sizeof(struct entry *));
		if (grown == NULL) {
			return -XYLEM_E_MEMORY;
		}
		contacts->entries = grown;
		contacts->room = room;
	}
	struct entry *entry = entry_new(contact);
	if (entry == NULL) {
		return -XYLEM_E_MEMORY;
	}
	size_t at = place(contacts, contact->local, contact->jid);
	memmove(contacts->entries + at + 1, contacts->entries + at,
		(contacts->n - at) * sizeof(struct entry *));
	contacts->entries[at] = entry;
	contacts->n++;
	return 0;
}

static size_t count_person(const struct contacts *contacts, const char *jid)
{
	size_t n = 0;
	for (size_t i = 0; i < contacts->n; i++) {
		n += strcmp(contacts->entries[i]->contact.jid, jid) == 0 ? 1 : 0;
	}
	return n;
}

static int change(struct contacts *contacts, const struct contact *contact)
{
	struct entry *entry = find(contacts, contact->local, contact->jid);
	bool wanted = contact->watches || contact->sight != SIGHT_NONE;

	if (entry != NULL && !wanted) {
		drop(contacts, place(contacts, contact->local, contact->jid));
	} else if (entry != NULL) {
		entry->contact.watches = contact->watches;
		entry->contact.sight = contact->sight;
	} else if (wanted) {
		bool full = contacts->n >= CONTACTS_MOST ||
			    count_person(contacts, contact->jid) >= CONTACTS_OF_PERSON;
		return full ? -XYLEM_E_LIMIT : insert(contacts, contact);
	}
	return 0;
}

/* --- The catalogue ----------------------------------------------------------- */

struct job {
	struct contacts *contacts;
	struct entry *entry;
	contacts_done done;
	void *context;
};

static int write_row(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct job *job = context;
	const struct contact *contact = &job->entry->contact;
	bool wanted = contact->watches || contact->sight != SIGHT_NONE;
	sqlite3_stmt *statement =
		wanted ? catalogue_statement(database,
				 "INSERT INTO contacts (local, jid, watches, sight, time_us) VALUES (?1, ?2, "
				 "?3, "
				 "?4, ?5) ON CONFLICT (local, jid) DO UPDATE SET watches = ?3, sight = ?4, "
				 "time_us = ?5",
				 reason)
		       : catalogue_statement(
				 database, "DELETE FROM contacts WHERE local = ?1 AND jid = ?2", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, contact->local, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, contact->jid, -1, SQLITE_STATIC);
	if (wanted) {
		sqlite3_bind_int(statement, 3, contact->watches);
		sqlite3_bind_int(statement, 4, (int)contact->sight);
		sqlite3_bind_int64(statement, 5, clock_wall_us());
	}
	return catalogue_step_done(database, statement, reason);
}

static void job_finish(struct job *job, int error)
{
	struct contacts *contacts = job->contacts;

	if (job->done != NULL) {
		job->done(job->context, error);
	}
	free(job->entry);
	free(job);
	pthread_mutex_lock(&contacts->lock);
	if (--contacts->under_way == 0) {
		pthread_cond_broadcast(&contacts->quiet);
	}
	pthread_mutex_unlock(&contacts->lock);
}

static void job_done(void *context, int error, const struct xylem_reason *reason)
{
	job_finish(context, error);
}

static struct job *job_new(
	struct contacts *contacts, const struct contact *contact, contacts_done done, void *context)
{
	struct job *job = calloc(1, sizeof(*job));
	struct entry *entry = entry_new(contact);
	if (job == NULL || entry == NULL) {
		free(job);
		free(entry);
		return NULL;
	}
	*job = (struct job){ contacts, entry, done, context };
	return job;
}

int contacts_set(struct contacts *contacts, const struct contact *contact, contacts_done done, void *context)
{
	struct job *job = job_new(contacts, contact, done, context);
	if (job == NULL) {
		return -XYLEM_E_MEMORY;
	}
	pthread_mutex_lock(&contacts->lock);
	int error = change(contacts, contact);
	contacts->under_way++;
	pthread_mutex_unlock(&contacts->lock);
	if (error == 0 && contacts->catalogue != NULL) {
		error = catalogue_submit(contacts->catalogue, write_row, job_done, job, true);
	} else if (error == 0) {
		job_finish(job, 0);
		return 0;
	}
	if (error != 0) {
		job->done = NULL;
		job_finish(job, error);
	}
	return error;
}

/* --- Life ---------------------------------------------------------------------- */

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(
		database, "SELECT local, jid, watches, sight FROM contacts ORDER BY local, jid", reason);
	int step = row != NULL ? 1 : -XYLEM_E_IO, error = 0;
	while (error == 0 && step > 0 && (step = catalogue_step_row(database, row, reason)) > 0) {
		struct contact contact = { (const char *)sqlite3_column_text(row, 0),
			(const char *)sqlite3_column_text(row, 1), sqlite3_column_int(row, 2) != 0,
			(enum contact_sight)sqlite3_column_int(row, 3) };
		error = insert(context, &contact);
	}
	return error != 0 ? error : step;
}

int contacts_open(struct contacts **ret_contacts, struct catalogue *catalogue, struct xylem_reason *reason)
{
	struct contacts *contacts = calloc(1, sizeof(*contacts));
	if (contacts == NULL) {
		xylem_reason_set(reason, "contacts: out of memory");
		return -XYLEM_E_MEMORY;
	}
	contacts->catalogue = catalogue;
	pthread_mutex_init(&contacts->lock, NULL);
	pthread_cond_init(&contacts->quiet, NULL);
	int error = catalogue != NULL ? catalogue_read(catalogue, load, contacts, reason) : 0;
	if (error != 0) {
		contacts_close(contacts);
		return error;
	}
	*ret_contacts = contacts;
	return 0;
}

struct contacts *contacts_close(struct contacts *contacts)
{
	if (contacts == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&contacts->lock);
	while (contacts->under_way > 0) {
		pthread_cond_wait(&contacts->quiet, &contacts->lock);
	}
	pthread_mutex_unlock(&contacts->lock);
	for (size_t i = 0; i < contacts->n; i++) {
		free(contacts->entries[i]);
	}
	free(contacts->entries);
	pthread_mutex_destroy(&contacts->lock);
	pthread_cond_destroy(&contacts->quiet);
	free(contacts);
	return NULL;
}

/* --- Reading -------------------------------------------------------------------- */

bool contacts_find(struct contacts *contacts, const char *local, const char *jid, struct contact *ret_contact)
{
	pthread_mutex_lock(&contacts->lock);
	const struct entry *entry = find(contacts, local, jid);
	*ret_contact = (struct contact){ NULL, NULL, entry != NULL && entry->contact.watches,
		entry != NULL ? entry->contact.sight : SIGHT_NONE };
	pthread_mutex_unlock(&contacts->lock);
	return entry != NULL;
}

enum contact_sight contacts_sight(struct contacts *contacts, const char *jid)
{
	enum contact_sight best = SIGHT_NONE;

	pthread_mutex_lock(&contacts->lock);
	for (size_t i = 0; i < contacts->n && best != SIGHT_GRANTED; i++) {
		const struct contact *contact = &contacts->entries[i]->contact;
		if (contact->sight > best && strcmp(contact->jid, jid) == 0) {
			best = contact->sight;
		}
	}
	pthread_mutex_unlock(&contacts->lock);
	return best;
}

/* Copies [from, to) with their texts into one allocation. Under the lock. */
static struct contact *copy_range(const struct contacts *contacts, size_t from, size_t to)
{
	size_t n = to - from, text = 0;
	for (size_t i = from; i < to; i++) {
		const struct contact *contact = &contacts->entries[i]->contact;
		text += strlen(contact->local) + strlen(contact->jid) + 2;
	}
	struct contact *list = malloc(n * sizeof(*list) + text + 1);
	char *at = (char *)(list + n);
	for (size_t i = 0; list != NULL && i < n; i++) {
		list[i] = contacts->entries[from + i]->contact;
		size_t size = strlen(list[i].local) + 1;
		list[i].local = memcpy(at, list[i].local, size);
		at += size;
		size = strlen(list[i].jid) + 1;
		list[i].jid = memcpy(at, list[i].jid, size);
		at += size;
	}
	return list;
}

int contacts_list(struct contacts *contacts, const char *local, struct contact **ret_contacts, size_t *ret_n)
{
	pthread_mutex_lock(&contacts->lock);
	size_t from = local != NULL ? place(contacts, local, "") : 0, to = contacts->n;
	if (local != NULL) {
		for (to = from;
			to < contacts->n && strcmp(contacts->entries[to]->contact.local, local) == 0;) {
			to++;
		}
	}
	struct contact *list = copy_range(contacts, from, to);
	pthread_mutex_unlock(&contacts->lock);
	if (list == NULL) {
		return -XYLEM_E_MEMORY;
	}
	*ret_contacts = list;
	*ret_n = to - from;
	return 0;
}

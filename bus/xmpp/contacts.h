/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_CONTACTS_H
#define XMPP_CONTACTS_H

#include <stdbool.h>
#include <stddef.h>

#include <catalogue/catalogue.h>

/*
 * Who sees the presence of which address of the bus, and whose the bus sees
 * (RFC 6121, 3): what servers keep as rosters, a component keeps itself. Any
 * thread, except where it says otherwise.
 */
struct contacts;

/* Do we see them? Asked for, and granted. */
enum contact_sight { SIGHT_NONE, SIGHT_ASKED, SIGHT_GRANTED };

struct contact {
	const char *local; /* of our address; "": the domain itself */
	const char *jid;   /* theirs: bare, normalised */
	bool watches;      /* they see ours */
	enum contact_sight sight;
};

/* Reads what is stored. `catalogue` NULL: nothing is stored. */
int contacts_open(struct contacts **ret_contacts, struct catalogue *catalogue, struct xylem_reason *reason);
/* Waits for catalogue jobs under way. */
struct contacts *contacts_close(struct contacts *contacts);

/* False: there is none, and *ret_contact is one without any right; its texts are not set. */
bool contacts_find(
	struct contacts *contacts, const char *local, const char *jid, struct contact *ret_contact);
/*
 * Makes the contact what `contact` says (with neither right: removes it), at
 * once in memory; `done` comes when it is on disk, on the catalogue's thread,
 * or at once where nothing is stored. It must not block. -XYLEM_E_LIMIT: 5,000
 * of one person, 100,000 in all; -XYLEM_E_MEMORY, or as catalogue_submit().
 */
typedef void (*contacts_done)(void *context, int error);
int contacts_set(struct contacts *contacts, const struct contact *contact, contacts_done done, void *context);

/* All (local NULL), or those of one address, sorted by address and JID. One free() for all. */
int contacts_list(struct contacts *contacts, const char *local, struct contact **ret_contacts, size_t *ret_n);
/* Do we see this bare address's presence through any address of ours? SIGHT_ASKED: it was asked for. */
enum contact_sight contacts_sight(struct contacts *contacts, const char *jid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JID_H
#define BASE_JID_H

#include <stdbool.h>

#include <xylem/option.h>
#include <xylem/span.h>

/*
 * Addresses (RFC 7622): local@domain/resource, the local part and the resource
 * may be missing. Absent parts are absent spans. All borrow the text.
 */
struct jid {
	struct xylem_span local;
	struct xylem_span domain;
	struct xylem_span resource;
};

/* False when it has no domain or an empty local part or resource, or is longer than 3071 bytes. */
bool jid_split(struct xylem_span text, struct jid *ret_jid);
/* Everything before the resource; all of it when it has none. */
struct xylem_span jid_bare(struct xylem_span text);

#define JID_SIZE 2048 /* bare, with its terminator; longer ones are refused */
/*
 * The text with its letters in lower case, each by itself, and a terminator. False: more than `room` takes. As
 * servers do with addresses (RFC 7622), but for what Unicode's equivalences and a sharp s come to.
 */
bool jid_fold(struct xylem_span text, char *out, size_t room);

/*
 * The bare address with the letters of local part and domain in lower case
 * and the domain's last dot removed. Servers have prepared the addresses that
 * they stamp; this makes what people write in files compare with them.
 */
bool jid_normalise(struct xylem_span text, char ret_bare[JID_SIZE]);

/* Is the normalised bare address listed: itself, or `@domain` for everybody there? */
bool jid_listed(struct xylem_strings list, const char *bare);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_REPEATS_H
#define CONNECTORS_XMPP_REPEATS_H

#include <stdbool.h>

#include <xylem/connector.h>

/*
 * What an address has taken lately, so that a stanza that is sent again because
 * its answer was lost is answered again and not journaled again. Any thread.
 *
 * A repeat has the same sender (bare), the same stanza id and the same content:
 * programs that give every stanza the id `1` lose nothing.
 */
#define REPEATS_KEPT 16384U    /* of one address: the latest */
#define REPEATS_RECALLED 32768 /* records of the journal that are read for them at a start */

struct repeats;

struct repeats *repeats_new(void);
struct repeats *repeats_free(struct repeats *repeats);

/* The first 128 bits of the SHA-256 over sender, id and content. */
struct repeats_name {
	unsigned char bytes[16];
};
/* False: the stanza had no id, and nothing is its repeat. Reads `xmppfrom` and `xmppid` of the message. */
bool repeats_name(const struct xylem_message *message, struct repeats_name *ret_name);

enum repeats_verdict {
	REPEATS_NEW,       /* is under way from now on */
	REPEATS_UNDER_WAY, /* on its way to the disk */
	REPEATS_TAKEN,     /* on the disk */
};
enum repeats_verdict repeats_see(struct repeats *repeats, const struct repeats_name *name);
/* What became of one that was under way: on the disk, or forgotten. */
void repeats_settle(struct repeats *repeats, const struct repeats_name *name, bool taken);

/* Reads what the source took before from the end of the journal; a failure costs memory of repeats only, and is logged. */
void repeats_recall(struct repeats *repeats, struct xylem_source *source, const char *connector);

#endif

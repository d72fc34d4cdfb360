/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_SESSION_H
#define CONSOLE_XMPP_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <xylem/span.h>

/*
 * What somebody has begun and not finished (XEP-0050, 3.4). A session belongs
 * to one full address, one address of ours and one command; its id is random
 * and carries a mark that only we can make, so that one that has expired can be
 * told from one that never was without keeping it. Any thread.
 */
#define SESSION_ID 65
#define SESSIONS_MOST 256
#define SESSIONS_OF_ONE 16 /* of one full address; the oldest gives way */
#define SESSION_US 600000000

struct session {
	char id[SESSION_ID];
	char *owner; /* full address, our address and command, joined */
	json_t *arguments;
	int stage;
	int64_t used_us; /* monotonic */
	bool busy;       /* a request of it is under way */
};

struct sessions;
struct sessions *sessions_new(void);
struct sessions *sessions_free(struct sessions *sessions);

/* A new one, busy; NULL without memory. `from`: the asker's full address. */
struct session *sessions_begin(
	struct sessions *sessions, struct xylem_span from, struct xylem_span to, struct xylem_span node);
/*
 * The session for the next request of it, busy until it is put back or ended. -XYLEM_E_NOT_FOUND: never was, or is
 * somebody else's; -XYLEM_E_GONE: has expired or ended; -XYLEM_E_BUSY: a request of it is under way.
 */
int sessions_take(struct sessions *sessions, struct xylem_span id, struct xylem_span from,
	struct xylem_span to, struct xylem_span node, struct session **ret_session);
void sessions_put(struct sessions *sessions, struct session *session);
void sessions_end(struct sessions *sessions, struct session *session);
/* Everything that this full address has begun, and is not under way. */
void sessions_leave(struct sessions *sessions, const char *from);

#endif

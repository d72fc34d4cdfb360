/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PRESENCE_H
#define XMPP_PRESENCE_H

#include <xmpp/contacts.h>
#include <xmpp/service.h>
#include <xmpp/xml.h>

/*
 * Presence (RFC 6121, 3 and 4), both ways: whom the bus sees online, and what
 * its own addresses show to those who have them as contacts. docs/xmpp.md.
 */

/* --- Others ------------------------------------------------------------------ */

enum presence_sight {
	PRESENCE_UNKNOWN, /* they do not show their presence to the bus, or it was not told yet */
	PRESENCE_OFFLINE,
	PRESENCE_ONLINE,
};
/* Of a bare address (any resource) or a full one; the bare part is normalised. Any thread, cheap. */
enum presence_sight xmpp_presence_of(struct xmpp_service *service, const char *jid);

/*
 * Told of each presence, available or unavailable, of somebody whom the service
 * admits or a topic knows, after the table above has it. On the link's thread,
 * which must not wait. -XYLEM_E_MEMORY; 0.
 */
typedef void (*presence_seen)(
	void *context, const char *bare, struct xylem_span resource, const struct xml_node *presence);
int xmpp_presence_listen(struct xmpp_service *service, presence_seen seen, void *context);
/* After it returns, this context is not called any more. Not on the link's thread. */
void xmpp_presence_unlisten(struct xmpp_service *service, const void *context);

/*
 * Asks a person to show their presence to our address `local`; stored, so that it is asked once.
 * 0 also where it was granted or asked before. Any thread.
 */
int xmpp_presence_ask(struct xmpp_service *service, const char *local, const char *bare);

/* --- Ours ---------------------------------------------------------------------- */

/* `show` of RFC 6121, 4.7.2.1. What each means for a part of the bus: docs/xmpp.md. */
enum presence_show { SHOW_AVAILABLE, SHOW_AWAY, SHOW_DND, SHOW_XA };

struct presence_state {
	enum presence_show show;
	const char *words;   /* the state in words: a change is told at once; NULL: none */
	const char *numbers; /* follow the words; a change of them alone is told once a minute; NULL: none */
};
/*
 * What NAME@domain (`local` "": the domain) shows. An address that shows something is one of the bus's parts:
 * it answers discovery, ping and the like, and those admitted may have it as a contact. Copied; any thread.
 */
int xmpp_presence_show(struct xmpp_service *service, const char *local, const struct presence_state *state);
/* The address is no part any more: its contacts see unavailable; they are kept until it comes back. */
void xmpp_presence_hide(struct xmpp_service *service, const char *local);
/* The same, read: `words; numbers`, as the status of its presence has it. False: the address shows nothing. */
bool xmpp_presence_status(struct xmpp_service *service, const char *local, struct xylem_buffer *out);
/* Every local part that shows something, passed to `each` until it says false. No call of this header in it. */
void xmpp_presence_each(
	struct xmpp_service *service, bool (*each)(void *context, const char *local), void *context);

/*
 * `refresh` is called on the presence thread at least every second, and soon
 * after xmpp_presence_wake(): the place to look at the bus and to call
 * xmpp_presence_show(). NULL takes it away, and waits for a call under way.
 */
void xmpp_presence_refresh(struct xmpp_service *service, void (*refresh)(void *context), void *context);
void xmpp_presence_wake(struct xmpp_service *service);

#endif

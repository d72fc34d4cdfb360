/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_FACE_H
#define CONSOLE_XMPP_FACE_H

#include <main/bus.h>

/*
 * The operations of the bus over XMPP: ad-hoc commands, words in a chat, the
 * presence of parts, and word of new hospital groups. docs/xmpp-commands.md.
 */
struct face;
struct xmpp_service;

/* Registers with the service; people can operate the bus from now on. -XYLEM_E_MEMORY. */
int face_new(
	struct face **ret_face, struct bus *bus, struct xmpp_service *service, struct xylem_reason *reason);
/* Takes it away, and waits for what is under way. Before what operations need stops. */
struct face *face_free(struct face *face);

/* A case was admitted: any thread, at once, maybe under the catalogue's. */
void face_case(struct face *face, uint64_t number);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PICTURE_H
#define XMPP_PICTURE_H

#include <xmpp/presence.h>
#include <xylem/buffer.h>

#define PICTURE_SIDE 32U /* points, both ways */

/* What clients show beside the bus and its parts: vessels in a stem, in the colour of the state. */
struct picture {
	const char *type;   /* image/png */
	const char *base64; /* RFC 4648, 4 */
	const char *sha1;   /* of the bytes, hexadecimal: its name in presence (XEP-0153) */
	size_t bytes;
};
/* Static; NULL without memory. Any thread. */
const struct picture *picture_of(enum presence_show show);

/* The nodes of XEP-0084, and a picture as an item of one of them (avatar.c). */
#define AVATAR_DATA "urn:xmpp:avatar:data"
#define AVATAR_METADATA "urn:xmpp:avatar:metadata"
void avatar_write(struct xylem_buffer *out, const struct picture *picture, bool metadata);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_TAG_H
#define XMPP_TAG_H

#include <xylem/buffer.h>
#include <xylem/message.h>

/*
 * Inside the room only: a tag that has begun and does not end, and how to make it
 * short. For stream.c, which lets expat read; nothing is allocated here but `out`.
 */
struct tag {
	enum { TAG_NONE, TAG_BEGUN, TAG_OTHER, TAG_INSIDE, TAG_VALUE } place;
	char quote;      /* of the value */
	bool reference;  /* in the value, behind an `&` whose `;` has not come */
	size_t kept;     /* bytes of the value that were passed on */
	bool cut;        /* the rest of the value is not */
	unsigned values; /* that were cut */
	char mark[XYLEM_UUID_SIZE];
};

/* Reads on over bytes that are passed on whole. Zeroed, it stands where no tag is open. */
void tag_follow(struct tag *tag, struct xylem_span bytes);
/* From here on values are made short. False: no tag of an element is open, so there is nothing to make short. */
bool tag_shorten(struct tag *tag);
/* Adds to `out` what is passed on, up to the end of the tag or of the bytes; how many of these were read. */
size_t tag_pass(struct tag *tag, struct xylem_span bytes, struct xylem_buffer *out, bool *ret_ended);

#endif

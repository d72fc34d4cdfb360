/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tag that is too long to be read.
 *
 * A parser keeps a tag until it ends. Servers bound what people send, but write
 * each quote in a value as six bytes: a stranger's 250,000 quotes are a tag of
 * 1.5 MB here. To end the stream for it would cut the link for everybody. So what
 * has come of such a tag stays with the parser, and of what still comes only names
 * and the first bytes of each value are passed on. The tag is as well-formed as it
 * was, and its stanza is too large, which its sender is told.
 *
 * A value that is cut gets an end of its own that nobody can guess: two namespaces
 * that differ only behind the cut must not become one, or two attributes would be
 * the same.
 *
 * The rule not to break: no declaration is left out, since names may stand on it,
 * and no value ends inside a character or a reference.
 */
#include <string.h>

#include <xmpp/tag.h>

#define KEPT 32 /* bytes of a value: addresses and ids are whole, as a rule */

static bool is_quote(char byte)
{
	return byte == '\'' || byte == '"';
}

static void begin_value(struct tag *tag, char quote)
{
	tag->place = TAG_VALUE;
	tag->quote = quote;
	tag->reference = false;
	tag->kept = 0;
	tag->cut = false;
}

static void follow_value(struct tag *tag, char byte)
{
	if (byte == tag->quote) {
		tag->place = TAG_INSIDE;
	}
	tag->reference = byte == '&' || (tag->reference && byte != ';');
}

static void follow(struct tag *tag, char byte)
{
	switch (tag->place) {
	case TAG_NONE:
		tag->place = byte == '<' ? TAG_BEGUN : TAG_NONE;
		break;
	case TAG_BEGUN:
		tag->place = byte == '!' || byte == '?' ? TAG_OTHER : TAG_INSIDE;
		break;
	case TAG_VALUE:
		follow_value(tag, byte);
		break;
	case TAG_INSIDE:
		if (is_quote(byte)) {
			begin_value(tag, byte);
			break;
		}
		/* fallthrough */
	case TAG_OTHER:
		tag->place = byte == '>' ? TAG_NONE : tag->place;
	}
}

void tag_follow(struct tag *tag, struct xylem_span bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		follow(tag, bytes.at[i]);
	}
}

bool tag_shorten(struct tag *tag)
{
	xylem_uuid_new(tag->mark);
	tag->kept = KEPT; /* of the value that it may be in */
	tag->cut = false;
	tag->values = 0;
	return tag->place == TAG_INSIDE || tag->place == TAG_VALUE;
}

/* May a value end before this byte? */
static bool may_end(const struct tag *tag, char byte)
{
	return !tag->reference && ((unsigned char)byte & 0xc0) != 0x80;
}

static void pass_value(struct tag *tag, char byte, struct xylem_buffer *out)
{
	if (byte == tag->quote) {
		if (tag->cut) {
			xylem_buffer_format(out, "~%s.%u", tag->mark, ++tag->values);
		}
		xylem_buffer_byte(out, byte);
	} else if (!tag->cut && (tag->kept < KEPT || !may_end(tag, byte))) {
		xylem_buffer_byte(out, byte);
		tag->kept++;
	} else {
		tag->cut = true;
		return; /* a reference that begins here is not under way */
	}
	follow_value(tag, byte);
}

size_t tag_pass(struct tag *tag, struct xylem_span bytes, struct xylem_buffer *out, bool *ret_ended)
{
	size_t i = 0;

	while (i < bytes.n && tag->place != TAG_NONE) {
		char byte = bytes.at[i++];
		if (tag->place == TAG_VALUE) {
			pass_value(tag, byte, out);
		} else {
			xylem_buffer_byte(out, byte);
			follow(tag, byte);
		}
	}
	*ret_ended = tag->place == TAG_NONE;
	return i;
}

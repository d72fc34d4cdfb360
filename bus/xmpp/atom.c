/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as an Atom entry (RFC 4287), for topics whose type says so: social
 * clients (XEP-0277, XEP-0472) then read what routes put there. Title and
 * content are the subject, or the type, and the data as text; the id is a name
 * made of the event's source and id, which together are unique.
 */
#include <string.h>

#include <base/clock.h>
#include <xmpp/pubsub.h>

bool atom_type(const char *type)
{
	static const char *const prefixes[] = { "urn:xmpp:microblog:", "urn:xmpp:pubsub-social-feed:" };
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(type, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return strcmp(type, NS_ATOM) == 0;
}

/* Text with what XML cannot have taken out. */
static void write_text(struct xylem_buffer *out, struct xylem_span text)
{
	size_t at;
	while (!xml_check(text, &at)) {
		xml_escape_text(out, xylem_span(text.at, at));
		xylem_buffer_text(out, "\xef\xbf\xbd"); /* U+FFFD */
		text = xylem_span(text.at + at + 1, text.n - at - 1);
	}
	xml_escape_text(out, text);
}

static void write_element(struct xylem_buffer *out, const char *name, struct xylem_span text)
{
	xylem_buffer_format(out, "<%s>", name);
	write_text(out, text);
	xylem_buffer_format(out, "</%s>", name);
}

static bool plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("-._~", c) != NULL);
}

static void write_escaped(struct xylem_buffer *out, struct xylem_span text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (plain(c)) {
			xylem_buffer_byte(out, (char)c);
		} else {
			xylem_buffer_format(out, "%%%02X", c);
		}
	}
}

/* `urn:xylem:SOURCE:ID`, percent-encoded (RFC 8141 lets any such text follow). */
static void write_id(struct xylem_buffer *out, const struct xylem_message *message)
{
	xylem_buffer_text(out, "<id>urn:xylem:");
	write_escaped(out, message->source);
	xylem_buffer_byte(out, ':');
	write_escaped(out, message->id);
	xylem_buffer_text(out, "</id>");
}

void atom_write(struct xylem_buffer *out, const struct xylem_message *message)
{
	char stamp[CLOCK_TEXT_SIZE];
	struct xylem_span time = message->time.n > 0
					 ? message->time
					 : xylem_span_of(clock_format(message->journal_time_us, stamp));

	xylem_buffer_text(out, "<entry xmlns='" NS_ATOM "'>");
	write_element(out, "title", message->subject.n > 0 ? message->subject : message->type);
	write_id(out, message);
	write_element(out, "published", time);
	write_element(out, "updated", time);
	xylem_buffer_text(out, "<author>");
	write_element(out, "name", message->source);
	xylem_buffer_text(out, "</author><category term='");
	xml_escape_attribute(out, message->type);
	xylem_buffer_text(out, "'/><content type='text'>");
	write_text(out, message->data);
	xylem_buffer_text(out, "</content></entry>");
}

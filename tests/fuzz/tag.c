/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tag that is made short somewhere in its middle (the first two bytes say
 * where): what was well-formed, names and namespaces included, still is.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <expat.h>

#include <xmpp/tag.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool well_formed(struct xylem_span text)
{
	XML_Parser parser = XML_ParserCreateNS("UTF-8", '\x01');
	assert(parser != NULL);
	bool good = XML_Parse(parser, text.at, (int)text.n, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(parser);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct tag tag = { 0 };
	bool ended;

	if (n < 3 || bytes[2] != '<') {
		return 0;
	}
	struct xylem_span text = xylem_span((const char *)bytes + 2, n - 2);
	size_t at = (bytes[0] | (size_t)bytes[1] << 8) % text.n;
	tag_follow(&tag, xylem_span(text.at, at));
	if (!tag_shorten(&tag)) {
		return 0;
	}
	xylem_buffer_append(&out, text.at, at);
	at += tag_pass(&tag, xylem_span(text.at + at, text.n - at), &out, &ended);
	assert(ended || at == text.n);
	xylem_buffer_append(&out, text.at + at, text.n - at);
	/* A document type may say what references are; streams have none. */
	if (memmem(text.at, text.n, "<!DOCTYPE", 9) == NULL && well_formed(text)) {
		assert(ended);
		assert(well_formed(xylem_buffer_borrow(&out)));
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity capabilities (XEP-0115) in our presence: a hash over what disco#info
 * would say, so that clients ask once and not of every part. It is made from
 * the same description (disco.c), so it changes when that does.
 */
#include <stdlib.h>

#include <openssl/evp.h>

#include <message/base64.h>
#include <xmpp/feature.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* XEP-0115, 5.1; the identities are in order as disco.c has them. */
static void write_string(const struct disco *disco, struct xylem_buffer *out)
{
	const char *features[DISCO_FEATURES];

	for (size_t i = 0; i < disco->identity_count; i++) {
		const struct disco_identity *identity = &disco->identities[i];
		xylem_buffer_format(out, "%s/%s//%s<", identity->category, identity->type, identity->name);
	}
	memcpy(features, disco->features, disco->feature_count * sizeof(features[0]));
	qsort(features, disco->feature_count, sizeof(features[0]), by_text);
	for (size_t i = 0; i < disco->feature_count; i++) {
		xylem_buffer_format(out, "%s<", features[i]);
	}
}

void caps_write(struct xmpp_service *service, struct xylem_span local, struct xylem_buffer *out)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct disco disco;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	disco_describe(service, local, &disco);
	write_string(&disco, &text);
	if (xylem_buffer_failed(&text) || EVP_Digest(text.bytes, text.n, hash, &n, EVP_sha1(), NULL) != 1) {
		return;
	}
	xylem_buffer_text(
		out, "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='" CAPS_NODE "' ver='");
	message_base64_write(out, xylem_span((const char *)hash, n));
	xylem_buffer_text(out, "'/>");
}

bool caps_is_node(struct xylem_span node)
{
	size_t n = sizeof(CAPS_NODE "#") - 1;
	return node.n > n && memcmp(node.at, CAPS_NODE "#", n) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the headers and body of a signed webhook: the first byte picks
 * the form, then come three headers, a line each, and the body. Nothing that a
 * stranger sends holds; what we sign ourselves does.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <connectors/signature.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct parts {
	struct xylem_span items[4]; /* signature, id, timestamp, body */
	const struct signature_form *form;
};

static struct xylem_span lookup(const void *context, const char *name)
{
	const struct parts *parts = context;
	if (parts->form->id_header && strcmp(name, parts->form->id_header) == 0) {
		return parts->items[1];
	}
	if (parts->form->timestamp_header && strcmp(name, parts->form->timestamp_header) == 0) {
		return parts->items[2];
	}
	return parts->items[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct signature_form *const forms[] = { &signature_standard_webhooks, &signature_github,
		&signature_stripe };
	static const char secret[32] = "the fuzzer cannot know these 32";
	struct parts parts = { .form = forms[n ? bytes[0] % 3 : 0] };
	struct xylem_span rest = xylem_span((const char *)bytes + (n ? 1 : 0), n ? n - 1 : 0);
	for (int i = 0; i < 3; i++) {
		const char *end = rest.n ? memchr(rest.at, '\n', rest.n) : NULL;
		parts.items[i] = xylem_span(rest.at, end ? (size_t)(end - rest.at) : rest.n);
		size_t taken = parts.items[i].n + (end ? 1 : 0);
		rest = xylem_span(rest.at + taken, rest.n - taken);
	}
	parts.items[3] = rest;

	struct signature_key *key = NULL;
	if (signature_key_new(&key, xylem_span(secret, sizeof(secret)), SIGNATURE_SHA256)) {
		return 0;
	}
	struct signature_claim claim;
	struct xylem_reason reason;
	if (!signature_claim_read(&claim, parts.form, lookup, &parts, 0, 0, &reason)) {
		assert(!signature_claim_holds(&claim, parts.form, &key, 1, parts.items[3]));
		struct xylem_buffer signature = { 0 };
		assert(signature_write(
			       &signature, parts.form, key, claim.id, claim.timestamp, parts.items[3]) == 0);
		claim.signatures = xylem_buffer_borrow(&signature);
		assert(signature_claim_holds(&claim, parts.form, &key, 1, parts.items[3]));
		xylem_buffer_finish(&signature);
	}
	char room[64];
	size_t made = 0;
	signature_secret_decode(parts.items[0], room, &made, &reason);
	signature_key_free(key);
	return 0;
}

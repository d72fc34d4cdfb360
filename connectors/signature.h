/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_SIGNATURE_H
#define CONNECTORS_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/span.h>

/*
 * Webhook signatures: HMAC over the raw bytes of a body, in the forms that the
 * world uses. A form is data: which header, which encoding, what is signed.
 */
enum signature_digest { SIGNATURE_SHA256, SIGNATURE_SHA512, SIGNATURE_SHA1 };
enum signature_encoding { SIGNATURE_HEX, SIGNATURE_BASE64 };

struct signature_form {
	const char *header;           /* where the signatures stand */
	const char *prefix;           /* before each of them: "v1,", "sha256=", "" */
	char separator;               /* between several in one header; 0: there is one */
	const char *id_header;        /* signed before the body, with a dot after it; NULL: none */
	const char *timestamp_header; /* the same, after the id; NULL: none */
	const char *timestamp_prefix; /* instead: an item of the signature header ("t="); NULL: none */
	enum signature_digest digest;
	enum signature_encoding encoding;
};

extern const struct signature_form signature_standard_webhooks; /* standard-webhooks.md 1.0.0 */
extern const struct signature_form signature_github;            /* X-Hub-Signature-256 */
extern const struct signature_form signature_stripe;            /* Stripe-Signature */

/* A key ready for use; one thread at a time. */
struct signature_key;
int signature_key_new(struct signature_key **ret_key, struct xylem_span secret, enum signature_digest digest);
struct signature_key *signature_key_free(struct signature_key *key);
/*
 * The bytes of a Standard Webhooks secret: `whsec_` and base64, padding
 * optional, 24 to 64 bytes. Other text is refused: -XYLEM_E_INVALID.
 */
int signature_secret_decode(
	struct xylem_span text, char bytes[64], size_t *ret_n, struct xylem_reason *reason);

/* What the headers claim, before a body is read. Spans borrow the headers. */
struct signature_claim {
	struct xylem_span id, timestamp, signatures;
};
typedef struct xylem_span (*signature_lookup)(const void *context, const char *header);

/*
 * Reads the claim: all headers there, the timestamp a number within
 * `tolerance_s` of `now_s` (0: any). -XYLEM_E_UNAUTHORIZED with what is missing.
 */
int signature_claim_read(struct signature_claim *ret_claim, const struct signature_form *form,
	signature_lookup lookup, const void *context, int64_t now_s, int64_t tolerance_s,
	struct xylem_reason *reason);
/* True when one of the claimed signatures is that of one of the keys. Compared in constant time. */
bool signature_claim_holds(const struct signature_claim *claim, const struct signature_form *form,
	struct signature_key *const *keys, size_t n, struct xylem_span body);

/* Appends prefix and signature of id, timestamp (absent ones are left out) and body. */
int signature_write(struct xylem_buffer *out, const struct signature_form *form, struct signature_key *key,
	struct xylem_span id, struct xylem_span timestamp, struct xylem_span body);

/* Base64 (RFC 4648, 4), padding optional. Both: false when it is not, or longer than `room`. */
bool base64_decode(struct xylem_span text, char *bytes, size_t room, size_t *ret_n);
bool hex_decode(struct xylem_span text, char *bytes, size_t room, size_t *ret_n);
void base64_write(struct xylem_buffer *out, struct xylem_span bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Webhook signatures, incoming and outgoing: Standard Webhooks, GitHub,
 * Stripe, and whatever else is an HMAC over a body. One code path, parameters
 * for the rest.
 *
 * A claim is read from the headers before the body comes in, so that a request
 * without a signature, or with an old one, costs no body; the MAC is computed
 * over the raw bytes before anything parses them.
 *
 * The rule not to break: a signature is compared with CRYPTO_memcmp, and every
 * key is tried, so that time tells nothing about the secret.
 *
 * It does not do asymmetric signatures (`v1a`), and remembers no ids.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <connectors/signature.h>

#define MAC_MAXIMUM 64

const struct signature_form signature_standard_webhooks = {
	.header = "webhook-signature",
	.prefix = "v1,",
	.separator = ' ',
	.id_header = "webhook-id",
	.timestamp_header = "webhook-timestamp",
	.digest = SIGNATURE_SHA256,
	.encoding = SIGNATURE_BASE64,
};

const struct signature_form signature_github = {
	.header = "X-Hub-Signature-256",
	.prefix = "sha256=",
	.digest = SIGNATURE_SHA256,
	.encoding = SIGNATURE_HEX,
};

const struct signature_form signature_stripe = {
	.header = "Stripe-Signature",
	.prefix = "v1=",
	.separator = ',',
	.timestamp_prefix = "t=",
	.digest = SIGNATURE_SHA256,
	.encoding = SIGNATURE_HEX,
};

/* --- Text and bytes ---------------------------------------------------- */

static int base64_value(char character)
{
	if (character >= 'A' && character <= 'Z') {
		return character - 'A';
	}
	if (character >= 'a' && character <= 'z') {
		return character - 'a' + 26;
	}
	if (character >= '0' && character <= '9') {
		return character - '0' + 52;
	}
	return character == '+' ? 62 : character == '/' ? 63 : -1;
}

bool base64_decode(struct xylem_span text, char *bytes, size_t room, size_t *ret_n)
{
	size_t n = 0, padding = 0;
	while (padding < 2 && text.n > 0 && text.at[text.n - 1] == '=') {
		text.n--;
		padding++;
	}
	if (text.n % 4 == 1 || (padding && (text.n + padding) % 4 != 0) ||
		text.n / 4 * 3 + text.n % 4 > room + 1) {
		return false;
	}
	uint32_t bits = 0;
	unsigned count = 0;
	for (size_t i = 0; i < text.n; i++) {
		int value = base64_value(text.at[i]);
		if (value < 0) {
			return false;
		}
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			if (n == room) {
				return false;
			}
			bytes[n++] = (char)(bits >> count & 0xff);
		}
	}
	*ret_n = n;
	return true;
}

static int hex_value(char character)
{
	if (character >= '0' && character <= '9') {
		return character - '0';
	}
	char lower = (char)(character | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool hex_decode(struct xylem_span text, char *bytes, size_t room, size_t *ret_n)
{
	if (text.n % 2 != 0 || text.n / 2 > room) {
		return false;
	}
	for (size_t i = 0; i < text.n; i += 2) {
		int high = hex_value(text.at[i]), low = hex_value(text.at[i + 1]);
		if (high < 0 || low < 0) {
			return false;
		}
		bytes[i / 2] = (char)(high << 4 | low);
	}
	*ret_n = text.n / 2;
	return true;
}

void base64_write(struct xylem_buffer *out, struct xylem_span bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)(unsigned char)bytes.at[i] << 16;
		bits |= left > 1 ? (uint32_t)(unsigned char)bytes.at[i + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)(unsigned char)bytes.at[i + 2] : 0;
		char four[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
			left > 1 ? alphabet[bits >> 6 & 63] : '=', left > 2 ? alphabet[bits & 63] : '=' };
		xylem_buffer_append(out, four, 4);
	}
}

static void hex_write(struct xylem_buffer *out, struct xylem_span bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char byte = (unsigned char)bytes.at[i];
		xylem_buffer_byte(out, digits[byte >> 4]);
		xylem_buffer_byte(out, digits[byte & 15]);
	}
}

/* --- Keys -------------------------------------------------------------- */

struct signature_key {
	EVP_MAC_CTX *context; /* keyed once; each MAC starts it again */
};

static const char *digest_name(enum signature_digest digest)
{
	return digest == SIGNATURE_SHA512 ? "SHA512" : digest == SIGNATURE_SHA1 ? "SHA1" : "SHA256";
}

int signature_key_new(struct signature_key **ret_key, struct xylem_span secret, enum signature_digest digest)
{
	struct signature_key *key = calloc(1, sizeof(*key));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (key && mac) {
		key->context = EVP_MAC_CTX_new(mac);
	}
	EVP_MAC_free(mac);
	if (!key || !key->context) {
		signature_key_free(key);
		return -XYLEM_E_MEMORY;
	}
	char name[8];
	strcpy(name, digest_name(digest));
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	if (!EVP_MAC_init(key->context, (const unsigned char *)secret.at, secret.n, parameters)) {
		signature_key_free(key);
		return -XYLEM_E_INTERNAL;
	}
	*ret_key = key;
	return 0;
}

struct signature_key *signature_key_free(struct signature_key *key)
{
	if (key) {
		EVP_MAC_CTX_free(key->context); /* wipes the key */
		free(key);
	}
	return NULL;
}

int signature_secret_decode(
	struct xylem_span text, char bytes[64], size_t *ret_n, struct xylem_reason *reason)
{
	if (text.n < 6 || memcmp(text.at, "whsec_", 6) != 0) {
		xylem_reason_set(reason, "a Standard Webhooks secret begins with whsec_");
		return -XYLEM_E_INVALID;
	}
	size_t n = 0;
	if (!base64_decode(xylem_span(text.at + 6, text.n - 6), bytes, 64, &n) || n < 24) {
		xylem_reason_set(
			reason, "a Standard Webhooks secret is whsec_ and the base64 of 24 to 64 bytes");
		return -XYLEM_E_INVALID;
	}
	*ret_n = n;
	return 0;
}

/* One part of what is signed: the text and a dot, or nothing. */
static bool mac_part(EVP_MAC_CTX *context, struct xylem_span part)
{
	return !xylem_span_present(part) ||
	       (EVP_MAC_update(context, (const unsigned char *)part.at, part.n) &&
		       EVP_MAC_update(context, (const unsigned char *)".", 1));
}

static bool mac_compute(struct signature_key *key, struct xylem_span id, struct xylem_span timestamp,
	struct xylem_span body, unsigned char mac[MAC_MAXIMUM], size_t *ret_n)
{
	return EVP_MAC_init(key->context, NULL, 0, NULL) && mac_part(key->context, id) &&
	       mac_part(key->context, timestamp) &&
	       EVP_MAC_update(key->context, (const unsigned char *)body.at, body.n) &&
	       EVP_MAC_final(key->context, mac, ret_n, MAC_MAXIMUM);
}

int signature_write(struct xylem_buffer *out, const struct signature_form *form, struct signature_key *key,
	struct xylem_span id, struct xylem_span timestamp, struct xylem_span body)
{
	unsigned char mac[MAC_MAXIMUM];
	size_t n = 0;
	if (!mac_compute(key, id, timestamp, body, mac, &n)) {
		return -XYLEM_E_INTERNAL;
	}
	xylem_buffer_text(out, form->prefix);
	if (form->encoding == SIGNATURE_HEX) {
		hex_write(out, xylem_span((const char *)mac, n));
	} else {
		base64_write(out, xylem_span((const char *)mac, n));
	}
	return 0;
}

/* --- Claims ------------------------------------------------------------ */

static bool span_begins(struct xylem_span span, const char *prefix)
{
	size_t n = strlen(prefix);
	return span.n >= n && memcmp(span.at, prefix, n) == 0;
}

/* Takes the next item off the list; false at its end. White space around items is dropped. */
static bool item_next(struct xylem_span *rest, char separator, struct xylem_span *ret_item)
{
	if (!xylem_span_present(*rest)) {
		return false;
	}
	const char *end = separator && rest->n ? memchr(rest->at, separator, rest->n) : NULL;
	struct xylem_span item = xylem_span(rest->at, end ? (size_t)(end - rest->at) : rest->n);
	*rest = end ? xylem_span(end + 1, rest->n - item.n - 1) : XYLEM_SPAN_NONE;
	while (item.n > 0 && item.at[0] == ' ') {
		item.at++;
		item.n--;
	}
	while (item.n > 0 && item.at[item.n - 1] == ' ') {
		item.n--;
	}
	*ret_item = item;
	return true;
}

static struct xylem_span item_of(struct xylem_span list, char separator, const char *prefix)
{
	struct xylem_span item;
	while (item_next(&list, separator, &item)) {
		if (span_begins(item, prefix)) {
			return xylem_span(item.at + strlen(prefix), item.n - strlen(prefix));
		}
	}
	return XYLEM_SPAN_NONE;
}

static bool seconds_parse(struct xylem_span text, int64_t *ret_seconds)
{
	int64_t seconds = 0;
	if (text.n == 0 || text.n > 12) {
		return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9') {
			return false;
		}
		seconds = seconds * 10 + (text.at[i] - '0');
	}
	*ret_seconds = seconds;
	return true;
}

static int header_missing(struct xylem_reason *reason, const char *header)
{
	xylem_reason_set(reason, "the header %s is missing: sign the request", header);
	return -XYLEM_E_UNAUTHORIZED;
}

static int timestamp_check(
	struct xylem_span timestamp, int64_t now_s, int64_t tolerance_s, struct xylem_reason *reason)
{
	int64_t seconds = 0;
	if (!seconds_parse(timestamp, &seconds)) {
		xylem_reason_set(reason, "the signature's timestamp is not in Unix seconds");
		return -XYLEM_E_UNAUTHORIZED;
	}
	int64_t apart = seconds > now_s ? seconds - now_s : now_s - seconds;
	if (tolerance_s > 0 && apart > tolerance_s) {
		xylem_reason_set(reason,
			"the signature's timestamp is %lld s from this clock; at most %lld s are allowed: "
			"sign each attempt anew",
			(long long)apart, (long long)tolerance_s);
		return -XYLEM_E_UNAUTHORIZED;
	}
	return 0;
}

int signature_claim_read(struct signature_claim *ret_claim, const struct signature_form *form,
	signature_lookup lookup, const void *context, int64_t now_s, int64_t tolerance_s,
	struct xylem_reason *reason)
{
	struct signature_claim claim = { .signatures = lookup(context, form->header) };
	if (!xylem_span_present(claim.signatures)) {
		return header_missing(reason, form->header);
	}
	if (form->id_header) {
		claim.id = lookup(context, form->id_header);
		if (!xylem_span_present(claim.id)) {
			return header_missing(reason, form->id_header);
		}
	}
	bool timed = form->timestamp_header || form->timestamp_prefix;
	if (timed) {
		claim.timestamp = form->timestamp_header ? lookup(context, form->timestamp_header)
							 : item_of(claim.signatures, form->separator,
								   form->timestamp_prefix);
		if (!xylem_span_present(claim.timestamp)) {
			return header_missing(
				reason, form->timestamp_header ? form->timestamp_header : form->header);
		}
		int error = timestamp_check(claim.timestamp, now_s, tolerance_s, reason);
		if (error) {
			return error;
		}
	}
	*ret_claim = claim;
	return 0;
}

/* One claimed signature against one MAC. */
static bool item_matches(
	const struct signature_form *form, struct xylem_span item, const unsigned char *mac, size_t n)
{
	char bytes[MAC_MAXIMUM];
	size_t claimed = 0;
	size_t prefix = strlen(form->prefix);
	if (!span_begins(item, form->prefix)) {
		return false;
	}
	item = xylem_span(item.at + prefix, item.n - prefix);
	bool decoded = form->encoding == SIGNATURE_HEX ? hex_decode(item, bytes, sizeof(bytes), &claimed)
						       : base64_decode(item, bytes, sizeof(bytes), &claimed);
	return decoded && claimed == n && CRYPTO_memcmp(bytes, mac, n) == 0;
}

bool signature_claim_holds(const struct signature_claim *claim, const struct signature_form *form,
	struct signature_key *const *keys, size_t n, struct xylem_span body)
{
	bool holds = false;
	for (size_t k = 0; k < n; k++) {
		unsigned char mac[MAC_MAXIMUM];
		size_t mac_n = 0;
		if (!mac_compute(keys[k], claim->id, claim->timestamp, body, mac, &mac_n)) {
			continue;
		}
		struct xylem_span list = claim->signatures, item;
		/* A header of 64 KiB could ask for thousands of comparisons: nobody needs more than a few. */
		for (unsigned i = 0; i < 16 && item_next(&list, form->separator, &item); i++) {
			holds |= item_matches(form, item, mac, mac_n);
		}
	}
	return holds;
}

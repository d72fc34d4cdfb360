/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sends a webhook, and whether it is true: signatures over the raw body
 * (signature.c), bearer tokens, passwords and tokens in a header. Everything
 * is compared in constant time, and the previous secret is taken as well while
 * senders change over.
 */
#include <stdlib.h>
#include <time.h>

#include <openssl/crypto.h>

#include <base/clock.h>
#include <connectors/webhook.h>

int webhook_sender_options(const struct webhook_options *options, struct xylem_reason *reason)
{
	const char *missing = NULL;
	if (options->verify != VERIFY_NONE && !options->secret) {
		missing = "secret: this kind of `verify` needs one; write `secret: { file: PATH }`";
	} else if (options->verify == VERIFY_NONE && options->secret) {
		missing =
			"secret: `verify: none` uses none; say how senders prove themselves, or take it out";
	} else if (options->previous_secret && !options->secret) {
		missing = "previous_secret: there is no `secret` that came after it";
	} else if (options->verify == VERIFY_HMAC && !options->hmac_header) {
		missing = "hmac.header: say in which header the signature stands";
	} else if (options->verify == VERIFY_BASIC && !options->user) {
		missing = "user: `verify: basic` needs one";
	}
	if (missing) {
		xylem_reason_set(reason, "%s", missing);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int key_add(struct webhook *webhook, const struct xylem_secret *secret, struct xylem_reason *reason)
{
	if (!secret) {
		return 0;
	}
	struct xylem_span text = xylem_secret_borrow(secret);
	char bytes[64];
	size_t n = 0;
	if (webhook->options->verify == VERIFY_STANDARD_WEBHOOKS) {
		int error = signature_secret_decode(text, bytes, &n, reason);
		if (error) {
			return error;
		}
		text = xylem_span(bytes, n);
	}
	int error = signature_key_new(&webhook->keys[webhook->key_count], text, webhook->form.digest);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (!error) {
		webhook->key_count++;
	}
	return error;
}

/* What the header will have to say, made once. */
static int credential_add(struct webhook *webhook, const struct xylem_secret *secret)
{
	if (!secret) {
		return 0;
	}
	struct xylem_span text = xylem_secret_borrow(secret);
	struct xylem_buffer value = { 0 };
	if (webhook->options->verify == VERIFY_BASIC) {
		struct xylem_buffer pair = { 0 };
		xylem_buffer_format(&pair, "%s:", webhook->options->user);
		xylem_buffer_span(&pair, text);
		xylem_buffer_text(&value, "Basic ");
		base64_write(&value, xylem_buffer_borrow(&pair));
		OPENSSL_cleanse(pair.bytes, pair.n);
		xylem_buffer_finish(&pair);
	} else {
		xylem_buffer_text(&value, webhook->options->verify == VERIFY_BEARER ? "Bearer " : "");
		xylem_buffer_span(&value, text);
	}
	char *credential = xylem_buffer_take(&value, NULL);
	if (!credential) {
		return -XYLEM_E_MEMORY;
	}
	webhook->credentials[webhook->credential_count++] = credential;
	return 0;
}

int webhook_sender_init(struct webhook *webhook, struct xylem_reason *reason)
{
	const struct webhook_options *options = webhook->options;
	const struct xylem_secret *const secrets[] = { options->secret, options->previous_secret };
	switch ((enum webhook_verify)options->verify) {
	case VERIFY_NONE:
		return 0;
	case VERIFY_STANDARD_WEBHOOKS:
		webhook->form = signature_standard_webhooks;
		break;
	case VERIFY_GITHUB:
		webhook->form = signature_github;
		break;
	case VERIFY_STRIPE:
		webhook->form = signature_stripe;
		break;
	case VERIFY_HMAC:
		webhook->form = (struct signature_form){
			.header = options->hmac_header,
			.prefix = options->hmac_prefix ? options->hmac_prefix : "",
			.timestamp_header = options->hmac_timestamp,
			.digest = (enum signature_digest)options->hmac_digest,
			.encoding = (enum signature_encoding)options->hmac_encoding,
		};
		break;
	case VERIFY_BEARER:
	case VERIFY_BASIC:
	case VERIFY_TOKEN:
		break;
	}
	int error = 0;
	for (size_t i = 0; !error && i < 2; i++) {
		error = webhook->form.header ? key_add(webhook, secrets[i], reason)
					     : credential_add(webhook, secrets[i]);
	}
	return error;
}

void webhook_sender_finish(struct webhook *webhook)
{
	for (size_t i = 0; i < webhook->key_count; i++) {
		signature_key_free(webhook->keys[i]);
	}
	for (size_t i = 0; i < webhook->credential_count; i++) {
		OPENSSL_cleanse(webhook->credentials[i], strlen(webhook->credentials[i]));
		free(webhook->credentials[i]);
	}
}

static bool signs(const struct webhook *webhook)
{
	return webhook->key_count > 0;
}

/* Equal, in a time that depends on the lengths only. */
static bool credential_equal(struct xylem_span given, const char *expected)
{
	size_t n = strlen(expected);
	return given.n == n && CRYPTO_memcmp(given.at, expected, n) == 0;
}

static bool credential_holds(const struct webhook *webhook, const struct http_request *request)
{
	const char *header = webhook->options->verify == VERIFY_TOKEN ? webhook->options->token_header
								      : "Authorization";
	struct xylem_span given = http_request_header(request, header);
	bool holds = false;
	for (size_t i = 0; i < webhook->credential_count; i++) {
		holds |= credential_equal(given, webhook->credentials[i]);
	}
	return holds;
}

static void credential_refuse(const struct webhook *webhook, struct http_request *request)
{
	const char *header = webhook->options->verify == VERIFY_TOKEN ? webhook->options->token_header
								      : "Authorization";
	http_request_problem(
		request, -XYLEM_E_UNAUTHORIZED, "the header %s is missing or not the right one", header);
	if (webhook->options->verify == VERIFY_BEARER) {
		http_request_answer_header(request, "WWW-Authenticate", "Bearer realm=\"xylem\"");
	} else if (webhook->options->verify == VERIFY_BASIC) {
		http_request_answer_header(
			request, "WWW-Authenticate", "Basic realm=\"xylem\", charset=\"UTF-8\"");
	}
}

static int claim_read(const struct webhook *webhook, const struct http_request *request,
	struct signature_claim *ret_claim, struct xylem_reason *reason)
{
	return signature_claim_read(ret_claim, &webhook->form, webhook_header, request,
		clock_wall_us() / 1000000, webhook->options->tolerance_us / 1000000, reason);
}

/* By the headers alone. False: answered. */
bool webhook_sender_admits(const struct webhook *webhook, struct http_request *request)
{
	if (webhook->credential_count > 0 && !credential_holds(webhook, request)) {
		credential_refuse(webhook, request);
		return false;
	}
	struct signature_claim claim;
	struct xylem_reason reason;
	if (signs(webhook) && claim_read(webhook, request, &claim, &reason)) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED, "%s", reason.text);
		return false;
	}
	return true;
}

/* Over the raw bytes. False: answered. */
bool webhook_sender_signed(const struct webhook *webhook, struct http_request *request)
{
	if (!signs(webhook)) {
		return true;
	}
	struct signature_claim claim;
	struct xylem_reason reason;
	if (claim_read(webhook, request, &claim, &reason)) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED, "%s", reason.text);
		return false;
	}
	if (!signature_claim_holds(
		    &claim, &webhook->form, webhook->keys, webhook->key_count, http_request_body(request))) {
		http_request_problem(request, -XYLEM_E_UNAUTHORIZED,
			"the signature in %s is not that of this body: check the secret, and sign the raw "
			"bytes",
			webhook->form.header);
		return false;
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_WEBHOOK_H
#define CONNECTORS_WEBHOOK_H

#include <connectors/http_server.h>
#include <connectors/signature.h>
#include <connectors/webhook_body.h>
#include <xylem/connector.h>

/* What the files of the webhook source share; nobody else includes it. */

#define WEBHOOK_MAGIC 0x77656268

enum webhook_verify {
	VERIFY_NONE,
	VERIFY_STANDARD_WEBHOOKS,
	VERIFY_GITHUB,
	VERIFY_STRIPE,
	VERIFY_HMAC,
	VERIFY_BEARER,
	VERIFY_BASIC,
	VERIFY_TOKEN,
};

struct webhook_options {
	const char *path;
	const char *listen;
	int verify; /* enum webhook_verify */
	const struct xylem_secret *secret;
	const struct xylem_secret *previous_secret;
	int64_t tolerance_us;
	const char *user;
	const char *token_header;
	const char *hmac_header;
	const char *hmac_prefix;
	const char *hmac_timestamp;
	int hmac_digest;   /* enum signature_digest */
	int hmac_encoding; /* enum signature_encoding */
	struct xylem_strings methods;
	struct xylem_strings accept;
	const char *content_type;
	const char *id, *type, *subject, *key, *source;
	int64_t max_body;
	int64_t max_batch;
	int64_t rate;
	int trace; /* 0 auto, 1 continue, 2 restart */
	struct xylem_strings origins;
};

struct webhook {
	uint32_t magic;
	struct xylem_host *host;
	const struct webhook_options *options;
	struct xylem_source *source;
	struct http_server *server;
	struct http_claim *claim;
	struct http_route *route;

	struct webhook_rules rules;
	char *own_source, *own_type; /* /connectors/NAME, NAME.received */

	struct signature_form form; /* of HMAC kinds */
	struct signature_key *keys[2];
	size_t key_count;
	char *credentials[2]; /* of the others: the whole Authorization or token value */
	size_t credential_count;
	char *allow; /* the Allow header */

	/* The server's thread only. */
	struct xylem_arena *arena;
	double tokens; /* of `rate` */
	int64_t tokens_us;
};

/* --- webhook_sender.c: who sends it ------------------------------------ */

/* Do the options about `verify` fit together? -XYLEM_E_INVALID. */
int webhook_sender_options(const struct webhook_options *options, struct xylem_reason *reason);
/* Makes keys and credentials; on failure webhook_sender_finish() clears up. */
int webhook_sender_init(struct webhook *webhook, struct xylem_reason *reason);
/* Wipes the keys and credentials. */
void webhook_sender_finish(struct webhook *webhook);
/* What the headers alone can say; false: it was answered. */
bool webhook_sender_admits(const struct webhook *webhook, struct http_request *request);
/* The signature over the raw body; false: it was answered. */
bool webhook_sender_signed(const struct webhook *webhook, struct http_request *request);

/* --- webhook_request.c: from the headers to the answer ------------------ */

extern const struct http_handler webhook_handler;
/* The header of a request (`request` is its struct http_request), for picks and signatures. */
struct xylem_span webhook_header(const void *request, const char *name);

#endif

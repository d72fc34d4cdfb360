/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_IDEMPOTENCY_H
#define CONSOLE_IDEMPOTENCY_H

#include <catalogue/catalogue.h>
#include <xylem/buffer.h>

/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the answer to a
 * POST is kept for 24 h, and a repetition gets that answer instead of doing it
 * again, also after a restart. A key belongs to its caller and path.
 */
#define IDEMPOTENCY_KEEP_US 86400000000
#define IDEMPOTENCY_KEY_MAX 255

struct idempotency;
struct idempotency *idempotency_new(struct catalogue *catalogue);
struct idempotency *idempotency_free(struct idempotency *idempotency);

/*
 * The key of a header, quoted or not; -XYLEM_E_INVALID when it is empty, too
 * long, or has other than visible ASCII characters.
 */
int idempotency_key(const char *header, struct xylem_span *ret_key, struct xylem_reason *reason);

/* One request with a key: what it is called, and what its body was. */
struct idempotency_request {
	unsigned char name[32];        /* SHA-256 of caller, path and key */
	unsigned char fingerprint[32]; /* SHA-256 of the body */
};
void idempotency_name(struct idempotency_request *ret_request, const char *caller, const char *path,
	struct xylem_span key, struct xylem_span body);

/*
 * Begins. 0: do it, then call _end. 1: done before; *ret_status and `out` are
 * the answer of then. -XYLEM_E_CONFLICT: the first one is still running.
 * -XYLEM_E_UNPROCESSABLE: the key was used with another body. Waits for the disk.
 */
int idempotency_begin(struct idempotency *idempotency, const struct idempotency_request *request,
	int *ret_status, struct xylem_buffer *out, struct xylem_reason *reason);
/* Keeps the answer; one that a later try may better (5xx, 429) is forgotten. Waits for the disk. */
void idempotency_end(struct idempotency *idempotency, const struct idempotency_request *request, int status,
	struct xylem_span answer);

#endif

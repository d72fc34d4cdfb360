/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_DIGEST_H
#define CONFIG_DIGEST_H

#include <stddef.h>

/*
 * Two SHA-256 sums over the same values. The open one may be shown and stored:
 * of a secret it has only where it comes from. The closed one has the secret
 * too, by HMAC under a key that was drawn when the process started: it says
 * "changed or not" within this process and lets nobody try guesses elsewhere.
 */
struct digest {
	void *open, *closed; /* EVP_MD_CTX */
};

/* -XYLEM_E_MEMORY. */
int digest_init(struct digest *digest);
void digest_finish(struct digest *digest);

/* Adds bytes with their length, so that no two sequences of values look alike. */
void digest_bytes(struct digest *digest, const void *bytes, size_t n);
void digest_text(struct digest *digest, const char *text); /* NULL differs from "" */
void digest_secret(struct digest *digest, const void *bytes, size_t n);
void digest_result(struct digest *digest, unsigned char open[32], unsigned char closed[32]);

void digest_sha256(const void *bytes, size_t n, unsigned char sum[32]);
void digest_hex(const unsigned char sum[32], char text[65]);

#endif

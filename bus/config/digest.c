/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums that name a generation and tell on reload what changed. Every value is
 * added with its length. The rule: nothing of a secret enters the open sum,
 * since that one is printed, and a weak secret could be guessed from it by
 * trying words against it on another machine.
 */
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <xylem/error.h>

#include <config/digest.h>

static unsigned char process_key[32];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void process_key_draw(void)
{
	int drawn = RAND_bytes(process_key, sizeof(process_key));
	assert(drawn == 1);
}

static EVP_MD_CTX *sum_new(void)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	if (sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(sum);
		sum = NULL;
	}
	return sum;
}

int digest_init(struct digest *digest)
{
	pthread_once(&process_key_once, process_key_draw);
	digest->open = sum_new();
	digest->closed = sum_new();
	if (!digest->open || !digest->closed) {
		digest_finish(digest);
		return -XYLEM_E_MEMORY;
	}
	return 0;
}

void digest_finish(struct digest *digest)
{
	EVP_MD_CTX_free(digest->open);
	EVP_MD_CTX_free(digest->closed);
	*digest = (struct digest){ 0 };
}

static void sum_add(EVP_MD_CTX *sum, uint64_t mark, const void *bytes, size_t n)
{
	EVP_DigestUpdate(sum, &mark, sizeof(mark));
	EVP_DigestUpdate(sum, bytes, n);
}

void digest_bytes(struct digest *digest, const void *bytes, size_t n)
{
	sum_add(digest->open, n, bytes, n);
	sum_add(digest->closed, n, bytes, n);
}

void digest_text(struct digest *digest, const char *text)
{
	if (text) {
		digest_bytes(digest, text, strlen(text));
	} else {
		sum_add(digest->open, UINT64_MAX, "", 0);
		sum_add(digest->closed, UINT64_MAX, "", 0);
	}
}

void digest_secret(struct digest *digest, const void *bytes, size_t n)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	HMAC(EVP_sha256(), process_key, sizeof(process_key), bytes, n, mac, &size);
	sum_add(digest->closed, size, mac, size);
}

void digest_result(struct digest *digest, unsigned char open[32], unsigned char closed[32])
{
	EVP_DigestFinal_ex(digest->open, open, NULL);
	EVP_DigestFinal_ex(digest->closed, closed, NULL);
}

void digest_sha256(const void *bytes, size_t n, unsigned char sum[32])
{
	EVP_Digest(n ? bytes : "", n, sum, NULL, EVP_sha256(), NULL);
}

void digest_hex(const unsigned char sum[32], char text[65])
{
	for (size_t i = 0; i < 32; i++) {
		text[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	text[64] = '\0';
}

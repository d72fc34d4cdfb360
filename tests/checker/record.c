/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders and their sums. The pad of a payload depends on its sequence, so that
 * a byte taken from another message changes the sum.
 */
#include <checker/record.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

size_t record_payload(
	char *bytes, size_t room, const char *id, const char *key, uint64_t sequence, size_t pad)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	int head = snprintf(bytes, room, "{\"id\":\"%s\",\"customer\":\"%s\",\"seq\":%llu,\"pad\":\"", id,
		key, (unsigned long long)sequence);
	size_t n = (size_t)head;
	if (head < 0 || n + pad + 3 > room) {
		abort(); /* the caller's room is a constant */
	}
	uint64_t state = sequence * 0x9e3779b97f4a7c15u + (uint64_t)key[0] + 1;
	for (size_t i = 0; i < pad; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[n++] = letters[state % (sizeof(letters) - 1)];
	}
	memcpy(bytes + n, "\"}", 3);
	return n + 2;
}

static const char *find(const char *bytes, size_t n, const char *text)
{
	const char *at = memmem(bytes, n, text, strlen(text));
	return at ? at + strlen(text) : NULL;
}

/* The text from `after` on to the next quote, as a word. */
static bool word_read(const char *bytes, size_t n, const char *after, char *word, size_t room)
{
	const char *at = find(bytes, n, after);
	const char *quote = at ? memchr(at, '"', (size_t)(bytes + n - at)) : NULL;
	if (!quote || !record_word(at, (size_t)(quote - at), room)) {
		return false;
	}
	memcpy(word, at, (size_t)(quote - at));
	word[quote - at] = '\0';
	return true;
}

bool record_read_payload(const char *bytes, size_t n, char key[RECORD_KEY_SIZE], uint64_t *ret_sequence)
{
	const char *sequence = find(bytes, n, "\"seq\":"), *end = bytes + n;
	if (!sequence || !word_read(bytes, n, "\"customer\":\"", key, RECORD_KEY_SIZE)) {
		return false;
	}
	uint64_t number = 0;
	size_t digits = 0;
	for (; sequence < end && *sequence >= '0' && *sequence <= '9' && digits < 18; digits++) {
		number = number * 10 + (uint64_t)(*sequence++ - '0');
	}
	*ret_sequence = number;
	return digits > 0;
}

bool record_read_id(const char *bytes, size_t n, char id[RECORD_ID_SIZE])
{
	return word_read(bytes, n, "\"id\":\"", id, RECORD_ID_SIZE);
}

void record_hash(const char *bytes, size_t n, char ret_hash[RECORD_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (EVP_Digest(bytes, n, sum, &length, EVP_sha256(), NULL) != 1) {
		abort();
	}
	for (unsigned i = 0; i < 32; i++) {
		ret_hash[2 * i] = digits[sum[i] >> 4];
		ret_hash[2 * i + 1] = digits[sum[i] & 15];
	}
	ret_hash[64] = '\0';
}

int64_t record_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool record_word(const char *text, size_t n, size_t room)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] <= 0x20 || text[i] > 0x7e) {
			return false;
		}
	}
	return n > 0 && n < room;
}

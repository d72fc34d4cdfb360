/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums of stored bytes (CRC32C) and hashes of foreign keys (SipHash-1-3,
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). The first
 * finds damage, the second keeps strangers from choosing collisions; neither
 * is for secrets.
 */
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include <base/hash.h>

/* --- CRC32C --------------------------------------------------------------- */

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++) {
			crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78U : crc >> 1;
		}
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++) {
		for (int k = 1; k < 8; k++) {
			table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xFF];
		}
	}
}

static uint32_t crc_by_table(uint32_t crc, const unsigned char *at, size_t n)
{
	pthread_once(&table_once, table_make);
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		word ^= crc;
		crc = table[7][word & 0xFF] ^ table[6][(word >> 8) & 0xFF] ^ table[5][(word >> 16) & 0xFF] ^
		      table[4][(word >> 24) & 0xFF] ^ table[3][(word >> 32) & 0xFF] ^
		      table[2][(word >> 40) & 0xFF] ^ table[1][(word >> 48) & 0xFF] ^ table[0][word >> 56];
	}
	while (n--) {
		crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 0xFF];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_cpu(uint32_t crc, const unsigned char *at, size_t n)
{
	uint64_t wide = crc;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (n--) {
		crc = __builtin_ia32_crc32qi(crc, *at++);
	}
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2")) {
		return ~crc_by_cpu(~crc, bytes, n);
	}
#endif
	return ~crc_by_table(~crc, bytes, n);
}

/* --- SipHash-1-3 ---------------------------------------------------------- */

static uint64_t sip_key[2];
static pthread_once_t sip_once = PTHREAD_ONCE_INIT;

static void sip_key_make(void)
{
	/* Without randomness the hash still works; only its defence is gone. */
	if (getrandom(sip_key, sizeof(sip_key), 0) != (ssize_t)sizeof(sip_key)) {
		sip_key[0] = 0x736f6d6570736575ULL;
		sip_key[1] = (uint64_t)(uintptr_t)&sip_key;
	}
}

static inline uint64_t rotate(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
	pthread_once(&sip_once, sip_key_make);
	const unsigned char *at = bytes;
	uint64_t v[4] = {
		sip_key[0] ^ 0x736f6d6570736575ULL,
		sip_key[1] ^ 0x646f72616e646f6dULL,
		sip_key[0] ^ 0x6c7967656e657261ULL,
		sip_key[1] ^ 0x7465646279746573ULL,
	};
	uint64_t last = (uint64_t)n << 56;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < n; i++) {
		last |= (uint64_t)at[i] << (8 * i);
	}
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xFF;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

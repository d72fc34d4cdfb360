/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC32C (RFC 3720, B.4), by the CPU's instruction where it has one. Start with crc 0 or a seed; chains. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* 64-bit SipHash-1-3 keyed once per process: for hash tables whose keys strangers choose. Never stored. */
uint64_t hash_bytes(const void *bytes, size_t n);

#endif

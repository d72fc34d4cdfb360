/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_LAYOUT_H
#define JOURNAL_LAYOUT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The bytes of a segment file, format version 1; docs/journal.md has the
 * tables. All numbers are little-endian, all units begin at a multiple of 8.
 */
#define SEGMENT_FORMAT 1
#define SEGMENT_HEADER_SIZE 64
#define SEGMENT_DATA 4096 /* where the first batch begins */
#define MARKER_SIZE 48
#define RECORD_HEADER_SIZE 32
#define UNIT_ALIGN 8

#define RECORD_MAGIC 0x4352U     /* "RC", then the kind and a zero byte */
#define MARKER_MAGIC 0x544D4F43U /* "COMT" */
#define SEGMENT_MAGIC "XYLEMSEG"
#define INDEX_MAGIC "XYLEMIDX"

#define JOURNAL_PARTITION 0U
#define JOURNAL_FIRST_OFFSET 1U /* 0 means "no position" */

/* One append, and everything that waits for one sync, stays below this. */
#define BATCH_MAX ((size_t)32 * 1024 * 1024)
/* About one entry of the sparse index for so many bytes. */
#define INDEX_SPACING ((uint64_t)64 * 1024)

static inline void put_u32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put_u64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint32_t get_u32(const char *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static inline uint64_t get_u64(const char *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static inline uint64_t align_up(uint64_t n)
{
	return (n + UNIT_ALIGN - 1) & ~(uint64_t)(UNIT_ALIGN - 1);
}

#endif

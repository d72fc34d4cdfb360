/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record: a header with a sum of its own, then the message in its byte
 * form (message/envelope.h), padded to 8 bytes.
 *
 *     0  u16  "RC"          8  u64  offset            24  u32  CRC32C of bytes 0..23
 *     2  u8   kind         16  i64  journal time, us  28  u32  CRC32C of header and body
 *     3  u8   0                                       32       body
 *     4  u32  body length
 *
 * The header's own sum says that the length can be trusted even where the body
 * is damaged, so that one bad record costs one message. Both sums begin with
 * the segment's epoch and the offset: a recycled file is full of old records
 * that are right in themselves, and none of them may pass for a new one.
 *
 * The rule not to break: a (epoch, offset) pair is given to one record only.
 */
#include <journal/record.h>

#include <base/hash.h>
#include <message/envelope.h>

uint32_t journal_record_seed(uint64_t epoch)
{
	char bytes[8];
	put_u64(bytes, epoch);
	return crc32c(0, bytes, sizeof(bytes));
}

static uint32_t offset_seed(uint32_t seed, uint64_t offset)
{
	char bytes[8];
	put_u64(bytes, offset);
	return crc32c(seed, bytes, sizeof(bytes));
}

uint32_t journal_record_write(char *at, uint32_t seed, uint64_t offset, int64_t time_us,
	const struct xylem_message *message, size_t length)
{
	put_u32(at, RECORD_MAGIC | (uint32_t)message->kind << 16);
	put_u32(at + 4, (uint32_t)length);
	put_u64(at + 8, offset);
	put_u64(at + 16, (uint64_t)time_us);
	uint32_t header_sum = crc32c(offset_seed(seed, offset), at, 24);
	put_u32(at + 24, header_sum);
	char *body = at + RECORD_HEADER_SIZE;
	envelope_write(message, body);
	memset(body + length, 0, journal_record_size(length) - RECORD_HEADER_SIZE - length);
	uint32_t sum = crc32c(header_sum, body, length);
	put_u32(at + 28, sum);
	return sum;
}

enum record_verdict journal_record_read(
	const char *at, uint64_t n, uint32_t seed, bool whole, struct record *ret_record)
{
	if (n < RECORD_HEADER_SIZE || (get_u32(at) & 0xFF00FFFFU) != RECORD_MAGIC) {
		return RECORD_BAD;
	}
	uint64_t offset = get_u64(at + 8);
	uint32_t header_sum = crc32c(offset_seed(seed, offset), at, 24);
	if (header_sum != get_u32(at + 24)) {
		return RECORD_BAD;
	}
	*ret_record = (struct record){
		.offset = offset,
		.time_us = (int64_t)get_u64(at + 16),
		.body = at + RECORD_HEADER_SIZE,
		.length = get_u32(at + 4),
		.sum = get_u32(at + 28),
	};
	if (journal_record_size(ret_record->length) > n) {
		return RECORD_SHORT;
	}
	if (whole && crc32c(header_sum, ret_record->body, ret_record->length) != ret_record->sum) {
		return RECORD_BAD;
	}
	return RECORD_GOOD;
}

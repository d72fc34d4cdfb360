/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include <journal/layout.h>
#include <xylem/message.h>

/* Where every checksum of an epoch begins; the offset is added for each record. */
uint32_t journal_record_seed(uint64_t epoch);

/* A record as it lies in the file; `body` borrows the bytes it was read from. */
struct record {
	uint64_t offset;
	int64_t time_us;
	const char *body;
	uint32_t length; /* of the body */
	uint32_t sum;    /* CRC32C over header and body: what the marker adds up */
};

/* Bytes that a body of `length` takes in the file, header and padding included. */
static inline uint64_t journal_record_size(uint64_t length)
{
	return align_up(RECORD_HEADER_SIZE + length);
}

/* Writes journal_record_size(length) bytes, `length` being envelope_size(message); answers its sum. */
uint32_t journal_record_write(char *at, uint32_t seed, uint64_t offset, int64_t time_us,
	const struct xylem_message *message, size_t length);

enum record_verdict {
	RECORD_GOOD,
	RECORD_SHORT, /* the header is good, but the record reaches beyond `n` */
	RECORD_BAD,
};
/*
 * Reads the header, and the body if `whole`; foreign bytes are expected. With
 * RECORD_SHORT, and with RECORD_GOOD when not `whole`, ret_record->body must
 * not be touched. Needs n >= RECORD_HEADER_SIZE for anything but RECORD_BAD.
 */
enum record_verdict journal_record_read(
	const char *at, uint64_t n, uint32_t seed, bool whole, struct record *ret_record);

#endif

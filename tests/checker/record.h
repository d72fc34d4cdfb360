/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHECKER_RECORD_H
#define CHECKER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the checker's three halves agree on: how an order looks, and the lines
 * of the logs. Fields are separated by one space, a line ends in '\n'.
 *
 *   oracle    A id key sequence sha256 sent_us acknowledged_us handle
 *             M id key sequence sha256 sent_us - -     sent, and no answer: it may be there
 *   receipts  id key sequence sha256 received_us       one file a destination
 *   hospital  id [destination]                         without one: for every destination
 */
#define RECORD_ID_SIZE 48
#define RECORD_KEY_SIZE 24
#define RECORD_HASH_SIZE 65
#define RECORD_HANDLE_SIZE 40

struct record {
	char id[RECORD_ID_SIZE];
	char key[RECORD_KEY_SIZE];
	uint64_t sequence;           /* of its key, from 1 */
	char hash[RECORD_HASH_SIZE]; /* SHA-256 of the payload in hex */
};

/* The payload of an order: JSON, the same bytes for the same arguments. Returns the length, less than `room`. */
size_t record_payload(
	char *bytes, size_t room, const char *id, const char *key, uint64_t sequence, size_t pad);

/* Reads key and sequence back from a payload; false: it is none of ours. */
bool record_read_payload(const char *bytes, size_t n, char key[RECORD_KEY_SIZE], uint64_t *ret_sequence);

bool record_read_id(const char *bytes, size_t n, char id[RECORD_ID_SIZE]);

void record_hash(const char *bytes, size_t n, char ret_hash[RECORD_HASH_SIZE]);

/* Microseconds of the wall clock. */
int64_t record_now_us(void);

/* True for a word that can stand in a line: printable, no space, shorter than `room`. */
bool record_word(const char *text, size_t n, size_t room);

#endif

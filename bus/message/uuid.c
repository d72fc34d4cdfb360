/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New event ids: UUID version 7 (RFC 9562, 5.7). 48 bits of Unix time in
 * milliseconds, then a 12-bit counter (method 1 of section 6.2: seeded anew
 * each millisecond with its top bit clear, counting within it, borrowing a
 * millisecond when it is full), then 62 random bits. So ids of one thread
 * sort in the order in which they were made, even when the clock steps back.
 *
 * Random bytes are taken from the kernel 256 at a time: a system call for each
 * id would cost more than the id.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include <xylem/message.h>

#include "base/clock.h"

struct generator {
	uint64_t millisecond;
	unsigned counter;
	unsigned char random[256];
	size_t random_left;
};

static _Thread_local struct generator generator;

static void random_fill(unsigned char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(bytes, n, 0);
		if (got > 0) {
			bytes += got;
			n -= (size_t)got;
		}
	}
}

static uint64_t random_take(struct generator *own)
{
	if (own->random_left < sizeof(uint64_t)) {
		random_fill(own->random, sizeof(own->random));
		own->random_left = sizeof(own->random);
	}
	uint64_t number;
	own->random_left -= sizeof(number);
	memcpy(&number, own->random + own->random_left, sizeof(number));
	return number;
}

static void tick(struct generator *own, uint64_t now)
{
	if (now > own->millisecond) {
		own->millisecond = now;
		own->counter = (unsigned)(random_take(own) & 0x7ff);
	} else if (++own->counter > 0xfff) {
		own->millisecond++;
		own->counter = 0;
	}
}

const char *xylem_uuid_new(char text[XYLEM_UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	struct generator *own = &generator;
	tick(own, (uint64_t)clock_wall_us() / 1000);
	uint64_t halves[2] = {
		own->millisecond << 16 | 0x7000 | own->counter,
		(random_take(own) & (UINT64_MAX >> 2)) | (uint64_t)1 << 63,
	};
	char *at = text;
	for (unsigned i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20) {
			*at++ = '-';
		}
		*at++ = digits[halves[i / 16] >> (60 - i % 16 * 4) & 15];
	}
	*at = '\0';
	return text;
}

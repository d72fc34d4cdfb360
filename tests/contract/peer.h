/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_PEER_H
#define TESTS_CONTRACT_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include <xylem/visible.h>

/* The other side of a connector under test: a child process that is told what to do by lines (README.md). */
struct peer {
	pid_t pid;
	int to, from;
	char line[65536]; /* its last answer, without the first word */
	size_t n;         /* bytes read beyond it */
	char rest[65536];
};

/* False with a text in `line`. */
bool peer_start(struct peer *peer, char *const arguments[]);
void peer_stop(struct peer *peer);

enum peer_answer {
	PEER_OK,
	PEER_NO,     /* this peer cannot do that */
	PEER_FAILED, /* it says `error`, it ended, or nothing came in time; `line` says which */
};
/* Tells one line and waits for the answer, at most `seconds`. */
enum peer_answer peer_ask(struct peer *peer, int seconds, const char *format, ...) XYLEM_PRINTF(3, 4);

#endif

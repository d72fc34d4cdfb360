/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_CONFIRM_H
#define CONSOLE_XMPP_CONFIRM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What waits for `yes CODE`, and how often somebody is answered who writes what
 * is not understood. By bare address; bounded; in memory only. Any thread.
 */
struct confirmations;
struct confirmations *confirmations_new(void);
struct confirmations *confirmations_free(struct confirmations *confirmations);

#define CONFIRM_CODE 8
#define CONFIRM_US 300000000 /* how long a code is good */
/* Keeps the line for this person, instead of an earlier one; the code that brings it back. False: no memory. */
bool confirm_keep(
	struct confirmations *confirmations, const char *bare, const char *line, char ret_code[CONFIRM_CODE]);
/* The line of that code, once; NULL: there is none, or it is too old. free(). */
char *confirm_take(struct confirmations *confirmations, const char *bare, const char *code);

/* May this person be told once more, this minute, that something was not understood? Two machines could go on for ever. */
bool confirm_may_complain(struct confirmations *confirmations, const char *bare);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_WORDS_H
#define CONSOLE_XMPP_WORDS_H

#include <console/operation.h>
#include <console/xmpp/scope.h>

/*
 * What somebody writes in a chat, read by the operation table:
 *
 *     status                       lanes state=paused
 *     pause lane orders/erp        replay 7 from=start
 *     replay 7 8 9                 replay group 3
 *     note 7 the ERP was asked     publish topic:news {"held": 3}
 *
 * The words of an operation (or what it `also` goes by), the thing it is about,
 * then NAME=VALUE, and the rest as the text or data it takes.
 */
#define WORDS_THINGS 50 /* most things that one line may name */

enum words_kind { WORDS_OPERATION, WORDS_HELP, WORDS_CONFIRM, WORDS_STATUS, WORDS_FORBIDDEN };

struct words {
	enum words_kind kind;
	const struct operation
		*operation; /* of HELP: NULL for all; of FORBIDDEN: the one that the role may not run */
	json_t *arguments;  /* of OPERATION: strings, without the thing if there are several */
	json_t *things;     /* of OPERATION: an array of strings if there are several; else NULL */
	char group[24];     /* of OPERATION: every thing of this group; else empty */
	struct xylem_span group_at; /* where the line says so */
	char code[16];              /* of CONFIRM */
};

/*
 * Operations that are not of this place are not known here. 0, or
 * -XYLEM_E_NOT_FOUND (no such words), -XYLEM_E_INVALID; the reason is for the writer. words_finish() after 0.
 */
int words_read(struct xylem_span line, const struct scope *scope, enum config_role role,
	struct words *ret_words, struct xylem_reason *reason);
void words_finish(struct words *words);

/* How it is written: `pause lane LANE`. */
void words_write_usage(
	struct xylem_buffer *out, const struct operation *operation, const struct scope *scope);
/* What there is to write here, or one operation with its arguments. */
void words_write_help(struct xylem_buffer *out, const struct operation *operation, const struct scope *scope,
	enum config_role role);

#endif

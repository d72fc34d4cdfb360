/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_LEXER_H
#define JQ_LEXER_H

#include <stdint.h>

#include <xylem/span.h>

/* Words of the language. One character stands for itself. */
enum jq_token {
	TOKEN_END = 0,
	TOKEN_WRONG = 256, /* a character that begins no word */
	TOKEN_NAME,        /* may hold `::` */
	TOKEN_FIELD,       /* .name; the text is without the point */
	TOKEN_VARIABLE,    /* $name; the text is without the dollar sign */
	TOKEN_NUMBER,
	TOKEN_FORMAT, /* @name; the text is without the sign */
	TOKEN_RECURSE,
	TOKEN_EQUAL,
	TOKEN_UNEQUAL,
	TOKEN_LESS_EQUAL,
	TOKEN_GREATER_EQUAL,
	TOKEN_ALTERNATIVE, /* // */
	TOKEN_DESTRUCTURE, /* ?// */
	TOKEN_UPDATE,      /* |= */
	TOKEN_ADD_UPDATE,  /* += */
	TOKEN_SUBTRACT_UPDATE,
	TOKEN_MULTIPLY_UPDATE,
	TOKEN_DIVIDE_UPDATE,
	TOKEN_MODULO_UPDATE,
	TOKEN_ALTERNATIVE_UPDATE,
	/* Keywords: also names of fields and of object keys. */
	TOKEN_AND,
	TOKEN_AS,
	TOKEN_BREAK,
	TOKEN_CATCH,
	TOKEN_DEF,
	TOKEN_ELIF,
	TOKEN_ELSE,
	TOKEN_FINISH, /* end */
	TOKEN_FOREACH,
	TOKEN_IF,
	TOKEN_IMPORT,
	TOKEN_INCLUDE,
	TOKEN_LABEL,
	TOKEN_MODULE,
	TOKEN_OR,
	TOKEN_REDUCE,
	TOKEN_THEN,
	TOKEN_TRY,
};

struct jq_lexer {
	const char *start, *at, *end;
	int token;
	struct xylem_span text; /* of the token */
	const char *token_at;
};

/* Goes to the next word. */
void jq_lexer_next(struct jq_lexer *lexer);

static inline bool jq_token_is_keyword(int token)
{
	return token >= TOKEN_AND;
}

#endif

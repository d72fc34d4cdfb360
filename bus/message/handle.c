/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handle `p-o`: the one name of a message in every face. Event ids are
 * foreign and repeat; a position does not. Written without leading zeros and
 * read back only in that form, so that a handle can be compared as text.
 */
#include <inttypes.h>
#include <stdio.h>

#include <xylem/message.h>

const char *xylem_handle_format(struct xylem_position position, char text[XYLEM_HANDLE_SIZE])
{
	snprintf(text, XYLEM_HANDLE_SIZE, "%" PRIu32 "-%" PRIu64, position.partition, position.offset);
	return text;
}

static bool decimal_parse(struct xylem_span text, uint64_t maximum, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.n == 0 || (text.n > 1 && text.at[0] == '0')) {
		return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		unsigned digit = (unsigned char)text.at[i] - '0';
		if (digit > 9 || number > (maximum - digit) / 10) {
			return false;
		}
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

int xylem_handle_parse(struct xylem_span text, struct xylem_position *ret_position)
{
	const char *dash = text.n ? memchr(text.at, '-', text.n) : NULL;
	if (!dash) {
		return -XYLEM_E_INVALID;
	}
	size_t n = (size_t)(dash - text.at);
	uint64_t partition, offset;
	if (!decimal_parse(xylem_span(text.at, n), UINT32_MAX, &partition) ||
		!decimal_parse(xylem_span(dash + 1, text.n - n - 1), UINT64_MAX, &offset)) {
		return -XYLEM_E_INVALID;
	}
	*ret_position = (struct xylem_position){ (uint32_t)partition, offset };
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When what an address shows is told to its contacts: a state at once, numbers
 * alone once a minute. A state that is told takes the numbers with it, and the
 * minute begins anew.
 *
 * The rule not to break: nothing here reads a clock, so that a minute can be
 * tested in no time.
 */
#include <string.h>

#include <xmpp/presence_body.h>

static bool state_changed(const struct address *address)
{
	return address->hidden || address->told_us == 0 || address->show != address->told_show ||
	       strcmp(address->words, address->told_words) != 0;
}

bool presence_due(const struct address *address, int64_t now_us)
{
	return state_changed(address) || (strcmp(address->numbers, address->told_numbers) != 0 &&
						 now_us - address->told_us >= PRESENCE_NUMBERS_US);
}

void presence_told(struct address *address, int64_t now_us)
{
	address->told_show = address->show;
	memcpy(address->told_words, address->words, sizeof(address->words));
	memcpy(address->told_numbers, address->numbers, sizeof(address->numbers));
	address->told_us = now_us;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as people write them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <console/since.h>

static int64_t unit_us(const char *unit)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = { { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 } };
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) == 0) {
			return units[i].us;
		}
	}
	return 0;
}

/* Microseconds of `15m`; 0 if it is none, or more than 100 years. */
static int64_t ago_us(const char *text)
{
	char *end;
	if (!isdigit((unsigned char)*text)) {
		return 0;
	}
	unsigned long long n = strtoull(text, &end, 10);
	int64_t unit = unit_us(end);
	return unit && n <= 36500ull * 86400000000ull / (unsigned long long)unit ? (int64_t)n * unit : 0;
}

int since_read(const char *text, const char *name, int64_t *ret_wall_us, struct xylem_reason *reason)
{
	if (!text || !*text) {
		*ret_wall_us = 0;
		return 0;
	}
	int64_t ago = ago_us(text);
	if (ago) {
		*ret_wall_us = clock_wall_us() - ago;
		return 0;
	}
	if (clock_parse(text, strlen(text), ret_wall_us)) {
		xylem_reason_set(reason,
			"`%s` is neither a time such as 2026-11-21T09:00:00Z nor as long ago as 15m, 2h, 7d: "
			"`%s`",
			name, text);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

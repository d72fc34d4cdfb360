/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload cannot change: options flagged FIXED are read when the bus
 * starts. A new value in them is not refused, since the file is right; it is
 * said, so that nobody waits for it to work.
 */
#include <string.h>

#include <config/report.h>
#include <config/sections.h>

static bool text_differs(const void *old, const void *now)
{
	const char *a = *(const char *const *)old, *b = *(const char *const *)now;
	return a && b ? strcmp(a, b) != 0 : a != b;
}

/* A secret itself is in no generation, so that only here its change is seen. */
static bool secret_differs(const void *old, const void *now)
{
	const struct xylem_secret *a = *(const struct xylem_secret *const *)old;
	const struct xylem_secret *b = *(const struct xylem_secret *const *)now;
	return a && b ? !xylem_span_equal(xylem_secret_borrow(a), xylem_secret_borrow(b)) : a != b;
}

static bool option_differs(const struct xylem_option *option, const void *old, const void *now)
{
	const char *a = (const char *)old + option->offset, *b = (const char *)now + option->offset;
	switch (option->type) {
	case XYLEM_OPTION_BOOL:
		return *a != *b;
	case XYLEM_OPTION_ENUM:
		return memcmp(a, b, sizeof(int)) != 0;
	case XYLEM_OPTION_INTEGER:
	case XYLEM_OPTION_SIZE:
	case XYLEM_OPTION_DURATION:
		return memcmp(a, b, sizeof(int64_t)) != 0;
	case XYLEM_OPTION_STRING:
	case XYLEM_OPTION_NAME:
	case XYLEM_OPTION_URL:
	case XYLEM_OPTION_ADDRESS:
	case XYLEM_OPTION_JID:
	case XYLEM_OPTION_PATH:
		return text_differs(a, b);
	case XYLEM_OPTION_SECRET:
		return secret_differs(a, b);
	default:
		return false; /* no section has a fixed option of the other types */
	}
}

static void section_compare(enum section_number number, const void *old, const void *now,
	struct config_place place, struct config_report *report)
{
	for (const struct xylem_option *option = sections[number].options; option->name; option++) {
		if ((option->flags & XYLEM_OPTION_FIXED) && option_differs(option, old, now)) {
			report_warning(report, place,
				"`%s` of section `%s` has changed and is read at the start only; restart the "
				"bus to use the new value",
				option->name, sections[number].name);
		}
	}
}

void config_restart_check(const struct config_view *old, const struct config_view *now,
	struct config_place place, struct config_report *report)
{
	section_compare(SECTION_BUS, old->bus, now->bus, place, report);
	section_compare(SECTION_JOURNAL, old->journal, now->journal, place, report);
	section_compare(SECTION_HOSPITAL, old->hospital, now->hospital, place, report);
	section_compare(SECTION_CONSOLE, old->console, now->console, place, report);
	section_compare(SECTION_XMPP, old->xmpp, now->xmpp, place, report);
}

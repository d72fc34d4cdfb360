/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the table of options cannot say: lists of addresses, and options that
 * need or exclude each other.
 */
#include <string.h>

#include <base/jid.h>
#include <connectors/pick.h>
#include <connectors/xmpp_endpoint.h>
#include <connectors/xmpp_template.h>

const char *const endpoint_types[] = { "chat", "normal", "headline", NULL };
const char *const endpoint_bodies[] = { "data", "event", "none", NULL };
const char *const endpoint_confirms[] = { "server", "offered", "receipt", NULL };
const char *const endpoint_offlines[] = { "store", "hold", "discard", "fallback", NULL };

static int check_addresses(
	const char *option, struct xylem_strings list, bool domains, struct xylem_reason *reason)
{
	char bare[JID_SIZE];

	for (size_t i = 0; i < list.n; i++) {
		const char *item = list.items[i];
		if (!jid_normalise(xylem_span_of(domains && item[0] == '@' ? item + 1 : item), bare)) {
			xylem_reason_set(reason, "`%s`: %s is no address%s", option, item,
				domains ? "; write user@domain or @domain" : "; write user@domain");
			return -XYLEM_E_INVALID;
		}
	}
	return 0;
}

static int check_lists(const struct endpoint_options *options, struct xylem_reason *reason)
{
	int error = check_addresses("allow", options->allow, true, reason);

	error = error != 0 ? error : check_addresses("to", options->to, false, reason);
	error = error != 0 ? error : check_addresses("fallback", options->fallback, false, reason);
	return error != 0 ? error : check_addresses("published.of", options->publishers, false, reason);
}

static int check_templates(const struct endpoint_options *options, struct xylem_reason *reason)
{
	const char *const texts[] = { options->text, options->subject };
	struct pick pick;

	for (size_t i = 0; i < 2; i++) {
		struct template *template = NULL;
		int error = texts[i] == NULL ? 0 : template_new(&template, texts[i], reason);
		template_free(template);
		if (error != 0) {
			return error;
		}
	}
	int error = pick_init(&pick, options->address, false, reason);
	bool place = options->address == NULL || pick.kind == PICK_DATA || pick.kind == PICK_ATTRIBUTE;
	if (error == 0) {
		pick_finish(&pick);
	}
	if (error == 0 && !place) {
		xylem_reason_set(
			reason, "`address`: write /data/... or /NAME; a fixed address belongs into `to`");
		error = -XYLEM_E_INVALID;
	}
	return error;
}

struct rule {
	bool broken;
	const char *words;
};

int endpoint_check(const struct endpoint_options *options, struct xylem_reason *reason)
{
	bool room = options->room != NULL;
	const struct rule rules[] = {
		{ options->body == BODY_NONE && !options->event && options->text == NULL,
			"`body: none` without `event: true` sends messages without content" },
		{ options->offline == OFFLINE_FALLBACK && options->fallback.n == 0,
			"`offline: fallback` needs the addresses of `fallback`" },
		{ options->offline != OFFLINE_FALLBACK && options->fallback.n > 0,
			"`fallback` is used with `offline: fallback` only" },
		{ !room && (options->nick != NULL || options->room_password != NULL || options->room_create),
			"options of `room` without `room.jid`" },
		{ room && strchr(options->room, '@') == NULL, "`room.jid`: a room is written name@service" },
		{ (options->published.n == 0) != (options->publishers.n == 0),
			"`published` needs both `nodes` and `of`" },
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].broken) {
			xylem_reason_set(reason, "%s", rules[i].words);
			return -XYLEM_E_INVALID;
		}
	}
	int error = check_lists(options, reason);
	return error != 0 ? error : check_templates(options, reason);
}

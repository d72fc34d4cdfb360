/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: what a person reads is made of an event's values and a few words.
 * Places only, no conditions and no loops: whoever needs more has a `jq` step.
 */
#include <stdlib.h>
#include <string.h>

#include <connectors/pick.h>
#include <connectors/xmpp_template.h>

#define PIECES_MAX 64

struct piece {
	struct xylem_span words; /* in the template's text */
	char *place;             /* NULL: words */
	bool whole;              /* /data */
	struct pick pick;
};

struct template
{
	char *text;
	size_t n;
	struct piece pieces[PIECES_MAX];
};

struct template *template_free(struct template *template)
{
	if (template != NULL) {
		for (size_t i = 0; i < template->n; i++) {
			pick_finish(&template->pieces[i].pick);
			free(template->pieces[i].place);
		}
		free(template->text);
		free(template);
	}
	return NULL;
}

static struct piece *piece_add(struct template *template, struct xylem_reason *reason)
{
	if (template->n == PIECES_MAX) {
		xylem_reason_set(reason, "a template of more than %d pieces", PIECES_MAX);
		return NULL;
	}
	return &template->pieces[template->n++];
}

/* `{/place}` at `at`; its end, or NULL. */
static const char *place_add(struct template *template, const char *at, struct xylem_reason *reason)
{
	const char *end = strchr(at, '}');
	if (end == NULL || at[1] != '/') {
		xylem_reason_set(
			reason, "`%.40s`: a place is written {/data/...} or {/NAME}, a brace {{", at);
		return NULL;
	}
	struct piece *piece = piece_add(template, reason);
	if (piece == NULL) {
		return NULL;
	}
	piece->place = strndup(at + 1, (size_t)(end - at) - 1);
	piece->whole = piece->place != NULL && strcmp(piece->place, "/data") == 0;
	return piece->place != NULL && pick_init(&piece->pick, piece->place, false, reason) == 0 ? end + 1
												 : NULL;
}

static int compile(struct template *template, struct xylem_reason *reason)
{
	const char *at = template->text;

	while (*at != '\0') {
		if (at[0] == '{' && at[1] != '{') {
			at = place_add(template, at, reason);
			if (at == NULL) {
				return -XYLEM_E_INVALID;
			}
			continue;
		}
		struct piece *piece = piece_add(template, reason);
		if (piece == NULL) {
			return -XYLEM_E_INVALID;
		}
		at += at[0] == '{';
		size_t n = 1 + strcspn(at + 1, "{");
		piece->words = xylem_span(at, n);
		at += n;
	}
	return 0;
}

int template_new(struct template **ret_template, const char *text, struct xylem_reason *reason)
{
	struct template *template = calloc(1, sizeof(*template));
	if (template != NULL) {
		template->text = strdup(text);
	}
	if (template == NULL || template->text == NULL) {
		template_free(template);
		return -XYLEM_E_MEMORY;
	}
	int error = compile(template, reason);
	if (error != 0) {
		template_free(template);
		return error;
	}
	*ret_template = template;
	return 0;
}

void template_write(const struct template *template, const struct xylem_message *message, bool json,
	struct xylem_arena *arena, struct xylem_buffer *out)
{
	for (size_t i = 0; i < template->n; i++) {
		const struct piece *piece = &template->pieces[i];
		if (piece->place == NULL) {
			xylem_buffer_span(out, piece->words);
		} else if (piece->whole && !json) {
			xylem_buffer_span(out, message->data);
		} else {
			xylem_buffer_span(out, pick_value(&piece->pick, message, json, NULL, NULL, arena));
		}
	}
}

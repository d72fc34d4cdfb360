/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat with the bus: a line in, a few lines back, from the address that was
 * written to. Everybody has a client that can do this.
 *
 * The rule not to break: only what somebody has just written is carried out.
 * What was delayed, forwarded, copied, corrected or said in a room may be old
 * or somebody else's; it is told so, and nothing happens. What cannot be read
 * (encrypted) gets one plain answer. Changes of many things at once wait for
 * `yes CODE`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/noun.h>
#include <console/xmpp/answer.h>
#include <console/xmpp/carry.h>
#include <console/xmpp/words.h>
#include <xmpp/body.h>
#include <xmpp/presence.h>

#define LINE_MOST (size_t)(64 * 1024)

/* Something that was written, on its way. */
struct remark {
	struct work work; /* first: workers hand it back */
	struct face *face;
	struct deferred *deferred;
	struct operation_caller caller;
	struct scope scope;
	char local[SCOPE_LOCAL], bare[JID_SIZE];
	char *thread; /* may be NULL */
	char *line;
	bool confirmed;
};

/* --- Answers ------------------------------------------------------------------------ */

static void open_reply(struct xylem_buffer *out, const struct xml_node *to)
{
	struct xylem_span type = xml_attribute(to, "type");
	stanza_open(out, "message", xylem_span_is(type, "chat") ? "chat" : "normal", xml_attribute(to, "to"),
		xml_attribute(to, "from"), XYLEM_SPAN_NONE);
	xylem_buffer_text(out, "><body>");
}

static void close_reply(struct xylem_buffer *out, const char *thread)
{
	xylem_buffer_text(out, "</body>");
	if (thread) {
		xylem_buffer_text(out, "<thread>");
		xml_escape_words(out, xylem_span_of(thread));
		xylem_buffer_text(out, "</thread>");
	}
	xylem_buffer_text(out, "</message>");
}

static struct remark *remark_free(struct remark *remark)
{
	if (remark) {
		free(remark->thread);
		free(remark->line);
		free(remark);
	}
	return NULL;
}

static void reply(struct remark *remark, struct xylem_span text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	open_reply(&out, &remark->deferred->iq);
	xml_escape_words(&out, text.n > 0 ? text : XYLEM_SPAN_LITERAL("done"));
	close_reply(&out, remark->thread);
	deferred_answer(remark->deferred, &out);
}

/* What was not understood; not for ever. */
static void complain(struct remark *remark, const char *why)
{
	XYLEM_BUFFER_SCOPED nothing = { 0 };
	if (confirm_may_complain(remark->face->confirmations, remark->bare)) {
		reply(remark, xylem_span_of(why));
	} else {
		deferred_answer(remark->deferred, &nothing);
	}
}

/* --- Doing it ------------------------------------------------------------------------- */

/* One thing; adds what came of it to the text. */
static int run_one(struct remark *remark, const struct words *words, const char *thing, bool many,
	struct xylem_buffer *text)
{
	struct xylem_reason reason = { "" };
	json_t *result = NULL, *arguments = json_copy(words->arguments);
	const struct operation *operation = words->operation;
	if (thing) {
		json_object_set_new(arguments, operation_placed(operation)->name, json_string(thing));
	}
	int error = carry_version(
		remark->face, operation, &remark->scope, &remark->caller, arguments, &reason);
	error = error ? error
		      : carry_out(remark->face, operation, &remark->scope, &remark->caller, arguments,
				&result, &reason);
	if (many) {
		xylem_buffer_format(
			text, "%s %s: %s\n", words->operation->words, thing, error ? reason.text : "done");
	} else if (error) {
		xylem_buffer_text(text, reason.text[0] ? reason.text : xylem_error_row(error)->text);
	} else {
		answer_write_text(text, operation, result, true);
	}
	json_decref(arguments);
	json_decref(result);
	return error;
}

/* The numbers of a group's cases, as `things`. */
static int list_group(struct remark *remark, struct words *words, struct xylem_reason *reason)
{
	const struct operation *lister = operation_lister(words->operation);
	json_t *answer = NULL;
	const json_t *rows, *row;
	const struct column *columns;
	size_t i;
	if (!lister || !operation_option(lister, "group")) {
		xylem_reason_set(reason, "%s takes no group", words->operation->words);
		return -XYLEM_E_INVALID;
	}
	json_t *given = json_pack("{s:s, s:s, s:i}", "group", words->group, "state",
		words->operation->among ? words->operation->among : "open", "limit", WORDS_THINGS);
	int error = carry_out(remark->face, lister, &remark->scope, &remark->caller, given, &answer, reason);
	json_decref(given);
	words->things = json_array();
	if (!error && answer_list(lister, answer, &rows, &columns)) {
		json_array_foreach(rows, i, row)
		{
			json_array_append_new(words->things,
				json_sprintf("%lld",
					(long long)json_integer_value(columns_value(row, columns->path))));
		}
	}
	json_decref(answer);
	return error;
}

static void run_many(struct remark *remark, const struct words *words)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	size_t i, failed = 0;
	const json_t *thing;
	json_array_foreach(words->things, i, thing)
	{
		failed += run_one(remark, words, json_string_value(thing), true, &text) != 0;
	}
	xylem_buffer_format(&text, "%zu done, %zu refused", json_array_size(words->things) - failed, failed);
	reply(remark, xylem_buffer_borrow(&text));
}

/* The line, with the cases that were named in the place of their group: a `yes` is about no others. */
static void write_line(const struct remark *remark, const struct words *words, struct xylem_buffer *out)
{
	struct xylem_span group = words->group_at;
	size_t i, before = words->group[0] ? (size_t)(group.at - remark->line) : strlen(remark->line);
	const json_t *thing;
	xylem_buffer_append(out, remark->line, before);
	if (words->group[0]) {
		json_array_foreach(words->things, i, thing)
		{
			xylem_buffer_format(out, "%s%s", i ? " " : "", json_string_value(thing));
		}
		xylem_buffer_text(out, group.at + group.n);
	}
}

/* Keeps the line and says what a `yes` would do. */
static void ask(struct remark *remark, const struct words *words)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	XYLEM_BUFFER_SCOPED kept = { 0 };
	char code[CONFIRM_CODE];
	xylem_buffer_format(&kept, "%s\n", remark->local);
	write_line(remark, words, &kept);
	xylem_buffer_byte(&kept, '\0');
	if (xylem_buffer_failed(&kept) ||
		!confirm_keep(remark->face->confirmations, remark->bare, kept.bytes, code)) {
		reply(remark, XYLEM_SPAN_LITERAL("no memory"));
		return;
	}
	xylem_buffer_format(&text, "%s: ", words->operation->words);
	if (words->things) {
		xylem_buffer_format(&text, "%zu cases, ", json_array_size(words->things));
		answer_write_value(&text, words->things, COLUMN_TEXT);
		xylem_buffer_text(&text, ". ");
	} else {
		xylem_buffer_format(&text, "%s ", words->operation->summary);
	}
	xylem_buffer_format(&text, "Write `yes %s` within 5 minutes to do it.", code);
	reply(remark, xylem_buffer_borrow(&text));
}

static void run_words(struct remark *remark, struct words *words)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct xylem_reason reason = { "" };
	if (words->group[0] && list_group(remark, words, &reason) != 0) {
		complain(remark, reason.text);
	} else if (words->things && json_array_size(words->things) == 0) {
		complain(remark, "there is no such case in this group");
	} else if ((words->things || words->operation->bulk) && !remark->confirmed) {
		ask(remark, words);
	} else if (words->things) {
		run_many(remark, words);
	} else {
		run_one(remark, words, NULL, false, &text);
		reply(remark, xylem_buffer_borrow(&text));
	}
}

static void run_line(struct remark *remark);

/* The line that waits for this code takes the place of the `yes`. */
static void confirm(struct remark *remark, const char *code)
{
	char *kept = confirm_take(remark->face->confirmations, remark->bare, code);
	char *line = kept ? strchr(kept, '\n') : NULL;
	if (!line || !scope_read(line > kept ? xylem_span(kept, (size_t)(line - kept)) : XYLEM_SPAN_NONE,
			     &remark->scope)) {
		free(kept);
		complain(remark, "nothing waits for that code");
		return;
	}
	free(remark->line);
	remark->line = strdup(line + 1);
	remark->confirmed = true;
	free(kept);
	if (remark->line) {
		run_line(remark);
	} else {
		complain(remark, "no memory");
	}
}

/* What the role does not do: so it is said, and it is in the audit. */
static void refuse(struct remark *remark, const struct operation *operation)
{
	struct xylem_reason reason = { "" };
	json_t *result = NULL;
	carry_out(remark->face, operation, &remark->scope, &remark->caller, NULL, &result, &reason);
	json_decref(result);
	complain(remark, reason.text);
}

static void run_line(struct remark *remark)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct words words;
	struct xylem_reason reason = { "" };
	int error = words_read(
		xylem_span_of(remark->line), &remark->scope, remark->caller.role, &words, &reason);
	if (error) {
		complain(remark, reason.text);
		return;
	}
	if (words.kind == WORDS_HELP) {
		words_write_help(&text, words.operation, &remark->scope, remark->caller.role);
		reply(remark, xylem_buffer_borrow(&text));
	} else if (words.kind == WORDS_STATUS) {
		bool shown = xmpp_presence_status(remark->face->service, remark->local, &text);
		reply(remark,
			shown ? xylem_buffer_borrow(&text) : XYLEM_SPAN_LITERAL("it is not there any more"));
	} else if (words.kind == WORDS_FORBIDDEN) {
		refuse(remark, words.operation);
	} else if (words.kind == WORDS_CONFIRM && !remark->confirmed) {
		confirm(remark, words.code);
	} else if (words.kind == WORDS_OPERATION) {
		run_words(remark, &words);
	} else {
		complain(remark, "nothing waits for that code");
	}
	words_finish(&words);
}

static void run_remark(struct work *work)
{
	struct remark *remark = (struct remark *)work;
	run_line(remark);
	remark_free(remark);
}

/* --- The way in, on the link's thread ----------------------------------------------------- */

/* Why nothing of it is carried out; NULL: it may be. */
static const char *obstacle(const struct xml_node *message)
{
	static const char encrypted[] = "I cannot read encrypted messages: turn encryption off here.";
	static const struct {
		const char *namespace, *name, *why;
	} rows[] = {
		{ "urn:xmpp:message-correct:0", "replace",
			"Nothing was done: a correction is not carried out. Write it as a new message." },
		{ NS_DELAY, "delay",
			"Nothing was done: this was delayed. Write it again if you still want it." },
		{ "jabber:x:delay", "x",
			"Nothing was done: this was delayed. Write it again if you still want it." },
		{ "urn:xmpp:forward:0", "forwarded",
			"Nothing was done: forwarded messages are not carried out." },
		{ "urn:xmpp:carbons:2", NULL, "Nothing was done: copies of messages are not carried out." },
		{ "http://jabber.org/protocol/muc#user", "x", "Nothing was done: this came through a room." },
	};
	if (body_is_encrypted(message)) {
		return encrypted;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* The carbons' `private` is only a wish that there be no copies. */
		const struct xml_node *found = xml_child(message, rows[i].namespace, rows[i].name);
		if (found && !xml_is(found, "urn:xmpp:carbons:2", "private")) {
			return rows[i].why;
		}
	}
	return NULL;
}

/* XEP-0184: it was read. */
static void acknowledge(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span id = xml_attribute(request->iq, "id");
	if (id.n == 0 || !xml_child(request->iq, NS_RECEIPTS, "request")) {
		return;
	}
	stanza_open(&out, "message", NULL, xml_attribute(request->iq, "to"),
		xml_attribute(request->iq, "from"), XYLEM_SPAN_NONE);
	xylem_buffer_text(&out, "><received xmlns='" NS_RECEIPTS "'");
	xml_write_attribute(&out, "id", id);
	xylem_buffer_text(&out, "/></message>");
	request_answer(request, &out);
}

static void answer_plainly(const struct xmpp_request *request, struct face *face, const char *text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	if (confirm_may_complain(face->confirmations, request->sender)) {
		open_reply(&out, request->iq);
		xml_escape_words(&out, xylem_span_of(text));
		close_reply(&out, NULL);
		request_answer(request, &out);
	}
}

static char *text_copy(struct xylem_span text)
{
	return xylem_span_present(text) ? strndup(text.at, text.n) : NULL;
}

static struct remark *remark_new(struct face *face, const struct xmpp_request *request)
{
	struct remark *remark = calloc(1, sizeof(*remark));
	if (!remark) {
		return NULL;
	}
	remark->face = face;
	remark->work.run = run_remark;
	remark->line = text_copy(body_written(request->iq, request->arena));
	const struct xml_node *thread = xml_child(request->iq, NS_COMPONENT, "thread");
	remark->thread = thread ? text_copy(xml_text(thread, request->arena)) : NULL;
	memcpy(remark->bare, request->sender, sizeof(remark->bare));
	snprintf(remark->local, sizeof(remark->local), "%.*s", (int)request->local.n,
		request->local.at ? request->local.at : "");
	face_caller(face, request, &remark->caller);
	bool known = scope_read(request->local, &remark->scope);
	remark->deferred = known && remark->line ? deferred_new(face->service, request->iq) : NULL;
	return remark->deferred ? remark : remark_free(remark);
}

void chat_take(void *context, const struct xmpp_request *request)
{
	struct face *face = context;
	struct xylem_span body = body_written(request->iq, request->arena);
	const char *why = obstacle(request->iq);
	struct operation_caller caller;
	if (!xylem_span_present(body) && !why) {
		return; /* chat states, receipts, markers */
	}
	acknowledge(request);
	face_caller(face, request, &caller);
	if (!why && caller.role == ROLE_NONE) {
		why = "You may talk to this bus's connectors and topics, but are not one of its users.";
	}
	if (!why && body.n > LINE_MOST) {
		why = "that is too long for me";
	}
	if (why) {
		answer_plainly(request, face, why);
		return;
	}
	struct remark *remark = remark_new(face, request);
	if (!remark || workers_submit(face->workers, &remark->work) != 0) {
		XYLEM_BUFFER_SCOPED nothing = { 0 };
		if (remark) {
			deferred_answer(remark->deferred, &nothing);
		}
		remark_free(remark);
		answer_plainly(request, face, "Too much is under way: try again.");
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ad-hoc commands (XEP-0050): every operation that the asker may run here, as a
 * command of the same name. The way of one:
 *
 *     link's thread: what is asked, whose session ── worker: next stage, or run ── answer
 *
 * The stages come from the table: choose the thing (where the operation
 * changes one of many), fill in the other arguments, confirm (what changes much
 * at once, or data of a message); what has nothing to ask runs at once.
 *
 * The rule not to break: a session is busy while a request of it is under way,
 * so no operation runs twice for one submit. What each operation does and who
 * may is not here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <console/noun.h>
#include <console/xmpp/answer.h>
#include <console/xmpp/carry.h>
#include <console/xmpp/stage.h>

enum action { ACTION_EXECUTE, ACTION_NEXT, ACTION_PREV, ACTION_COMPLETE, ACTION_CANCEL };

/* One request on its way. */
struct exchange {
	struct work work; /* first: workers hand it back */
	struct face *face;
	struct deferred *deferred;
	struct operation_caller caller;
	struct scope scope;
	const struct operation *operation;
	struct session *session;
	enum action action;
	bool begins;    /* the first request of the session */
	bool forbidden; /* by the role: it is only noted */
	json_t *fields; /* NULL: no form came */
};

#define CONDITION(name) "<" name " xmlns='" NS_COMMANDS "'/>"

static const struct stanza_error malformed_action = { "modify", "bad-request", NULL,
	CONDITION("malformed-action") };
static const struct stanza_error bad_action = { "modify", "bad-request", "not possible at this stage",
	CONDITION("bad-action") };
static const struct stanza_error bad_session = { "modify", "bad-request", NULL, CONDITION("bad-sessionid") };
static const struct stanza_error bad_locale = { "modify", "bad-request", "the bus speaks English",
	CONDITION("bad-locale") };
static const struct stanza_error session_expired = { "cancel", "not-allowed", "begin the command again",
	CONDITION("session-expired") };
static const struct stanza_error forbidden = { "auth", "forbidden", NULL, NULL };
static const struct stanza_error not_found = { "cancel", "item-not-found", NULL, NULL };
static const struct stanza_error overloaded = { "wait", "resource-constraint", "too much is under way",
	NULL };

/* --- The list ------------------------------------------------------------------ */

void command_list(void *context, const struct xmpp_request *request, struct xylem_buffer *out)
{
	struct face *face = context;
	struct operation_caller caller;
	struct scope scope;
	size_t n;
	const struct operation *const *table = operations(&n);
	face_caller(face, request, &caller);
	for (size_t i = 0; scope_read(request->local, &scope) && i < n; i++) {
		if (caller.role >= table[i]->role && scope_has(&scope, table[i])) {
			/* Nothing but these three: some clients reject the whole list otherwise. */
			xylem_buffer_text(out, "<item");
			xml_write_attribute(out, "jid", jid_bare(xml_attribute(request->iq, "to")));
			xylem_buffer_format(out, " node='%s' name='%s'/>", table[i]->name, table[i]->words);
		}
	}
}

static const struct operation *find(const struct scope *scope, struct xylem_span node)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	for (size_t i = 0; i < n; i++) {
		if (xylem_span_is(node, table[i]->name) && scope_has(scope, table[i])) {
			return table[i];
		}
	}
	return NULL;
}

const char *command_name(void *context, const struct xmpp_request *request, struct xylem_span node)
{
	struct face *face = context;
	struct operation_caller caller;
	struct scope scope;
	const struct operation *operation = scope_read(request->local, &scope) ? find(&scope, node) : NULL;
	face_caller(face, request, &caller);
	return operation && caller.role >= operation->role ? operation->words : NULL;
}

/* --- Answers ---------------------------------------------------------------------- */

static struct exchange *exchange_free(struct exchange *exchange)
{
	json_decref(exchange->fields);
	free(exchange);
	return NULL;
}

static void refuse(struct exchange *exchange, const struct stanza_error *error)
{
	deferred_refuse(exchange->deferred, error);
}

/* The form was not right: the session stays, so that it can be sent again. */
static void refuse_payload(struct exchange *exchange, const char *why)
{
	refuse(exchange, &(struct stanza_error){ "modify", "bad-request", why, CONDITION("bad-payload") });
}

static void open_command(struct exchange *exchange, struct xylem_buffer *out, const char *status)
{
	stanza_result_open(out, &exchange->deferred->iq);
	xylem_buffer_format(out,
		"<command xmlns='" NS_COMMANDS "' node='%s' sessionid='%s' status='%s' xml:lang='en'>",
		exchange->operation->name, exchange->session->id, status);
}

static void close_command(struct exchange *exchange, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</command>");
	stanza_result_close(out);
	deferred_answer(exchange->deferred, out);
}

static void write_note(struct xylem_buffer *out, const char *type, struct xylem_span text)
{
	xylem_buffer_format(out, "<note type='%s'>", type);
	xml_escape_words(out, text);
	xylem_buffer_text(out, "</note>");
}

static void end_session(struct exchange *exchange)
{
	sessions_end(exchange->face->sessions, exchange->session);
	exchange->session = NULL;
}

static void answer_cancelled(struct exchange *exchange)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	open_command(exchange, &out, "canceled");
	end_session(exchange);
	close_command(exchange, &out);
}

/* A command that could not be carried out is complete, with a note that says so (XEP-0050, 4). */
static void answer_failed(struct exchange *exchange, int error, const struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	const char *why = reason->text[0] ? reason->text : xylem_error_row(error)->text;
	open_command(exchange, &out, "completed");
	write_note(&out, "error", xylem_span_of(why));
	end_session(exchange);
	close_command(exchange, &out);
}

/* A table that is not whole does not say so by itself. */
static void write_rest(
	const struct exchange *exchange, const json_t *result, size_t shown, struct xylem_buffer *out)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	const json_t *rows;
	const struct column *columns;
	if (answer_list(exchange->operation, result, &rows, &columns) && shown < json_array_size(rows)) {
		xylem_buffer_format(
			&text, "the table ends after %zu of %zu rows\n", shown, json_array_size(rows));
		answer_write_after(&text, exchange->operation, rows, columns, shown);
		write_note(out, "warn", xylem_buffer_borrow(&text));
	}
}

static void answer_done(struct exchange *exchange, const json_t *result)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };
	size_t most = link_max_stanza(xmpp_service_link(exchange->face->service)) / 2;
	answer_write_text(&text, exchange->operation, result, true);
	open_command(exchange, &out, "completed");
	write_note(&out, "info", xylem_buffer_borrow(&text));
	size_t shown = answer_write_form(&out, exchange->operation, result, most > 65536 ? 65536 : most);
	write_rest(exchange, result, shown, &out);
	end_session(exchange);
	close_command(exchange, &out);
}

/* --- Stages ------------------------------------------------------------------------ */

static void run_operation(struct exchange *exchange)
{
	struct xylem_reason reason = { "" };
	json_t *result = NULL;
	int error = carry_out(exchange->face, exchange->operation, &exchange->scope, &exchange->caller,
		exchange->session->arguments, &result, &reason);
	if (error == -XYLEM_E_INVALID && !exchange->begins) {
		sessions_put(exchange->face->sessions, exchange->session);
		refuse_payload(exchange, reason.text);
	} else if (error) {
		answer_failed(exchange, error, &reason);
	} else {
		answer_done(exchange, result);
	}
	json_decref(result);
}

static struct stage_request stage_request(const struct exchange *exchange)
{
	return (struct stage_request){ exchange->face, exchange->operation, &exchange->scope,
		&exchange->caller, exchange->session->arguments };
}

static void write_actions(struct exchange *exchange, struct xylem_buffer *out)
{
	const struct operation *operation = exchange->operation;
	int stage = exchange->session->stage;
	bool first = stage_before(operation, &exchange->scope, stage) < 0;
	bool last = stage_after(operation, &exchange->scope, stage) < 0;
	xylem_buffer_format(out, "<actions execute='%s'>%s%s</actions>", last ? "complete" : "next",
		first ? "" : "<prev/>", last ? "<complete/>" : "<next/>");
}

/* Shows the stage that the session is at; what cannot be asked is answered as a failure. */
static void show_stage(struct exchange *exchange)
{
	XYLEM_BUFFER_SCOPED form = { 0 };
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_reason reason = { "" };
	struct stage_request request = stage_request(exchange);
	int error = stage_write(&request, exchange->session->stage, &form, &reason);
	if (error) {
		answer_failed(exchange, error, &reason);
		return;
	}
	open_command(exchange, &out, "executing");
	write_actions(exchange, &out);
	xylem_buffer_span(&out, xylem_buffer_borrow(&form));
	sessions_put(exchange->face->sessions, exchange->session);
	close_command(exchange, &out);
}

static void go_on(struct exchange *exchange)
{
	struct session *session = exchange->session;
	int next = stage_after(exchange->operation, &exchange->scope, session->stage);
	if (next < 0) {
		run_operation(exchange);
	} else {
		session->stage = next;
		show_stage(exchange);
	}
}

static void begin(struct exchange *exchange)
{
	exchange->session->stage = stage_after(exchange->operation, &exchange->scope, -1);
	if (exchange->session->stage < 0) {
		run_operation(exchange);
	} else {
		show_stage(exchange);
	}
}

/* False: refused, and the session waits for something better. */
static bool take_fields(struct exchange *exchange)
{
	struct xylem_reason reason = { "" };
	struct stage_request request = stage_request(exchange);
	const json_t *fields = exchange->fields;
	int error = stage_take(&request, exchange->session->stage, fields, &reason);
	if (error) {
		sessions_put(exchange->face->sessions, exchange->session);
		refuse_payload(exchange, reason.text);
	}
	return !error;
}

static void advance(struct exchange *exchange)
{
	struct session *session = exchange->session;
	int after = stage_after(exchange->operation, &exchange->scope, session->stage);
	int before = stage_before(exchange->operation, &exchange->scope, session->stage);
	bool wrong = (exchange->action == ACTION_NEXT && after < 0) ||
		     (exchange->action == ACTION_COMPLETE && after >= 0) ||
		     (exchange->action == ACTION_PREV && before < 0);
	if (wrong) {
		sessions_put(exchange->face->sessions, session);
		refuse(exchange, &bad_action);
	} else if (exchange->action == ACTION_PREV) {
		session->stage = before;
		show_stage(exchange);
	} else if (take_fields(exchange)) {
		go_on(exchange);
	}
}

/* Who may not gets to know no more than that; it is in the audit, as on every face. */
static void run_forbidden(struct exchange *exchange)
{
	struct xylem_reason reason;
	json_t *result = NULL;
	carry_out(exchange->face, exchange->operation, &exchange->scope, &exchange->caller, NULL, &result,
		&reason);
	json_decref(result);
	refuse(exchange, &forbidden);
}

static void run_exchange(struct work *work)
{
	struct exchange *exchange = (struct exchange *)work;
	if (exchange->forbidden) {
		run_forbidden(exchange);
	} else if (exchange->action == ACTION_CANCEL) {
		answer_cancelled(exchange);
	} else if (exchange->begins) {
		begin(exchange);
	} else {
		advance(exchange);
	}
	exchange_free(exchange);
}

/* --- The way in, on the link's thread -------------------------------------------------- */

static bool read_action(struct xylem_span text, enum action *ret_action)
{
	static const char *const names[] = { "execute", "next", "prev", "complete", "cancel" };
	if (!xylem_span_present(text)) {
		*ret_action = ACTION_EXECUTE;
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (xylem_span_is(text, names[i])) {
			*ret_action = (enum action)i;
			return true;
		}
	}
	return false;
}

/*
 * The language that the command itself asks for. What the stanza says is no
 * demand: servers put the language of the client's stream there (RFC 6120,
 * 8.1.5), and whoever reads German in his client still wants to operate the bus.
 */
static bool speaks(const struct xml_node *command)
{
	for (const struct xml_attribute *a = command->attributes; a; a = a->next) {
		if (xylem_span_is(a->name, "lang") && xylem_span_is(a->prefix, "xml") && a->value.n > 0) {
			bool english = a->value.n >= 2 && strncasecmp(a->value.at, "en", 2) == 0;
			return english && (a->value.n == 2 || a->value.at[2] == '-');
		}
	}
	return true;
}

static int read_form(const struct xmpp_request *request, struct exchange *exchange)
{
	const struct xml_node *form = xml_child(request->payload, NS_DATA, "x");
	if (!form) {
		return 0;
	}
	if (xylem_span_is(xml_attribute(form, "type"), "cancel")) {
		exchange->action = ACTION_CANCEL;
		return 0;
	}
	return form_read(form, request->arena, &exchange->fields);
}

static const struct stanza_error *take_session(const struct xmpp_request *request, struct exchange *exchange)
{
	struct xylem_span id = xml_attribute(request->payload, "sessionid");
	struct xylem_span from = xml_attribute(request->iq, "from");
	struct xylem_span to = jid_bare(xml_attribute(request->iq, "to"));
	struct xylem_span node = xml_attribute(request->payload, "node");
	struct sessions *sessions = exchange->face->sessions;
	if (!xylem_span_present(id)) {
		if (exchange->action != ACTION_EXECUTE) {
			return &bad_session;
		}
		exchange->begins = true;
		exchange->session = sessions_begin(sessions, from, to, node);
		return exchange->session ? NULL : &overloaded;
	}
	int error = sessions_take(sessions, id, from, to, node, &exchange->session);
	return error == 0                    ? NULL
	       : error == -XYLEM_E_NOT_FOUND ? &bad_session
	       : error == -XYLEM_E_GONE      ? &session_expired
					     : &overloaded;
}

/* A user's attempt is noted by a worker; of others nothing is kept. */
static const struct stanza_error *forbid(struct exchange *exchange, const struct xmpp_request *request)
{
	if (exchange->caller.role == ROLE_NONE) {
		return &forbidden;
	}
	exchange->forbidden = true;
	exchange->deferred = deferred_new(exchange->face->service, request->iq);
	return exchange->deferred ? NULL : &overloaded;
}

/* Everything that can be said at once; NULL: the exchange is ready for a worker. */
static const struct stanza_error *prepare(const struct xmpp_request *request, struct exchange *exchange)
{
	static const struct stanza_error no_form = { "modify", "bad-request", "no form of type submit",
		CONDITION("bad-payload") };
	struct xylem_span node = xml_attribute(request->payload, "node");
	exchange->operation = scope_read(request->local, &exchange->scope) ? find(&exchange->scope, node)
									   : NULL;
	if (!exchange->operation) {
		return &not_found;
	}
	if (exchange->caller.role < exchange->operation->role) {
		return forbid(exchange, request);
	}
	if (!read_action(xml_attribute(request->payload, "action"), &exchange->action)) {
		return &malformed_action;
	}
	if (!speaks(request->payload)) {
		return &bad_locale;
	}
	const struct stanza_error *error = take_session(request, exchange);
	if (error) {
		return error;
	}
	if (read_form(request, exchange) != 0) {
		return &no_form;
	}
	exchange->deferred = deferred_new(exchange->face->service, request->iq);
	return exchange->deferred ? NULL : &overloaded;
}

/* Gives the session back as it was. */
static void give_up(struct exchange *exchange)
{
	if (exchange->session && exchange->begins) {
		sessions_end(exchange->face->sessions, exchange->session);
	} else if (exchange->session) {
		sessions_put(exchange->face->sessions, exchange->session);
	}
}

void command_take(void *context, const struct xmpp_request *request)
{
	struct face *face = context;
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	if (!exchange) {
		request_refuse(request, &overloaded);
		return;
	}
	exchange->face = face;
	exchange->work.run = run_exchange;
	face_caller(face, request, &exchange->caller);
	const struct stanza_error *error = prepare(request, exchange);
	if (error) {
		give_up(exchange);
		request_refuse(request, error);
	} else if (workers_submit(face->workers, &exchange->work) == 0) {
		return;
	} else {
		give_up(exchange);
		refuse(exchange, &overloaded);
	}
	exchange_free(exchange);
}

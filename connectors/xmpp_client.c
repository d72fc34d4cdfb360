/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmpp_client: the bus as an ordinary account of an XMPP server. For servers
 * that give no component, and for the account that people already know.
 *
 *     connectors:
 *       helper: { xmpp_client: { jid: helper@acme.test, password: { file: helper.pw }, to: [ops@acme.test] } }
 *
 * It says and hears what `xmpp` does (xmpp_endpoint.c and its neighbours), through
 * a session of its own: roster, presence with a priority, stream management.
 * Delivered means what `confirm` says; at least that the account's server
 * confirmed the message (a ping behind it came back) and no error came before.
 *
 * The rule not to break: an error is never read as data. It promises text and
 * JSON, not foreign XML: libstrophe changes namespaces (docs/xmpp.md). The
 * meson option `xmpp_client` leaves it out.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <connectors/xmpp_session.h>
#include <xmpp/call.h>
#include <xmpp/stanza.h>
#include <xylem/xylem.h>

struct options {
	const char *jid;
	const struct xylem_secret *password;
	const char *server;
	const char *resource;
	int64_t priority;
	const char *ca;
	bool insecure_skip_verify;
	bool plaintext;
	struct endpoint_options endpoint;
};

/* A probe's question to the account's server; one at a time. */
struct question {
	pthread_mutex_t turn;
	pthread_mutex_t lock; /* below `turn` */
	pthread_cond_t answered;
	bool over, there;
};

struct instance {
	const struct options *options;
	struct session *session;
	struct endpoint *endpoint;
	struct question question;
};

/* --- The session as carrier ------------------------------------------------- */

static void post(void *link, struct xylem_span stanza)
{
	session_post(link, stanza);
}

static int request(void *link, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
	link_answered answered, void *context, struct xylem_reason *reason)
{
	return session_request(link, iq, id, to, timeout_us, answered, context, reason);
}

static enum endpoint_sight sight(void *owner, const char *bare)
{
	return session_sight(owner, bare);
}

/* Without `allow`: nobody. */
static bool admits(void *owner, const char *bare)
{
	return false;
}

static bool resumed(void *owner)
{
	return session_resumed(owner);
}

/* Strangers get no answer: it would tell them that the account is online. */
static const struct endpoint_carrier carrier = {
	.delivery = &session_carrier,
	.post = post,
	.request = request,
	.sight = sight,
	.admits = admits,
	.resumed = resumed,
};

/* --- What the session hears ------------------------------------------------- */

/*
 * Is the call offered to nobody but the bus? One to the bare address rings at all clients of the account, and a
 * person's client is left to the person.
 */
static bool calls_us(struct instance *instance, const struct xml_node *message)
{
	struct jid to;
	bool here = jid_split(xml_attribute(message, "to"), &to) && xylem_span_present(to.resource);
	return here || session_alone(instance->session);
}

/* An offer of a call (xmpp/call.c). Of strangers' nothing is heard. */
static bool take_call(struct instance *instance, const struct xml_node *stanza)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char id[XYLEM_UUID_SIZE], bare[JID_SIZE];

	if (!xml_is(stanza, NS_COMPONENT, "message") ||
		xylem_span_is(xml_attribute(stanza, "type"), "groupchat") ||
		!call_reject(stanza, XYLEM_SPAN_NONE, xylem_span_of(xylem_uuid_new(id)), &out)) {
		return false;
	}
	if (!xylem_buffer_failed(&out) && jid_normalise(xml_attribute(stanza, "from"), bare) &&
		endpoint_concerns(instance->endpoint, bare) && calls_us(instance, stanza)) {
		session_post(instance->session, xylem_buffer_borrow(&out));
	}
	return true;
}

static bool on_stanza(void *context, const struct xml_node *stanza)
{
	struct instance *instance = context;
	return take_call(instance, stanza) || endpoint_stanza(instance->endpoint, stanza, 0);
}

static bool on_conversation(void *context, const struct xml_node *stanza)
{
	struct instance *instance = context;
	return endpoint_conversation(instance->endpoint, stanza);
}

static bool on_friend(void *context, const char *bare)
{
	struct instance *instance = context;
	return endpoint_concerns(instance->endpoint, bare);
}

static bool on_question(void *context, const char *bare)
{
	struct instance *instance = context;
	return endpoint_may_ask(instance->endpoint, bare);
}

static void on_seen(void *context, const char *bare)
{
	struct instance *instance = context;
	endpoint_seen(instance->endpoint, bare);
}

static void on_changed(void *context, bool up, const char *why)
{
	struct instance *instance = context;
	endpoint_changed(instance->endpoint, up, why);
}

/* --- The contract ------------------------------------------------------------- */

static int source_start(void *context, struct xylem_source *source, struct xylem_reason *reason)
{
	struct instance *instance = context;
	endpoint_source_start(instance->endpoint, source);
	return 0;
}

static void source_stop(void *context)
{
	struct instance *instance = context;
	endpoint_source_stop(instance->endpoint);
}

static int sink_open(void *context, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct instance *instance = context;
	return endpoint_sink_open(instance->endpoint, timeout_us, ret_worker, reason);
}

/* On the session's thread, once for each question, NULL at the latest when its time is over. */
static void on_answer(void *context, const struct xml_node *answer)
{
	struct question *question = context;

	pthread_mutex_lock(&question->lock);
	question->over = true;
	question->there = answer != NULL;
	pthread_cond_signal(&question->answered);
	pthread_mutex_unlock(&question->lock);
}

/* Sends a ping to the account's server and waits for what comes back; any answer is one. Under `turn`. */
static int ask(struct instance *instance, int64_t timeout_us, struct xylem_reason *reason)
{
	struct question *question = &instance->question;
	char id[XYLEM_UUID_SIZE], bare[JID_SIZE];
	XYLEM_BUFFER_SCOPED iq = { 0 };

	if (!jid_normalise(xylem_span_of(instance->options->jid), bare)) {
		return -XYLEM_E_INVALID;
	}
	const char *server = strchr(bare, '@') + 1;
	question->over = false;
	xylem_buffer_format(&iq, "<iq type='get' id='%s' to='%s'><ping xmlns='" NS_PING "'/></iq>",
		xylem_uuid_new(id), server);
	int error = xylem_buffer_failed(&iq) ? -XYLEM_E_MEMORY
					     : session_request(instance->session, xylem_buffer_borrow(&iq),
						       id, server, timeout_us, on_answer, question, reason);
	if (error != 0) {
		return error;
	}
	pthread_mutex_lock(&question->lock);
	while (!question->over) {
		pthread_cond_wait(&question->answered, &question->lock);
	}
	bool there = question->there;
	pthread_mutex_unlock(&question->lock);
	xylem_reason_set(reason, "the server does not answer");
	return there ? 0 : -XYLEM_E_UNREACHABLE;
}

/* What was up a moment ago may be gone: the server is asked. */
static int probe(void *context, int64_t timeout_us, struct xylem_result *result)
{
	struct instance *instance = context;
	struct xylem_reason reason = { "" };

	if (session_up(instance->session, reason.text)) {
		pthread_mutex_lock(&instance->question.turn);
		int error = ask(instance, timeout_us, &reason);
		pthread_mutex_unlock(&instance->question.turn);
		if (error == 0) {
			return endpoint_probe(instance->endpoint, result);
		}
	}
	xylem_result_fail(result, XYLEM_FAILURE_DOWN, "xmpp-link", "%s", reason.text);
	return -XYLEM_E_UNREACHABLE;
}

static bool is_loopback(const char *server)
{
	return server != NULL && (strncmp(server, "127.", 4) == 0 || strncmp(server, "[::1]:", 6) == 0);
}

static int check(const void *context, struct xylem_reason *reason)
{
	const struct options *options = context;

	if (strchr(options->jid, '@') == NULL) {
		xylem_reason_set(reason, "`jid`: %s is no account; write user@domain", options->jid);
		return -XYLEM_E_INVALID;
	}
	if (options->server != NULL && strncmp(options->server, "unix:", 5) == 0) {
		xylem_reason_set(reason, "`server`: XMPP goes over TCP; write HOST:PORT");
		return -XYLEM_E_INVALID;
	}
	if (options->plaintext && !is_loopback(options->server)) {
		xylem_reason_set(reason, "`tls.plaintext` is for a `server` on 127.0.0.1 or [::1] only");
		return -XYLEM_E_INVALID;
	}
	if (options->plaintext && (options->ca != NULL || options->insecure_skip_verify)) {
		xylem_reason_set(reason, "`tls.plaintext` excludes `tls.ca` and `tls.insecure_skip_verify`");
		return -XYLEM_E_INVALID;
	}
	return endpoint_check(&options->endpoint, reason);
}

/* --- Life ----------------------------------------------------------------------- */

static void close_instance(void *context)
{
	struct instance *instance = context;
	if (instance != NULL) {
		session_stop(instance->session);
		endpoint_free(instance->endpoint);
		session_free(instance->session);
		pthread_cond_destroy(&instance->question.answered);
		pthread_mutex_destroy(&instance->question.lock);
		pthread_mutex_destroy(&instance->question.turn);
		free(instance);
	}
}

static int make_session(struct instance *instance, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	const struct session_options session = { .jid = options->jid,
		.resource = options->resource,
		.password = xylem_secret_borrow(options->password),
		.server = options->server,
		.ca = options->ca,
		.insecure_skip_verify = options->insecure_skip_verify,
		.plaintext = options->plaintext,
		.priority = options->priority,
		.stanza = on_stanza,
		.conversation = on_conversation,
		.friend = on_friend,
		.may_ask = on_question,
		.seen = on_seen,
		.changed = on_changed,
		.context = instance };
	return session_new(&instance->session, &session, reason);
}

static int start(struct instance *instance, struct xylem_host *host, struct xylem_reason *reason)
{
	const struct options *options = instance->options;
	int error = make_session(instance, reason);
	if (error != 0) {
		return error;
	}
	const struct endpoint_place place = { .carrier = &carrier,
		.link = instance->session,
		.owner = instance->session,
		.address = options->jid,
		.resource = options->resource };
	error = endpoint_new(&instance->endpoint, host, &options->endpoint, &place, reason);
	if (error != 0) {
		return error;
	}
	session_announce(instance->session, endpoint_features(instance->endpoint));
	return session_start(instance->session, reason);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (instance == NULL) {
		return -XYLEM_E_MEMORY;
	}
	instance->options = options;
	pthread_mutex_init(&instance->question.turn, NULL);
	pthread_mutex_init(&instance->question.lock, NULL);
	pthread_cond_init(&instance->question.answered, NULL);
	int error = start(instance, host, reason);
	if (error != 0) {
		close_instance(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

/* --- Options ---------------------------------------------------------------- */

static const struct xylem_option option_table[] = {
	{ .name = "jid",
		.type = XYLEM_OPTION_JID,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct options, jid),
		.since = "0.1",
		.summary = "The account.",
		.example = "helper@acme.test" },
	{ .name = "password",
		.type = XYLEM_OPTION_SECRET,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = offsetof(struct options, password),
		.since = "0.1",
		.summary = "Its password; SCRAM is used where the server offers it.",
		.example = "{ file: helper.password }" },
	{ .name = "server",
		.type = XYLEM_OPTION_ADDRESS,
		.offset = offsetof(struct options, server),
		.since = "0.1",
		.summary = "Where to connect; without it, what the domain's DNS says (SRV).",
		.example = "127.0.0.1:5222" },
	{ .name = "resource",
		.type = XYLEM_OPTION_NAME,
		.offset = offsetof(struct options, resource),
		.default_value = "xylem",
		.since = "0.1",
		.summary = "The resource of the connection; two connections of one account need two." },
	{ .name = "priority",
		.type = XYLEM_OPTION_INTEGER,
		.offset = offsetof(struct options, priority),
		.default_value = "0",
		.minimum = -128,
		.maximum = 127,
		.since = "0.1",
		.summary =
			"The presence priority; a negative one gets no messages sent to the bare address." },
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		.offset = offsetof(struct options, ca),
		.since = "0.1",
		.summary = "A file of certificates (PEM) to trust instead of the system's.",
		.example = "ca.pem" },
	{ .name = "tls.insecure_skip_verify",
		.type = XYLEM_OPTION_BOOL,
		.offset = offsetof(struct options, insecure_skip_verify),
		.default_value = "false",
		.since = "0.1",
		.summary = "Whether any certificate is taken: whoever is on the way can then read the "
			   "password." },
	{ .name = "tls.plaintext",
		.type = XYLEM_OPTION_BOOL,
		.offset = offsetof(struct options, plaintext),
		.default_value = "false",
		.since = "0.1",
		.summary = "Whether to speak without TLS; only to a server on the loopback." },
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = offsetof(struct options, endpoint.allow),
		.since = "0.1",
		.summary = "Whose messages are taken in, and whom an event may name: addresses, or "
			   "`@domain` for everybody there; without it nobody's.",
		.example = "[\"@acme.test\"]" },
	ENDPOINT_OPTIONS(struct options),
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC extern const struct xylem_connector xylem_connector_xmpp_client;

const struct xylem_connector xylem_connector_xmpp_client = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_DISCARDS,
	.name = "xmpp_client",
	.summary = "Messages to and from people and a room through an ordinary account of an XMPP server.",
	.options = option_table,
	.options_size = sizeof(struct options),
	.batch = { .count = 100, .bytes = 1 << 20 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.probe = probe,
	.source_start = source_start,
	.source_stop = source_stop,
	.sink_open = sink_open,
	.deliver = endpoint_deliver,
	.interrupt = endpoint_interrupt,
	.sink_close = endpoint_sink_close,
};

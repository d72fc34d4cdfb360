/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bus is on XMPP: who may ask, and who answers.
 *
 *     stanza -> whose address -> who is asking -> feature (a file each) or endpoint (endpoints.c)
 *
 * Closed by default: a stranger gets disco#info of the domain and ping, and a
 * plain error for everything else, the same for an address that exists and for
 * one that does not. Nothing is kept about strangers.
 *
 * The rules not to break: every IQ get or set is answered exactly once; results
 * and errors are never answered; this runs on the link's thread, which must
 * not wait for the disk.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xylem/log.h>
#include <xmpp/access.h>
#include <xmpp/body.h>
#include <xmpp/call.h>
#include <xmpp/endpoints.h>
#include <xmpp/presence_body.h>
#include <xmpp/pubsub.h>

#define SERVICE_MAGIC 0x73657276U

struct xmpp_service {
	uint32_t magic;
	struct xmpp_options options; /* with copies of the texts; without the secret */
	char *domain, *name, *version;
	struct link *link;
	struct event_outlet *outlet;
	struct access *access;
	struct endpoints *endpoints;
	struct presence *presence;
	struct xylem_arena *arena; /* of the link's thread */
	int64_t started_us;

	pthread_rwlock_t face_lock; /* held while the face is called */
	struct xmpp_face face;
	bool has_face;

	pthread_mutex_t pending_lock;
	pthread_cond_t none_pending;
	size_t pending;
};

static const struct xmpp_feature *const features[] = {
	&feature_disco_info,
	&feature_disco_items,
	&feature_ping,
	&feature_version,
	&feature_last,
	&feature_time,
	&feature_pubsub,
	&feature_pubsub_owner,
	&feature_command,
	&feature_vcard,
	&feature_avatar, /* of parts and endpoints; the domain's PubSub is above */
	&feature_mam,
	&feature_mam_metadata,
};

static _Atomic(struct xmpp_service *) current;

struct xmpp_service *xmpp_service_current(void)
{
	return atomic_load(&current);
}

void xmpp_service_make_current(struct xmpp_service *service)
{
	atomic_store(&current, service);
}

struct link *xmpp_service_link(struct xmpp_service *service)
{
	return service->link;
}

const struct xmpp_options *service_options(const struct xmpp_service *service)
{
	return &service->options;
}

struct topics *service_topics(const struct xmpp_service *service)
{
	return service->options.topics;
}

int64_t xmpp_service_uptime_us(struct xmpp_service *service)
{
	return clock_mono_us() - service->started_us;
}

/* --- Answers -------------------------------------------------------------- */

void request_answer(const struct xmpp_request *request, struct xylem_buffer *out)
{
	if (xylem_buffer_failed(out) || out->n == 0) {
		return;
	}
	if (out->n > link_max_stanza(request->service->link)) {
		request_refuse_code(request, -XYLEM_E_TOO_LARGE, "the answer is larger than a stanza may be");
	} else {
		link_answer(request->service->link, xylem_buffer_borrow(out));
	}
}

/* Not by request_answer(): where the asker's own id leaves no room for an error, there is no answer. */
void request_refuse(const struct xmpp_request *request, const struct stanza_error *error)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (stanza_error(&out, request->iq, error) && !xylem_buffer_failed(&out)) {
		link_answer(request->service->link, xylem_buffer_borrow(&out));
	}
}

void request_refuse_code(const struct xmpp_request *request, int code, const char *text)
{
	const struct xylem_error_row *row = xylem_error_row(code);
	request_refuse(request, &(struct stanza_error){ row->xmpp_type, row->xmpp_condition, text, NULL });
}

void xmpp_service_pending(struct xmpp_service *service, bool more)
{
	pthread_mutex_lock(&service->pending_lock);
	service->pending += more ? 1 : (size_t)-1;
	if (service->pending == 0) {
		pthread_cond_broadcast(&service->none_pending);
	}
	pthread_mutex_unlock(&service->pending_lock);
}

/* --- The face -------------------------------------------------------------- */

void xmpp_service_face(struct xmpp_service *service, const struct xmpp_face *face)
{
	pthread_rwlock_wrlock(&service->face_lock);
	service->has_face = face != NULL;
	service->face = face != NULL ? *face : (struct xmpp_face){ 0 };
	pthread_rwlock_unlock(&service->face_lock);
}

const struct xmpp_face *service_face_hold(struct xmpp_service *service)
{
	pthread_rwlock_rdlock(&service->face_lock);
	if (service->has_face) {
		return &service->face;
	}
	pthread_rwlock_unlock(&service->face_lock);
	return NULL;
}

void service_face_release(struct xmpp_service *service)
{
	pthread_rwlock_unlock(&service->face_lock);
}

bool service_operated(const struct xmpp_request *request)
{
	return !xylem_span_present(request->local) ||
	       presence_shown(request->service->presence, request->local);
}

/* --- Who is asking -------------------------------------------------------- */

bool xmpp_service_admits(struct xmpp_service *service, const char *bare)
{
	return access_admits(service->access, bare);
}

enum config_role xmpp_service_role(struct xmpp_service *service, const char *bare)
{
	return (enum config_role)access_role(service->access, bare);
}

bool service_may_see(struct xmpp_service *service, struct xylem_span local, const char *bare)
{
	bool admitted = xmpp_service_admits(service, bare);
	struct topics *topics = service_topics(service);

	if (!xylem_span_present(local)) {
		return admitted || (topics != NULL && topics_known(topics, bare));
	}
	return (admitted && (presence_shown(service->presence, local) ||
				    endpoints_have(service->endpoints, local))) ||
	       endpoints_know(service->endpoints, local, bare);
}

struct endpoints *service_endpoints(const struct xmpp_service *service)
{
	return service->endpoints;
}

struct presence *service_presence(const struct xmpp_service *service)
{
	return service->presence;
}

/* --- IQs ------------------------------------------------------------------ */

static const struct xmpp_feature *feature_of(const struct xml_node *payload, bool endpoint)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct xmpp_feature *feature = features[i];
		if (xml_is(payload, feature->namespace, feature->name) && (!endpoint || feature->endpoints)) {
			return feature;
		}
	}
	return NULL;
}

static void answer_iq(struct xmpp_request *request)
{
	struct xmpp_service *service = request->service;
	static const struct stanza_error unavailable = { "cancel", "service-unavailable", NULL, NULL };
	static const struct stanza_error forbidden = { "auth", "forbidden", NULL, NULL };
	bool endpoint = xylem_span_present(request->local);
	const struct xmpp_feature *feature = feature_of(request->payload, endpoint);

	if (request->payload == NULL || xml_next(request->payload, NULL, NULL) != NULL) {
		/* RFC 6120, 8.2.3 */
		request_refuse_code(request, -XYLEM_E_INVALID, "an IQ has one payload, no less and no more");
	} else if (endpoint && !request->entitled) {
		request_refuse(request, &unavailable);
	} else if (feature == NULL) {
		if (!endpoint || !endpoints_take(service->endpoints, request->local, request->iq, 0)) {
			request_refuse(request, &unavailable);
		}
	} else if (!feature->strangers && !request->entitled) {
		request_refuse(request, &forbidden);
	} else {
		feature->answer(request);
	}
}

/* --- Messages and presence ------------------------------------------------ */

/* Part of a conversation of the endpoint's own? */
static bool offer_conversation(const struct xmpp_request *request)
{
	return endpoints_converse(request->service->endpoints, request->local, request->iq);
}

/* Words to the domain or to a part are for the face. */
static bool offer_face(const struct xmpp_request *request)
{
	struct xmpp_service *service = request->service;
	bool taken = false;

	if (request->admitted && service_operated(request)) {
		const struct xmpp_face *face = service_face_hold(service);
		if (face != NULL) {
			taken = true;
			face->message(face->context, request);
			service_face_release(service);
		}
	}
	return taken;
}

/* Nobody picks up here (call.c). False: it is something else. */
static bool reject_call(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char name[LINK_ID_SIZE];
	struct link *link = request->service->link;
	struct xylem_span to = xml_attribute(request->iq, "to");

	if (!call_reject(request->iq, to, xylem_span_of(link_id(link, name)), &out)) {
		return false;
	}
	if (!xylem_buffer_failed(&out)) {
		link_answer(link, xylem_buffer_borrow(&out));
	}
	return true;
}

static void take_message(struct xmpp_request *request, int violation)
{
	struct xylem_span type = xml_attribute(request->iq, "type");
	bool endpoint = xylem_span_present(request->local);

	if (xylem_span_is(type, "error") && !endpoint) {
		pubsub_take_refusal(request);
	}
	if (offer_conversation(request) || xylem_span_is(type, "error") || xylem_span_is(type, "groupchat")) {
		return;
	}
	if (request->entitled && violation == 0 && reject_call(request)) {
		return;
	}
	if (endpoint && request->entitled &&
		endpoints_take(request->service->endpoints, request->local, request->iq, violation)) {
		return;
	}
	if (!endpoint && request->entitled && violation == 0 && pubsub_take_approval(request)) {
		return;
	}
	if (violation == 0 && !xylem_span_is(type, "headline") && offer_face(request)) {
		return;
	}
	/* Receipts, chat states and the like are not worth an answer. */
	if (violation != 0 || body_is_written(request->iq)) {
		request_refuse(request,
			request->entitled
				? &(struct stanza_error){ "cancel", "service-unavailable",
					  endpoint ? "this address takes no such message"
						   : "send messages to an endpoint of the bus, NAME@domain",
					  NULL }
				: &(struct stanza_error){ "auth", "forbidden", NULL, NULL });
	}
}

/* --- The way in ----------------------------------------------------------- */

static bool is_address(struct xmpp_service *service, struct xylem_span local)
{
	return presence_shown(service->presence, local) || endpoints_have(service->endpoints, local);
}

/* Not every server prepares the address that its clients write: ejabberd passes on what was typed. */
static struct xylem_span prepare_local(struct xmpp_service *service, struct xylem_span local)
{
	char *lower = NULL;
	for (size_t i = 0; i < local.n && xylem_span_present(local); i++) {
		if (local.at[i] < 'A' || local.at[i] > 'Z') {
			continue;
		}
		if (lower == NULL && (is_address(service, local) ||
					     (lower = xylem_arena_text(service->arena, local)) == NULL)) {
			return local;
		}
		lower[i] = (char)(local.at[i] - 'A' + 'a');
	}
	return lower != NULL ? xylem_span(lower, local.n) : local;
}

static bool make_request(
	struct xmpp_service *service, const struct xml_node *stanza, struct xmpp_request *request)
{
	struct jid to;

	memset(request, 0, sizeof(*request));
	if (!jid_normalise(xml_attribute(stanza, "from"), request->sender) ||
		!jid_split(xml_attribute(stanza, "to"), &to)) {
		return false;
	}
	request->service = service;
	request->iq = stanza;
	request->local = prepare_local(service, to.local);
	request->arena = service->arena;
	request->set = xylem_span_is(xml_attribute(stanza, "type"), "set");
	request->payload = xml_child(stanza, NULL, NULL);
	request->admitted = xmpp_service_admits(service, request->sender);
	request->entitled = service_may_see(service, request->local, request->sender);
	return true;
}

static void refuse_violation(const struct xmpp_request *request, int violation)
{
	struct xylem_reason reason;

	if (violation == -XYLEM_E_TOO_LARGE) {
		xylem_reason_set(&reason,
			"the stanza is larger than the bus takes: xmpp.max_stanza is %zu bytes",
			link_max_stanza(request->service->link));
	} else {
		xylem_reason_set(&reason, "the stanza exceeds a limit of the bus");
	}
	request_refuse_code(request, violation, reason.text);
}

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct xmpp_service *service = context;
	struct xmpp_request request;
	assert(service->magic == SERVICE_MAGIC);

	if (!make_request(service, stanza, &request)) {
		return;
	}
	pubsub_take_sign(&request);
	if (xml_is(stanza, NS_COMPONENT, "message")) {
		take_message(&request, violation);
	} else if (xml_is(stanza, NS_COMPONENT, "presence")) {
		if (!offer_conversation(&request) && violation == 0) {
			presence_take(service->presence, &request);
		}
	} else if (xml_is(stanza, NS_COMPONENT, "iq") && violation != 0) {
		refuse_violation(&request, violation);
	} else if (xml_is(stanza, NS_COMPONENT, "iq")) {
		answer_iq(&request);
	}
	xylem_arena_reset(service->arena);
}

static void on_changed(void *context, bool up, const char *why)
{
	struct xmpp_service *service = context;
	assert(service->magic == SERVICE_MAGIC);

	presence_link(service->presence, up);
	endpoints_link(service->endpoints, up, why);
}

/* --- Life ----------------------------------------------------------------- */

int xmpp_service_apply(struct xmpp_service *service, const struct config_view *view)
{
	return access_apply(service->access, view);
}

void xmpp_service_review(struct xmpp_service *service)
{
	presence_review(service->presence);
}

static int make_parts(
	struct xmpp_service *service, const struct xmpp_options *options, struct xylem_reason *reason)
{
	const struct link_options link = { .server = options->server,
		.domain = options->domain,
		.secret = options->secret,
		.max_stanza = options->max_stanza,
		.stanza = on_stanza,
		.changed = on_changed,
		.context = service };
	int error = link_new(&service->link, &link, reason);
	if (error != 0) {
		return error;
	}
	service->domain = strdup(options->domain);
	service->name = strdup(options->name != NULL ? options->name : "xylem");
	service->version = strdup(options->version != NULL ? options->version : "");
	service->access = access_new();
	service->endpoints = endpoints_new();
	service->arena = xylem_arena_new((size_t)64 << 20);
	service->outlet = event_outlet_new(service->link);
	if (service->domain == NULL || service->name == NULL || service->version == NULL ||
		service->access == NULL || service->endpoints == NULL || service->arena == NULL ||
		service->outlet == NULL) {
		xylem_reason_set(reason, "xmpp: out of memory");
		return -XYLEM_E_MEMORY;
	}
	service->options = (struct xmpp_options){ .domain = service->domain,
		.name = service->name,
		.version = service->version,
		.max_stanza = options->max_stanza,
		.topics = options->topics };
	return presence_new(&service->presence, service, options->catalogue, reason);
}

int xmpp_service_new(
	struct xmpp_service **ret_service, const struct xmpp_options *options, struct xylem_reason *reason)
{
	struct xmpp_service *service = calloc(1, sizeof(*service));
	if (service == NULL) {
		xylem_reason_set(reason, "xmpp: out of memory");
		return -XYLEM_E_MEMORY;
	}
	service->magic = SERVICE_MAGIC;
	service->started_us = clock_mono_us();
	pthread_rwlock_init(&service->face_lock, NULL);
	pthread_mutex_init(&service->pending_lock, NULL);
	pthread_cond_init(&service->none_pending, NULL);
	int error = make_parts(service, options, reason);
	if (error != 0) {
		xmpp_service_free(service);
		return error;
	}
	*ret_service = service;
	return 0;
}

int xmpp_service_start(struct xmpp_service *service, struct xylem_reason *reason)
{
	if (service->options.topics != NULL) {
		topics_attach(service->options.topics, event_outlet_face(service->outlet));
	}
	if (pubsub_watch(service) != 0) {
		xylem_reason_set(reason, "xmpp: out of memory");
		return -XYLEM_E_MEMORY;
	}
	int error = presence_start(service->presence, reason);
	return error != 0 ? error : link_start(service->link, reason);
}

void xmpp_service_stop(struct xmpp_service *service, int64_t drain_us)
{
	if (service == NULL) {
		return;
	}
	if (service->options.topics != NULL) {
		topics_attach(service->options.topics, NULL);
	}
	pubsub_unwatch(service);
	/* What is deferred is answered by the journal and the catalogue, which still run. */
	pthread_mutex_lock(&service->pending_lock);
	while (service->pending > 0) {
		pthread_cond_wait(&service->none_pending, &service->pending_lock);
	}
	pthread_mutex_unlock(&service->pending_lock);
	presence_stop(service->presence, clock_mono_us() + drain_us);
	link_stop(service->link, drain_us);
}

struct xmpp_service *xmpp_service_free(struct xmpp_service *service)
{
	if (service == NULL) {
		return NULL;
	}
	assert(service->magic == SERVICE_MAGIC);
	link_stop(service->link, 0);
	presence_free(service->presence);
	event_outlet_free(service->outlet);
	link_free(service->link);
	endpoints_free(service->endpoints);
	access_free(service->access);
	xylem_arena_free(service->arena);
	free(service->domain);
	free(service->name);
	free(service->version);
	pthread_rwlock_destroy(&service->face_lock);
	pthread_mutex_destroy(&service->pending_lock);
	pthread_cond_destroy(&service->none_pending);
	service->magic = 0;
	free(service);
	return NULL;
}

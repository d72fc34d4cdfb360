/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link's own requests: IQs by id, each answered once, by a result or error
 * from the address it went to, or by nothing when the time is over or the
 * connection lost. Entries go when they are answered, so that nothing grows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xmpp/link_body.h>

#define REQUESTS_MAX 4096U

void requests_forget(struct link *link, const void *context)
{
	for (struct request **at = &link->requests; *at != NULL;) {
		struct request *request = *at;
		if (request->context != context) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		link->request_count--;
		free(request->to);
		free(request);
	}
}

static struct request *request_new(const char *id, const char *to, int64_t timeout_us)
{
	struct request *request = calloc(1, sizeof(*request));
	if (request == NULL) {
		return NULL;
	}
	snprintf(request->id, sizeof(request->id), "%s", id);
	request->to = strdup(to);
	request->deadline_us = clock_mono_us() + timeout_us;
	if (request->to == NULL) {
		free(request);
		return NULL;
	}
	return request;
}

int link_request(struct link *link, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
	link_answered answered, void *context, struct xylem_reason *reason)
{
	int error = link_check(link, iq, reason);
	if (error != 0) {
		return error;
	}
	struct request *request = request_new(id, to, timeout_us);
	if (request == NULL) {
		return -XYLEM_E_MEMORY;
	}
	request->answered = answered;
	request->context = context;
	pthread_mutex_lock(&link->lock);
	error = link_may_send(link);
	error = error == 0 && link->request_count >= REQUESTS_MAX ? -XYLEM_E_BUSY : error;
	error = error == 0 ? link_enqueue(link, iq, NULL) : error;
	if (error == 0) {
		request->next = link->requests;
		link->requests = request;
		link->request_count++;
	}
	pthread_mutex_unlock(&link->lock);
	if (error != 0) {
		xylem_reason_set(reason, "the link to %s: %s", link->server, xylem_error_row(error)->text);
		free(request->to);
		free(request);
	}
	return error;
}

static void call_answered(struct link *link, struct request *request, const struct xml_node *answer)
{
	link->calling = request->context;
	link->request_count--;
	pthread_mutex_unlock(&link->lock);
	request->answered(request->context, answer);
	pthread_mutex_lock(&link->lock);
	link->calling = NULL;
	pthread_cond_broadcast(&link->quiet);
	free(request->to);
	free(request);
}

/* Takes those out that are past `now` (or all) and answers them with nothing. */
void requests_expire(struct link *link, int64_t now, bool all)
{
	pthread_mutex_lock(&link->lock);
	struct request **at = &link->requests;
	while (*at != NULL) {
		struct request *request = *at;
		if (!all && request->deadline_us > now) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		call_answered(link, request, NULL);
		at = &link->requests;
	}
	pthread_mutex_unlock(&link->lock);
}

/* An IQ result or error: one of ours? Spoofed ones differ in their sender. */
bool requests_answered(struct link *link, const struct xml_node *iq)
{
	struct xylem_span id = xml_attribute(iq, "id"), from = xml_attribute(iq, "from");
	bool found = false;

	pthread_mutex_lock(&link->lock);
	for (struct request **at = &link->requests; *at != NULL; at = &(*at)->next) {
		struct request *request = *at;
		if (xylem_span_is(id, request->id) && xylem_span_is(from, request->to)) {
			*at = request->next;
			call_answered(link, request, iq);
			found = true;
			break;
		}
	}
	pthread_mutex_unlock(&link->lock);
	return found;
}

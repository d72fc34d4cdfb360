/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the bus on XMPP, put together: it registers with the service,
 * listens to what changes, and has workers of its own, because the link's
 * thread must not wait and operations do.
 *
 *     command.c, stage.c   ad-hoc commands        words.c, chat.c   a line in, a few lines back
 *     parts.c              presence of parts      alert.c           word of new hospital groups
 *
 * No operation is known here by name: everything is read off the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/xmpp/face_body.h>
#include <xmpp/presence.h>

#define WORKERS 2
#define WAITING 128

void face_caller(struct face *face, const struct xmpp_request *request, struct operation_caller *ret_caller)
{
	struct config *config = bus_config(face->bus);
	const struct config_user *user = config_user_by_jid(config_view(config), request->sender);
	struct xylem_span from = xml_attribute(request->iq, "from");
	*ret_caller = (struct operation_caller){ .role = user ? (enum config_role)user->role : ROLE_NONE };
	snprintf(ret_caller->name, sizeof(ret_caller->name), "%.120s", user ? user->name : request->sender);
	snprintf(ret_caller->from, sizeof(ret_caller->from), "xmpp %.*s", (int)(from.n < 58 ? from.n : 58),
		from.at);
	config_unref(config);
}

static void gone(void *context, const char *full)
{
	struct face *face = context;
	sessions_leave(face->sessions, full);
}

/* Where something happened: no more than a flag. */
static void listen(void *context, enum bus_event event, struct xylem_span json)
{
	struct face *face = context;
	if (event == BUS_EVENT_RELOAD) {
		atomic_store(&face->parts_other, true);
	}
	if (!atomic_exchange(&face->parts_changed, true)) {
		xmpp_presence_wake(face->service);
	}
}

static bool make(struct face *face)
{
	face->workers = workers_new(WORKERS, WAITING);
	face->sessions = sessions_new();
	face->confirmations = confirmations_new();
	face->listener = bus_listen(face->bus,
		1U << BUS_EVENT_LANE | 1U << BUS_EVENT_CONNECTOR | 1U << BUS_EVENT_RELOAD, listen, face);
	return face->workers && face->sessions && face->confirmations && face->listener;
}

int face_new(
	struct face **ret_face, struct bus *bus, struct xmpp_service *service, struct xylem_reason *reason)
{
	struct face *face = calloc(1, sizeof(*face));
	if (!face) {
		return -XYLEM_E_MEMORY;
	}
	face->bus = bus;
	face->service = service;
	pthread_mutex_init(&face->alerts_lock, NULL);
	atomic_init(&face->parts_changed, true);
	atomic_init(&face->parts_other, true);
	if (!make(face)) {
		xylem_reason_set(reason, "no memory or threads for commands over XMPP");
		face_free(face);
		return -XYLEM_E_MEMORY;
	}
	const struct xmpp_face calls = { command_take, command_list, command_name, chat_take, gone, face };
	xmpp_service_face(service, &calls);
	xmpp_presence_refresh(service, parts_refresh, face);
	xmpp_presence_wake(service);
	*ret_face = face;
	return 0;
}

struct face *face_free(struct face *face)
{
	if (!face) {
		return NULL;
	}
	xmpp_service_face(face->service, NULL);
	xmpp_presence_refresh(face->service, NULL, NULL);
	if (face->listener) {
		bus_unlisten(face->bus, face->listener);
	}
	workers_free(face->workers);
	link_forget(xmpp_service_link(face->service), face);
	parts_free(face);
	sessions_free(face->sessions);
	confirmations_free(face->confirmations);
	pthread_mutex_destroy(&face->alerts_lock);
	free(face);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_FACE_BODY_H
#define CONSOLE_XMPP_FACE_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include <console/operation.h>
#include <console/worker.h>
#include <console/xmpp/confirm.h>
#include <console/xmpp/face.h>
#include <console/xmpp/scope.h>
#include <console/xmpp/session.h>
#include <xmpp/deferred.h>
#include <xmpp/request.h>

/* The inside of the face, for the files of this folder. */

#define ALERTS_WAITING 1024

struct face {
	struct bus *bus;
	struct xmpp_service *service;
	struct workers *workers;
	struct sessions *sessions;
	struct confirmations *confirmations;
	uint64_t listener;

	/* parts.c: of the presence thread, but for the first. */
	_Atomic bool parts_changed, parts_other; /* something happened; other parts than before */
	bool ready;
	int64_t parts_us;
	struct part_list *parts;
	size_t topic_count;

	/* alert.c */
	pthread_mutex_t alerts_lock;
	uint64_t cases[ALERTS_WAITING]; /* admitted, not looked at yet */
	size_t case_count;
	bool alerting;
	struct work alert_work;
};

/* Who asks: the user with this address, or a nobody of that name. */
void face_caller(struct face *face, const struct xmpp_request *request, struct operation_caller *ret_caller);

/* command.c */
void command_take(void *face, const struct xmpp_request *request);
void command_list(void *face, const struct xmpp_request *request, struct xylem_buffer *out);
const char *command_name(void *face, const struct xmpp_request *request, struct xylem_span node);

/* chat.c */
void chat_take(void *face, const struct xmpp_request *request);

/* parts.c */
void parts_refresh(void *face);
void parts_free(struct face *face);

/* alert.c: hands what was admitted to a worker, if there is something and the link is up. Any thread. */
void alert_flush(struct face *face);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new case is told as an event of the topic that `hospital.alerts` names:
 * its subscribers see it, and a route from that topic can tell people by any
 * connector. The event's id is the case's, so that telling twice is harmless.
 *
 * An alert is no message of anybody's: it is given up rather than wait, and a
 * case of a route that carries alerts makes no new one.
 */
#include <stdio.h>

#include <main/bus_body.h>
#include <xylem/json.h>
#include <xylem/log.h>

#define ALERT_TYPE "org.xylem.case"

static bool alerted_before(struct bus *bus, uint64_t number)
{
	for (size_t i = 0; i < sizeof(bus->alerted) / sizeof(*bus->alerted); i++) {
		if (bus->alerted[i] == number) {
			return true;
		}
	}
	bus->alerted[bus->alerted_next++ % (sizeof(bus->alerted) / sizeof(*bus->alerted))] = number;
	return false;
}

static void text(struct xylem_buffer *out, const char *name, const char *value)
{
	xylem_json_write_name(out, name);
	xylem_json_write_string(out, xylem_span_of(value));
}

static void write_case(struct xylem_buffer *out, uint64_t number, const struct hospital_admission *admission)
{
	char handle[XYLEM_HANDLE_SIZE];
	xylem_buffer_format(out, "{\"case\":%lu", (unsigned long)number);
	text(out, "route", admission->route);
	if (admission->destination) {
		text(out, "destination", admission->destination);
	}
	text(out, "stage", admission->stage);
	text(out, "code", admission->code);
	text(out, "reason", admission->reason);
	text(out, "handle", xylem_handle_format(admission->original->position, handle));
	xylem_json_write_name(out, "id");
	xylem_json_write_string(out, admission->original->id);
	xylem_buffer_format(out, ",\"attempts\":%u}", admission->attempts);
}

static void alert_done(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
}

static void publish(
	struct bus *bus, const char *topic, uint64_t number, const struct hospital_admission *admission)
{
	XYLEM_BUFFER_SCOPED data = { 0 };
	char ingress[160], id[32];
	snprintf(ingress, sizeof(ingress), "topic:%s", topic);
	snprintf(id, sizeof(id), "case-%lu", (unsigned long)number);
	write_case(&data, number, admission);
	struct xylem_message message = {
		.id = xylem_span_of(id),
		.source = XYLEM_SPAN_LITERAL("/hospital"),
		.type = XYLEM_SPAN_LITERAL(ALERT_TYPE),
		.subject = xylem_span_of(admission->route),
		.datacontenttype = XYLEM_SPAN_LITERAL("application/json"),
		.data = xylem_buffer_borrow(&data),
	};
	struct xylem_reason reason = { "" };
	if (xylem_buffer_failed(&data) ||
		publish_submit(bus, ingress, &message, 1, alert_done, NULL, &reason) != 0) {
		xylem_log(XYLEM_LOG_WARNING, "hospital", "case %lu was not told to topic %s: %s",
			(unsigned long)number, topic, reason.text);
	}
}

static void tell_people(struct bus *bus, uint64_t number)
{
	pthread_rwlock_rdlock(&bus->listeners_lock);
	struct face *face = atomic_load(&bus->face);
	if (face) {
		face_case(face, number);
	}
	pthread_rwlock_unlock(&bus->listeners_lock);
}

void alerts_admitted(void *context, uint64_t number, const struct hospital_admission *admission)
{
	struct bus *bus = context;
	if (alerted_before(bus, number) || xylem_span_is(admission->original->type, ALERT_TYPE)) {
		return;
	}
	xylem_log(XYLEM_LOG_NOTICE, "hospital", "case %lu: %s%s%s, %s: %s (%s)", (unsigned long)number,
		admission->route, admission->destination ? "/" : "",
		admission->destination ? admission->destination : "", admission->stage, admission->reason,
		admission->code);
	tell_people(bus, number);
	struct config *config = bus_config(bus);
	const char *topic = config_view(config)->hospital->alerts;
	if (topic) {
		publish(bus, topic, number, admission);
	}
	config_unref(config);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every family of metrics, in the order of enum metric_family and of the
 * exposition. Names follow the Prometheus conventions: base units, `_total`
 * on counters. The rule: labels are bounded by the configuration (route,
 * destination, connector, topic) or by a table of ours (outcome, failure,
 * state, code); never an id, a JID, a URL or anything a stranger chooses.
 * docs/metrics.md lists the same names with how to read them.
 */
#include <metrics/families.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const double seconds[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
	0.5, 1, 2.5, 5, 10, 30, 60, 300 };
static const double messages[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000 };

const struct metric_family_row metric_families[METRIC_FAMILY_COUNT] = {
	[METRIC_RECEIVED] = { "xylem_messages_received_total", METRIC_COUNTER,
		"Messages taken in and on disk.", { "connector" } },
	[METRIC_DELIVERED] = { "xylem_messages_delivered_total", METRIC_COUNTER,
		"Messages that a destination acknowledged.", { "route", "destination" } },
	[METRIC_OUTCOMES] = { "xylem_messages_settled_total", METRIC_COUNTER,
		"Messages that a lane settled, by what became of them.",
		{ "route", "destination", "outcome" } },
	[METRIC_ATTEMPTS] = { "xylem_delivery_attempts_total", METRIC_COUNTER,
		"Deliveries tried, by how they ended.", { "route", "destination", "failure" } },
	[METRIC_REFUSED] = { "xylem_messages_refused_total", METRIC_COUNTER,
		"Messages that intake refused; nothing of them was acknowledged.", { "connector", "code" } },
	[METRIC_UNROUTED] = { "xylem_messages_unrouted_total", METRIC_COUNTER,
		"Messages that no route took." },
	[METRIC_LANE_BACKLOG] = { "xylem_lane_backlog_messages", METRIC_GAUGE,
		"Journal positions between a lane and the end of the journal: at most this many wait.",
		{ "route", "destination" } },
	[METRIC_LANE_OLDEST] = { "xylem_lane_oldest_seconds", METRIC_GAUGE,
		"Age of the oldest message that a lane has not settled; 0: none waits.",
		{ "route", "destination" } },
	[METRIC_LANE_STATE] = { "xylem_lane_state", METRIC_GAUGE,
		"1 for the state that a lane is in, 0 for the others.", { "route", "destination", "state" } },
	[METRIC_HOSPITAL_CASES] = { "xylem_hospital_cases", METRIC_GAUGE, "Cases in the hospital.",
		{ "state" } },
	[METRIC_JOURNAL_BYTES] = { "xylem_journal_bytes", METRIC_GAUGE, "Size of the journal on disk." },
	[METRIC_JOURNAL_COMMITS] = { "xylem_journal_commits_total", METRIC_COUNTER,
		"Batches written and synced." },
	[METRIC_JOURNAL_SYNC] = { "xylem_journal_fsync_duration_seconds", METRIC_HISTOGRAM,
		"How long the sync of a batch took.", { NULL }, seconds, COUNT(seconds) },
	[METRIC_JOURNAL_BATCH] = { "xylem_journal_append_batch_messages", METRIC_HISTOGRAM,
		"Messages that shared one sync.", { NULL }, messages, COUNT(messages) },
	[METRIC_CATALOGUE_COMMITS] = { "xylem_catalogue_commits_total", METRIC_COUNTER,
		"Transactions of the catalogue." },
	[METRIC_CATALOGUE_COMMIT] = { "xylem_catalogue_commit_duration_seconds", METRIC_HISTOGRAM,
		"How long a transaction of the catalogue took.", { NULL }, seconds, COUNT(seconds) },
	[METRIC_END_TO_END] = { "xylem_end_to_end_duration_seconds", METRIC_HISTOGRAM,
		"From the journal to the acknowledgement of the destination.", { "route", "destination" },
		seconds, COUNT(seconds) },
	[METRIC_CONNECTOR_UP] = { "xylem_connector_up", METRIC_GAUGE,
		"1 while the other side can be reached.", { "connector" } },
	[METRIC_CONNECTOR] = { "xylem_connector", METRIC_COUNTER, "Counted by the connector itself.",
		{ "connector", "name" } },
	[METRIC_HTTP_REQUESTS] = { "xylem_http_requests_total", METRIC_COUNTER,
		"Requests to the console's listener, by status.", { "code" } },
	[METRIC_XMPP_STANZAS] = { "xylem_xmpp_stanzas_total", METRIC_COUNTER,
		"Stanzas over the component link.", { "direction" } },
	[METRIC_XMPP_LINK_UP] = { "xylem_xmpp_link_up", METRIC_GAUGE, "1 while the component link stands." },
	[METRIC_RELOAD_OK] = { "xylem_config_last_reload_successful", METRIC_GAUGE,
		"1 if the last configuration that was read is in force." },
	[METRIC_RELOAD_TIME] = { "xylem_config_last_reload_timestamp_seconds", METRIC_GAUGE,
		"When the configuration in force was loaded." },
	[METRIC_TOPIC_ITEMS] = { "xylem_topic_items_total", METRIC_COUNTER, "Items published to a topic.",
		{ "topic" } },
	[METRIC_TOPIC_ENDED] = { "xylem_topic_subscriptions_ended_total", METRIC_COUNTER,
		"Subscriptions ended because for a day nothing but errors came from the subscriber." },
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lanes are to be: a generation as a list of wishes, one for each lane that
 * it has, and those that the bus has whatever the configuration says. A wish
 * is compared with the lane that runs; the lane is left alone where they agree.
 *
 * The rule not to break: making wishes changes nothing outside them, so that a
 * generation that cannot be had costs nothing. Not here: the lanes themselves,
 * and when they stop and start (lanes.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <route/lane_wishes.h>

/* Lanes of the bus itself take everything as it comes. */
#define INTERNAL_OPTIONS(ORDER)                                                                             \
	{                                                                                                   \
		.order = (ORDER), .parallel = 1, .window = 4096, .batch_bytes = 4 * 1024 * 1024,            \
		.timeout_us = 20000000, .attempts = 1000, .backoff_us = 500000, .backoff_max_us = 10000000, \
		.probe_us = 200000, .on_case = LANE_ON_CASE_CONTINUE, .overflow = LANE_OVERFLOW_HOLD,       \
		.start = "end",                                                                             \
	}
static const struct lane_options unrouted_options = INTERNAL_OPTIONS(LANE_ORDER_KEY);
/* One lane tells the subscribers of every topic, in the order of the journal. */
static const struct lane_options fanout_options = INTERNAL_OPTIONS(LANE_ORDER_STRICT);
static const char *const fanout_from[] = { ROUTE_ANY_TOPIC };
static const struct config_route fanout_plan = { .name = "bus.topics", .from = { fanout_from, 1 } };

void lane_wishes_finish(struct lane_wishes *wishes)
{
	for (size_t i = 0; i < wishes->n; i++) {
		lane_plan_finish(&wishes->items[i].plan);
	}
	free(wishes->items);
}

static struct lane_wish *wish_add(struct lane_wishes *wishes, const char *route, const char *destination)
{
	if (wishes->n == wishes->room) {
		size_t room = wishes->room ? wishes->room * 2 : 32;
		struct lane_wish *items = realloc(wishes->items, room * sizeof(*items));
		if (!items) {
			return NULL;
		}
		wishes->items = items;
		wishes->room = room;
	}
	struct lane_wish *wish = &wishes->items[wishes->n++];
	*wish = (struct lane_wish){ .plan.on_delivery = OUTCOME_DELIVERED };
	snprintf(wish->route, sizeof(wish->route), "%s", route);
	snprintf(wish->destination, sizeof(wish->destination), "%s", destination);
	return wish;
}

static int wish_route(struct lane_wishes *wishes, struct journal *journal, struct config *config,
	const struct config_route *plan, const struct lanes_sinks *sinks)
{
	struct route *route = route_new(journal, config, plan);
	int error = route ? 0 : -XYLEM_E_MEMORY;
	for (size_t i = 0; i < plan->lane_count && !error; i++) {
		const struct config_lane *lane = &plan->lanes[i];
		struct lane_wish *wish = wish_add(wishes, plan->name, lane->destination);
		if (!wish) {
			error = -XYLEM_E_MEMORY;
			break;
		}
		wish->config = plan;
		wish->plan.route = route_ref(route);
		wish->plan.options = lane->options;
		wish->topic = lane->topic ? lane->topic->name : NULL;
		wish->plan.topic = lane->topic != NULL;
		wish->plan.otherwise = lane->options->otherwise;
		wish->plan.otherwise_only = lane->otherwise_only;
		if (lane->connector) {
			wish->plan.sink = instance_ref(
				sinks->connector(sinks->context, lane->connector->name));
		}
	}
	route_unref(route);
	return error;
}

static int wish_internal(struct lane_wishes *wishes, const char *name, const char *destination,
	struct route *route, const struct lane_options *options, struct instance *sink,
	enum outcome on_delivery)
{
	struct lane_wish *wish = route ? wish_add(wishes, name, destination) : NULL;
	if (!wish) {
		route_unref(route);
		return -XYLEM_E_MEMORY;
	}
	wish->plan = (struct lane_plan){
		.route = route, .sink = instance_ref(sink), .options = options, .on_delivery = on_delivery
	};
	return 0;
}

int lane_wishes_make(struct lane_wishes *wishes, struct journal *journal, struct config *config,
	const struct lanes_sinks *sinks)
{
	const struct config_view *view = config_view(config);
	int error = 0;
	for (size_t i = 0; i < view->route_count && !error; i++) {
		error = wish_route(wishes, journal, config, &view->routes[i], sinks);
	}
	if (!error && sinks->fanout) {
		error = wish_internal(wishes, fanout_plan.name, "subscribers",
			route_new(journal, config, &fanout_plan), &fanout_options, sinks->fanout,
			OUTCOME_DELIVERED);
	}
	if (!error) {
		error = wish_internal(wishes, ROUTE_UNROUTED, "count", route_new_unrouted(journal, config),
			&unrouted_options, sinks->unrouted, OUTCOME_UNROUTED);
	}
	return error;
}

/* --- Beside the lanes that are ----------------------------------------------- */

static bool text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool options_same(const struct lane_options *a, const struct lane_options *b)
{
	struct lane_options x = *a, y = *b;
	if (!text_same(x.otherwise, y.otherwise)) {
		return false;
	}
	/* Where it starts matters only to a new one. */
	x.start = y.start = x.otherwise = y.otherwise = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

bool lane_wish_unchanged(const struct lane_wish *wish)
{
	const struct lane *lane = wish->lane;
	if (!lane || !lane_running(lane) || !options_same(lane->plan.options, wish->plan.options)) {
		return false;
	}
	if ((!wish->topic && lane->plan.sink != wish->plan.sink) ||
		lane->plan.otherwise_only != wish->plan.otherwise_only) {
		return false;
	}
	if (strcmp(wish->route, ROUTE_UNROUTED) == 0) {
		return false; /* every route counts for it */
	}
	return !wish->config || memcmp(route_plan(lane->plan.route)->steps_hash, wish->config->steps_hash,
					sizeof(wish->config->steps_hash)) == 0;
}

bool lane_wishes_have(const struct lane_wishes *wishes, const struct lane *lane)
{
	for (size_t i = 0; i < wishes->n; i++) {
		if (wishes->items[i].lane == lane) {
			return true;
		}
	}
	return false;
}

int lane_wish_begin(const struct lane_wish *wish, struct journal *journal,
	struct xylem_position *ret_position, struct xylem_reason *reason)
{
	const char *start = wish->plan.options->start;
	int64_t time;
	if (!start || strcmp(start, "end") == 0) {
		*ret_position = journal_end(journal);
	} else if (strcmp(start, "earliest") == 0) {
		*ret_position = journal_begin(journal);
	} else if (clock_parse(start, strlen(start), &time) == 0) {
		*ret_position = journal_seek_time(journal, time);
	} else {
		xylem_reason_set(reason,
			"lane %s/%s: start \"%s\" is neither end, earliest nor an RFC 3339 time", wish->route,
			wish->destination, start);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

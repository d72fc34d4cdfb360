/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: from, where, steps, deliver, to. Steps and expressions are compiled
 * here, so that a generation that exists can run. A compiler's column is
 * mapped back through quotes and indentation to the place in the file.
 */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <config/loading.h>
#include <config/nearest.h>
#include <config/report.h>
#include <config/text.h>
#include <route/lane_options.h>
#include <route/where.h>

struct route_work {
	struct loading *loading;
	struct config_route *route;
	const struct tree_node *node;
	struct loading_part part;
	struct lane_options deliver;
	char subject[128];
};

static void wrong_kind(
	struct route_work *work, const struct tree_node *node, const char *name, const char *wanted)
{
	report_error(work->loading->report, tree_place(node), "`%s` of %s is %s; write %s", name,
		work->subject, tree_kind_name(node), wanted);
}

/* Says that a name leads nowhere, with the nearest one that would. */
static void dangling(struct route_work *work, struct config_place place, const char *name, const char *where)
{
	const struct config_view *view = &work->loading->config->view;
	struct xylem_arena *arena = work->loading->config->keep.arena;
	char hint[NEAREST_HINT_SIZE];
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < view->connector_count; i++) {
		nearest_offer(&nearest, view->connectors[i].name);
	}
	for (size_t i = 0; i < view->topic_count; i++) {
		const char *topic = xylem_arena_format(arena, "topic:%s", view->topics[i].name);
		if (strcmp(name, view->topics[i].name) == 0) {
			nearest = (struct nearest){ .name = topic };
			break;
		}
		nearest_offer(&nearest, topic ? topic : "");
	}
	bool topic = strncmp(name, "topic:", 6) == 0;
	struct xylem_reason reason;
	if (topic && text_topic_name(name + 6, &reason) != 0) {
		report_error(work->loading->report, place, "`%s` of %s names `%.80s`, but `%.64s` %s", where,
			work->subject, name, name + 6, reason.text);
		return;
	}
	report_error(work->loading->report, place, "`%s` of %s names the %s `%.64s`, which is not defined%s",
		where, work->subject, topic ? "topic" : "connector", topic ? name + 6 : name,
		nearest.name ? nearest_hint(&nearest, hint)
		: topic      ? "; define it under `topics`"
			     : "; define it under `connectors`");
}

static void froms_check(struct route_work *work)
{
	const struct tree_node *list = tree_find(work->node, "from");
	const struct config_view *view = &work->loading->config->view;
	for (size_t i = 0; i < work->route->from.n; i++) {
		const char *name = work->route->from.items[i];
		const struct config_connector *connector = config_find_connector(view, name);
		bool topic = strncmp(name, "topic:", 6) == 0 && config_find_topic(view, name + 6);
		if (!connector && !topic) {
			dangling(work, tree_place(list->items[i]), name, "from");
		} else if (connector && connector->kind &&
			   !(connector->kind->flags & XYLEM_CONNECTOR_SOURCE)) {
			report_error(work->loading->report, tree_place(list->items[i]),
				"`from` of %s names `%s`, but a connector of kind %s only takes messages; "
				"put it under `to`",
				work->subject, name, connector->kind->name);
		}
		for (size_t j = 0; j < i; j++) {
			if (strcmp(name, work->route->from.items[j]) == 0) {
				report_error(work->loading->report, tree_place(list->items[i]),
					"`from` of %s names `%s` twice; remove one", work->subject, name);
				break;
			}
		}
	}
	if (list && list->kind == TREE_LIST && list->n == 0) {
		report_error(work->loading->report, tree_place(list),
			"`from` of %s is an empty list; name a connector or topic", work->subject);
	}
}

static struct where *expression_compile(struct route_work *work, const struct tree_node *node)
{
	struct where *where = NULL;
	struct xylem_reason reason;
	int column = 1;
	if (tree_empty(node) || node->kind != TREE_SCALAR) {
		wrong_kind(work, node, "where", "an expression such as `.type == \"order.created\"`");
		return NULL;
	}
	digest_text(&work->part.digest, "where");
	digest_text(&work->part.digest, node->text);
	if (where_compile(node->text, &where, &column, &reason) < 0) {
		report_error(work->loading->report,
			tree_place_inside(node, column > 0 ? (size_t)column - 1 : 0), "`where` of %s: %s",
			work->subject, reason.text);
		return NULL;
	}
	return where;
}

/* The node of a step's expression, where there is one: the compiler's complaint is about it. */
static const struct tree_node *program_node(
	const struct xylem_transform *kind, const struct tree_member *member)
{
	if (option_is_short_form(kind->options, member->value)) {
		return member->value;
	}
	for (const struct xylem_option *option = kind->options; option->name; option++) {
		const struct tree_node *node = tree_find(member->value, option->name);
		if (node && (option->type == XYLEM_OPTION_EXPRESSION || option->type == XYLEM_OPTION_FILE)) {
			return node;
		}
	}
	return member->key;
}

/* The byte of a text at a line and a column in characters, both from 1. */
static size_t text_offset(const char *text, unsigned long line, unsigned long column)
{
	const char *at = text;
	while (line > 1 && *at) {
		line -= *at++ == '\n';
	}
	while (column > 1 && *at && *at != '\n') {
		at++;
		column -= (*at & 0xc0) != 0x80;
	}
	return (size_t)(at - text);
}

/*
 * A reason that begins with program:LINE:COLUMN is about that place of the file.
 * A problem is one line: what a reason has below it is the problem's excerpt.
 */
static void program_report(
	struct route_work *work, const struct tree_node *node, const char *subject, char *reason)
{
	struct config_place place = tree_place(node);
	char *lines = strchr(reason, '\n');
	unsigned line, column;
	int n = 0;
	if (sscanf(reason, "program:%9u:%9u: %n", &line, &column, &n) == 2 && n) {
		place = tree_place_inside(node, text_offset(node->text, line, column));
		reason += n;
	}
	if (lines) {
		*lines++ = '\0';
	}
	report_program(work->loading->report, place, lines, "%s: %s", subject, reason);
}

static void transform_load(
	struct route_work *work, const struct tree_member *member, struct config_step *step)
{
	char subject[224];
	struct xylem_reason reason;
	struct fill fill = work->part.fill;
	step->kind = registry_transform(member->key->text, &reason);
	if (!step->kind) {
		report_error(work->loading->report, tree_place(member->key), "`steps` of %s: %s",
			work->subject, reason.text);
		return;
	}
	snprintf(subject, sizeof(subject), "step `%.32s` of %s", step->kind->name, work->subject);
	fill.subject = subject;
	fill.elsewhere = NULL;
	digest_text(&work->part.digest, step->kind->name);
	if (option_is_bare_object(step->kind->options, member->value)) {
		report_error(work->loading->report, tree_place(member->value),
			"%s is a mapping of YAML; a program that begins with `{` stands in quotes, as in "
			"`%s: '{id: "
			".data.id}'`",
			subject, step->kind->name);
		return;
	}
	void *options = loading_take(work->loading, step->kind->options_size);
	int error = option_is_short_form(step->kind->options, member->value)
			    ? config_fill_short(step->kind->options, options, member->value, &fill)
			    : config_fill(step->kind->options, options, member->value, &fill);
	step->options = options;
	if (!error && step->kind->compile(options, &step->program, &reason) < 0) {
		program_report(work, program_node(step->kind, member), subject, reason.text);
	}
}

static void step_load(struct route_work *work, struct tree_node *node, struct config_step *step)
{
	struct tree_member alone = { node, node };
	const struct tree_member *member = &alone;
	step->place = tree_place(node);
	if (node->kind == TREE_MAPPING && node->n == 1) {
		member = &node->members[0];
	} else if (node->kind == TREE_SCALAR && !tree_empty(node)) {
		/* `- name`: a transform without options; its value is nothing. */
		static struct tree_node nothing = {
			.kind = TREE_SCALAR, .style = TREE_PLAIN, .text = "", .raw = ""
		};
		struct tree_node *value = loading_take(work->loading, sizeof(*value));
		*value = nothing;
		value->file = node->file;
		value->line = node->line;
		value->column = node->column;
		alone.value = value;
	} else {
		wrong_kind(work, node, "steps", "one step as `KIND: options`, each with its own dash");
		return;
	}
	if (strcmp(member->key->text, "where") == 0) {
		step->program = expression_compile(work, member->value);
	} else {
		transform_load(work, member, step);
	}
}

static void steps_load(struct route_work *work)
{
	const struct tree_node *list = tree_find(work->node, "steps");
	if (!list || tree_empty(list)) {
		return;
	}
	if (list->kind != TREE_LIST) {
		wrong_kind(work, list, "steps", "a list of steps, each with a dash");
		return;
	}
	struct config_step *steps = loading_take(work->loading, list->n * sizeof(*steps));
	work->route->steps = steps;
	work->route->step_count = list->n;
	for (size_t i = 0; i < list->n; i++) {
		step_load(work, list->items[i], &steps[i]);
	}
}

static void lane_options_check(struct route_work *work, const struct lane_options *options,
	const struct tree_node *place, const char *destination)
{
	int64_t start;
	struct config_report *report = work->loading->report;
	if (options->order == LANE_ORDER_STRICT && options->parallel > 1) {
		report_error(report, tree_place(place),
			"lane %s of %s: `order: strict` allows one delivery at a time; remove `parallel`, or "
			"write `order: key`",
			destination, work->subject);
	}
	if (options->backoff_us > options->backoff_max_us) {
		report_error(report, tree_place(place),
			"lane %s of %s: `backoff` is longer than `backoff_max`; shorten it", destination,
			work->subject);
	}
	if (options->start && strcmp(options->start, "end") != 0 && strcmp(options->start, "earliest") != 0 &&
		clock_parse(options->start, strlen(options->start), &start) < 0) {
		report_error(report, tree_place(place),
			"lane %s of %s: `start` is not a place to begin; write `end`, `earliest` or a time "
			"such as `2026-01-01T00:00:00Z`",
			destination, work->subject);
	}
}

static void destination_find(struct route_work *work, const struct tree_node *node, struct config_lane *lane)
{
	const struct config_view *view = &work->loading->config->view;
	if (strncmp(lane->destination, "topic:", 6) == 0) {
		lane->topic = config_find_topic(view, lane->destination + 6);
	} else {
		lane->connector = config_find_connector(view, lane->destination);
	}
	if (!lane->topic && !lane->connector) {
		dangling(work, tree_place(node), lane->destination, "to");
	} else if (lane->connector && lane->connector->kind &&
		   !(lane->connector->kind->flags & XYLEM_CONNECTOR_SINK)) {
		report_error(work->loading->report, tree_place(node),
			"`to` of %s names `%s`, but a connector of kind %s only brings messages in; put it "
			"under `from`",
			work->subject, lane->destination, lane->connector->kind->name);
	}
}

/* `otherwise` of the route is for those destinations that turn messages away; of a destination, it has to be one. */
static void otherwise_check(
	struct route_work *work, const struct config_lane *lane, struct lane_options *options)
{
	bool away = !lane->connector || !lane->connector->kind ||
		    (lane->connector->kind->flags & XYLEM_SINK_DISCARDS);
	if (lane->topic || !away) {
		if (options->otherwise) {
			report_error(work->loading->report, lane->place,
				"lane %s of %s: %s%s turns no message away, so `otherwise` is never used; "
				"remove it",
				lane->destination, work->subject,
				lane->topic ? "a topic" : "a connector of kind ",
				lane->topic ? "" : lane->connector->kind->name);
		}
		options->otherwise = NULL;
	} else if (!options->otherwise) {
		options->otherwise = work->deliver.otherwise;
	}
}

static void lane_load(struct route_work *work, const struct tree_node *node, struct config_lane *lane)
{
	struct lane_options *options = loading_take(work->loading, sizeof(*options));
	const struct tree_node *name = node, *overlay = NULL;
	if (node->kind == TREE_MAPPING && node->n == 1) {
		name = node->members[0].key;
		overlay = node->members[0].value;
	} else if (node->kind != TREE_SCALAR || tree_empty(node)) {
		wrong_kind(work, node, "to", "names, `topic:NAME`, or `NAME: { options of the lane }`");
		return;
	}
	*options = work->deliver;
	options->otherwise = NULL;
	lane->destination = name->text;
	lane->place = tree_place(name);
	lane->options = options;
	digest_text(&work->part.digest, lane->destination);
	destination_find(work, name, lane);
	if (overlay && !tree_empty(overlay)) {
		char subject[224];
		struct fill fill = work->part.fill;
		snprintf(subject, sizeof(subject), "lane `%.64s` of %s", lane->destination, work->subject);
		fill.subject = subject;
		fill.elsewhere = NULL;
		fill.overlay = true;
		config_fill(lane_options_table, options, overlay, &fill);
	}
	lane_options_check(work, options, name, lane->destination);
	otherwise_check(work, lane, options);
}

static void lane_doubled_check(struct route_work *work, const struct config_lane *lanes, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (lanes[i].destination && lanes[j].destination &&
			strcmp(lanes[i].destination, lanes[j].destination) == 0) {
			report_error(work->loading->report, lanes[i].place,
				"`to` of %s names `%s` twice; remove one", work->subject,
				lanes[i].destination);
			return;
		}
	}
}

static struct config_lane *lane_find(struct config_lane *lanes, size_t n, const char *destination)
{
	for (size_t i = 0; i < n; i++) {
		if (lanes[i].destination && strcmp(lanes[i].destination, destination) == 0) {
			return &lanes[i];
		}
	}
	return NULL;
}

/* A lane of its own for a connector that gets what others turn away, and nothing else. */
static void otherwise_lane(struct route_work *work, struct config_lane *lane, const char *name)
{
	const struct config_connector *connector = config_find_connector(&work->loading->config->view, name);
	if (connector && connector->kind && !(connector->kind->flags & XYLEM_CONNECTOR_SINK)) {
		report_error(work->loading->report, lane->place,
			"`otherwise` of %s names `%s`, but a connector of kind %s only brings messages in; "
			"name one that takes messages",
			work->subject, name, connector->kind->name);
		return;
	}
	struct lane_options *options = loading_take(work->loading, sizeof(*options));
	*options = work->deliver;
	options->otherwise = NULL;
	struct config_lane *own = (struct config_lane *)(uintptr_t)work->route->lanes +
				  work->route->lane_count++;
	*own = (struct config_lane){ .destination = name,
		.connector = connector,
		.options = options,
		.otherwise_only = true,
		.place = lane->place };
}

/* After all of `to` is known: what is named there gets every message as it is. */
static void otherwise_load(
	struct route_work *work, struct config_lane *lanes, size_t n, struct config_lane *lane)
{
	const char *name = lane->options ? lane->options->otherwise : NULL;
	const struct config_view *view = &work->loading->config->view;
	if (!name) {
		return;
	}
	bool topic = strncmp(name, "topic:", 6) == 0;
	lane->otherwise_topic = topic ? config_find_topic(view, name + 6) : NULL;
	if (lane_find(lanes, n, name)) {
		report_error(work->loading->report, lane->place,
			"`otherwise` of lane %s of %s names `%s`, which gets every message of this route as "
			"it is; name another destination, or take it out of `to`",
			lane->destination, work->subject, name);
	} else if (topic ? !lane->otherwise_topic : !config_find_connector(view, name)) {
		dangling(work, lane->place, name, "otherwise");
	} else if (!topic && !lane_find(lanes, work->route->lane_count, name)) {
		otherwise_lane(work, lane, name);
	}
}

static void lanes_load(struct route_work *work)
{
	const struct tree_node *list = tree_find(work->node, "to");
	if (!list) {
		report_error(work->loading->report, work->route->place,
			"`to` is missing in %s; write a list such as `to: [NAME, topic:NAME]`",
			work->subject);
		return;
	}
	if (list->kind == TREE_LIST && list->n == 0) {
		report_error(work->loading->report, tree_place(list),
			"`to` of %s is an empty list; name a connector or topic", work->subject);
		return;
	}
	if (list->kind != TREE_LIST) {
		wrong_kind(work, list, "to", "a list such as `[NAME, topic:NAME]`, also for one destination");
		return;
	}
	/* Room for as many lanes more that only `otherwise` names. */
	struct config_lane *lanes = loading_take(work->loading, 2 * list->n * sizeof(*lanes));
	work->route->lanes = lanes;
	work->route->lane_count = list->n;
	for (size_t i = 0; i < list->n; i++) {
		lane_load(work, list->items[i], &lanes[i]);
		lane_doubled_check(work, lanes, i);
	}
	for (size_t i = 0; i < list->n; i++) {
		otherwise_load(work, lanes, list->n, &lanes[i]);
	}
}

static void deliver_load(struct route_work *work)
{
	char subject[192];
	struct fill fill = work->part.fill;
	snprintf(subject, sizeof(subject), "`deliver` of %s", work->subject);
	fill.subject = subject;
	fill.elsewhere = NULL;
	fill.optional = true;
	config_fill(lane_options_table, &work->deliver, tree_find(work->node, "deliver"), &fill);
}

/* What decides about a message on the way: from, where and steps, with their files. */
static void ways_load(struct route_work *work)
{
	const struct tree_node *where = tree_find(work->node, "where");
	part_begin(work->loading, &work->part, work->subject);
	work->part.fill.elsewhere = route_elsewhere;
	if (config_fill(sections[SECTION_ROUTES].options, work->route, work->node, &work->part.fill) == 0) {
		froms_check(work);
	}
	if (where && work->node->kind == TREE_MAPPING) {
		work->route->where = expression_compile(work, where);
	}
	steps_load(work);
	part_end(work->loading, &work->part, work->route->steps_hash);
}

static void route_load(struct loading *loading, const struct tree_member *member, struct config_route *route)
{
	struct xylem_reason reason;
	char quoted[TREE_QUOTE_SIZE];
	struct route_work work = { .loading = loading, .route = route, .node = member->value };
	route->name = member->key->text;
	route->place = tree_place(member->key);
	snprintf(work.subject, sizeof(work.subject), "route `%.64s`", route->name);
	if (text_name(route->name, &reason) < 0) {
		report_error(loading->report, route->place, "route %s %s", tree_quote(member->key, quoted),
			reason.text);
	}
	ways_load(&work);
	if (work.node->kind == TREE_MAPPING) {
		part_begin(loading, &work.part, work.subject);
		deliver_load(&work);
		lanes_load(&work);
		part_end(loading, &work.part, NULL);
	}
}

void routes_load(struct loading *loading)
{
	const struct tree_node *section = loading->sections[SECTION_ROUTES];
	if (!section || !section->n) {
		return;
	}
	struct config_route *routes = loading_take(loading, section->n * sizeof(*routes));
	loading->config->view.routes = routes;
	loading->config->view.route_count = section->n;
	for (size_t i = 0; i < section->n; i++) {
		route_load(loading, &section->members[i], &routes[i]);
	}
}

static void step_free(const struct config_step *step)
{
	if (!step->kind) {
		where_free(step->program);
	} else if (step->program) {
		step->kind->program_free(step->program);
	}
}

void routes_free(struct config_view *view)
{
	for (size_t i = 0; i < view->route_count; i++) {
		const struct config_route *route = &view->routes[i];
		where_free(route->where);
		for (size_t j = 0; j < route->step_count; j++) {
			step_free(&route->steps[j]);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the face on XMPP reads: addresses of parts, words, sessions and codes; tables in loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <console/noun.h>
#include <console/xmpp/confirm.h>
#include <console/xmpp/session.h>
#include <console/xmpp/words.h>

#include "test_bus.h"

static void addresses_of_parts(void **state)
{
	static const struct {
		const char *local;
		enum scope_kind kind;
		const char *name;
		bool known;
	} rows[] = {
		{ "connector.shop", SCOPE_CONNECTOR, "shop", true },
		{ "route.orders", SCOPE_ROUTE, "orders", true },
		{ "topic.a\\2fb", SCOPE_TOPIC, "a/b", true },
		{ "topic.a\\5c2fb", SCOPE_TOPIC, "a\\2fb", true },
		{ "topic.a\\zz", SCOPE_TOPIC, "a\\zz", true },
		{ "topic.", SCOPE_BUS, "", false },
		{ "desk", SCOPE_BUS, "", false },
		{ "", SCOPE_BUS, "", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scope scope;
		char local[SCOPE_LOCAL];
		assert_int_equal(scope_read(xylem_span_of(rows[i].local), &scope), rows[i].known);
		if (rows[i].known) {
			assert_int_equal(scope.kind, rows[i].kind);
			assert_string_equal(scope.name, rows[i].name);
			scope_write(&scope, local);
			struct scope again;
			assert_true(scope_read(xylem_span_of(local), &again));
			assert_string_equal(again.name, scope.name);
		}
	}
	struct scope bus;
	assert_true(scope_read(XYLEM_SPAN_NONE, &bus));
	assert_int_equal(bus.kind, SCOPE_BUS);
}

static void nouns_are_read_off_the_table(void **state)
{
	const struct operation *replay = operation_find("hospital-replay"),
			       *pause = operation_find("lane-pause");
	assert_int_equal(operation_noun(replay, operation_placed(replay)), NOUN_CASE);
	assert_int_equal(operation_noun(pause, operation_placed(pause)), NOUN_LANE);
	assert_ptr_equal(operation_lister(replay), operation_find("hospital-cases"));
	assert_ptr_equal(operation_shower(replay), operation_find("hospital-case"));
	assert_ptr_equal(operation_shower(pause), operation_find("lane"));
	assert_null(operation_placed(operation_find("lanes")));
	assert_null(operation_lister(operation_find("lanes")));
}

#define OPERATOR ROLE_OPERATOR
#define VIEWER ROLE_VIEWER

static void words_are_read(void **state)
{
	static const struct scope bus = { .kind = SCOPE_BUS }, route = { SCOPE_ROUTE, "orders" },
				  topic = { SCOPE_TOPIC, "news" };
	static const struct {
		const char *line;
		const struct scope *scope;
		enum config_role role;
		const char *operation; /* NULL: refused */
		const char *arguments;
		const char *things;
	} rows[] = {
		{ "status", &bus, VIEWER, "bus-status", "{}", NULL },
		{ " Pause Lane orders/erp ", &bus, OPERATOR, "lane-pause", "{\"lane\":\"orders/erp\"}",
			NULL },
		{ "note 7", &bus, OPERATOR, NULL, NULL, NULL },
		{ "help dance", &bus, OPERATOR, NULL, NULL, NULL },
		{ "pause lane orders/erp now", &bus, OPERATOR, NULL, NULL, NULL },
		{ "pause lane", &bus, OPERATOR, NULL, NULL, NULL },
		{ "show 7", &bus, VIEWER, "hospital-case", "{\"n\":\"7\"}", NULL },
		{ "show 0-7", &bus, VIEWER, "message", "{\"handle\":\"0-7\"}", NULL },
		{ "hospital show 7", &bus, VIEWER, "hospital-case", "{\"n\":\"7\"}", NULL },
		{ "replay 7 from=start", &bus, OPERATOR, "hospital-replay",
			"{\"from\":\"start\",\"n\":\"7\"}", NULL },
		{ "replay 7 --from start", &bus, OPERATOR, "hospital-replay",
			"{\"from\":\"start\",\"n\":\"7\"}", NULL },
		{ "replay 7 8 9", &bus, OPERATOR, "hospital-replay", "{}", "[\"7\",\"8\",\"9\"]" },
		{ "replay seven", &bus, OPERATOR, "hospital-replay", "{\"n\":\"seven\"}", NULL },
		{ "replay 7 to=erp", &bus, OPERATOR, NULL, NULL, NULL },
		{ "replay 7 --to erp", &bus, OPERATOR, NULL, NULL, NULL },
		{ "note 7 the shop  said\nsorry", &bus, OPERATOR, "hospital-note",
			"{\"n\":\"7\",\"text\":\"the shop  said\\nsorry\"}", NULL },
		{ "edit 7 {\"a\": 1}", &bus, OPERATOR, "hospital-draft",
			"{\"data\":\"{\\\"a\\\": 1}\",\"n\":\"7\"}", NULL },
		{ "edit 7 plain text", &bus, OPERATOR, "hospital-draft",
			"{\"data_text\":\"plain text\",\"n\":\"7\"}", NULL },
		{ "edit 7 {\u201ca\u201d: 1}", &bus, OPERATOR, NULL, NULL, NULL },
		{ "edit 7 [urgent] text", &bus, OPERATOR, "hospital-draft",
			"{\"data_text\":\"[urgent] text\",\"n\":\"7\"}", NULL },
		{ "publish shop type=t 1", &bus, OPERATOR, "publish",
			"{\"data\":\"1\",\"ingress\":\"shop\",\"type\":\"t\"}", NULL },
		{ "publish hello to all", &topic, OPERATOR, "publish", "{\"data_text\":\"hello to all\"}",
			NULL },
		{ "status now", &route, OPERATOR, NULL, NULL, NULL },
		{ "lanes", &route, VIEWER, "lanes", "{}", NULL },
		{ "dance", &bus, OPERATOR, NULL, NULL, NULL },
		{ "", &bus, OPERATOR, NULL, NULL, NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct words words = { 0 };
		struct xylem_reason reason = { "" };
		int error = words_read(
			xylem_span_of(rows[i].line), rows[i].scope, rows[i].role, &words, &reason);
		if (!rows[i].operation) {
			assert_int_not_equal(error, 0);
			assert_true(reason.text[0] != '\0');
			continue;
		}
		assert_int_equal(error, 0);
		assert_string_equal(words.operation->name, rows[i].operation);
		char *arguments = json_dumps(words.arguments, JSON_COMPACT | JSON_SORT_KEYS);
		char *things = words.things ? json_dumps(words.things, JSON_COMPACT) : NULL;
		assert_string_equal(arguments, rows[i].arguments);
		assert_true(!things == !rows[i].things);
		if (things) {
			assert_string_equal(things, rows[i].things);
		}
		free(arguments);
		free(things);
		words_finish(&words);
	}
}

static void words_beside_operations(void **state)
{
	static const struct scope bus = { .kind = SCOPE_BUS };
	struct words words;
	struct xylem_reason reason;
	assert_int_equal(words_read(xylem_span_of("Yes 4711"), &bus, VIEWER, &words, &reason), 0);
	assert_int_equal(words.kind, WORDS_CONFIRM);
	assert_string_equal(words.code, "4711");
	assert_int_equal(words_read(xylem_span_of("help replay"), &bus, OPERATOR, &words, &reason), 0);
	assert_int_equal(words.kind, WORDS_HELP);
	assert_string_equal(words.operation->name, "hospital-replay");
	assert_int_equal(words_read(xylem_span_of("replay group 3"), &bus, OPERATOR, &words, &reason), 0);
	assert_string_equal(words.group, "3");
	assert_int_equal(words.group_at.n, strlen("group 3"));
	words_finish(&words);
	assert_int_equal(
		words_read(xylem_span_of("pause lane orders/erp"), &bus, VIEWER, &words, &reason), 0);
	assert_int_equal(words.kind, WORDS_FORBIDDEN);
	assert_string_equal(words.operation->name, "lane-pause");
	words_finish(&words);
	assert_int_not_equal(
		words_read(xylem_span_of("pause orders/erp"), &bus, OPERATOR, &words, &reason), 0);
	assert_string_equal(reason.text, "Write: pause lane LANE");
	assert_int_not_equal(words_read(xylem_span_of("help dance"), &bus, OPERATOR, &words, &reason), 0);
	assert_non_null(strstr(reason.text, "`dance`"));
	/* What chat takes as well is no other operation's word, but where the thing decides. */
	size_t n;
	const struct operation *const *table = operations(&n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; table[i]->also && j < n; j++) {
			bool same = i != j && strcmp(table[i]->also, table[j]->words) == 0;
			assert_true(!same ||
				    operation_placed(table[i])->type != operation_placed(table[j])->type);
		}
	}
}

static void sessions_have_owners_and_ends(void **state)
{
	struct sessions *sessions = sessions_new();
	struct xylem_span ops = xylem_span_of("ops@x/1"), other = xylem_span_of("ops@x/2");
	struct xylem_span bus = xylem_span_of("bus.x"), node = xylem_span_of("lane-pause");
	struct session *session = sessions_begin(sessions, ops, bus, node), *taken = NULL;
	assert_non_null(session);
	char id[SESSION_ID];
	memcpy(id, session->id, sizeof(id));
	struct xylem_span name = xylem_span_of(id);
	assert_int_equal(sessions_take(sessions, name, ops, bus, node, &taken), -XYLEM_E_BUSY);
	sessions_put(sessions, session);
	assert_int_equal(sessions_take(sessions, name, other, bus, node, &taken), -XYLEM_E_NOT_FOUND);
	assert_int_equal(
		sessions_take(sessions, name, ops, bus, xylem_span_of("lane"), &taken), -XYLEM_E_NOT_FOUND);
	assert_int_equal(
		sessions_take(sessions, xylem_span_of("x"), ops, bus, node, &taken), -XYLEM_E_NOT_FOUND);
	assert_int_equal(sessions_take(sessions, name, ops, bus, node, &taken), 0);
	assert_ptr_equal(taken, session);
	sessions_end(sessions, session);
	assert_int_equal(sessions_take(sessions, name, ops, bus, node, &taken), -XYLEM_E_GONE);
	/* Who leaves ends what is not under way. */
	session = sessions_begin(sessions, ops, bus, node);
	memcpy(id, session->id, sizeof(id));
	sessions_leave(sessions, "ops@x/1");
	sessions_put(sessions, session);
	sessions_leave(sessions, "ops@x");
	assert_int_equal(sessions_take(sessions, name, ops, bus, node, &taken), 0);
	sessions_put(sessions, taken);
	sessions_leave(sessions, "ops@x/1");
	assert_int_equal(sessions_take(sessions, name, ops, bus, node, &taken), -XYLEM_E_GONE);
	for (size_t i = 0; i < 2 * SESSIONS_MOST; i++) {
		char from[32];
		snprintf(from, sizeof(from), "u%zu@x/1", i);
		session = sessions_begin(sessions, xylem_span_of(from), bus, node);
		assert_non_null(session);
		sessions_put(sessions, session);
	}
	assert_null(sessions_free(sessions));
	assert_null(sessions_free(NULL));
}

static void a_code_is_good_once_and_for_one(void **state)
{
	struct confirmations *confirmations = confirmations_new();
	char code[CONFIRM_CODE];
	assert_true(confirm_keep(confirmations, "ops@x", "discard 1 2", code));
	assert_null(confirm_take(confirmations, "vera@x", code));
	assert_null(confirm_take(confirmations, "ops@x", "none"));
	char *line = confirm_take(confirmations, "ops@x", code);
	assert_string_equal(line, "discard 1 2");
	free(line);
	assert_null(confirm_take(confirmations, "ops@x", code));
	unsigned told = 0;
	for (size_t i = 0; i < 100; i++) {
		told += confirm_may_complain(confirmations, "robot@x");
	}
	assert_int_equal(told, 20);
	for (size_t i = 0; i < 1000; i++) {
		char bare[32];
		snprintf(bare, sizeof(bare), "u%zu@x", i);
		assert_true(confirm_keep(confirmations, bare, "reload", code));
	}
	assert_null(confirmations_free(confirmations));
	assert_null(confirmations_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_parts),
		cmocka_unit_test(nouns_are_read_off_the_table),
		cmocka_unit_test(words_are_read),
		cmocka_unit_test(words_beside_operations),
		cmocka_unit_test(sessions_have_owners_and_ends),
		cmocka_unit_test(a_code_is_good_once_and_for_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

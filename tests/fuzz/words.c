/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what somebody wrote to the bus: a first byte that says where
 * and with which role, then the line. What is understood names an operation that the role
 * may run there, with arguments that it has; the rest is refused with a reason.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <console/noun.h>
#include <console/xmpp/words.h>

#include "../unit/console/test_bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_operation(const struct words *words, const struct scope *scope, enum config_role role)
{
	const char *name;
	json_t *value;
	assert(words->operation->role <= role && scope_has(scope, words->operation));
	json_object_foreach(words->arguments, name, value)
	{
		assert(operation_option(words->operation, name) && json_is_string(value));
	}
	assert(json_array_size(words->things) <= WORDS_THINGS);
	assert(!words->things ||
		!json_object_get(words->arguments, operation_placed(words->operation)->name));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct words words;
	struct xylem_reason reason = { "" };
	if (n == 0) {
		return 0;
	}
	struct scope scope = { .kind = (enum scope_kind)(bytes[0] % 4), .name = "orders" };
	enum config_role role = (enum config_role)(bytes[0] / 4 % (ROLE_ADMIN + 1));
	struct xylem_span line = xylem_span((const char *)bytes + 1, n - 1);
	if (words_read(line, &scope, role, &words, &reason) != 0) {
		assert(reason.text[0]);
		return 0;
	}
	if (words.kind == WORDS_OPERATION) {
		check_operation(&words, &scope, role);
	}
	words_finish(&words);
	return 0;
}

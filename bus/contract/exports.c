/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the contract, all of them, in one table. `core` is a static
 * library, from which a program gets only what it refers to; a module's calls are
 * resolved when it is loaded, which is too late.
 *
 * The rule not to break: a function that becomes XYLEM_PUBLIC gets its line here.
 */
#include <stddef.h>

#include <contract/exports.h>
#include <xylem/xylem.h>

#define EXPORT(function) (void (*)(void))(function)

void (*const contract_exports[])(void) = {
	EXPORT(xylem_arena_copy),
	EXPORT(xylem_arena_format),
	EXPORT(xylem_arena_free),
	EXPORT(xylem_arena_new),
	EXPORT(xylem_arena_reset),
	EXPORT(xylem_arena_take),
	EXPORT(xylem_arena_text),
	EXPORT(xylem_arena_used),
	EXPORT(xylem_arena_zero),
	EXPORT(xylem_buffer_append),
	EXPORT(xylem_buffer_byte),
	EXPORT(xylem_buffer_clear),
	EXPORT(xylem_buffer_cut),
	EXPORT(xylem_buffer_finish),
	EXPORT(xylem_buffer_format),
	EXPORT(xylem_buffer_reserve),
	EXPORT(xylem_buffer_span),
	EXPORT(xylem_buffer_take),
	EXPORT(xylem_buffer_text),
	EXPORT(xylem_content_type_is_json),
	EXPORT(xylem_error_by_name),
	EXPORT(xylem_error_row),
	EXPORT(xylem_failure_name),
	EXPORT(xylem_failure_of_http),
	EXPORT(xylem_failure_of_sqlstate),
	EXPORT(xylem_failure_of_xmpp),
	EXPORT(xylem_handle_format),
	EXPORT(xylem_handle_parse),
	EXPORT(xylem_host_count),
	EXPORT(xylem_host_folder),
	EXPORT(xylem_host_health),
	EXPORT(xylem_host_name),
	EXPORT(xylem_json_check),
	EXPORT(xylem_json_count),
	EXPORT(xylem_json_double),
	EXPORT(xylem_json_element),
	EXPORT(xylem_json_equal),
	EXPORT(xylem_json_int64),
	EXPORT(xylem_json_iterate),
	EXPORT(xylem_json_member),
	EXPORT(xylem_json_next),
	EXPORT(xylem_json_number_compare),
	EXPORT(xylem_json_pointer_free),
	EXPORT(xylem_json_pointer_get),
	EXPORT(xylem_json_pointer_new),
	EXPORT(xylem_json_remove),
	EXPORT(xylem_json_set),
	EXPORT(xylem_json_string),
	EXPORT(xylem_json_string_equals),
	EXPORT(xylem_json_trim),
	EXPORT(xylem_json_type),
	EXPORT(xylem_json_type_name),
	EXPORT(xylem_json_write_comma),
	EXPORT(xylem_json_write_int64),
	EXPORT(xylem_json_write_name),
	EXPORT(xylem_json_write_string),
	EXPORT(xylem_log),
	EXPORT(xylem_message_attribute),
	EXPORT(xylem_message_check),
	EXPORT(xylem_message_read_json),
	EXPORT(xylem_message_set_attribute),
	EXPORT(xylem_message_write_json),
	EXPORT(xylem_reason_set),
	EXPORT(xylem_result_fail),
	EXPORT(xylem_secret_borrow),
	EXPORT(xylem_source_held),
	EXPORT(xylem_source_max_message),
	EXPORT(xylem_source_recall),
	EXPORT(xylem_source_submit),
	EXPORT(xylem_source_submit_wait),
	EXPORT(xylem_uuid_new),
	NULL,
};

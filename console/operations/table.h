/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_OPERATIONS_TABLE_H
#define CONSOLE_OPERATIONS_TABLE_H

#include <console/operation.h>

/* Every operation, sorted by name; one file each. */
#define OPERATIONS(row) \
	row(audit) \
	row(bus_status) \
	row(config) \
	row(config_reload) \
	row(connector_probe) \
	row(connectors) \
	row(hospital_case) \
	row(hospital_case_data) \
	row(hospital_cases) \
	row(hospital_discard) \
	row(hospital_draft) \
	row(hospital_groups) \
	row(hospital_note) \
	row(hospital_replay) \
	row(hospital_restore) \
	row(lane) \
	row(lane_drop) \
	row(lane_pause) \
	row(lane_resume) \
	row(lanes) \
	row(message) \
	row(message_data) \
	row(message_stages) \
	row(messages) \
	row(publish) \
	row(routes) \
	row(topics)

#define OPERATION_DECLARE(name) extern const struct operation operation_##name;
OPERATIONS(OPERATION_DECLARE)
#undef OPERATION_DECLARE

#endif

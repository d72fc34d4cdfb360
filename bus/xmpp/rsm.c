/* SPDX-License-Identifier: Apache-2.0 */
/* Result Set Management (XEP-0059), read and written; what a page is, is for those who have the things. */
#include <string.h>

#include <xylem/json.h>
#include <xmpp/rsm.h>
#include <xmpp/stanza.h>

static int read_number(const struct xml_node *set, const char *name, struct xylem_arena *arena, bool *ret_has,
	uint64_t *ret_number)
{
	int64_t number;
	const struct xml_node *element = xml_child(set, NS_RSM, name);
	if (element == NULL) {
		return 0;
	}
	if (xylem_json_int64(xylem_json_trim(xml_text(element, arena)), &number) != 0 || number < 0) {
		return -XYLEM_E_INVALID;
	}
	*ret_has = true;
	*ret_number = (uint64_t)number;
	return 0;
}

int rsm_read(const struct xml_node *parent, struct rsm *ret_rsm, struct xylem_arena *arena)
{
	struct rsm rsm = { 0 };
	const struct xml_node *set = xml_child(parent, NS_RSM, "set");
	if (set != NULL) {
		const struct xml_node *after = xml_child(set, NS_RSM, "after");
		const struct xml_node *before = xml_child(set, NS_RSM, "before");
		rsm.asked = true;
		rsm.after = after != NULL ? xml_text(after, arena) : XYLEM_SPAN_NONE;
		rsm.before = before != NULL ? xml_text(before, arena) : XYLEM_SPAN_NONE;
		rsm.last = before != NULL && rsm.before.n == 0;
		rsm.after = rsm.after.n > 0 ? rsm.after : XYLEM_SPAN_NONE;
		rsm.before = rsm.before.n > 0 ? rsm.before : XYLEM_SPAN_NONE;
		int error = read_number(set, "max", arena, &rsm.has_max, &rsm.max);
		error = error != 0 ? error : read_number(set, "index", arena, &rsm.has_index, &rsm.index);
		if (error != 0) {
			return error;
		}
	}
	*ret_rsm = rsm;
	return 0;
}

void rsm_write(struct xylem_buffer *out, struct xylem_span first, uint64_t index, struct xylem_span last,
	uint64_t count)
{
	xylem_buffer_text(out, "<set xmlns='" NS_RSM "'>");
	if (xylem_span_present(first)) {
		xylem_buffer_format(out, "<first index='%llu'>", (unsigned long long)index);
		xml_escape_text(out, first);
		xylem_buffer_text(out, "</first><last>");
		xml_escape_text(out, last);
		xylem_buffer_text(out, "</last>");
	}
	xylem_buffer_format(out, "<count>%llu</count></set>", (unsigned long long)count);
}

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

/* --- Lists in memory ------------------------------------------------------ */

/* Where the id stands; list->n: nowhere. */
static size_t find(const struct rsm_list *list, struct xylem_span id)
{
	size_t i = 0;
	while (i < list->n && !xylem_span_equal(list->id(list->context, i), id)) {
		i++;
	}
	return i;
}

/* The page [*first, *end). */
static int find_page(const struct rsm *rsm, const struct rsm_list *list, size_t *first, size_t *end)
{
	size_t after = xylem_span_present(rsm->after) ? find(list, rsm->after) : 0;
	size_t before = xylem_span_present(rsm->before) ? find(list, rsm->before) : 0;
	size_t most = rsm->has_max && rsm->max < list->n ? (size_t)rsm->max : list->n;

	if ((xylem_span_present(rsm->after) && after == list->n) ||
		(xylem_span_present(rsm->before) && before == list->n)) {
		return -XYLEM_E_NOT_FOUND;
	}
	*first = xylem_span_present(rsm->after) ? after + 1
		 : rsm->index < list->n         ? (size_t)rsm->index
						: list->n;
	*end = xylem_span_present(rsm->before) ? before : list->n;
	if (*end < *first) {
		*end = *first;
	}
	if (rsm->last || xylem_span_present(rsm->before)) {
		*first = *end - *first > most ? *end - most : *first;
	} else {
		*end = *end - *first > most ? *first + most : *end;
	}
	return 0;
}

int rsm_write_rows(const struct rsm *rsm, const struct rsm_list *list, size_t most, struct xylem_buffer *out,
	struct rsm_part *ret_part)
{
	size_t first, end;
	int error = find_page(rsm, list, &first, &end);
	if (error != 0) {
		return error;
	}
	size_t i = first;
	while (i < end && out->n < most) {
		list->write(list->context, i++, out);
	}
	*ret_part = (struct rsm_part){ first, i, !rsm->asked && i == list->n };
	return 0;
}

void rsm_write_part(struct xylem_buffer *out, const struct rsm_list *list, const struct rsm_part *part)
{
	if (part->whole) {
		return;
	}
	if (part->end == part->first) {
		rsm_write(out, XYLEM_SPAN_NONE, 0, XYLEM_SPAN_NONE, list->n);
		return;
	}
	xylem_buffer_format(out, "<set xmlns='" NS_RSM "'><first index='%zu'>", part->first);
	xml_escape_text(out, list->id(list->context, part->first));
	xylem_buffer_text(out, "</first><last>");
	xml_escape_text(out, list->id(list->context, part->end - 1));
	xylem_buffer_format(out, "</last><count>%zu</count></set>", list->n);
}

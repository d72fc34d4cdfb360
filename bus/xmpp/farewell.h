/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_FAREWELL_H
#define XMPP_FAREWELL_H

#include <stdint.h>

#include <xmpp/service.h>

/*
 * Says goodbye in the place of a bus that died: reads who has its addresses as
 * contacts from the catalogue at `path`, logs in as the component and tells
 * them that all of it is unavailable. Nobody else may use the catalogue
 * meanwhile. `options`: server, domain, secret, max_stanza. *ret_told: how
 * many were told. -XYLEM_E_IO (no catalogue), -XYLEM_E_TIMEOUT, as link_new().
 */
int xmpp_farewell(const char *path, const struct xmpp_options *options, int64_t timeout_us, size_t *ret_told,
	struct xylem_reason *reason);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of what is compiled in: explicit, sorted by name. Everything
 * else is a module. A new built-in kind gets one line here.
 */
#include <config/builtin.h>

#ifdef XYLEM_HAS_FILE
extern const struct xylem_connector xylem_connector_file;
#endif
#ifdef XYLEM_HAS_HTTP
extern const struct xylem_connector xylem_connector_http;
#endif
#ifdef XYLEM_HAS_PEER
extern const struct xylem_connector xylem_connector_peer;
#endif
#ifdef XYLEM_HAS_WEBHOOK
extern const struct xylem_connector xylem_connector_webhook;
#endif
#ifdef XYLEM_HAS_XMPP
extern const struct xylem_connector xylem_connector_xmpp;
#endif

const struct xylem_connector *const builtin_connectors[] = {
#ifdef XYLEM_HAS_FILE
	&xylem_connector_file,
#endif
#ifdef XYLEM_HAS_HTTP
	&xylem_connector_http,
#endif
#ifdef XYLEM_HAS_PEER
	&xylem_connector_peer,
#endif
#ifdef XYLEM_HAS_WEBHOOK
	&xylem_connector_webhook,
#endif
#ifdef XYLEM_HAS_XMPP
	&xylem_connector_xmpp,
#endif
	NULL,
};

#ifdef XYLEM_HAS_JQ
extern const struct xylem_transform xylem_transform_jq;
#endif
#ifdef XYLEM_HAS_REMOVE
extern const struct xylem_transform xylem_transform_remove;
#endif
#ifdef XYLEM_HAS_SET
extern const struct xylem_transform xylem_transform_set;
#endif
#ifdef XYLEM_HAS_VALIDATE
extern const struct xylem_transform xylem_transform_validate;
#endif

const struct xylem_transform *const builtin_transforms[] = {
#ifdef XYLEM_HAS_JQ
	&xylem_transform_jq,
#endif
#ifdef XYLEM_HAS_REMOVE
	&xylem_transform_remove,
#endif
#ifdef XYLEM_HAS_SET
	&xylem_transform_set,
#endif
#ifdef XYLEM_HAS_VALIDATE
	&xylem_transform_validate,
#endif
	NULL,
};

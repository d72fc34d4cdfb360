/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdint.h>

#include <xylem/error.h>
#include <xylem/span.h>

/*
 * The notations of single values, without a tree around them: bytes in, value
 * out. -XYLEM_E_INVALID with what is expected ("is not a duration; write a
 * number with us, ms, s, m, h or d, such as `30s`"); the reason never quotes
 * the text.
 */
bool text_is_utf8(struct xylem_span text);
int text_bool(const char *text, bool *ret_value, struct xylem_reason *reason);
int text_integer(const char *text, int64_t *ret_value, struct xylem_reason *reason);
int text_size(const char *text, int64_t *ret_bytes, struct xylem_reason *reason);
int text_duration(const char *text, int64_t *ret_us, struct xylem_reason *reason);

/* Names of things: [a-z0-9][a-z0-9_-]*, at most 64 bytes. Topics may also have `.` and `/` inside. */
#define TEXT_NAME_LIMIT 64
int text_name(const char *text, struct xylem_reason *reason);
int text_topic_name(const char *text, struct xylem_reason *reason);

/* http or https, a host, no user info, no white space (RFC 3986). */
int text_url(const char *text, struct xylem_reason *reason);
/* HOST:PORT, [V6]:PORT or unix:PATH. */
int text_address(const char *text, struct xylem_reason *reason);

/*
 * Bare JID or domain (RFC 7622), ASCII letters made small; other characters
 * must be written in their normalised form. `room` bytes at `out`; 3072 suffice.
 */
#define TEXT_JID_SIZE 3072
int text_jid(const char *text, char out[TEXT_JID_SIZE], struct xylem_reason *reason);
/* The same, or `@domain` for everybody of a domain. */
int text_jid_or_domain(const char *text, char out[TEXT_JID_SIZE], struct xylem_reason *reason);

/* A size or duration as a person would write it: 65536 -> 64KiB, 30000000 -> 30s. */
#define TEXT_NUMBER_SIZE 32
const char *text_size_format(int64_t bytes, char text[TEXT_NUMBER_SIZE]);
const char *text_duration_format(int64_t us, char text[TEXT_NUMBER_SIZE]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_FILE_POSITION_H
#define CONNECTORS_FILE_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/error.h>
#include <xylem/message.h>
#include <xylem/span.h>

/*
 * How far a followed file has been handed in. The file is known by device,
 * inode and its first bytes, since inodes are used again; `generation` names
 * this life of it, and is the first half of its messages' ids.
 */
struct file_position {
	uint64_t device, inode, offset;
	uint32_t head_sum; /* CRC32C of the first head_n bytes */
	uint32_t head_n;
	char generation[XYLEM_UUID_SIZE];
};
#define FILE_POSITION_HEAD 256

/* One line of text; -XYLEM_E_INVALID. */
int file_position_parse(struct xylem_span text, struct file_position *ret_position);
size_t file_position_format(const struct file_position *position, char text[256]);

/* From and to a file, replaced as a whole and synced. -XYLEM_E_NOT_FOUND, -XYLEM_E_DAMAGED, -XYLEM_E_IO. */
int file_position_load(const char *path, struct file_position *ret_position, struct xylem_reason *reason);
int file_position_save(const char *path, const struct file_position *position, struct xylem_reason *reason);

/* The first bytes of an open file into the position; at most `offset` of them. */
int file_position_head(struct file_position *position, int fd);
/* Is this the file that the position speaks of, and not shorter? */
bool file_position_fits(const struct file_position *position, int fd);

#endif

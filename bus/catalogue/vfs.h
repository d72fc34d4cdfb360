/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_VFS_H
#define CATALOGUE_VFS_H

#include <stdbool.h>

#include <base/io.h>

/*
 * SQLite's files through the I/O seam. For io_system() there is nothing to do
 * and the name stays empty: SQLite's own VFS. Otherwise a VFS of its own is
 * registered for this catalogue; its name goes to sqlite3_open_v2().
 */
#define VFS_NAME_SIZE 48
int vfs_register(struct io *io, char ret_name[VFS_NAME_SIZE]);
/* After the last connection is closed. An empty name is nothing. */
void vfs_unregister(const char *name);

#endif

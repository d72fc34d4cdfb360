/* SPDX-License-Identifier: Apache-2.0 */
/* Where a user's running buses are listed; shared by the bus and xylemctl. */
#include <stdio.h>
#include <stdlib.h>

#include <console/place.h>

bool place_folder(char *path, size_t size)
{
	static const struct {
		const char *variable, *below;
	} bases[] = { { "XDG_RUNTIME_DIR", "/xylem" }, { "XDG_CACHE_HOME", "/xylem" },
		{ "HOME", "/.cache/xylem" } };
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		const char *base = getenv(bases[i].variable);
		if (base && base[0] == '/') {
			return (size_t)snprintf(path, size, "%s%s", base, bases[i].below) < size;
		}
	}
	return false;
}

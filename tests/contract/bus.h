/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_BUS_H
#define TESTS_CONTRACT_BUS_H

#include <stdbool.h>

struct suite;

/* Opens a bus of one connector: of the peer's configuration, or of the file `config`. False after a TAP `Bail out!`. */
bool bus_open(struct suite *suite, const char *config, char **peer);
/* Closes and removes what was opened, also after a failure. The instance is dropped before. */
void bus_close(struct suite *suite);

#endif

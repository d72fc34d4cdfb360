/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTRACT_EXPORTS_H
#define CONTRACT_EXPORTS_H

/*
 * Every function of the contract. A program that loads modules refers to this table, or the
 * linker would leave out of it what only modules call. Ends with NULL.
 */
extern void (*const contract_exports[])(void);

#endif

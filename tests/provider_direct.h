/* provider_direct.h - the provider's module without an OpenSSL about it: its tables as a core sees them. For entries that the
 * libcrypto at hand is too old to call. The core is this file: it counts what the provider allocates, and can refuse. */
#ifndef SEALANE_TESTS_PROVIDER_DIRECT_H
#define SEALANE_TESTS_PROVIDER_DIRECT_H

#include "unit.h"
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <stdbool.h>

extern void *direct_ctx;           /* the provider's own context */
extern int direct_last_reason;     /* of the last error raised; 0 after direct_clear_error() */
extern unsigned direct_n_allocs;   /* since somebody set it to 0 */
extern unsigned direct_fail_at;    /* the allocation that fails, from 1; 0: none */
extern int direct_n_alive;         /* allocations not freed */
extern const char *direct_version; /* that the core says it is of, "3.0.19"; NULL: it does not say */

void direct_load(void);
void direct_unload(void);
/* The same with the contexts of provider_pair.h, for a group of tests. */
int direct_set_up(void **state);
int direct_tear_down(void **state);
/* The table of the first algorithm of an operation that has this name; NULL when it is not offered. */
const OSSL_DISPATCH *direct_algorithm(int operation, const char *name);
/* An entry; NULL when there is none. */
void (*direct_entry(const OSSL_DISPATCH *table, int id))(void);
/* The sentence of the last reason. */
const char *direct_reason(void);

#endif

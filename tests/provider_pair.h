/* provider_pair.h - two library contexts of OpenSSL, one with Sealane's provider alone and one with OpenSSL's own, so that
 * nothing can be somebody else's: for tests that give both the same calls. */
#ifndef SEALANE_TESTS_PROVIDER_PAIR_H
#define SEALANE_TESTS_PROVIDER_PAIR_H

#include "each_kernel.h"
#include "unit.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

enum { OURS, THEIRS, BOTH };

extern OSSL_LIB_CTX *contexts[BOTH];
extern const char *const cipher_names[];
enum { N_CIPHERS = 3 };

/* A context that finds modules in the build, and has loaded `provider`; the other output may be NULL. */
OSSL_LIB_CTX *context_with(const char *provider, OSSL_PROVIDER **loaded);
/* cmocka's group fixtures. */
int pair_set_up(void **state);
int pair_tear_down(void **state);
/* Portable kernels are offered by name only; where there is nothing better, by name they are had. Call it first. */
void force_what_there_is(void);

/* NULL and a line when it is not offered here. */
EVP_CIPHER *fetch_cipher(int whose, const char *name);
/* The first that is offered, or NULL. */
EVP_CIPHER *first_cipher(void);
/* Whether X25519 is offered; says so when not. */
bool has_x25519(void);

/* Whether the libcrypto that is loaded is of this version or later. */
bool is_openssl_from(unsigned major, unsigned minor);
/* The last call must have failed, and said this about it. */
void assert_reason(int ret, const char *reason);
/* Fails when what two calls returned differs. */
void returns_agree(const char *what, int ours, int theirs);
/* Parameter lists must have the same names, types and sizes, but for `ours_alone` (comma-separated, or NULL). */
void lists_agree(const char *what, const OSSL_PARAM *ours, const OSSL_PARAM *theirs, const char *ours_alone);

#endif

/* provider.h - what the parts of the OpenSSL provider share: its context, its errors, its memory.
 *
 * The module is not linked with libcrypto: it uses what the core hands it in OSSL_provider_init(), so it works in any
 * process that has an OpenSSL 3, whichever copy of it. */
#ifndef SEALANE_PROVIDER_PROVIDER_H
#define SEALANE_PROVIDER_PROVIDER_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <sealane/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, sentence): why an operation failed. Codes are this provider's own, from 1. */
#define PROV_REASONS(X)                                                                                                \
  X(PROV_E_KERNELS, "no kernel can be used")                                                                           \
  X(PROV_E_CORE, "this OpenSSL lacks a function that the provider needs")                                              \
  X(PROV_E_MEMORY, "out of memory")                                                                                    \
  X(PROV_E_RANDOM, "the operating system gave no random bytes")                                                        \
  X(PROV_E_PARAMETER, "a parameter is of a wrong type or does not fit")                                                \
  X(PROV_E_KEY_LENGTH, "invalid key length")                                                                           \
  X(PROV_E_IV_LENGTH, "invalid IV length")                                                                             \
  X(PROV_E_NO_KEY, "no key has been set")                                                                              \
  X(PROV_E_NO_IV, "no IV has been set, or the one that was has been used")                                             \
  X(PROV_E_TAG, "invalid tag or tag length")                                                                           \
  X(PROV_E_TAG_NOT_NEEDED, "the tag is made by encryption, not given to it")                                           \
  X(PROV_E_NO_TAG, "no tag has been set")                                                                              \
  X(PROV_E_AUTH, "authentication failed: wrong key, or the data was changed on the way")                               \
  X(PROV_E_SPACE, "the output buffer is too small")                                                                    \
  X(PROV_E_TLS_AAD, "invalid additional data of a TLS record")                                                         \
  X(PROV_E_TLS_RECORD, "a TLS record that is too short or not in place")                                               \
  X(PROV_E_TLS_IV, "invalid fixed part of a TLS nonce")                                                                \
  X(PROV_E_RECORDS, "the key has sealed as many TLS records as it may")                                                \
  X(PROV_E_CIPHER, "the text is too long, or additional data came after it")                                           \
  X(PROV_E_PIPES, "no pipeline, one of another number of texts, or a plain call within one")                           \
  X(PROV_E_DIGEST, "no digest has been set, or one that TLS 1.3 does not have")                                        \
  X(PROV_E_MODE, "no mode of TLS13-KDF")                                                                               \
  X(PROV_E_KDF_LENGTH, "an input is too long, or the output has another length than this step gives")                  \
  X(PROV_E_KEY, "the key is incomplete or of another kind")                                                            \
  X(PROV_E_PEER, "the peer's public key gives no secret")

enum prov_reason {
  PROV_E_NONE,
#define PROV_REASON_ENUM(name, text) name,
  PROV_REASONS(PROV_REASON_ENUM)
#undef PROV_REASON_ENUM
};

/* One loaded provider, in one library context; constant once made. */
struct prov {
  const OSSL_CORE_HANDLE *handle;
  OSSL_FUNC_core_new_error_fn *new_error;
  OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
  OSSL_FUNC_core_vset_error_fn *vset_error;
  OSSL_FUNC_CRYPTO_zalloc_fn *zalloc;
  OSSL_FUNC_CRYPTO_free_fn *free;
  OSSL_FUNC_CRYPTO_clear_free_fn *clear_free;
  unsigned core_version;                                            /* 306 is 3.6; 0 when the core does not say */
  OSSL_ALGORITHM *ciphers, *keymgmts, *keyexchs, *kdfs, *skeymgmts; /* what is offered here; NULL-terminated */
};

/* Adds an error to OpenSSL's queue; returns 0, the core's word for failure. */
#define prov_fail(prov, reason) prov_fail_at(prov, reason, __FILE__, __LINE__, __func__, NULL)
/* The same with a sentence of its own. */
#define prov_fail_because(prov, reason, ...) prov_fail_at(prov, reason, __FILE__, __LINE__, __func__, __VA_ARGS__)
int prov_fail_at(const struct prov *prov, enum prov_reason reason, const char *file, int line, const char *function,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* size zeroed bytes that begin on a cache line, as keys want them; NULL after an error was added. `size` is asked for again
 * by prov_wipe_free(), which erases them. */
void *prov_alloc(const struct prov *prov, size_t size);
void prov_wipe_free(const struct prov *prov, void *p, size_t size);

/* p[0..len) = random bytes of the operating system; false after an error was added. */
bool prov_random(const struct prov *prov, uint8_t *p, size_t len);

/* cipher_gcm.c, cipher_chapoly.c, x25519.c, kdf_tls13.c: what the core calls. */
extern const OSSL_DISPATCH prov_aes_128_gcm[], prov_aes_256_gcm[], prov_chacha20_poly1305[];
extern const OSSL_DISPATCH prov_x25519_keymgmt[], prov_x25519_keyexch[];
extern const OSSL_DISPATCH prov_tls13_kdf[];

#endif

/* hkdf.h - HMAC (RFC 2104), HKDF (RFC 5869) and TLS 1.3's HKDF-Expand-Label (RFC 8446 7.1) over sha2.h.
 * Time depends on lengths alone. */
#ifndef SEALANE_ENGINE_HKDF_H
#define SEALANE_ENGINE_HKDF_H

#include "sha2.h"

/* A MAC under way; all-zero is a valid empty object; copyable. */
struct sl_hmac_ctx {
  struct sl_hash_ctx inner, outer;
};

/* errors: as sl_hash_init(). Keys of any length (longer than a block: hashed first). */
SL_MUST_USE sl_err sl_hmac_init(struct sl_hmac_ctx *ctx, enum sl_hash hash, const uint8_t *key, size_t key_len);
void sl_hmac_update(struct sl_hmac_ctx *ctx, const uint8_t *data, size_t len);
/* Writes sl_hash_len() bytes and wipes ctx. */
void sl_hmac_final(struct sl_hmac_ctx *ctx, uint8_t *out);
SL_MUST_USE sl_err sl_hmac_once(enum sl_hash hash, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                                uint8_t *out);

/* prk[0..sl_hash_len(hash)) = HKDF-Extract(salt, ikm). salt NULL with 0: a hash length of zeros. prk may alias ikm or salt. */
SL_MUST_USE sl_err sl_hkdf_extract(enum sl_hash hash, const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
                                   size_t ikm_len, uint8_t *prk);
/* errors: SL_E_LENGTH out_len is over 255 hash lengths. out may alias prk. */
SL_MUST_USE sl_err sl_hkdf_expand(enum sl_hash hash, const uint8_t *prk, size_t prk_len, const uint8_t *info,
                                  size_t info_len, uint8_t *out, size_t out_len);
/* HKDF-Expand-Label(secret, label, context, out_len): `label` without the "tls13 " prefix, at most 249 bytes; context at
 * most 255 bytes; secret is sl_hash_len(hash) bytes.
 * errors: SL_E_LENGTH */
SL_MUST_USE sl_err sl_hkdf_expand_label(enum sl_hash hash, const uint8_t *secret, const char *label,
                                        const uint8_t *context, size_t context_len, uint8_t *out, size_t out_len);

#endif

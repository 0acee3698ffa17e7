/* hkdf.c - HMAC (RFC 2104), HKDF (RFC 5869) and HKDF-Expand-Label (RFC 8446 7.1).
 *
 * Every function that hashes a secret wipes what it held of it: the contexts by sl_hash_final(), the rest here. Outputs are
 * written last, so that they may alias inputs. */
#include "hkdf.h"
#include "bytes.h"
#include <sealane/error.h>

/* The key, padded with zeros to a block, goes into both hashes under two different masks (RFC 2104 2). */
#define HMAC_IPAD 0x36u
#define HMAC_OPAD 0x5cu

/* HKDF-Expand counts its blocks in one byte. */
#define HKDF_BLOCKS_MAX 255u

/* struct { uint16 length; opaque label<7..255>; opaque context<0..255>; } HkdfLabel;  RFC 8446 7.1 */
#define LABEL_PREFIX     "tls13 "
#define LABEL_PREFIX_LEN (sizeof LABEL_PREFIX - 1)
#define VECTOR_MAX       255u
#define HKDF_LABEL_MAX   (2u + 1u + VECTOR_MAX + 1u + VECTOR_MAX)

sl_err sl_hmac_init(struct sl_hmac_ctx *ctx, enum sl_hash hash, const uint8_t *key, size_t key_len) {
  const size_t block_len = sl_hash_block_len(hash);
  uint8_t pad[SL_HASH_BLOCK_MAX] = {0};
  sl_err err;

  *ctx = (struct sl_hmac_ctx){0};
  err = sl_hash_init(&ctx->inner, hash);
  if (err != SL_OK) return err;
  ctx->outer = ctx->inner;

  if (key_len > block_len) {
    struct sl_hash_ctx key_hash = ctx->inner;
    sl_hash_update(&key_hash, key, key_len);
    sl_hash_final(&key_hash, pad);
  } else if (key_len > 0) {
    memcpy(pad, key, key_len);
  }
  for (size_t i = 0; i < block_len; i++) pad[i] ^= HMAC_IPAD;
  sl_hash_update(&ctx->inner, pad, block_len);
  for (size_t i = 0; i < block_len; i++) pad[i] ^= HMAC_IPAD ^ HMAC_OPAD;
  sl_hash_update(&ctx->outer, pad, block_len);
  sl_wipe(pad, sizeof pad);
  return SL_OK;
}

void sl_hmac_update(struct sl_hmac_ctx *ctx, const uint8_t *data, size_t len) {
  sl_hash_update(&ctx->inner, data, len);
}

void sl_hmac_final(struct sl_hmac_ctx *ctx, uint8_t *out) {
  const size_t hash_len = sl_hash_len(ctx->inner.hash);
  uint8_t inner[SL_HASH_LEN_MAX];

  sl_hash_final(&ctx->inner, inner);
  sl_hash_update(&ctx->outer, inner, hash_len);
  sl_hash_final(&ctx->outer, out);
  sl_wipe(inner, sizeof inner);
}

sl_err sl_hmac_once(enum sl_hash hash, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                    uint8_t *out) {
  struct sl_hmac_ctx ctx;
  sl_err err = sl_hmac_init(&ctx, hash, key, key_len);
  if (err != SL_OK) return err;
  sl_hmac_update(&ctx, data, len);
  sl_hmac_final(&ctx, out);
  return SL_OK;
}

/* RFC 5869 2.2: an absent salt is a hash length of zeros, which HMAC's padding of an empty key already gives. */
sl_err sl_hkdf_extract(enum sl_hash hash, const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                       uint8_t *prk) {
  return sl_hmac_once(hash, salt, salt_len, ikm, ikm_len, prk);
}

/* RFC 5869 2.3: T(i) = HMAC(prk, T(i-1) | info | i). The keyed context is made once and copied for each block, which
 * halves the work and lets out alias prk. */
sl_err sl_hkdf_expand(enum sl_hash hash, const uint8_t *prk, size_t prk_len, const uint8_t *info, size_t info_len,
                      uint8_t *out, size_t out_len) {
  const size_t hash_len = sl_hash_len(hash);
  uint8_t block[SL_HASH_LEN_MAX];
  struct sl_hmac_ctx keyed;
  sl_err err;

  if (out_len > HKDF_BLOCKS_MAX * hash_len) return hash_len == 0 ? SL_E_ARG : SL_E_LENGTH;
  err = sl_hmac_init(&keyed, hash, prk, prk_len);
  if (err != SL_OK) return err;

  for (uint8_t i = 1; out_len > 0; i++) {
    struct sl_hmac_ctx ctx = keyed;
    size_t n = out_len < hash_len ? out_len : hash_len;
    if (i > 1) sl_hmac_update(&ctx, block, hash_len);
    sl_hmac_update(&ctx, info, info_len);
    sl_hmac_update(&ctx, &i, 1);
    sl_hmac_final(&ctx, block);
    memcpy(out, block, n);
    out += n;
    out_len -= n;
  }
  sl_wipe(block, sizeof block);
  sl_wipe(&keyed, sizeof keyed);
  return SL_OK;
}

sl_err sl_hkdf_expand_label(enum sl_hash hash, const uint8_t *secret, const char *label, const uint8_t *context,
                            size_t context_len, uint8_t *out, size_t out_len) {
  const size_t label_len = strlen(label);
  uint8_t info[HKDF_LABEL_MAX], *p = info;

  if (label_len > VECTOR_MAX - LABEL_PREFIX_LEN || context_len > VECTOR_MAX || out_len > UINT16_MAX) return SL_E_LENGTH;
  sl_store16_be(p, (uint16_t)out_len);
  p += 2;
  *p++ = (uint8_t)(LABEL_PREFIX_LEN + label_len);
  memcpy(p, LABEL_PREFIX, LABEL_PREFIX_LEN);
  p += LABEL_PREFIX_LEN;
  memcpy(p, label, label_len);
  p += label_len;
  *p++ = (uint8_t)context_len;
  if (context_len > 0) memcpy(p, context, context_len);
  p += context_len;
  return sl_hkdf_expand(hash, secret, sl_hash_len(hash), info, (size_t)(p - info), out, out_len);
}

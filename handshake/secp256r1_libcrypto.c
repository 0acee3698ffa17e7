/* secp256r1_libcrypto.c - Diffie-Hellman on NIST's P-256 (RFC 8446 4.2.8.2 and 7.4.2, SEC 1) by libcrypto's points, as its own
 * ECDH uses them: a product with one point, ours or the generator, takes the constant-time way. */
#include "groups.h"
#include <engine/bytes.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

/* The order of the curve (SP 800-186 3.2.1.3), big-endian. */
static const uint8_t order[SL_EXCHANGE_SECRET_LEN] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                                      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* 0 < secret < order. The verdict alone is public: what is refused is never used. */
bool sl_secp256r1_is_secret(const uint8_t secret[SL_EXCHANGE_SECRET_LEN]) {
  uint32_t borrow = 0, any = 0;
  for (size_t i = SL_EXCHANGE_SECRET_LEN; i-- > 0;) {
    borrow = ((uint32_t)secret[i] - order[i] - borrow) >> 31;
    any |= secret[i];
  }
  uint32_t is_sound = borrow & (0 - any) >> 31;
  sl_declassify(&is_sound, sizeof is_sound);
  return is_sound != 0;
}

/* Everything that has to be freed. */
struct work {
  BN_CTX *ctx;
  EC_GROUP *group;
  EC_POINT *peer, *product;
  BIGNUM *scalar, *x;
};

static bool work_begin(struct work *w) {
  w->ctx = BN_CTX_secure_new();
  w->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (w->ctx == NULL || w->group == NULL) return false;
  w->peer = EC_POINT_new(w->group);
  w->product = EC_POINT_new(w->group);
  w->scalar = BN_secure_new();
  w->x = BN_secure_new();
  return w->peer != NULL && w->product != NULL && w->scalar != NULL && w->x != NULL;
}

static void work_end(struct work *w) {
  BN_clear_free(w->scalar);
  BN_clear_free(w->x);
  EC_POINT_clear_free(w->product);
  EC_POINT_free(w->peer);
  EC_GROUP_free(w->group);
  BN_CTX_free(w->ctx);
}

/* Reads the peer's point. The decoder checks that it is one of the curve, but fails alike where memory ends. Then it has not set
 * the point, which is at infinity, and that counts as one of the curve: the coordinates are looked at by themselves. */
static sl_err read_point(struct work *w, const uint8_t share[SL_SHARE_MAX]) {
  if (share[0] != POINT_CONVERSION_UNCOMPRESSED) return SL_E_KEY_SHARE; /* "legacy_form" */
  if (EC_POINT_oct2point(w->group, w->peer, share, SL_SHARE_MAX, w->ctx) == 1) return SL_OK;
  for (size_t i = 0; i < 2; i++) {
    if (BN_bin2bn(share + 1 + i * SL_EXCHANGE_SHARED_LEN, SL_EXCHANGE_SHARED_LEN, w->x) == NULL) return SL_E_MEMORY;
    if (BN_cmp(w->x, EC_GROUP_get0_field(w->group)) >= 0) return SL_E_KEY_SHARE;
  }
  return EC_POINT_is_on_curve(w->group, w->peer, w->ctx) == 0 ? SL_E_KEY_SHARE : SL_E_MEMORY;
}

sl_err sl_secp256r1_exchange(uint8_t *share, uint8_t shared[SL_EXCHANGE_SHARED_LEN],
                             const uint8_t secret[SL_EXCHANGE_SECRET_LEN], const uint8_t *peer_share) {
  struct work w = {0};
  sl_err err = SL_E_MEMORY; /* what libcrypto can fail of where its arguments are sound */
  ERR_set_mark();           /* its error queue is left as the application had it */
  if (!work_begin(&w) || BN_bin2bn(secret, SL_EXCHANGE_SECRET_LEN, w.scalar) == NULL) goto out;
  BN_set_flags(w.scalar, BN_FLG_CONSTTIME);
  err = read_point(&w, peer_share); /* the cofactor is 1: no point is of small order */
  if (err) goto out;
  err = SL_E_MEMORY;
  if (EC_POINT_mul(w.group, w.product, w.scalar, NULL, NULL, w.ctx) != 1 ||
      EC_POINT_point2oct(w.group, w.product, POINT_CONVERSION_UNCOMPRESSED, share, SL_SHARE_MAX, w.ctx) !=
          SL_SHARE_MAX ||
      EC_POINT_mul(w.group, w.product, NULL, w.peer, w.scalar, w.ctx) != 1 ||
      EC_POINT_get_affine_coordinates(w.group, w.product, w.x, NULL, w.ctx) != 1 ||
      BN_bn2binpad(w.x, shared, SL_EXCHANGE_SHARED_LEN) != SL_EXCHANGE_SHARED_LEN)
    goto out;
  err = SL_OK;
out:
  if (err) sl_wipe(shared, SL_EXCHANGE_SHARED_LEN);
  work_end(&w);
  ERR_pop_to_mark();
  return err;
}

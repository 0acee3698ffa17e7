/* poly1305.h - Poly1305 (RFC 8439 2.5): a polynomial in r whose coefficients are the message's blocks, modulo
 * p = 2^130 - 5, in limbs of 44, 44 and 42 bits.
 *
 * Bounds. A clamped r has limbs under 2^44, 2^44 and 2^36. After each block h has limbs under 2^44, 2^44 + 2^6 and 2^42,
 * and the next one adds less than 2^44, 2^44 and 2^41; so limbs under 2^45.1, 2^45.1 and 2^42.6 are multiplied. The largest
 * of the three sums is d0 < 2^45.1 2^44 + 2^45.1 20 2^36 + 2^42.6 20 2^44 < 2^91.4; carries out of the sums are under
 * 2^47.5, five times the last one is under 2^50, and what that carries on into h1 is under 2^6. */
#ifndef SEALANE_ENGINE_PORTABLE_POLY1305_H
#define SEALANE_ENGINE_PORTABLE_POLY1305_H

#include "engine/bytes.h"
#include "engine/portable/wide.h"

#define SL_POLY1305_44 ((UINT64_C(1) << 44) - 1)
#define SL_POLY1305_42 ((UINT64_C(1) << 42) - 1)

struct sl_poly1305 {
  uint64_t r[3], h[3];
  uint64_t s[2]; /* what is added in the end */
};

/* RFC 8439 2.5: the key is r, some of whose bits are cleared, and s. */
static inline void sl_poly1305_init(struct sl_poly1305 *poly, const uint8_t key[static 32]) {
  uint64_t lo = sl_load64_le(key) & UINT64_C(0x0ffffffc0fffffff);
  uint64_t hi = sl_load64_le(key + 8) & UINT64_C(0x0ffffffc0ffffffc);
  poly->r[0] = lo & SL_POLY1305_44;
  poly->r[1] = (lo >> 44 | hi << 20) & SL_POLY1305_44;
  poly->r[2] = hi >> 24;
  memset(poly->h, 0, sizeof poly->h);
  poly->s[0] = sl_load64_le(key + 16);
  poly->s[1] = sl_load64_le(key + 24);
}

/* h = (h + block + top 2^128) r. `top` is 1 for whole blocks; a message's partial last block is filled up with the byte
 * 1 and zeros, and has 0. The AEAD has whole blocks only. */
static inline void sl_poly1305_block(struct sl_poly1305 *poly, const uint8_t block[static 16], unsigned top) {
  uint64_t lo = sl_load64_le(block), hi = sl_load64_le(block + 8);
  uint64_t r0 = poly->r[0], r1 = poly->r[1], r2 = poly->r[2];
  uint64_t h0 = poly->h[0] + (lo & SL_POLY1305_44);
  uint64_t h1 = poly->h[1] + ((lo >> 44 | hi << 20) & SL_POLY1305_44);
  uint64_t h2 = poly->h[2] + (hi >> 24 | (uint64_t)top << 40);

  /* The limbs' weights are 2^0, 2^44, 2^88; 2^132 = 4 2^130 = 4 5 modulo p. */
  uint64_t r1_20 = 20 * r1, r2_20 = 20 * r2;
  sl_wide d0 = sl_wide_add(sl_wide_add(sl_wide_mul(h0, r0), sl_wide_mul(h1, r2_20)), sl_wide_mul(h2, r1_20));
  sl_wide d1 = sl_wide_add(sl_wide_add(sl_wide_mul(h0, r1), sl_wide_mul(h1, r0)), sl_wide_mul(h2, r2_20));
  sl_wide d2 = sl_wide_add(sl_wide_add(sl_wide_mul(h0, r2), sl_wide_mul(h1, r1)), sl_wide_mul(h2, r0));

  /* Carries go up one limb each; what leaves the top comes back five times. */
  uint64_t carry = sl_wide_shift(d0, 44);
  h0 = sl_wide_lo(d0) & SL_POLY1305_44;
  d1 = sl_wide_add(d1, sl_wide_from(carry));
  carry = sl_wide_shift(d1, 44);
  h1 = sl_wide_lo(d1) & SL_POLY1305_44;
  d2 = sl_wide_add(d2, sl_wide_from(carry));
  carry = sl_wide_shift(d2, 42);
  h2 = sl_wide_lo(d2) & SL_POLY1305_42;
  h0 += 5 * carry;
  h1 += h0 >> 44;
  h0 &= SL_POLY1305_44;

  poly->h[0] = h0;
  poly->h[1] = h1;
  poly->h[2] = h2;
}

/* tag = (h mod p) + s, modulo 2^128. Wipes poly. */
static inline void sl_poly1305_final(struct sl_poly1305 *poly, uint8_t tag[static 16]) {
  uint64_t h0 = poly->h[0], h1 = poly->h[1], h2 = poly->h[2];

  /* Once round with the carries, and h < 2^130 with limbs in their bounds: if there is a carry out of h2 at all, it is 1
   * and left h1 and h2 nearly empty, so that the five it adds go no further than h1. */
  h2 += h1 >> 44, h1 &= SL_POLY1305_44;
  h0 += 5 * (h2 >> 42), h2 &= SL_POLY1305_42;
  h1 += h0 >> 44, h0 &= SL_POLY1305_44;

  /* h - p = h + 5 - 2^130: if that is not negative, it is the answer. */
  uint64_t g0 = h0 + 5;
  uint64_t g1 = h1 + (g0 >> 44);
  uint64_t g2 = h2 + (g1 >> 44) - (UINT64_C(1) << 42);
  uint64_t is_less = 0 - (g2 >> 63); /* all ones when h < p */
  h0 = (h0 & is_less) | (g0 & SL_POLY1305_44 & ~is_less);
  h1 = (h1 & is_less) | (g1 & SL_POLY1305_44 & ~is_less);
  h2 = (h2 & is_less) | (g2 & SL_POLY1305_42 & ~is_less);

  /* Two words of 64 bits, plus s. */
  sl_wide sum = sl_wide_add(sl_wide_from(h0 | h1 << 44), sl_wide_from(poly->s[0]));
  sl_store64_le(tag, sl_wide_lo(sum));
  sl_store64_le(tag + 8, (h1 >> 20 | h2 << 24) + poly->s[1] + sl_wide_hi(sum));
  sl_wipe(poly, sizeof *poly);
}

#endif

/* chapoly_poly52.h - Poly1305 (RFC 8439 2.5) in limbs of 52, 52 and 26 bits, a product's halves by 52-bit multiply-add
 * (IFMA): the arithmetic of one polynomial a lane.
 *
 * A multiply-add takes the low 52 bits of what it multiplies, so a block is in limbs by two shifts of its halves, without a mask, and
 * 2^128 comes with the second one. A product's high half belongs to the next limb. Nothing is folded while multiplying: a multiplier
 * is there three times, R_i = 2^(52 i) x modulo p = 2^130 - 5 for limb i of the multiplicand.
 *
 * Bounds. "Loose" limbs have anything in bits 52 to 63, which does not count.
 *
 *     block         limbs 0, 1 loose; limb 2 under 2^25
 *     value         limbs 0, 1 loose; limb 2 under 2^27, out of poly_carried() under 2^26 + 2^7
 *     multiplier    R_0 as a value; limbs 0, 1 of R_1, R_2 loose; their limbs 2 at most 2^27, and under 2^26 + 2^4
 *
 * The last of these: R_1 is what of the value is under 2^79, and ten times what is over, under 2^56; R_2 is 26 bits of limb 0, what
 * 5 2^26 < 2^28.4 times limb 2 leaves over 2^52, and a carry.
 *
 * So limb 2 of a block times limb 2 of R_2 is under 2^52 and has no high half. Any half is under 2^52, high halves of products with
 * limbs 2 of multipliers under 2^27. Sums of the products of n <= POLY_SOLO_MERGED = 8 multiplicands, and a block that is not
 * multiplied, are under (6 n + 1) 2^52 < 2^58 by weights, and under 3 n 2^27 < 2^32 at 2^156. In poly_carried() limb 0 takes
 * less than 2^52 for those at 2^156 and less than 2^35 for what is over 2^130, limb 1 less than 2^9 and a carry of less than 2^7;
 * limb 2 is left with 26 bits, and a carry of less than 2^7. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_POLY52_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_POLY52_H

#include "engine/portable/poly1305.h"

enum {
  POLY_LIMBS = 3,
  POLY_MERGED = 4,       /* products added before their carries are taken: of a group */
  POLY_MERGED_FEW = 2,   /* where texts are shorter than */
  POLY_MERGED_LEN = 448, /* bytes, by measurement */
  POLY_SOLO_MERGED = 8,  /* of a solo */
  POLY_TOP_BITS = 24,    /* where 2^128 is in the last limb */
  /* What records cost (chapoly_template.h), by measurement. */
  COST_POLY = 1,
  COST_SOLO = 7,
  COST_FEW = 4,
  COST_GROUP = 5,
};
/* What counts of a limb. */
#define POLY_LIMB_MASK ((UINT64_C(1) << 52) - 1)

/* One value a lane. */
struct poly_value {
  v limb[POLY_LIMBS];
};
/* What is multiplied by: limbs j of R_i. */
struct poly_factor {
  v by[POLY_LIMBS][POLY_LIMBS];
};
/* A sum of products, by weights: what is added to one of these waits for what was before. */
struct poly_sum {
  v at_0[2], at_52[3], at_104[3], at_156;
};

/* What is multiplied: a block to be added to other products, a value to be, or a value by itself. */
enum poly_what { POLY_BLOCK, POLY_VALUE, POLY_ALONE };

INLINE v poly_mask52(void) {
  return q_set(POLY_LIMB_MASK);
}
INLINE v poly_mask26(void) {
  return q_set((UINT64_C(1) << 26) - 1);
}
/* 2^156 */
INLINE v poly_2_156(void) {
  return q_set(UINT64_C(5) << 26);
}

/* The block with these halves, and 2^128 in those lanes where `is_there` has all its bits set. */
INLINE struct poly_value poly_block(v low, v high, v is_there) {
  struct poly_value b;
  b.limb[0] = low;
  b.limb[1] = q_right_pair(low, high, 52);
  b.limb[2] = q_right_pair(high, q_and(is_there, q_set(1)), 40);
  return b;
}

INLINE struct poly_factor poly_factor(struct poly_value x) {
  struct poly_factor f;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) f.by[0][i] = x.limb[i];
  v x0 = q_and(x.limb[0], poly_mask52()), x1 = x.limb[1], x2 = x.limb[2];
  /* 2^52 x: what of x is over 2^79 comes to 2^131 = 10. */
  v top = q_right_pair(q_left(x1, 12), x2, 39);
  f.by[1][0] = _mm512_madd52lo_epu64(q_zero(), top, q_set(10));
  f.by[1][1] = _mm512_madd52hi_epu64(x0, top, q_set(10));
  f.by[1][2] = q_add(q_and(x1, q_set((1 << 27) - 1)), q_right(f.by[1][1], 52));
  /* 2^104 x: limbs 1 and 2 come to 2^156 and 2^208, the upper half of limb 0 to 2^130. */
  v r0 = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(q_zero(), x1, poly_2_156()), q_right(x0, 26), q_set(5));
  v r1 = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(q_zero(), x1, poly_2_156()), x2, poly_2_156());
  v r2 = _mm512_madd52hi_epu64(q_and(x0, poly_mask26()), x2, poly_2_156());
  r1 = q_add(r1, q_right(r0, 52));
  f.by[2][0] = r0, f.by[2][1] = r1, f.by[2][2] = q_add(r2, q_right(r1, 52));
  return f;
}
INLINE struct poly_value poly_value_of(const struct poly_factor *f) {
  return (struct poly_value){{f->by[0][0], f->by[0][1], f->by[0][2]}};
}

/* x with nothing behind its limbs. */
INLINE struct poly_value poly_strict(struct poly_value x) {
  x.limb[0] = q_and(x.limb[0], poly_mask52()), x.limb[1] = q_and(x.limb[1], poly_mask52());
  return x;
}

/* The sum that is a value: nothing multiplied yet. */
INLINE struct poly_sum poly_sum_of(struct poly_value x) {
  v zero = q_zero();
  x = poly_strict(x);
  return (struct poly_sum){{x.limb[0], zero}, {x.limb[1], zero, zero}, {x.limb[2], zero, zero}, zero};
}

/* Limb i of a, and limbs 0 to 2 of R_i. */
INLINE void poly_sum_limb(struct poly_sum *s, v a, unsigned i, v r0, v r1, v r2, enum poly_what what) {
  if (what != POLY_ALONE) __asm__("" : "+v"(r0), "+v"(r1), "+v"(r2)); /* loaded once */
  unsigned low = what == POLY_ALONE ? 0 : i, high = what == POLY_ALONE ? 1 : i;
  s->at_0[low / 2] = _mm512_madd52lo_epu64(s->at_0[low / 2], a, r0);
  s->at_52[high] = _mm512_madd52hi_epu64(s->at_52[high], a, r0);
  s->at_52[low] = _mm512_madd52lo_epu64(s->at_52[low], a, r1);
  s->at_104[high] = _mm512_madd52hi_epu64(s->at_104[high], a, r1);
  s->at_104[low] = _mm512_madd52lo_epu64(s->at_104[low], a, r2);
  if (what != POLY_BLOCK || i < 2) s->at_156 = _mm512_madd52hi_epu64(s->at_156, a, r2);
}

/* s + a f */
INLINE struct poly_sum poly_sum_add(struct poly_sum s, struct poly_value a, const struct poly_factor *f,
                                    enum poly_what what) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++)
      poly_sum_limb(&s, a.limb[i], i, f->by[i][0], f->by[i][1], f->by[i][2], what);
  return s;
}

/* The same with the n-th power of a solo in all lanes. */
INLINE struct poly_sum poly_sum_add_power(struct poly_sum s, struct poly_value a, const struct poly_factor *f, size_t n,
                                          enum poly_what what) {
  const uint64_t *r = (const uint64_t *)f + Q_LANES - n;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++, r += Q_LANES * POLY_LIMBS) {
    poly_sum_limb(&s, a.limb[i], i, q_set(r[0]), q_set(r[Q_LANES]), q_set(r[2 * Q_LANES]), what);
  }
  return s;
}

INLINE struct poly_value poly_carried(struct poly_sum s) {
  v x0 = _mm512_madd52lo_epu64(q_add(s.at_0[0], s.at_0[1]), s.at_156, poly_2_156());
  v x1 = q_add(s.at_52[0], q_add(s.at_52[1], s.at_52[2]));
  v x2 = q_add(s.at_104[0], q_add(s.at_104[1], s.at_104[2]));
  x1 = _mm512_madd52hi_epu64(x1, s.at_156, poly_2_156());
  x0 = _mm512_madd52lo_epu64(x0, q_right(x2, 26), q_set(5)); /* times 2^130, which is 5 */
  x1 = q_add(x1, q_right(x0, 52));
  x2 = q_add(q_and(x2, poly_mask26()), q_right(x1, 52));
  return (struct poly_value){{x0, x1, x2}};
}

/* x modulo p = 2^130 - 5, as far as it is in the low 128 bits. x is a carried value. */
INLINE void poly_finish(struct poly_value x, v *low, v *high) {
  x = poly_strict(x);
  v x0 = x.limb[0], x1 = x.limb[1], x2 = x.limb[2];
  /* If there is anything over 2^130 at all, it is 1 and x2 is nearly empty: it can take a carry. */
  x0 = _mm512_madd52lo_epu64(x0, q_right(x2, 26), q_set(5)), x2 = q_and(x2, poly_mask26());
  x1 = q_add(x1, q_right(x0, 52)), x0 = q_and(x0, poly_mask52());
  x2 = q_add(x2, q_right(x1, 52)), x1 = q_and(x1, poly_mask52());

  /* x - p = x + 5 - 2^130: if that is not negative, it is the answer. */
  v g0 = q_add(x0, q_set(5));
  v g1 = q_add(x1, q_right(g0, 52));
  v g2 = q_sub(q_add(x2, q_right(g1, 52)), q_set(UINT64_C(1) << 26));
  v is_less = q_sub(q_zero(), q_right(g2, 63));
  x0 = q_select(is_less, x0, q_and(g0, poly_mask52()));
  x1 = q_select(is_less, x1, q_and(g1, poly_mask52()));
  x2 = q_select(is_less, x2, g2);
  *low = q_or(x0, q_left(x1, 52));
  *high = q_or(q_right(x1, 12), q_left(x2, 40));
}

/* Limbs that are sums of lanes, under 2^55, to those of struct sl_poly1305. */
static inline void poly_join(uint64_t h[3], const uint64_t limb[POLY_LIMBS]) {
  uint64_t x1 = (limb[0] >> 44) + (limb[1] << 8), x2 = (x1 >> 44) + (limb[2] << 16);
  h[0] = (limb[0] & SL_POLY1305_44) + 5 * (x2 >> 42);
  h[1] = (x1 & SL_POLY1305_44) + (h[0] >> 44), h[0] &= SL_POLY1305_44;
  h[2] = x2 & SL_POLY1305_42;
}

#endif

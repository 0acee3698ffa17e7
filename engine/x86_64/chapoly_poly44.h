/* chapoly_poly44.h - Poly1305 (RFC 8439 2.5) in limbs of 44, 44 and 42 bits, a product's halves by 52-bit multiply-add
 * (IFMA): the arithmetic of one polynomial a lane. chapoly_poly26.h has the same for 32-bit multipliers.
 *
 * Bounds. Multipliers, r and its powers, have limbs under 2^44, 2^44 + 2^11, 2^42, so their multiples by 20 are under
 * 2^48.4; a multiplicand, which is a carried value and a block, under 2^45.1, 2^45.1, 2^42.6. All fit the 52 bits that are
 * multiplied. With the products of POLY_MERGED multiplicands, three a limb, low sums stay under 12 2^52 + 2^45 and high ones
 * under
 *
 *     limb 0   4 (2^37.1 + 2^41.5 + 2^39) < 2^43.9       a0 r0, a1 20 r2, a2 20 r1, each over 2^52
 *     limb 1   4 (2^37.2 + 2^37.1 + 2^39) < 2^41.7       a0 r1, a1 r0, a2 20 r2
 *     limb 2   4 (2^35.1 + 2^37.2 + 2^34.6) < 2^39.7     a0 r2, a1 r1, a2 r0
 *
 * so that 2^8 times those of limbs 0 and 1, and 5 2^10 = 2^12.4 times that of limb 2, are under 2^52 still, and a multiply-add
 * can bring them to their places. What is carried out of the last step into limb 1 is under 2^9. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_POLY44_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_POLY44_H

#include "engine/portable/poly1305.h"

enum {
  POLY_LIMBS = 3,
  POLY_MERGED = 4,    /* products added before their carries are taken */
  POLY_TOP_BITS = 40, /* where 2^128 is in the last limb */
  /* What records cost (chapoly_template.h), by measurement. */
  COST_POLY = 1,
  COST_SOLO = 7,
  COST_FEW = 4,
  COST_GROUP = 5,
};
#define POLY_UNROLL UNROLL /* products that are merged, of a solo */
/* poly_times(): what comes next waits for it, and the way through memory would be half its time. */
#define POLY_TIMES INLINE

/* One value a lane. */
struct poly_value {
  v limb[POLY_LIMBS];
};
/* What is multiplied by: its limbs, and 20 times limbs 1 and 2: weights go past 2^130 as 2^132 = 4 2^130 = 20. */
struct poly_factor {
  v limb[POLY_LIMBS], folded[POLY_LIMBS - 1];
};
/* A sum of products, low and high 52 bits apart. */
struct poly_sum {
  v low[POLY_LIMBS], high[POLY_LIMBS];
};

INLINE v poly_mask44(void) {
  return q_set((UINT64_C(1) << 44) - 1);
}
INLINE v poly_mask42(void) {
  return q_set((UINT64_C(1) << 42) - 1);
}

/* The block with these halves, and 2^128 in those lanes where `is_there` has all its bits set. */
INLINE struct poly_value poly_block(v low, v high, v is_there) {
  struct poly_value b;
  b.limb[0] = q_and(low, poly_mask44());
  b.limb[1] = q_and(q_or(q_right(low, 44), q_left(high, 20)), poly_mask44());
  b.limb[2] = q_or(q_right(high, 24), q_and(is_there, q_set(UINT64_C(1) << 40)));
  return b;
}

INLINE struct poly_factor poly_factor(struct poly_value x) {
  struct poly_factor f;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) f.limb[i] = x.limb[i];
  UNROLL for (unsigned i = 0; i < POLY_LIMBS - 1; i++) {
    f.folded[i] = _mm512_madd52lo_epu64(q_zero(), x.limb[i + 1], q_set(20));
  }
  return f;
}

/* The sum that is a value: nothing multiplied yet. */
INLINE struct poly_sum poly_sum_of(struct poly_value x) {
  struct poly_sum s;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    s.low[i] = x.limb[i];
    s.high[i] = q_zero();
  }
  return s;
}

/* s + a f */
INLINE struct poly_sum poly_sum_add(struct poly_sum s, struct poly_value a, const struct poly_factor *f) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    UNROLL for (unsigned j = 0; j < POLY_LIMBS; j++) {
      v b = i <= j ? f->limb[j - i] : f->folded[POLY_LIMBS - 1 + j - i];
      s.low[j] = _mm512_madd52lo_epu64(s.low[j], a.limb[i], b);
      s.high[j] = _mm512_madd52hi_epu64(s.high[j], a.limb[i], b);
    }
  }
  return s;
}

INLINE struct poly_value poly_carried(struct poly_sum s) {
  struct poly_value x;
  x.limb[0] = q_and(s.low[0], poly_mask44());
  v up = q_add(_mm512_madd52lo_epu64(s.low[1], s.high[0], q_set(1 << 8)), q_right(s.low[0], 44));
  x.limb[1] = q_and(up, poly_mask44());
  up = q_add(_mm512_madd52lo_epu64(s.low[2], s.high[1], q_set(1 << 8)), q_right(up, 44));
  x.limb[2] = q_and(up, poly_mask42());
  x.limb[0] = _mm512_madd52lo_epu64(x.limb[0], s.high[2], q_set(5 << 10)); /* times 2^130, which is 5 */
  x.limb[0] = _mm512_madd52lo_epu64(x.limb[0], q_right(up, 42), q_set(5));
  x.limb[1] = q_add(x.limb[1], q_right(x.limb[0], 44));
  x.limb[0] = q_and(x.limb[0], poly_mask44());
  return x;
}

/* x modulo p = 2^130 - 5, as far as it is in the low 128 bits. Limbs of x are under 2^60. */
INLINE void poly_finish(struct poly_value x, v *low, v *high) {
  v x0 = x.limb[0], x1 = x.limb[1], x2 = x.limb[2];
  UNROLL for (unsigned i = 0; i < 2; i++) {
    /* The second time, if there is a carry out of x2 at all, it is 1 and x0 and x1 are nearly empty: they can take 5. */
    x1 = q_add(x1, q_right(x0, 44)), x0 = q_and(x0, poly_mask44());
    x2 = q_add(x2, q_right(x1, 44)), x1 = q_and(x1, poly_mask44());
    v top = q_right(x2, 42);
    x0 = q_add(x0, q_add(top, q_left(top, 2))), x2 = q_and(x2, poly_mask42());
  }

  /* x - p = x + 5 - 2^130: if that is not negative, it is the answer. */
  v g0 = q_add(x0, q_set(5));
  v g1 = q_add(x1, q_right(g0, 44));
  v g2 = q_sub(q_add(x2, q_right(g1, 44)), q_set(UINT64_C(1) << 42));
  v is_less = q_sub(q_zero(), q_right(g2, 63));
  x0 = q_select(is_less, x0, q_and(g0, poly_mask44()));
  x1 = q_select(is_less, x1, q_and(g1, poly_mask44()));
  x2 = q_select(is_less, x2, q_and(g2, poly_mask42()));
  *low = q_or(x0, q_left(x1, 44));
  *high = q_or(q_right(x1, 20), q_left(x2, 24));
}

/* Limbs that are sums of lanes, under 2^60, to those of struct sl_poly1305, which are the same but for their bounds. */
static inline void poly_join(uint64_t h[3], const uint64_t limb[POLY_LIMBS]) {
  h[1] = limb[1] + (limb[0] >> 44), h[0] = limb[0] & SL_POLY1305_44;
  h[2] = limb[2] + (h[1] >> 44), h[1] &= SL_POLY1305_44;
  h[0] += 5 * (h[2] >> 42), h[2] &= SL_POLY1305_42;
  h[1] += h[0] >> 44, h[0] &= SL_POLY1305_44;
}

#endif

/* chapoly_poly26.h - Poly1305 (RFC 8439 2.5) in five limbs of 26 bits, multiplied 32 by 32 bits: the arithmetic of one
 * polynomial a lane. chapoly_poly44.h has the same for wider multipliers.
 *
 * Bounds. Multipliers, r and its powers, have limbs under 2^26 + 2^13, so their fivefolds are under 2^28.4; a multiplicand,
 * which is a carried value and a block, has limbs under 2^27.1. All fit 32 bits. With the products of POLY_MERGED
 * multiplicands, five a limb, sums stay under 20 2^55.5 + 2^28 < 2^60; carries are under 2^34, five of them under 2^36.4, and
 * what the second round of carries moves is under 2^11. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_POLY26_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_POLY26_H

#include "engine/portable/poly1305.h"

enum {
  POLY_LIMBS = 5,
  POLY_MERGED = 4,                      /* products added before their carries are taken: of a group */
  POLY_MERGED_FEW = POLY_MERGED,        /* where texts are shorter than */
  POLY_MERGED_LEN = 448,                /* bytes, by measurement */
  POLY_SOLO_MERGED = POLY_MERGED,       /* of a solo */
  POLY_SOLO_FACTORS = POLY_SOLO_MERGED, /* vectors of multipliers that takes */
  POLY_ADDS_LAST = 0,                   /* a group's hash is h r + block, not (h + block) r */
  POLY_TOP_BITS = 24,                   /* where 2^128 is in the last limb */
  /* What records cost (chapoly_template.h), by measurement. */
  COST_POLY = 3,
  COST_SOLO = 5,
  COST_FEW = 5,
  COST_GROUP = 2,
};
#define POLY_UNROLL    ROLLED /* products that are merged, of a solo */
#define POLY_TIMES     SHARED
#define POLY_LIMB_MASK UINT64_MAX /* what counts of a limb */

/* One value a lane. */
struct poly_value {
  v limb[POLY_LIMBS];
};
/* What is multiplied by: its limbs, and five times limbs 1 to 4, for weights go past 2^130. */
struct poly_factor {
  v limb[POLY_LIMBS], folded[POLY_LIMBS - 1];
};
/* A sum of products. */
struct poly_sum {
  v limb[POLY_LIMBS];
};

/* What is multiplied, which makes no difference here. */
enum poly_what { POLY_BLOCK, POLY_VALUE, POLY_ALONE };

INLINE v poly_mask26(void) {
  return q_set((UINT64_C(1) << 26) - 1);
}

/* The block with these halves, and 2^128 in those lanes where `is_there` has all its bits set. */
INLINE struct poly_value poly_block(v low, v high, v is_there) {
  struct poly_value b;
  b.limb[0] = q_and(low, poly_mask26());
  b.limb[1] = q_and(q_right(low, 26), poly_mask26());
  b.limb[2] = q_and(q_or(q_right(low, 52), q_left(high, 12)), poly_mask26());
  b.limb[3] = q_and(q_right(high, 14), poly_mask26());
  b.limb[4] = q_or(q_right(high, 40), q_and(is_there, q_set(UINT64_C(1) << 24)));
  return b;
}

INLINE struct poly_factor poly_factor(struct poly_value x) {
  struct poly_factor f;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) f.limb[i] = x.limb[i];
  UNROLL for (unsigned i = 0; i < POLY_LIMBS - 1; i++) {
    f.folded[i] = q_add(x.limb[i + 1], q_left(x.limb[i + 1], 2));
  }
  return f;
}

INLINE struct poly_value poly_value_of(const struct poly_factor *f) {
  struct poly_value x;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = f->limb[i];
  return x;
}

/* The sum that is a value: nothing multiplied yet. */
INLINE struct poly_sum poly_sum_of(struct poly_value x) {
  struct poly_sum s;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) s.limb[i] = x.limb[i];
  return s;
}

/* s + a f. */
INLINE struct poly_sum poly_sum_add(struct poly_sum s, struct poly_value a, const struct poly_factor *f,
                                    enum poly_what what) {
  (void)what;
  __asm__("" : "+r"(f)); /* factors are to stay where they are: registers are for sums, and loops would copy them */
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    UNROLL for (unsigned j = 0; j < POLY_LIMBS; j++) {
      v b = i <= j ? f->limb[j - i] : f->folded[POLY_LIMBS - 1 + j - i];
      s.limb[j] = q_add(s.limb[j], q_mul32(a.limb[i], b));
    }
  }
  return s;
}

/* The same with the n-th power of a solo. */
INLINE struct poly_sum poly_sum_add_power(struct poly_sum s, struct poly_value a, const struct poly_factor *f, size_t n,
                                          enum poly_what what) {
  return poly_sum_add(s, a, f + n - 1, what);
}

/* Two chains of carries, 0-1-2-3 and 3-4-0-1, side by side. */
INLINE struct poly_value poly_carried(struct poly_sum s) {
  v x0 = s.limb[0], x1 = s.limb[1], x2 = s.limb[2], x3 = s.limb[3], x4 = s.limb[4], mask = poly_mask26();
  x1 = q_add(x1, q_right(x0, 26)), x0 = q_and(x0, mask);
  x4 = q_add(x4, q_right(x3, 26)), x3 = q_and(x3, mask);
  x2 = q_add(x2, q_right(x1, 26)), x1 = q_and(x1, mask);
  v top = q_right(x4, 26); /* times 2^130, which is 5 */
  x0 = q_add(x0, q_add(top, q_left(top, 2))), x4 = q_and(x4, mask);
  x3 = q_add(x3, q_right(x2, 26)), x2 = q_and(x2, mask);
  x1 = q_add(x1, q_right(x0, 26)), x0 = q_and(x0, mask);
  x4 = q_add(x4, q_right(x3, 26)), x3 = q_and(x3, mask);
  return (struct poly_value){{x0, x1, x2, x3, x4}};
}

/* x modulo p = 2^130 - 5, as far as it is in the low 128 bits. Limbs of x are under 2^60. */
INLINE void poly_finish(struct poly_value x, v *low, v *high) {
  v mask = poly_mask26(), g[POLY_LIMBS], carry;
  UNROLL for (unsigned round = 0; round < 2; round++) {
    /* The second time, if there is a carry out of limb 4 at all, it is 1 and the others are nearly empty: limb 0 can
     * take 5. */
    UNROLL for (unsigned i = 0; i < POLY_LIMBS - 1; i++) {
      x.limb[i + 1] = q_add(x.limb[i + 1], q_right(x.limb[i], 26));
      x.limb[i] = q_and(x.limb[i], mask);
    }
    v top = q_right(x.limb[4], 26);
    x.limb[4] = q_and(x.limb[4], mask);
    x.limb[0] = q_add(x.limb[0], q_add(top, q_left(top, 2)));
  }

  /* x - p = x + 5 - 2^130: if that is not negative, it is the answer. */
  carry = q_set(5);
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    g[i] = q_add(x.limb[i], carry);
    carry = q_right(g[i], 26);
    g[i] = q_and(g[i], mask);
  }
  v is_less = q_sub(carry, q_set(1)); /* the carry out of limb 4 is 1 when x >= p */
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_select(is_less, x.limb[i], g[i]);
  *low = q_or(q_or(x.limb[0], q_left(x.limb[1], 26)), q_left(x.limb[2], 52));
  *high = q_or(q_or(q_right(x.limb[2], 12), q_left(x.limb[3], 14)), q_left(x.limb[4], 40));
}

/* Limbs that are sums of lanes, under 2^60, to those of struct sl_poly1305. */
static inline void poly_join(uint64_t h[3], const uint64_t limb[POLY_LIMBS]) {
  uint64_t x[POLY_LIMBS + 1] = {0};
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    x[i] += limb[i];
    x[i + 1] = x[i] >> 26, x[i] &= (1 << 26) - 1;
  }
  x[0] += 5 * x[POLY_LIMBS]; /* times 2^130: under 2^38 */
  h[0] = x[0] + (x[1] << 26);
  h[1] = (h[0] >> 44) + (x[2] << 8) + (x[3] << 34 & SL_POLY1305_44), h[0] &= SL_POLY1305_44;
  h[2] = (h[1] >> 44) + (x[3] >> 10) + (x[4] << 16), h[1] &= SL_POLY1305_44;
}

#endif

/* poly1305_lanes.h - the insides of chapoly_avx512 that test_poly1305_lanes.c asks for: Poly1305 in lanes. */
#ifndef SEALANE_TESTS_POLY1305_LANES_H
#define SEALANE_TESTS_POLY1305_LANES_H

#include "engine/kernel.h"
#include "engine/portable/poly1305.h"

enum { LANES = 8, LIMBS = 3, MERGED_MAX = 8 };

/* Limbs of a value in each lane. */
typedef uint64_t lane_limbs[LIMBS][LANES];

struct poly1305_lanes {
  const struct sl_kernel *kernel;
  /* out = block[0] + block[1] factor[0] + ... + block[n - 1] factor[n - 2] + value factor[n - 1], n of 1 to MERGED_MAX; blocks are
   * halves, with 2^128. */
  void (*products)(lane_limbs out, lane_limbs value, lane_limbs *factor, uint64_t (*block)[2][LANES], unsigned n);
  /* What the value is modulo p, without what is over 2^128. */
  void (*finish)(uint64_t low[LANES], uint64_t high[LANES], lane_limbs value);
  /* Tags of a record in each lane: n_rows times 64 bytes, then 16 n_more. is_short: as in texts that merge few products. */
  void (*group)(uint64_t low[LANES], uint64_t high[LANES], const uint8_t (*key)[32], const uint8_t *const *text,
                size_t n_rows, size_t n_more, bool is_short);
  /* Absorbs n_steps >= 2 times 16 LANES bytes of one record. */
  void (*solo)(struct sl_poly1305 *poly, const uint8_t *text, size_t n_steps, bool is_long);
};

extern const struct poly1305_lanes poly1305_lanes;

#endif

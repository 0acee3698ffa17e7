/* block.h - vectors of 16 bytes on NEON, and loads and stores of 1..16 bytes that touch no byte outside. Which instructions run
 * depends on lengths alone, and lengths are public. */
#ifndef SEALANE_ENGINE_AARCH64_BLOCK_H
#define SEALANE_ENGINE_AARCH64_BLOCK_H

#include "engine/bytes.h"
#include <arm_neon.h>

typedef uint8x16_t v;

/* ---- a block's bytes ----------------------------------------------------------------------------------------- */

static inline v block_load_all(const uint8_t *p) {
  return vld1q_u8(p);
}
static inline void block_store_all(uint8_t *p, v x) {
  vst1q_u8(p, x);
}
static inline v block_of(uint64_t low, uint64_t high) {
  return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}
static inline uint64_t block_low(v x) {
  return vgetq_lane_u64(vreinterpretq_u64_u8(x), 0);
}
static inline uint64_t block_high(v x) {
  return vgetq_lane_u64(vreinterpretq_u64_u8(x), 1);
}

/* The first n bytes of p, zeros behind; 0 <= n <= 16. Two loads that overlap in the middle reach any length. */
static inline v block_load(const uint8_t *p, size_t n) {
  if (n >= 16) return block_load_all(p);
  if (n > 8) return block_of(sl_load64_le(p), sl_load64_le(p + n - 8) >> 8 * (16 - n));
  uint64_t low = 0;
  if (n >= 4) {
    low = sl_load32_le(p) | (uint64_t)sl_load32_le(p + n - 4) << 8 * (n - 4);
  } else if (n > 0) {
    low = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
  }
  return block_of(low, 0);
}

/* Writes the first n bytes of x to p; 0 <= n <= 16. */
static inline void block_store(uint8_t *p, size_t n, v x) {
  if (n >= 16) {
    block_store_all(p, x);
    return;
  }
  uint64_t low = block_low(x), high = block_high(x);
  if (n >= 8) {
    sl_store64_le(p, low);
    if (n > 8) sl_store64_le(p + n - 8, low >> 8 * (n - 8) | high << 8 * (16 - n));
  } else if (n >= 4) {
    sl_store32_le(p, (uint32_t)low);
    sl_store32_le(p + n - 4, (uint32_t)(low >> 8 * (n - 4)));
  } else if (n > 0) {
    p[0] = (uint8_t)low;
    p[n / 2] = (uint8_t)(low >> 8 * (n / 2));
    p[n - 1] = (uint8_t)(low >> 8 * (n - 1));
  }
}

/* The number of each byte. */
static inline v block_places(void) {
  static const uint8_t places[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return block_load_all(places);
}
/* The first n bytes of x, zeros behind. */
static inline v block_keep(v x, size_t n) {
  return vandq_u8(x, vcltq_u8(block_places(), vdupq_n_u8((uint8_t)n)));
}
/* The last n bytes of x, zeros behind. */
static inline v block_end(v x, size_t n) {
  return vqtbl1q_u8(x, vaddq_u8(block_places(), vdupq_n_u8((uint8_t)(16 - n))));
}
/* The 16 bytes of a and b that end with the n-th of b. */
static inline v block_join(v a, v b, size_t n) {
  return vqtbl2q_u8((uint8x16x2_t){{a, b}}, vaddq_u8(block_places(), vdupq_n_u8((uint8_t)n)));
}
/* x with byte `at` set to b, where it was zero; 16: x. */
static inline v block_put_byte(v x, size_t at, uint8_t b) {
  v here = vceqq_u8(block_places(), vdupq_n_u8((uint8_t)at));
  return vorrq_u8(x, vandq_u8(here, vdupq_n_u8(b)));
}
/* Byte `at` (0..15) of x. */
static inline uint8_t block_byte(v x, size_t at) {
  return vgetq_lane_u8(vqtbl1q_u8(x, vdupq_n_u8((uint8_t)at)), 0);
}

/* 1 when the blocks differ, else 0, without a branch. */
static inline uint32_t block_differs(v a, v b) {
  v x = veorq_u8(a, b);
  uint64_t bits = block_low(x) | block_high(x);
  return (uint32_t)((bits | (0 - bits)) >> 63);
}

/* ---- words --------------------------------------------------------------------------------------------------- */

static inline v v_zero(void) {
  return vdupq_n_u8(0);
}
static inline v v_xor(v a, v b) {
  return veorq_u8(a, b);
}
/* Swaps the 64-bit halves. */
static inline v v_swap(v x) {
  return vextq_u8(x, x, 8);
}
/* Reverses the bytes of either half. */
static inline v v_turn(v x) {
  return vrev64q_u8(x);
}
/* The low halves of two, and the high halves. */
static inline v v_lows(v a, v b) {
  return vreinterpretq_u8_u64(vtrn1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}
static inline v v_highs(v a, v b) {
  return vreinterpretq_u8_u64(vtrn2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}
/* x with its last 32 bits replaced. */
static inline v v_set_word3(v x, uint32_t word) {
  return vreinterpretq_u8_u32(vsetq_lane_u32(word, vreinterpretq_u32_u8(x), 3));
}

#endif

/* vec256.h - the vocabulary of gcm_template.h on AVX2 with VAES and VPCLMULQDQ: two blocks a vector, 16 registers, no
 * masks. For the cores that have wide AES but no AVX-512: Zen 3, Alder Lake, Sierra Forest. */
#ifndef SEALANE_ENGINE_X86_64_VEC256_H
#define SEALANE_ENGINE_X86_64_VEC256_H

#include "engine/x86_64/block.h"

typedef __m256i v;

enum {
  V_LANES = 2, /* blocks in a vector */
  V_BYTES = 32,
  V_GROUP = 8,      /* vectors that a long record takes together */
  V_ALIGN = 4,      /* vectors whose counters are one and their positions: gcm_counters() */
  V_SCHOOLBOOK = 0, /* products by four multiplications rather than three: docs/kernels.md */
};

/* The code of a record's ends: without masks too long to stand wherever it is needed. */
#define V_EDGE static __attribute__((noinline))

static inline v v_zero(void) {
  return _mm256_setzero_si256();
}
static inline v v_load(const uint8_t *p) {
  return _mm256_loadu_si256((const __m256i *)p);
}
static inline void v_store(uint8_t *p, v x) {
  _mm256_storeu_si256((__m256i *)p, x);
}
/* One block in every lane. */
static inline v v_all(__m128i x) {
  return _mm256_broadcastsi128_si256(x);
}
/* A block in lane 0, zeros in the others. */
static inline v v_low(__m128i x) {
  return _mm256_zextsi128_si256(x);
}
static inline v v_load_all(const uint8_t *p) {
  return _mm256_broadcastsi128_si256(block_load_all(p));
}

static inline v v_xor(v a, v b) {
  return _mm256_xor_si256(a, b);
}
static inline v v_xor3(v a, v b, v c) {
  return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
/* x with the last 32 bits of every lane replaced. */
static inline v v_set_word3(v x, uint32_t word) {
  return _mm256_blend_epi32(x, _mm256_set1_epi32((int)word), 0x88);
}
static inline v v_shuffle(v x, v places) {
  return _mm256_shuffle_epi8(x, places);
}
/* Swaps the 64-bit halves of every lane. */
static inline v v_swap(v x) {
  return _mm256_shuffle_epi32(x, 0x4e);
}

/* Lane by lane: the low halves of a and b, or the high ones. */
static inline v v_low_halves(v a, v b) {
  return _mm256_unpacklo_epi64(a, b);
}
static inline v v_high_halves(v a, v b) {
  return _mm256_unpackhi_epi64(a, b);
}

static inline v v_aesenc(v x, v k) {
  return _mm256_aesenc_epi128(x, k);
}
/* The last thing a loop does to x: gcc 12 takes what goes round a loop and what leaves it for two variables where their
 * types differ in name, and moves the one to the other each time. */
static inline void v_settle(v *x) {
  __asm__("" : "+x"(*x));
}
static inline v v_aesenclast(v x, v k) {
  return _mm256_aesenclast_epi128(x, k);
}
/* Lane by lane: low half times low half, high times high. */
static inline v v_clmul_ll(v a, v b) {
  return _mm256_clmulepi64_epi128(a, b, 0x00);
}
static inline v v_clmul_hh(v a, v b) {
  return _mm256_clmulepi64_epi128(a, b, 0x11);
}
static inline v v_clmul_lh(v a, v b) {
  return _mm256_clmulepi64_epi128(a, b, 0x10);
}
static inline v v_clmul_hl(v a, v b) {
  return _mm256_clmulepi64_epi128(a, b, 0x01);
}

/* Bytes [from,to) of the vector at p, zeros elsewhere; nothing else is read. to <= from: all zeros. Spans begin at a
 * lane, and so only their last lane is not whole. */
static inline v v_load_span(const uint8_t *p, size_t from, size_t to) {
  if (from == 0 && to >= V_BYTES) return v_load(p);
  if (from >= to) return v_zero();
  size_t last = to > 16 ? 16 : 0;
  __m128i x = block_load((const uint8_t *)((uintptr_t)p + last), to - last);
  if (last == 0) return v_low(x);
  return _mm256_set_m128i(x, from == 0 ? block_load_all(p) : _mm_setzero_si128());
}
static inline void v_store_span(uint8_t *p, size_t from, size_t to, v x) {
  if (from == 0 && to >= V_BYTES) {
    v_store(p, x);
  } else if (from < to) {
    size_t last = to > 16 ? 16 : 0;
    if (last > from) block_store_all(p, _mm256_castsi256_si128(x));
    block_store((uint8_t *)((uintptr_t)p + last), to - last,
                last == 0 ? _mm256_castsi256_si128(x) : _mm256_extracti128_si256(x, 1));
  }
}
/* ff in the first n bytes, 0 <= n <= V_BYTES. */
static inline v v_mask(size_t n) {
  const v places = _mm256_set_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                   10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)n), places);
}
static inline v v_keep_span(v x, size_t from, size_t to) {
  return _mm256_andnot_si256(v_mask(from), _mm256_and_si256(v_mask(to), x));
}
/* a with bytes [from,to) of b; where there are any, a is zero outside them. */
static inline v v_take_span(v a, v b, size_t from, size_t to) {
  return from < to ? v_keep_span(b, from, to) : a;
}
static inline v v_select(bool first, v a, v b) {
  return first ? a : b;
}
/* Sets byte `at` (0..V_BYTES-1), which was zero. */
static inline v v_put_byte(v x, size_t at, uint8_t b) {
  return _mm256_or_si256(x, v_keep_span(_mm256_set1_epi8((char)b), at, at + 1));
}
static inline uint8_t v_byte(v x, size_t at) {
  return block_byte(at < 16 ? _mm256_castsi256_si128(x) : _mm256_extracti128_si256(x, 1), at % 16);
}
/* Lane i is the block at p[i]. */
static inline v v_gather(const uint8_t *const p[V_LANES]) {
  return _mm256_set_m128i(block_load_all(p[1]), block_load_all(p[0]));
}
static inline void v_scatter(__m128i to[V_LANES], v x) {
  to[0] = _mm256_castsi256_si128(x);
  to[1] = _mm256_extracti128_si256(x, 1);
}
#define v_lane(x, lane) _mm256_extracti128_si256(x, lane)

/* Lane i of the result is the sum of all lanes of x[i]. */
static inline v v_sum_lanes(const v x[V_LANES]) {
  return v_xor(_mm256_permute2x128_si256(x[0], x[1], 0x20), _mm256_permute2x128_si256(x[0], x[1], 0x31));
}

#endif

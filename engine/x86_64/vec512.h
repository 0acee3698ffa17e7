/* vec512.h - the vocabulary of gcm_template.h on EVEX: four blocks a vector, 32 registers, masks, three-input logic. */
#ifndef SEALANE_ENGINE_X86_64_VEC512_H
#define SEALANE_ENGINE_X86_64_VEC512_H

#include "engine/x86_64/block.h"

typedef __m512i v;

enum {
  V_LANES = 4, /* blocks in a vector */
  V_BYTES = 64,
  V_ALIGN = 4,      /* vectors whose counters are one and their positions: gcm_counters() */
  V_SCHOOLBOOK = 1, /* products by four multiplications rather than three: docs/kernels.md */
};

/* The code of a record's ends: masks make it short. */
#define V_EDGE static inline __attribute__((always_inline))

static inline v v_zero(void) {
  return _mm512_setzero_si512();
}
static inline v v_load(const uint8_t *p) {
  return _mm512_loadu_si512(p);
}
static inline void v_store(uint8_t *p, v x) {
  _mm512_storeu_si512(p, x);
}
/* One block in every lane. */
static inline v v_all(__m128i x) {
  return _mm512_broadcast_i32x4(x);
}
/* A block in lane 0, zeros in the others. */
static inline v v_low(__m128i x) {
  return _mm512_zextsi128_si512(x);
}
/* The same in lane 1. */
static inline v v_in_lane_1(__m128i x) {
  return _mm512_alignr_epi64(v_low(x), v_zero(), 6);
}
/* The same in a lane that is not known, 0 .. V_LANES - 1. */
static inline v v_at_lane(__m128i x, size_t lane) {
  return _mm512_maskz_broadcast_i32x4(_cvtu32_mask16(0xfu << 4 * lane), x);
}
static inline v v_load_all(const uint8_t *p) {
  return _mm512_broadcast_i32x4(block_load_all(p));
}

static inline v v_xor(v a, v b) {
  return _mm512_xor_si512(a, b);
}
static inline v v_xor3(v a, v b, v c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}
/* x with the last 32 bits of every lane replaced. */
static inline v v_set_word3(v x, uint32_t word) {
  return _mm512_mask_set1_epi32(x, _cvtu32_mask16(0x8888), (int)word);
}
/* Eight times each 64-bit number. */
static inline v v_shift8(v x) {
  return _mm512_slli_epi64(x, 3);
}
static inline v v_shuffle(v x, v places) {
  return _mm512_shuffle_epi8(x, places);
}
/* Counters: the last 32 bits of lane i are first + i, as bytes in big-endian order, and the others zeros. */
static inline v v_count(uint32_t first) {
  v number =
      _mm512_add_epi32(_mm512_set1_epi32((int)first), _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
  return v_shuffle(number, v_all(_mm_set_epi8(12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)));
}
/* Swaps the 64-bit halves of every lane. */
static inline v v_swap(v x) {
  return _mm512_shuffle_epi32(x, 0x4e);
}

static inline v v_aesenc(v x, v k) {
  return _mm512_aesenc_epi128(x, k);
}
/* The last thing a loop does to x: gcc 12 takes what goes round a loop and what leaves it for two variables where their
 * types differ in name, and moves the one to the other each time. */
static inline void v_settle(v *x) {
  __asm__("" : "+v"(*x));
}
static inline v v_aesenclast(v x, v k) {
  return _mm512_aesenclast_epi128(x, k);
}
/* Lane by lane: low half times low half, high times high. */
static inline v v_clmul_ll(v a, v b) {
  return _mm512_clmulepi64_epi128(a, b, 0x00);
}
static inline v v_clmul_hh(v a, v b) {
  return _mm512_clmulepi64_epi128(a, b, 0x11);
}
static inline v v_clmul_lh(v a, v b) {
  return _mm512_clmulepi64_epi128(a, b, 0x10);
}
static inline v v_clmul_hl(v a, v b) {
  return _mm512_clmulepi64_epi128(a, b, 0x01);
}

/* Bit i is set for from <= i < to, 0 <= from, to <= 64. */
static inline __mmask64 v_span_mask(size_t from, size_t to) {
  return _cvtu64_mask64(_bzhi_u64(~_bzhi_u64(~UINT64_C(0), (unsigned)from), (unsigned)to));
}
/* Bytes [from,to) of the vector at p, zeros elsewhere; nothing else is read. to <= from: all zeros. */
static inline v v_load_span(const uint8_t *p, size_t from, size_t to) {
  return _mm512_maskz_loadu_epi8(v_span_mask(from, to), p);
}
static inline void v_store_span(uint8_t *p, size_t from, size_t to, v x) {
  _mm512_mask_storeu_epi8(p, v_span_mask(from, to), x);
}
/* a with bytes [from,to) of b; where there are any, a is zero outside them. */
static inline v v_take_span(v a, v b, size_t from, size_t to) {
  return _mm512_mask_mov_epi8(a, v_span_mask(from, to), b);
}

/* The end of a function that was given vectors: compilers take it that who passed them goes on with them, and leave it to him to
 * clear the upper halves, which would slow down code without AVX; but he has left already where this was his last call. */
static inline void v_leave(void) {
  _mm256_zeroupper();
}

/* x with lane 0 replaced. */
static inline v v_set_low(v x, __m128i block) {
  return _mm512_inserti32x4(x, block, 0);
}

/* Compilers blend by a mask of ones, too, and would spend a port on it. */
static inline v v_select(bool first, v a, v b) {
  if (__builtin_constant_p(first)) return first ? a : b;
  return _mm512_mask_mov_epi64(b, _cvtu32_mask8(0u - (unsigned)first), a);
}
/* a with bytes [from,to) read from the vector at p; nothing else is read. */
static inline v v_merge_span(v a, const uint8_t *p, size_t from, size_t to) {
  return _mm512_mask_loadu_epi8(a, v_span_mask(from, to), p);
}
/* (a & b) ^ c */
static inline v v_and_xor(v a, v b, v c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x6a);
}
/* Sets byte `at` (0..V_BYTES-1), which was zero. */
static inline v v_put_byte(v x, size_t at, uint8_t b) {
  return _mm512_mask_set1_epi8(x, _cvtu64_mask64(UINT64_C(1) << at), (char)b);
}
static inline uint8_t v_byte(v x, size_t at) {
  v moved = _mm512_permutexvar_epi32(_mm512_set1_epi32((int)(at / 4)), x);
  return (uint8_t)((uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(moved)) >> 8 * (at % 4));
}
/* Lane i is the block at p[i]. */
static inline v v_gather(const uint8_t *const p[V_LANES]) {
  v x = _mm512_zextsi128_si512(block_load_all(p[0]));
  x = _mm512_inserti32x4(x, block_load_all(p[1]), 1);
  x = _mm512_inserti32x4(x, block_load_all(p[2]), 2);
  return _mm512_inserti32x4(x, block_load_all(p[3]), 3);
}
static inline void v_scatter(__m128i to[V_LANES], v x) {
  to[0] = _mm512_castsi512_si128(x);
  to[1] = _mm512_extracti32x4_epi32(x, 1);
  to[2] = _mm512_extracti32x4_epi32(x, 2);
  to[3] = _mm512_extracti32x4_epi32(x, 3);
}
/* Lane i of x[0] is the block at p[i], lane i of x[1] the one behind it. */
static inline void v_gather_two(v x[2], const uint8_t *const p[V_LANES]) {
  v low = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p[0]));
  v high = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p[2]));
  low = _mm512_inserti64x4(low, _mm256_loadu_si256((const __m256i *)p[1]), 1);
  high = _mm512_inserti64x4(high, _mm256_loadu_si256((const __m256i *)p[3]), 1);
  x[0] = _mm512_shuffle_i64x2(low, high, 0x88);
  x[1] = _mm512_shuffle_i64x2(low, high, 0xdd);
}
/* Lanes and vectors change places: lane i of x[j] goes to lane j of x[i]. */
static inline void v_transpose(v x[V_LANES]) {
  v a = _mm512_shuffle_i64x2(x[0], x[1], 0x44), b = _mm512_shuffle_i64x2(x[2], x[3], 0x44);
  v c = _mm512_shuffle_i64x2(x[0], x[1], 0xee), d = _mm512_shuffle_i64x2(x[2], x[3], 0xee);
  x[0] = _mm512_shuffle_i64x2(a, b, 0x88);
  x[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
  x[2] = _mm512_shuffle_i64x2(c, d, 0x88);
  x[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}
static inline bool v_differ(v a, v b) {
  return _cvtmask8_u32(_mm512_cmpneq_epi64_mask(a, b)) != 0;
}
#define v_lane(x, lane) _mm512_extracti32x4_epi32(x, lane)

/* Lane i of the result is the sum of all lanes of x[i]. */
static inline v v_sum_lanes(const v x[V_LANES]) {
  /* [a0+a2, a1+a3, b0+b2, b1+b3] */
  v ab = v_xor(_mm512_shuffle_i64x2(x[0], x[1], 0x44), _mm512_shuffle_i64x2(x[0], x[1], 0xee));
  v cd = v_xor(_mm512_shuffle_i64x2(x[2], x[3], 0x44), _mm512_shuffle_i64x2(x[2], x[3], 0xee));
  return v_xor(_mm512_shuffle_i64x2(ab, cd, 0x88), _mm512_shuffle_i64x2(ab, cd, 0xdd));
}

#endif

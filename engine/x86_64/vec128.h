/* vec128.h - the vocabulary of gcm_template.h on SSE4.1: one block a vector, 16 registers, no masks. Compiled without
 * AVX, so that it serves the Atom cores that have AES and PCLMULQDQ and nothing wider. */
#ifndef SEALANE_ENGINE_X86_64_VEC128_H
#define SEALANE_ENGINE_X86_64_VEC128_H

#include "engine/x86_64/block.h"

typedef __m128i v;

enum {
  V_LANES = 1, /* blocks in a vector */
  V_BYTES = 16,
  V_GROUP = 8,      /* vectors that a long record takes together */
  V_ALIGN = 8,      /* vectors whose counters are one and their positions: gcm_counters() */
  V_SCHOOLBOOK = 0, /* products by four multiplications rather than three: docs/kernels.md */
};

/* The code of a record's ends: without masks too long to stand wherever it is needed. */
#define V_EDGE static __attribute__((noinline))

static inline v v_zero(void) {
  return _mm_setzero_si128();
}
static inline v v_load(const uint8_t *p) {
  return block_load_all(p);
}
static inline void v_store(uint8_t *p, v x) {
  block_store_all(p, x);
}
/* One block in every lane. */
static inline v v_all(__m128i x) {
  return x;
}
/* A block in lane 0, zeros in the others. */
static inline v v_low(__m128i x) {
  return x;
}
static inline v v_load_all(const uint8_t *p) {
  return block_load_all(p);
}

static inline v v_xor(v a, v b) {
  return _mm_xor_si128(a, b);
}
static inline v v_xor3(v a, v b, v c) {
  return _mm_xor_si128(_mm_xor_si128(a, b), c);
}
/* x with the last 32 bits of every lane replaced. */
static inline v v_set_word3(v x, uint32_t word) {
  return _mm_insert_epi32(x, (int)word, 3);
}
static inline v v_shuffle(v x, v places) {
  return _mm_shuffle_epi8(x, places);
}
/* Swaps the 64-bit halves of every lane. */
static inline v v_swap(v x) {
  return _mm_shuffle_epi32(x, 0x4e);
}

/* Lane by lane: the low halves of a and b, or the high ones. */
static inline v v_low_halves(v a, v b) {
  return _mm_unpacklo_epi64(a, b);
}
static inline v v_high_halves(v a, v b) {
  return _mm_unpackhi_epi64(a, b);
}

static inline v v_aesenc(v x, v k) {
  return _mm_aesenc_si128(x, k);
}
/* The last thing a loop does to x: gcc 12 takes what goes round a loop and what leaves it for two variables where their
 * types differ in name, and moves the one to the other each time. */
static inline void v_settle(v *x) {
  __asm__("" : "+x"(*x));
}
static inline v v_aesenclast(v x, v k) {
  return _mm_aesenclast_si128(x, k);
}
/* Lane by lane: low half times low half, high times high. */
static inline v v_clmul_ll(v a, v b) {
  return _mm_clmulepi64_si128(a, b, 0x00);
}
static inline v v_clmul_hh(v a, v b) {
  return _mm_clmulepi64_si128(a, b, 0x11);
}
static inline v v_clmul_lh(v a, v b) {
  return _mm_clmulepi64_si128(a, b, 0x10);
}
static inline v v_clmul_hl(v a, v b) {
  return _mm_clmulepi64_si128(a, b, 0x01);
}

/* Bytes [from,to) of the vector at p, zeros elsewhere; nothing else is read. to <= from: all zeros. Spans begin at a
 * lane, hence here at 0 or behind the vector. */
static inline v v_load_span(const uint8_t *p, size_t from, size_t to) {
  return from < to ? block_load(p, to) : v_zero();
}
static inline void v_store_span(uint8_t *p, size_t from, size_t to, v x) {
  if (from < to) block_store(p, to, x);
}
static inline v v_keep_span(v x, size_t from, size_t to) {
  return from < to ? _mm_and_si128(x, block_mask(to)) : v_zero();
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
  return block_put_byte(x, at, b);
}
static inline uint8_t v_byte(v x, size_t at) {
  return block_byte(x, at);
}
/* Lane i is the block at p[i]. */
static inline v v_gather(const uint8_t *const p[V_LANES]) {
  return block_load_all(p[0]);
}
static inline void v_scatter(__m128i to[V_LANES], v x) {
  to[0] = x;
}
#define v_lane(x, lane) (x)

/* Lane i of the result is the sum of all lanes of x[i]. */
static inline v v_sum_lanes(const v x[V_LANES]) {
  return x[0];
}

#endif

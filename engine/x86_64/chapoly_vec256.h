/* chapoly_vec256.h - the vocabulary of chapoly_template.h on AVX2: eight ChaCha20 blocks or four Poly1305 blocks a vector,
 * 16 registers, no rotation, no masks. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_VEC256_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_VEC256_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_ends.h"
#include "engine/x86_64/chapoly_macros.h"

typedef __m256i v;

enum {
  W_LANES = 8,  /* ChaCha20 blocks in a vector */
  W_STATES = 1, /* one state fills the registers */
  Q_LANES = 4,  /* Poly1305 blocks in a vector */
};

/* The place of a state's lane (chapoly_chacha.h): [0, Q_LANES) are those of vectors 2 i, the others those of 2 i + 1. */
static inline size_t lane_place(size_t lane) {
  return lane / 4 * 2 + lane % 2 + (lane & 2 ? Q_LANES : 0);
}

/* ---- vectors of words: one word of the ChaCha20 state of every lane's block ---------------------------------- */

static inline v w_set(uint32_t x) {
  return _mm256_set1_epi32((int)x);
}
static inline v w_add(v a, v b) {
  return _mm256_add_epi32(a, b);
}
static inline v w_xor(v a, v b) {
  return _mm256_xor_si256(a, b);
}
static inline v w_rotate_16(v x) {
  return _mm256_shuffle_epi8(
      x, _mm256_broadcastsi128_si256(_mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2)));
}
static inline v w_rotate_8(v x) {
  return _mm256_shuffle_epi8(
      x, _mm256_broadcastsi128_si256(_mm_set_epi8(14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1, 0, 3)));
}
static inline v w_rotate_12(v x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, 12), _mm256_srli_epi32(x, 20));
}
static inline v w_rotate_7(v x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, 7), _mm256_srli_epi32(x, 25));
}
#define w_rotate(x, n)  w_rotate_##n(x)
#define w_shuffle(x, n) _mm256_shuffle_epi32(x, n)
/* x in every 128-bit lane */
static inline v w_row(__m128i x) {
  return _mm256_broadcastsi128_si256(x);
}
/* The lanes' places (chapoly_chacha.h), from `first`, divided by 2^shift. */
static inline v w_places(uint32_t first, unsigned shift) {
  v x = _mm256_set_epi32(7, 6, 3, 2, 5, 4, 1, 0);
  return _mm256_srl_epi32(w_add(x, w_set(first)), _mm_cvtsi32_si128((int)shift));
}
/* chapoly_two_states.h has this for more than one. */
#define chacha_states(out, start, first, n_states, stream, lanes, seal)                                                \
  ((void)(stream), (void)(lanes), (void)(seal), chacha_one_state(out, start, first))
/* 16 bytes of every fourth lane: 128-bit lane i is those at p[2 i] + off. */
static inline v w_gather(const uint8_t *const *p, size_t off) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p[0] + off)), block_load_all(p[2] + off), 1);
}
static inline v w_unpack_low(v a, v b) {
  return _mm256_unpacklo_epi32(a, b);
}
static inline v w_unpack_high(v a, v b) {
  return _mm256_unpackhi_epi32(a, b);
}
/* x[q] has, in 128-bit lane i, bytes [16 q, 16 q + 16) of block 4 i. Afterwards x[0], x[1] are block 0, the others 4. */
INLINE void w_gather_blocks(v x[4]) {
  v a = x[0], b = x[1], c = x[2], d = x[3];
  x[0] = _mm256_permute2x128_si256(a, b, 0x20);
  x[1] = _mm256_permute2x128_si256(c, d, 0x20);
  x[2] = _mm256_permute2x128_si256(a, b, 0x31);
  x[3] = _mm256_permute2x128_si256(c, d, 0x31);
}
/* x[q] has, in 128-bit lane i, bytes [16 q, 16 q + 16) of block i: writes the blocks. */
INLINE void w_store_blocks(uint8_t out[][64], v x[4]) {
  w_gather_blocks(x);
  UNROLL for (unsigned i = 0; i < 4; i++) _mm256_storeu_si256((v *)(out[i / 2] + 32 * (i % 2)), x[i]);
}
/* x[i] has those of lanes i and 4 + i: out = in ^ lane at each lane's place, 64 bytes each. */
INLINE void w_xor_lanes(const uint64_t *out, const uint64_t *in, v x[4][4]) {
  UNROLL for (unsigned i = 0; i < 4; i++) {
    w_gather_blocks(x[i]);
    UNROLL for (unsigned j = 0; j < 4; j++) {
      size_t lane = lane_place(i + 4 * (j / 2)), at = 32 * (j % 2);
      _mm256_storeu_si256((v *)(out[lane] + at), w_xor(x[i][j], _mm256_loadu_si256((const v *)(in[lane] + at))));
    }
  }
}

/* ---- vectors of 64-bit lanes: one limb of every lane's Poly1305 ----------------------------------------------- */

static inline v q_zero(void) {
  return _mm256_setzero_si256();
}
static inline v q_set(uint64_t x) {
  return _mm256_set1_epi64x((long long)x);
}
static inline v q_load(const uint64_t *p) {
  return _mm256_loadu_si256((const v *)p);
}
static inline void q_store(uint64_t *p, v x) {
  _mm256_storeu_si256((v *)p, x);
}
static inline v q_add(v a, v b) {
  return _mm256_add_epi64(a, b);
}
static inline v q_sub(v a, v b) {
  return _mm256_sub_epi64(a, b);
}
static inline v q_and(v a, v b) {
  return _mm256_and_si256(a, b);
}
static inline v q_and_not(v a, v b) {
  return _mm256_andnot_si256(b, a);
}
static inline v q_or(v a, v b) {
  return _mm256_or_si256(a, b);
}
/* The product of the lanes' low 32 bits. */
static inline v q_mul32(v a, v b) {
  return _mm256_mul_epu32(a, b);
}
/* a where the mask's bits are set, b elsewhere */
static inline v q_select(v mask, v a, v b) {
  return _mm256_blendv_epi8(b, a, mask);
}
static inline v q_unpack_low(v a, v b) {
  return _mm256_unpacklo_epi64(a, b);
}
static inline v q_unpack_high(v a, v b) {
  return _mm256_unpackhi_epi64(a, b);
}
#define q_left(x, n)  _mm256_slli_epi64(x, n)
#define q_right(x, n) _mm256_srli_epi64(x, n)
/* Lane 0 in all lanes. */
static inline v q_first(v x) {
  return _mm256_broadcastq_epi64(_mm256_castsi256_si128(x));
}
/* The 16 bytes at p[i] + off to lane i, as two halves. */
static inline void q_gather(const uint8_t *const p[Q_LANES], size_t off, v *low, v *high) {
  v even = _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p[0] + off)), block_load_all(p[2] + off), 1);
  v odd = _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p[1] + off)), block_load_all(p[3] + off), 1);
  *low = _mm256_unpacklo_epi64(even, odd);
  *high = _mm256_unpackhi_epi64(even, odd);
}
/* Of the 16 bytes at p[i] the first n[i], zeros behind; nothing else is read. */
static inline void q_gather_ends(const uint8_t *const p[Q_LANES], const size_t n[Q_LANES], v *low, v *high) {
  v even = _mm256_set_m128i(b_load(p[2], n[2]), b_load(p[0], n[0]));
  v odd = _mm256_set_m128i(b_load(p[3], n[3]), b_load(p[1], n[1]));
  *low = _mm256_unpacklo_epi64(even, odd);
  *high = _mm256_unpackhi_epi64(even, odd);
}
/* Of the 16 bytes at p[i] + off the first n. */
static inline void q_gather_even(const uint8_t *const p[Q_LANES], size_t off, size_t n, v *low, v *high) {
  const uint8_t *at[Q_LANES];
  size_t n_all[Q_LANES];
  for (size_t i = 0; i < Q_LANES; i++) at[i] = p[i] + off, n_all[i] = n;
  q_gather_ends(at, n_all, low, high);
}
/* The same for 16 Q_LANES consecutive bytes; which of them a lane gets is the order of q_to_run_order(). */
static inline void q_gather_run(const uint8_t *p, v *low, v *high) {
  v even = _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p)), block_load_all(p + 32), 1);
  v odd = _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p + 16)), block_load_all(p + 48), 1);
  *low = _mm256_unpacklo_epi64(even, odd);
  *high = _mm256_unpackhi_epi64(even, odd);
}
static inline v q_to_run_order(v x) {
  return x;
}

#define TEXT_BLOCK sl_chapoly_text_block

#endif

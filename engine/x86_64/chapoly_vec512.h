/* chapoly_vec512.h - the vocabulary of chapoly_template.h on AVX-512 with IFMA: sixteen ChaCha20 blocks or eight Poly1305
 * blocks a vector, 32 registers, masks. Two ChaCha20 states run together (chapoly_two_states.h). */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_VEC512_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_VEC512_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_common.h"
#include "engine/x86_64/chapoly_macros.h"

typedef __m512i v;

enum {
  W_LANES = 16, /* ChaCha20 blocks in a vector */
  W_STATES = 2, /* states side by side in a pass */
  Q_LANES = 8,  /* Poly1305 blocks in a vector */
};

/* The place of a state's lane (chapoly_chacha.h): [0, Q_LANES) are those of vectors 2 i, the others those of 2 i + 1. */
static inline size_t lane_place(size_t lane) {
  return lane / 4 * 2 + lane % 2 + (lane & 2 ? Q_LANES : 0);
}

/* ---- vectors of words: one word of the ChaCha20 state of every lane's block ---------------------------------- */

static inline v w_set(uint32_t x) {
  return _mm512_set1_epi32((int)x);
}
static inline v w_add(v a, v b) {
  return _mm512_add_epi32(a, b);
}
static inline v w_xor(v a, v b) {
  return _mm512_xor_si512(a, b);
}
#define w_rotate(x, n)  _mm512_rol_epi32(x, n)
#define w_shuffle(x, n) _mm512_shuffle_epi32(x, n)
/* x in every 128-bit lane */
static inline v w_row(__m128i x) {
  return _mm512_broadcast_i32x4(x);
}
/* The lanes' places (chapoly_chacha.h), from `first`, divided by 2^shift. */
static inline v w_places(uint32_t first, unsigned shift) {
  v x = _mm512_set_epi32(15, 14, 7, 6, 13, 12, 5, 4, 11, 10, 3, 2, 9, 8, 1, 0);
  return _mm512_srl_epi32(w_add(x, w_set(first)), _mm_cvtsi32_si128((int)shift));
}
/* 16 bytes of every fourth lane: 128-bit lane i is those at p[2 i] + off. */
static inline v w_gather(const uint8_t *const *p, size_t off) {
  v x = _mm512_zextsi128_si512(block_load_all(p[0] + off));
  x = _mm512_mask_broadcast_i32x4(x, _cvtu32_mask16(0x00f0), block_load_all(p[2] + off));
  x = _mm512_mask_broadcast_i32x4(x, _cvtu32_mask16(0x0f00), block_load_all(p[4] + off));
  return _mm512_mask_broadcast_i32x4(x, _cvtu32_mask16(0xf000), block_load_all(p[6] + off));
}
static inline v w_unpack_low(v a, v b) {
  return _mm512_unpacklo_epi32(a, b);
}
static inline v w_unpack_high(v a, v b) {
  return _mm512_unpackhi_epi32(a, b);
}
/* x[q] has, in 128-bit lane i, bytes [16 q, 16 q + 16) of block 4 i. Afterwards x[i] is block 4 i. */
INLINE void w_gather_blocks(v x[4]) {
  v ab_even = _mm512_shuffle_i32x4(x[0], x[1], 0x88), ab_odd = _mm512_shuffle_i32x4(x[0], x[1], 0xdd);
  v cd_even = _mm512_shuffle_i32x4(x[2], x[3], 0x88), cd_odd = _mm512_shuffle_i32x4(x[2], x[3], 0xdd);
  x[0] = _mm512_shuffle_i32x4(ab_even, cd_even, 0x88);
  x[1] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88);
  x[2] = _mm512_shuffle_i32x4(ab_even, cd_even, 0xdd);
  x[3] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd);
}
/* x[q] has, in 128-bit lane i, bytes [16 q, 16 q + 16) of block i: writes the blocks. */
INLINE void w_store_blocks(uint8_t out[][64], v x[4]) {
  w_gather_blocks(x);
  UNROLL for (unsigned i = 0; i < 4; i++) _mm512_storeu_si512(out[i], x[i]);
}
/* x[i] has those of lanes i, 4 + i, ...: out = in ^ lane at each lane's place, 64 bytes each. */
INLINE void w_xor_lanes(const uint64_t *out, const uint64_t *in, v x[4][4]) {
  UNROLL for (unsigned i = 0; i < 4; i++) w_gather_blocks(x[i]);
  UNROLL for (size_t i = 0; i < 16; i++) {
    size_t place = lane_place(i);
    _mm512_storeu_si512((void *)out[place], w_xor(x[i % 4][i / 4], _mm512_loadu_si512((const void *)in[place])));
  }
}

/* ---- bytes: loads and stores that touch no byte outside ----------------------------------------------------- */

static inline __mmask64 row_mask(size_t n) {
  return _cvtu64_mask64(_bzhi_u64(~UINT64_C(0), (unsigned)n));
}
/* The first n <= 16 bytes of p, zeros behind; nothing else is read. */
static inline __m128i b_load(const uint8_t *p, size_t n) {
  return _mm_maskz_loadu_epi8(_cvtu32_mask16(_bzhi_u32(0xffff, (unsigned)n)), p);
}
/* ---- vectors of 64-bit lanes: one limb of every lane's Poly1305 ----------------------------------------------- */

static inline v q_zero(void) {
  return _mm512_setzero_si512();
}
static inline v q_set(uint64_t x) {
  return _mm512_set1_epi64((long long)x);
}
static inline v q_load(const uint64_t *p) {
  return _mm512_loadu_si512(p);
}
static inline void q_store(uint64_t *p, v x) {
  _mm512_storeu_si512(p, x);
}
static inline v q_add(v a, v b) {
  return _mm512_add_epi64(a, b);
}
static inline v q_sub(v a, v b) {
  return _mm512_sub_epi64(a, b);
}
static inline v q_and(v a, v b) {
  return _mm512_and_si512(a, b);
}
static inline v q_and_not(v a, v b) {
  return _mm512_andnot_si512(b, a);
}
static inline v q_or(v a, v b) {
  return _mm512_or_si512(a, b);
}
/* a where the mask's bits are set, b elsewhere */
static inline v q_select(v mask, v a, v b) {
  return _mm512_ternarylogic_epi64(mask, a, b, 0xca);
}
static inline v q_unpack_low(v a, v b) {
  return _mm512_unpacklo_epi64(a, b);
}
static inline v q_unpack_high(v a, v b) {
  return _mm512_unpackhi_epi64(a, b);
}
#define q_left(x, n)  _mm512_slli_epi64(x, n)
#define q_right(x, n) _mm512_srli_epi64(x, n)
/* The low 64 bits of (low + 2^64 high) / 2^n. */
#define q_right_pair(low, high, n) _mm512_shrdi_epi64(low, high, n)
/* Lane 0 in all lanes. */
static inline v q_first(v x) {
  return _mm512_broadcastq_epi64(_mm512_castsi512_si128(x));
}
/* The 16 bytes at p[i] + off to lane i, as two halves. */
static inline void q_gather(const uint8_t *const p[Q_LANES], size_t off, v *low, v *high) {
  v even = _mm512_zextsi128_si512(block_load_all(p[0] + off));
  v odd = _mm512_zextsi128_si512(block_load_all(p[1] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x0c), block_load_all(p[2] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x0c), block_load_all(p[3] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x30), block_load_all(p[4] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x30), block_load_all(p[5] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0xc0), block_load_all(p[6] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0xc0), block_load_all(p[7] + off));
  *low = _mm512_unpacklo_epi64(even, odd);
  *high = _mm512_unpackhi_epi64(even, odd);
}
/* Of the 16 bytes at p[i] the first n[i], zeros behind; nothing else is read. */
static inline void q_gather_ends(const uint8_t *const p[Q_LANES], const size_t n[Q_LANES], v *low, v *high) {
  v even = _mm512_zextsi128_si512(b_load(p[0], n[0]));
  v odd = _mm512_zextsi128_si512(b_load(p[1], n[1]));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x0c), b_load(p[2], n[2]));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x0c), b_load(p[3], n[3]));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x30), b_load(p[4], n[4]));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x30), b_load(p[5], n[5]));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0xc0), b_load(p[6], n[6]));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0xc0), b_load(p[7], n[7]));
  *low = _mm512_unpacklo_epi64(even, odd);
  *high = _mm512_unpackhi_epi64(even, odd);
}
/* Of the 16 bytes at p[i] + off the first n. */
static inline void q_gather_even(const uint8_t *const p[Q_LANES], size_t off, size_t n, v *low, v *high) {
  __mmask16 m = _cvtu32_mask16(_bzhi_u32(0xffff, (unsigned)n));
  v even = _mm512_zextsi128_si512(_mm_maskz_loadu_epi8(m, p[0] + off));
  v odd = _mm512_zextsi128_si512(_mm_maskz_loadu_epi8(m, p[1] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x0c), _mm_maskz_loadu_epi8(m, p[2] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x0c), _mm_maskz_loadu_epi8(m, p[3] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0x30), _mm_maskz_loadu_epi8(m, p[4] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0x30), _mm_maskz_loadu_epi8(m, p[5] + off));
  even = _mm512_mask_broadcast_i64x2(even, _cvtu32_mask8(0xc0), _mm_maskz_loadu_epi8(m, p[6] + off));
  odd = _mm512_mask_broadcast_i64x2(odd, _cvtu32_mask8(0xc0), _mm_maskz_loadu_epi8(m, p[7] + off));
  *low = _mm512_unpacklo_epi64(even, odd);
  *high = _mm512_unpackhi_epi64(even, odd);
}
/* The same for 16 Q_LANES consecutive bytes; which of them a lane gets is the order of q_to_run_order(). */
static inline void q_gather_run(const uint8_t *p, v *low, v *high) {
  v a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
  *low = _mm512_unpacklo_epi64(a, b);
  *high = _mm512_unpackhi_epi64(a, b);
}
static inline v q_to_run_order(v x) {
  return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0), x);
}

/* ---- rows: the 64 bytes of a block --------------------------------------------------------------------------- */

/* out = in ^ stream: one block of 64 bytes, of which in and out are the caller's. */
static inline void row_xor(uint8_t *out, const uint8_t *in, const uint8_t *stream) {
  _mm512_storeu_si512(out, w_xor(_mm512_loadu_si512(in), _mm512_load_si512(stream)));
}
/* struct chapoly_width's text_block. Where the text ends, len < 64 bytes are in memory, and behind them the tail when there is one. */
static void row_text_block(struct sl_aead_job *job, size_t off, const uint8_t *stream, bool seal) {
  const uint8_t *in = job->in + off;
  uint8_t *out = job->out + off;
  if (off + 64 <= job->len) {
    row_xor(out, in, stream);
  } else if (off < job->len + job->tail_len && seal) {
    size_t len = job->len - off;
    v x = _mm512_maskz_loadu_epi8(row_mask(len), in);
    x = _mm512_mask_set1_epi8(x, _cvtu64_mask64((uint64_t)job->tail_len << len), (char)job->tail);
    _mm512_mask_storeu_epi8(out, row_mask(len + job->tail_len), w_xor(x, _mm512_load_si512(stream)));
  } else if (off < job->len + job->tail_len) {
    size_t len = job->len - off;
    v x = w_xor(_mm512_maskz_loadu_epi8(row_mask(len + job->tail_len), in), _mm512_load_si512(stream));
    _mm512_mask_storeu_epi8(out, row_mask(len), x);
    v last = _mm512_permutexvar_epi32(_mm512_set1_epi32((int)(len / 4)), x);
    uint32_t word = (uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(last));
    if (job->tail_len > 0) job->tail = (uint8_t)(word >> 8 * (len % 4));
  }
}

#endif

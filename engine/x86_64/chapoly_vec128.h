/* chapoly_vec128.h - the vocabulary of chapoly_narrow.h on SSE4.1: a word of four ChaCha20 blocks in a vector. Compiled without AVX,
 * so that it serves the CPUs that have nothing wider. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_VEC128_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_VEC128_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"

typedef __m128i w;

enum {
  LANES = 4, /* blocks in a state */
  W_BYTES = 16,
  W_AT_ONCE = 4,   /* vectors that get their words in order together */
  FEW_UNITS = 2,   /* what chacha_few() makes */
  HASH_BLOCKS = 2, /* of Poly1305, beside a double round */
};

INLINE w w_load(const uint8_t *p) {
  return _mm_loadu_si128((const w *)p);
}
INLINE void w_store(uint8_t *p, w x) {
  _mm_storeu_si128((w *)p, x);
}
INLINE w w_set(uint32_t x) {
  return _mm_set1_epi32((int)x);
}
INLINE w w_add(w a, w b) {
  return _mm_add_epi32(a, b);
}
INLINE w w_and(w a, w b) {
  return _mm_and_si128(a, b);
}
INLINE w w_xor(w a, w b) {
  return _mm_xor_si128(a, b);
}
INLINE w w_rotate_16(w x) {
  return _mm_shuffle_epi8(x, _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2));
}
INLINE w w_rotate_8(w x) {
  return _mm_shuffle_epi8(x, _mm_set_epi8(14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1, 0, 3));
}
INLINE w w_rotate_12(w x) {
  return _mm_or_si128(_mm_slli_epi32(x, 12), _mm_srli_epi32(x, 20));
}
INLINE w w_rotate_7(w x) {
  return _mm_or_si128(_mm_slli_epi32(x, 7), _mm_srli_epi32(x, 25));
}
INLINE w w_unpack_low32(w a, w b) {
  return _mm_unpacklo_epi32(a, b);
}
INLINE w w_unpack_high32(w a, w b) {
  return _mm_unpackhi_epi32(a, b);
}
INLINE w w_unpack_low64(w a, w b) {
  return _mm_unpacklo_epi64(a, b);
}
INLINE w w_unpack_high64(w a, w b) {
  return _mm_unpackhi_epi64(a, b);
}
/* The 16 bytes at p[0] + off of every fourth block: there is one. */
INLINE w w_gather(const uint8_t *const *p, size_t off) {
  return block_load_all(p[0] + off);
}
/* Rows of FEW_UNITS / 2 blocks: of one. */
#define w_shuffle(x, n) _mm_shuffle_epi32(x, n)
INLINE w w_row(__m128i x) {
  return x;
}
INLINE w w_rows(const uint8_t *const *p, size_t off) {
  return block_load_all(p[0] + off);
}
/* The last row: counters before nonces. */
INLINE w w_counters(w nonces, const uint32_t *counter) {
  return _mm_insert_epi32(_mm_slli_si128(nonces, 4), (int)counter[0], 0);
}
INLINE void w_store_rows(uint8_t *p, w x[4]) {
  UNROLL for (unsigned i = 0; i < 4; i++) w_store(p + 16 * i, x[i]);
}
/* x[i] has 16 bytes of block i, and goes to w_place(). */
INLINE void w_to_blocks(w x[W_AT_ONCE]) {
  (void)x;
}
INLINE size_t w_place(size_t j) {
  return 64 * (j % 4) + 16 * (j / 4);
}

/* Instructions of chapoly_rounds.h. */
#define ROUNDS_ADD(from, to)   "paddd %%xmm" #from ", %%xmm" #to "\n\t"
#define ROUNDS_XOR(from, to)   "pxor %%xmm" #from ", %%xmm" #to "\n\t"
#define ROUNDS_BYTES(bits, to) "pshufb %[bytes" #bits "], %%xmm" #to "\n\t"
#define ROUNDS_BITS(left, right, to, spare)                                                                            \
  "movdqa %%xmm" #to ", %%xmm" #spare "\n\tpslld $" #left ", %%xmm" #to "\n\tpsrld $" #right ", %%xmm" #spare          \
  "\n\tpor %%xmm" #spare ", %%xmm" #to "\n\t"
#define ROUNDS_LOAD_AT(from, i, to) "movdqa 16*" #i "(%[" #from "]), %%xmm" #to "\n\t"
#define ROUNDS_STORE_AT(from, i)    "movdqa %%xmm" #from ", 16*" #i "(%[out])\n\t"
/* A block of Poly1305 beside two pairs of quarter rounds. */
#define HASH_WITH_FIRST  "", HASH_1, "", HASH_2, "", HASH_3, "", HASH_4
#define HASH_WITH_SECOND "", HASH_5, "", HASH_6, "", HASH_7, "", HASH_8 HASH_NEXT
static const uint8_t rounds_bytes[2][W_BYTES] __attribute__((aligned(W_BYTES))) = {
    {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
    {3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14},
};

#endif

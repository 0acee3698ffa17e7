/* chapoly_vec256.h - the vocabulary of chapoly_narrow.h on AVX2: a word of eight ChaCha20 blocks in a vector. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_VEC256_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_VEC256_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"

typedef __m256i w;

enum {
  LANES = 8, /* blocks in a state */
  W_BYTES = 32,
  W_AT_ONCE = 8,   /* vectors that get their words in order together */
  FEW_UNITS = 4,   /* what chacha_few() makes */
  HASH_BLOCKS = 4, /* of Poly1305, beside a double round */
};

INLINE w w_load(const uint8_t *p) {
  return _mm256_loadu_si256((const w *)p);
}
INLINE void w_store(uint8_t *p, w x) {
  _mm256_storeu_si256((w *)p, x);
}
INLINE w w_set(uint32_t x) {
  return _mm256_set1_epi32((int)x);
}
INLINE w w_add(w a, w b) {
  return _mm256_add_epi32(a, b);
}
INLINE w w_and(w a, w b) {
  return _mm256_and_si256(a, b);
}
INLINE w w_xor(w a, w b) {
  return _mm256_xor_si256(a, b);
}
INLINE w w_rotate_16(w x) {
  return _mm256_shuffle_epi8(
      x, _mm256_broadcastsi128_si256(_mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2)));
}
INLINE w w_rotate_8(w x) {
  return _mm256_shuffle_epi8(
      x, _mm256_broadcastsi128_si256(_mm_set_epi8(14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1, 0, 3)));
}
INLINE w w_rotate_12(w x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, 12), _mm256_srli_epi32(x, 20));
}
INLINE w w_rotate_7(w x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, 7), _mm256_srli_epi32(x, 25));
}
INLINE w w_unpack_low32(w a, w b) {
  return _mm256_unpacklo_epi32(a, b);
}
INLINE w w_unpack_high32(w a, w b) {
  return _mm256_unpackhi_epi32(a, b);
}
INLINE w w_unpack_low64(w a, w b) {
  return _mm256_unpacklo_epi64(a, b);
}
INLINE w w_unpack_high64(w a, w b) {
  return _mm256_unpackhi_epi64(a, b);
}
/* The 16 bytes at p[0] + off of every fourth block. */
INLINE w w_gather(const uint8_t *const *p, size_t off) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p[0] + off)), block_load_all(p[4] + off), 1);
}
/* Rows of FEW_UNITS / 2 blocks: of two. */
#define w_shuffle(x, n) _mm256_shuffle_epi32(x, n)
INLINE w w_row(__m128i x) {
  return _mm256_broadcastsi128_si256(x);
}
INLINE w w_rows(const uint8_t *const *p, size_t off) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(block_load_all(p[0] + off)), block_load_all(p[1] + off), 1);
}
/* The last row: counters before nonces. */
INLINE w w_counters(w nonces, const uint32_t *counter) {
  w x = _mm256_set_epi32(0, 0, 0, (int)counter[1], 0, 0, 0, (int)counter[0]);
  return _mm256_or_si256(_mm256_slli_si256(nonces, 4), x);
}
INLINE void w_store_rows(uint8_t *p, w x[4]) {
  UNROLL for (unsigned i = 0; i < 4; i += 2) {
    w_store(p + 16 * i, _mm256_permute2x128_si256(x[i], x[i + 1], 0x20));
    w_store(p + 64 + 16 * i, _mm256_permute2x128_si256(x[i], x[i + 1], 0x31));
  }
}
/* x[4 q + i] has bytes [16 q, 16 q + 16) of blocks i and 4 + i. Afterwards each has 32 bytes of one. */
INLINE void w_to_blocks(w x[W_AT_ONCE]) {
  UNROLL for (unsigned i = 0; i < 4; i++) {
    w low = _mm256_permute2x128_si256(x[i], x[4 + i], 0x20);
    x[4 + i] = _mm256_permute2x128_si256(x[i], x[4 + i], 0x31);
    x[i] = low;
  }
}
INLINE size_t w_place(size_t j) {
  return 64 * (j % 8) + 32 * (j / 8);
}

/* Instructions of chapoly_rounds.h. */
#define ROUNDS_ADD(from, to)   "vpaddd %%ymm" #from ", %%ymm" #to ", %%ymm" #to "\n\t"
#define ROUNDS_XOR(from, to)   "vpxor %%ymm" #from ", %%ymm" #to ", %%ymm" #to "\n\t"
#define ROUNDS_BYTES(bits, to) "vpshufb %[bytes" #bits "], %%ymm" #to ", %%ymm" #to "\n\t"
#define ROUNDS_BITS(left, right, to, spare)                                                                            \
  "vpslld $" #left ", %%ymm" #to ", %%ymm" #spare "\n\tvpsrld $" #right ", %%ymm" #to ", %%ymm" #to                    \
  "\n\tvpor %%ymm" #spare ", %%ymm" #to ", %%ymm" #to "\n\t"
#define ROUNDS_LOAD_AT(from, i, to) "vmovdqa 32*" #i "(%[" #from "]), %%ymm" #to "\n\t"
#define ROUNDS_STORE_AT(from, i)    "vmovdqa %%ymm" #from ", 32*" #i "(%[out])\n\t"
/* A block of Poly1305 beside each pair of quarter rounds. */
#define HASH_WITH_FIRST  HASH_1, HASH_2, HASH_3, HASH_4, HASH_5, HASH_6, HASH_7, HASH_8 HASH_NEXT
#define HASH_WITH_SECOND HASH_WITH_FIRST
static const uint8_t rounds_bytes[2][W_BYTES] __attribute__((aligned(W_BYTES))) = {
    {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
    {3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14},
};

#endif

/* block.h - single 16-byte blocks on SSE4.1: loads and stores of 1..16 bytes that touch no byte outside, for the widths
 * without masks. Which instructions run depends on lengths alone, and lengths are public. */
#ifndef SEALANE_ENGINE_X86_64_BLOCK_H
#define SEALANE_ENGINE_X86_64_BLOCK_H

#include "engine/bytes.h"
#include <immintrin.h>

static inline __m128i block_load_all(const uint8_t *p) {
  return _mm_loadu_si128((const __m128i *)p);
}
static inline void block_store_all(uint8_t *p, __m128i x) {
  _mm_storeu_si128((__m128i *)p, x);
}

/* 12 bytes, and zeros. By words, which is how they may have been written a moment ago: a load that needs two stores waits
 * until they have left the CPU's buffer, and with it everything that the load begins. */
static inline __m128i block_load_nonce(const uint8_t *p) {
  __m128i x = _mm_cvtsi32_si128((int)sl_load32_le(p));
  return _mm_insert_epi32(_mm_insert_epi32(x, (int)sl_load32_le(p + 4), 1), (int)sl_load32_le(p + 8), 2);
}

/* ff in the first n bytes, 0 <= n <= 16. */
static inline __m128i block_mask(size_t n) {
  const __m128i places = _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm_cmplt_epi8(places, _mm_set1_epi8((char)n));
}

/* The first n bytes of p, zeros behind; 0 <= n <= 16. Two loads that overlap in the middle reach any length. */
static inline __m128i block_load(const uint8_t *p, size_t n) {
  if (n >= 16) return block_load_all(p);
  if (n > 8) {
    uint64_t high = sl_load64_le(p + n - 8) >> 8 * (16 - n);
    return _mm_set_epi64x((long long)high, (long long)sl_load64_le(p));
  }
  uint64_t low = 0;
  if (n >= 4) {
    low = sl_load32_le(p) | (uint64_t)sl_load32_le(p + n - 4) << 8 * (n - 4);
  } else if (n > 0) {
    low = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
  }
  return _mm_cvtsi64_si128((long long)low);
}

/* Writes the first n bytes of x to p; 0 <= n <= 16. */
static inline void block_store(uint8_t *p, size_t n, __m128i x) {
  if (n >= 16) {
    block_store_all(p, x);
    return;
  }
  uint64_t low = (uint64_t)_mm_cvtsi128_si64(x);
  if (n >= 8) {
    uint64_t high = (uint64_t)_mm_extract_epi64(x, 1);
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

/* x with byte `at` (0..15) set to b, where it was zero. */
static inline __m128i block_put_byte(__m128i x, size_t at, uint8_t b) {
  __m128i here = _mm_andnot_si128(block_mask(at), block_mask(at + 1));
  return _mm_or_si128(x, _mm_and_si128(here, _mm_set1_epi8((char)b)));
}

/* Byte `at` (0..15) of x. */
static inline uint8_t block_byte(__m128i x, size_t at) {
  return (uint8_t)_mm_cvtsi128_si32(_mm_shuffle_epi8(x, _mm_set1_epi8((char)at)));
}

/* 1 when the blocks differ, else 0, without a branch. */
static inline uint32_t block_differs(__m128i a, __m128i b) {
  uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)); /* 0xffff when all bytes are equal */
  return (equal + 1) >> 16 ^ 1u;
}

#endif

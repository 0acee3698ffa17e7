/* sha256_shani.c - the SHA-256 compression function on the SHA extensions (Intel SDM, SHA256RNDS2, SHA256MSG1/2).
 *
 * The instructions hold the eight state words in two registers, abef and cdgh, named from the high word down. SHA256RNDS2
 * does two rounds and returns the new abef; what was abef has by then become cdgh, so the two registers take turns. */
#include "engine/kernel.h"
#include "engine/sha2_tables.h"
#include <immintrin.h>

/* Four rounds with the message words w, plus constants k. */
static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k) {
  __m128i wk = _mm_add_epi32(w, _mm_load_si128((const __m128i *)k));
  *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
  *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* Message words t+16 .. t+19 out of the last sixteen. MSG1 adds sigma0(w[t+1..]) to w[t..], MSG2 adds sigma1 of the words
 * two before each; the words seven before them are ours to add in between. */
static inline __m128i extend(__m128i w0, __m128i w4, __m128i w8, __m128i w12) {
  __m128i w9 = _mm_alignr_epi8(w12, w8, 4);
  return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), w9), w12);
}

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i *const s = state;
  __m128i dcba = _mm_loadu_si128(s), hgfe = _mm_loadu_si128(s + 1);
  __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

  for (; n_blocks > 0; n_blocks--, blocks += 64) {
    const __m128i *in = (const __m128i *)blocks;
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128(in), big_endian);
    __m128i w4 = _mm_shuffle_epi8(_mm_loadu_si128(in + 1), big_endian);
    __m128i w8 = _mm_shuffle_epi8(_mm_loadu_si128(in + 2), big_endian);
    __m128i w12 = _mm_shuffle_epi8(_mm_loadu_si128(in + 3), big_endian);

#pragma GCC unroll 3
    for (const uint32_t *k = sl_sha256_k; k < sl_sha256_k + 48; k += 16) {
      four_rounds(&abef, &cdgh, w0, k);
      w0 = extend(w0, w4, w8, w12);
      four_rounds(&abef, &cdgh, w4, k + 4);
      w4 = extend(w4, w8, w12, w0);
      four_rounds(&abef, &cdgh, w8, k + 8);
      w8 = extend(w8, w12, w0, w4);
      four_rounds(&abef, &cdgh, w12, k + 12);
      w12 = extend(w12, w0, w4, w8);
    }
    four_rounds(&abef, &cdgh, w0, sl_sha256_k + 48);
    four_rounds(&abef, &cdgh, w4, sl_sha256_k + 52);
    four_rounds(&abef, &cdgh, w8, sl_sha256_k + 56);
    four_rounds(&abef, &cdgh, w12, sl_sha256_k + 60);

    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }

  efgh = _mm_unpacklo_epi64(cdgh, abef);
  const __m128i abcd = _mm_unpackhi_epi64(cdgh, abef);
  _mm_storeu_si128(s, _mm_shuffle_epi32(abcd, 0x1b));
  _mm_storeu_si128(s + 1, _mm_shuffle_epi32(efgh, 0x1b));
}

const struct sl_kernel sl_kernel_sha256_shani = {
    .name = "sha256_shani",
    .algorithm = SL_ALG_SHA256,
    .needs = SL_CPU(SHANI) | SL_CPU(SSSE3) | SL_CPU(SSE41),
    .sha2 = {.compress = compress},
};

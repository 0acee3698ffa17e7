/* sha512_armv8.c - the SHA-512 compression function on the SHA-512 extension of 64-bit ARM (SHA512H, SHA512H2, SHA512SU0/1).
 *
 * The instructions do two rounds. A pair of state words that has been made new takes the place two pairs on in the next two
 * rounds: instead of moving four registers, the caller names them one further on. */
#include "engine/aarch64/kernels.h"
#include "engine/portable/unroll.h"
#include "engine/sha2_tables.h"
#include <arm_neon.h>

/* The upper word of a, the lower one of b. */
static inline uint64x2_t between(uint64x2_t a, uint64x2_t b) {
  return vextq_u64(a, b, 1);
}

/* Two rounds with the message words w, plus constants k: gh becomes what is then ab, and cd what is then ef. */
static inline void two_rounds(uint64x2_t ab, uint64x2_t *cd, uint64x2_t ef, uint64x2_t *gh, uint64x2_t w,
                              const uint64_t *k) {
  uint64x2_t wk = vaddq_u64(w, vld1q_u64(k)), sum = vaddq_u64(between(wk, wk), *gh);
  sum = vsha512hq_u64(sum, between(ef, *gh), between(*cd, ef));
  *gh = vsha512h2q_u64(sum, *cd, ab);
  *cd = vaddq_u64(*cd, sum);
}

/* Eight rounds, after which each pair has its own name again. */
static inline void eight_rounds(uint64x2_t s[4], const uint64x2_t w[4], const uint64_t *k) {
  two_rounds(s[0], &s[1], s[2], &s[3], w[0], k);
  two_rounds(s[3], &s[0], s[1], &s[2], w[1], k + 2);
  two_rounds(s[2], &s[3], s[0], &s[1], w[2], k + 4);
  two_rounds(s[1], &s[2], s[3], &s[0], w[3], k + 6);
}

/* Message words t+16 .. t+23 in the place of w[t..], the first or the second half of the last sixteen: pair `i` of eight. */
static inline void extend(uint64x2_t w[8], unsigned i) {
  SL_UNROLL for (unsigned end = i + 4; i < end; i++) {
    uint64x2_t w9 = between(w[(i + 4) % 8], w[(i + 5) % 8]);
    w[i] = vsha512su1q_u64(vsha512su0q_u64(w[i], w[(i + 1) % 8]), w[(i + 7) % 8], w9);
  }
}

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  uint64_t *words = state;
  uint64x2_t s[4], before[4], w[8];
  SL_UNROLL for (unsigned i = 0; i < 4; i++) s[i] = vld1q_u64(words + 2 * i);

  for (; n_blocks > 0; n_blocks--, blocks += 128) {
    SL_UNROLL for (unsigned i = 0; i < 8; i++) w[i] = vreinterpretq_u64_u8(vrev64q_u8(vld1q_u8(blocks + 16 * i)));
    SL_UNROLL for (unsigned i = 0; i < 4; i++) before[i] = s[i];
    const uint64_t *k = sl_sha512_k;
    __asm__("" : "+r"(k)); /* keeps the compiler from loading constants once and spilling them round the loop */
    SL_UNROLL for (unsigned i = 0; i < 4; i++, k += 16) {
      eight_rounds(s, w, k);
      extend(w, 0);
      eight_rounds(s, w + 4, k + 8);
      extend(w, 4);
    }
    eight_rounds(s, w, k);
    eight_rounds(s, w + 4, k + 8);
    SL_UNROLL for (unsigned i = 0; i < 4; i++) s[i] = vaddq_u64(s[i], before[i]);
  }

  SL_UNROLL for (unsigned i = 0; i < 4; i++) vst1q_u64(words + 2 * i, s[i]);
}

const struct sl_kernel sl_kernel_sha512_armv8 = {
    .name = "sha512_armv8",
    .algorithm = SL_ALG_SHA512,
    .needs = SL_CPU(NEON) | SL_CPU(ARM_SHA512),
    .sha2 = {.compress = compress},
};

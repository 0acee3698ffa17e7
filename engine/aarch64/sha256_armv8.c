/* sha256_armv8.c - the SHA-256 compression function on the SHA-2 extension of 64-bit ARM (SHA256H, SHA256H2, SHA256SU0/1).
 *
 * The instructions hold the state as the standard lists it, abcd and efgh, and do four rounds at a time. */
#include "engine/aarch64/kernels.h"
#include "engine/portable/unroll.h"
#include "engine/sha2_tables.h"
#include <arm_neon.h>

/* Four rounds with the message words w, plus constants k. */
static inline void four_rounds(uint32x4_t *abcd, uint32x4_t *efgh, uint32x4_t w, const uint32_t *k) {
  uint32x4_t wk = vaddq_u32(w, vld1q_u32(k)), before = *abcd;
  *abcd = vsha256hq_u32(before, *efgh, wk);
  *efgh = vsha256h2q_u32(*efgh, before, wk);
}

/* Message words t+16 .. t+19 out of the last sixteen. */
static inline uint32x4_t extend(uint32x4_t w0, uint32x4_t w4, uint32x4_t w8, uint32x4_t w12) {
  return vsha256su1q_u32(vsha256su0q_u32(w0, w4), w8, w12);
}

static inline uint32x4_t load_be(const uint8_t *p) {
  return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)));
}

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  uint32_t *s = state;
  uint32x4_t abcd = vld1q_u32(s), efgh = vld1q_u32(s + 4);

  for (; n_blocks > 0; n_blocks--, blocks += 64) {
    const uint32x4_t abcd_before = abcd, efgh_before = efgh;
    uint32x4_t w0 = load_be(blocks), w4 = load_be(blocks + 16), w8 = load_be(blocks + 32), w12 = load_be(blocks + 48);

    SL_UNROLL for (const uint32_t *k = sl_sha256_k; k < sl_sha256_k + 48; k += 16) {
      four_rounds(&abcd, &efgh, w0, k);
      w0 = extend(w0, w4, w8, w12);
      four_rounds(&abcd, &efgh, w4, k + 4);
      w4 = extend(w4, w8, w12, w0);
      four_rounds(&abcd, &efgh, w8, k + 8);
      w8 = extend(w8, w12, w0, w4);
      four_rounds(&abcd, &efgh, w12, k + 12);
      w12 = extend(w12, w0, w4, w8);
    }
    four_rounds(&abcd, &efgh, w0, sl_sha256_k + 48);
    four_rounds(&abcd, &efgh, w4, sl_sha256_k + 52);
    four_rounds(&abcd, &efgh, w8, sl_sha256_k + 56);
    four_rounds(&abcd, &efgh, w12, sl_sha256_k + 60);

    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }

  vst1q_u32(s, abcd);
  vst1q_u32(s + 4, efgh);
}

const struct sl_kernel sl_kernel_sha256_armv8 = {
    .name = "sha256_armv8",
    .algorithm = SL_ALG_SHA256,
    .needs = SL_CPU(NEON) | SL_CPU(ARM_SHA2),
    .sha2 = {.compress = compress},
};

/* sha256_portable.c - the SHA-256 compression function in C (FIPS 180-4 4.1.2, 6.2.2).
 *
 * Additions, rotations and logic on words: no branch and no address depends on the data. */
#include "engine/bytes.h"
#include "engine/kernel.h"
#include "engine/sha2_tables.h"

static inline uint32_t ror(uint32_t x, unsigned n) {
  return x >> n | x << (32 - n);
}

/* One round. Instead of moving eight variables down by one, the caller names them one further on in each call: only two
 * change. ch takes one operation less than in the standard; maj is a sum of two words that share no bit, so that the second
 * can be added when c is there. */
static inline void one_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f, uint32_t g,
                             uint32_t *h, uint32_t kw) {
  uint32_t ch = g ^ (e & (f ^ g));
  uint32_t maj = (a & b) + (c & (a ^ b));
  uint32_t t = *h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ch + kw;
  *d += t;
  *h = t + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + maj;
}

/* The message schedule as a ring of 16 words: w[i] becomes the word 16 rounds later. */
static inline uint32_t extend(uint32_t w[16], unsigned i) {
  uint32_t w1 = w[(i + 1) % 16], w14 = w[(i + 14) % 16];
  w[i] += (ror(w1, 7) ^ ror(w1, 18) ^ w1 >> 3) + w[(i + 9) % 16] + (ror(w14, 17) ^ ror(w14, 19) ^ w14 >> 10);
  return w[i];
}

/* The word of round i of sixteen: one of the block's own, or one that the schedule makes of them. */
static inline uint32_t word(uint32_t w[16], unsigned i, bool extends) {
  return extends ? extend(w, i) : w[i];
}

/* Sixteen rounds on the working variables v, after which each has its own name again. Inlined twice, so that asking
 * `extends` costs nothing and the schedule runs beside the rounds. */
static inline __attribute__((always_inline)) void sixteen_rounds(uint32_t v[8], uint32_t w[16], const uint32_t *k,
                                                                 bool extends) {
  uint32_t a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6], h = v[7];

  one_round(a, b, c, &d, e, f, g, &h, k[0] + word(w, 0, extends));
  one_round(h, a, b, &c, d, e, f, &g, k[1] + word(w, 1, extends));
  one_round(g, h, a, &b, c, d, e, &f, k[2] + word(w, 2, extends));
  one_round(f, g, h, &a, b, c, d, &e, k[3] + word(w, 3, extends));
  one_round(e, f, g, &h, a, b, c, &d, k[4] + word(w, 4, extends));
  one_round(d, e, f, &g, h, a, b, &c, k[5] + word(w, 5, extends));
  one_round(c, d, e, &f, g, h, a, &b, k[6] + word(w, 6, extends));
  one_round(b, c, d, &e, f, g, h, &a, k[7] + word(w, 7, extends));
  one_round(a, b, c, &d, e, f, g, &h, k[8] + word(w, 8, extends));
  one_round(h, a, b, &c, d, e, f, &g, k[9] + word(w, 9, extends));
  one_round(g, h, a, &b, c, d, e, &f, k[10] + word(w, 10, extends));
  one_round(f, g, h, &a, b, c, d, &e, k[11] + word(w, 11, extends));
  one_round(e, f, g, &h, a, b, c, &d, k[12] + word(w, 12, extends));
  one_round(d, e, f, &g, h, a, b, &c, k[13] + word(w, 13, extends));
  one_round(c, d, e, &f, g, h, a, &b, k[14] + word(w, 14, extends));
  one_round(b, c, d, &e, f, g, h, &a, k[15] + word(w, 15, extends));

  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
  v[4] = e;
  v[5] = f;
  v[6] = g;
  v[7] = h;
}

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  uint32_t *s = state;
  uint32_t v[8], w[16];

  for (; n_blocks > 0; n_blocks--, blocks += 64) {
    memcpy(v, s, sizeof v);
    for (unsigned i = 0; i < 16; i++) w[i] = sl_load32_be(blocks + 4 * i);
    sixteen_rounds(v, w, sl_sha256_k, false);
    for (unsigned t = 16; t < 64; t += 16) sixteen_rounds(v, w, sl_sha256_k + t, true);
    for (unsigned i = 0; i < 8; i++) s[i] += v[i];
  }
  sl_wipe(v, sizeof v);
  sl_wipe(w, sizeof w);
}

const struct sl_kernel sl_kernel_sha256_portable = {
    .name = "sha256_portable",
    .algorithm = SL_ALG_SHA256,
    .sha2 = {.compress = compress},
};

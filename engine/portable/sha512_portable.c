/* sha512_portable.c - the SHA-512 and SHA-384 compression function in C (FIPS 180-4 4.1.3, 6.4.2).
 *
 * Additions, rotations and logic on words: no branch and no address depends on the data. */
#include "engine/bytes.h"
#include "engine/kernel.h"
#include "engine/sha2_tables.h"

static inline uint64_t ror(uint64_t x, unsigned n) {
  return x >> n | x << (64 - n);
}

/* One round. Instead of moving eight variables down by one, the caller names them one further on in each call: only two
 * change. ch takes one operation less than in the standard; maj is a sum of two words that share no bit, so that the second
 * can be added when c is there. */
static inline void one_round(uint64_t a, uint64_t b, uint64_t c, uint64_t *d, uint64_t e, uint64_t f, uint64_t g,
                             uint64_t *h, uint64_t kw) {
  uint64_t ch = g ^ (e & (f ^ g));
  uint64_t maj = (a & b) + (c & (a ^ b));
  uint64_t t = *h + (ror(e, 14) ^ ror(e, 18) ^ ror(e, 41)) + ch + kw;
  *d += t;
  *h = t + (ror(a, 28) ^ ror(a, 34) ^ ror(a, 39)) + maj;
}

/* The message schedule as a ring of 16 words: w[i] becomes the word 16 rounds later. */
static inline uint64_t extend(uint64_t w[16], unsigned i) {
  uint64_t w1 = w[(i + 1) % 16], w14 = w[(i + 14) % 16];
  w[i] += (ror(w1, 1) ^ ror(w1, 8) ^ w1 >> 7) + w[(i + 9) % 16] + (ror(w14, 19) ^ ror(w14, 61) ^ w14 >> 6);
  return w[i];
}

/* The word of round i of sixteen: one of the block's own, or one that the schedule makes of them. */
static inline uint64_t word(uint64_t w[16], unsigned i, bool extends) {
  return extends ? extend(w, i) : w[i];
}

/* Sixteen rounds on the working variables v, after which each has its own name again. Inlined twice, so that asking
 * `extends` costs nothing and the schedule runs beside the rounds. */
static inline __attribute__((always_inline)) void sixteen_rounds(uint64_t v[8], uint64_t w[16], const uint64_t *k,
                                                                 bool extends) {
  uint64_t a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6], h = v[7];

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
  uint64_t *s = state;
  uint64_t v[8], w[16];

  for (; n_blocks > 0; n_blocks--, blocks += 128) {
    memcpy(v, s, sizeof v);
    for (unsigned i = 0; i < 16; i++) w[i] = sl_load64_be(blocks + 8 * i);
    sixteen_rounds(v, w, sl_sha512_k, false);
    for (unsigned t = 16; t < 80; t += 16) sixteen_rounds(v, w, sl_sha512_k + t, true);
    for (unsigned i = 0; i < 8; i++) s[i] += v[i];
  }
  sl_wipe(v, sizeof v);
  sl_wipe(w, sizeof w);
}

const struct sl_kernel sl_kernel_sha512_portable = {
    .name = "sha512_portable",
    .algorithm = SL_ALG_SHA512,
    .sha2 = {.compress = compress},
};

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
 * change. ch and maj are written with one operation less than in the standard. */
static inline void one_round(uint64_t a, uint64_t b, uint64_t c, uint64_t *d, uint64_t e, uint64_t f, uint64_t g,
                             uint64_t *h, uint64_t kw) {
  uint64_t ch = g ^ (e & (f ^ g));
  uint64_t maj = (a & b) | (c & (a | b));
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

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  uint64_t *s = state;
  uint64_t w[16];

  for (; n_blocks > 0; n_blocks--, blocks += 128) {
    uint64_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];

    for (unsigned i = 0; i < 16; i++) w[i] = sl_load64_be(blocks + 8 * i);
    for (unsigned t = 0; t < 80; t += 16) {
      const uint64_t *k = sl_sha512_k + t;
      for (unsigned i = 0; i < 16; i += 8) {
        one_round(a, b, c, &d, e, f, g, &h, k[i] + w[i]);
        one_round(h, a, b, &c, d, e, f, &g, k[i + 1] + w[i + 1]);
        one_round(g, h, a, &b, c, d, e, &f, k[i + 2] + w[i + 2]);
        one_round(f, g, h, &a, b, c, d, &e, k[i + 3] + w[i + 3]);
        one_round(e, f, g, &h, a, b, c, &d, k[i + 4] + w[i + 4]);
        one_round(d, e, f, &g, h, a, b, &c, k[i + 5] + w[i + 5]);
        one_round(c, d, e, &f, g, h, a, &b, k[i + 6] + w[i + 6]);
        one_round(b, c, d, &e, f, g, h, &a, k[i + 7] + w[i + 7]);
      }
      if (t + 16 < 80)
        for (unsigned i = 0; i < 16; i++) extend(w, i);
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
  }
  sl_wipe(w, sizeof w);
}

const struct sl_kernel sl_kernel_sha512_portable = {
    .name = "sha512_portable",
    .algorithm = SL_ALG_SHA512,
    .sha2 = {.compress = compress},
};

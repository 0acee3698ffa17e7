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
 * change. ch and maj are written with one operation less than in the standard. */
static inline void one_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f, uint32_t g,
                             uint32_t *h, uint32_t kw) {
  uint32_t ch = g ^ (e & (f ^ g));
  uint32_t maj = (a & b) | (c & (a | b));
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

static void compress(void *state, const uint8_t *blocks, size_t n_blocks) {
  uint32_t *s = state;
  uint32_t w[16];

  for (; n_blocks > 0; n_blocks--, blocks += 64) {
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];

    for (unsigned i = 0; i < 16; i++) w[i] = sl_load32_be(blocks + 4 * i);
    for (unsigned t = 0; t < 64; t += 16) {
      const uint32_t *k = sl_sha256_k + t;
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
      if (t + 16 < 64)
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

const struct sl_kernel sl_kernel_sha256_portable = {
    .name = "sha256_portable",
    .algorithm = SL_ALG_SHA256,
    .sha2 = {.compress = compress},
};

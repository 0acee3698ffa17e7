/* aes.h - AES (FIPS 197) without tables: four blocks at once, in bit slices of 64-bit words.
 *
 * A table indexed by secret bytes tells the cache what they were. Here the S-box is computed instead, with logic alone,
 * and 64-bit words make that affordable: slice i holds bit i of all 64 bytes of four blocks, so one AND works on all of
 * them. The byte in row r and column c of block b stands at bit 16 r + 4 c + b of each slice:
 *
 *     bit   63 ....... 48 | 47 ....... 32 | 31 ....... 16 | 15 .................. 0
 *           row 3           row 2           row 1           column 3 | 2 | 1 | 0      and in a column: blocks 3 2 1 0
 *
 * so that ShiftRows turns 16-bit fields by whole columns, and MixColumns, which adds rows to each other, turns the word by
 * multiples of 16. */
#ifndef SEALANE_ENGINE_PORTABLE_AES_H
#define SEALANE_ENGINE_PORTABLE_AES_H

#include "engine/bytes.h"
#include "engine/portable/unroll.h"

#define SL_AES_BLOCKS_LEN 64u /* bytes of the four blocks that are encrypted together */

/* A round key is the same for all four blocks: each nibble of its slices is 0000 or 1111. One bit of the four is kept, so
 * four slices share a word: slice i is in bits i mod 4 of word i / 4. */
struct sl_aes_key {
  uint64_t round_keys[15][2];
  uint64_t n_rounds; /* 10 or 14 */
};

struct sl_aes_slices {
  uint64_t s[8];
};

/* ---- Bytes to slices and back -------------------------------------------------------------------------------- */

/* Exchanges bit k of the word's number with bit k of the bit's number, in all eight words: 2^k is `shift`, and `low` has
 * the bits whose number has a 0 there. */
static inline void sl_aes_exchange(struct sl_aes_slices *q, unsigned shift, uint64_t low) {
  SL_UNROLL
  for (unsigned i = 0; i < 8; i++) {
    if ((i & shift) != 0) continue;
    uint64_t t = (q->s[i] >> shift ^ q->s[i + shift]) & low;
    q->s[i] ^= t << shift;
    q->s[i + shift] ^= t;
  }
}

/* Its own inverse. */
static inline void sl_aes_transpose(struct sl_aes_slices *q) {
  sl_aes_exchange(q, 1, UINT64_C(0x5555555555555555));
  sl_aes_exchange(q, 2, UINT64_C(0x3333333333333333));
  sl_aes_exchange(q, 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
}

/* 0xddccbbaa -> 0x00dd00cc00bb00aa */
static inline uint64_t sl_aes_spread(uint32_t x) {
  uint64_t y = (x | (uint64_t)x << 16) & UINT64_C(0x0000ffff0000ffff);
  return (y | y << 8) & UINT64_C(0x00ff00ff00ff00ff);
}

/* 0x??dd??cc??bb??aa -> 0xddccbbaa */
static inline uint32_t sl_aes_gather(uint64_t x) {
  x &= UINT64_C(0x00ff00ff00ff00ff);
  x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
  return (uint32_t)(x | x >> 16);
}

/* Before the transposition, a bit's number is (byte's place in its word: 3 bits)(bit in the byte: 3 bits) and its word's
 * is (3 bits); afterwards the last two have changed places. We want (row)(column)(block) as a bit's number then, so the
 * byte's place must be (row)(column's high bit) and the word's number (column's low bit)(block). */
static inline void sl_aes_load(struct sl_aes_slices *q, const uint8_t in[static SL_AES_BLOCKS_LEN]) {
  SL_UNROLL
  for (unsigned b = 0; b < 4; b++) {
    const uint8_t *block = in + 16 * b;
    q->s[b] = sl_aes_spread(sl_load32_le(block)) | sl_aes_spread(sl_load32_le(block + 8)) << 8;
    q->s[4 + b] = sl_aes_spread(sl_load32_le(block + 4)) | sl_aes_spread(sl_load32_le(block + 12)) << 8;
  }
  sl_aes_transpose(q);
}

static inline void sl_aes_store(uint8_t out[static SL_AES_BLOCKS_LEN], struct sl_aes_slices *q) {
  sl_aes_transpose(q);
  SL_UNROLL
  for (unsigned b = 0; b < 4; b++) {
    uint8_t *block = out + 16 * b;
    sl_store32_le(block, sl_aes_gather(q->s[b]));
    sl_store32_le(block + 4, sl_aes_gather(q->s[4 + b]));
    sl_store32_le(block + 8, sl_aes_gather(q->s[b] >> 8));
    sl_store32_le(block + 12, sl_aes_gather(q->s[4 + b] >> 8));
  }
}

/* ---- SubBytes ------------------------------------------------------------------------------------------------ */

/* The S-box is an inversion in GF(2^8) and an affine map. Inverting eight bits in logic is hard; in a tower of quadratic
 * extensions it is easy, since an element times its conjugate lies one floor below:
 *
 *     GF(4)   = GF(2)[w]   w^2 = w + 1
 *     GF(16)  = GF(4)[z]   z^2 = z + N   N = w + 1
 *     GF(256) = GF(16)[y]  y^2 = y + M   M = w z + w
 *
 *     (a y + b)(a y + a + b) = M a^2 + a b + b^2 =: d,   so   1 / (a y + b) = (a/d) y + (a + b)/d
 *
 * and the same with z and N. In GF(4), 1/d = d^2. 0 has no inverse and becomes 0, as AES wants it. Tower and AES name the
 * same elements by different bits; of the isomorphisms there are (two N, eight M, eight roots of x^8 + x^4 + x^3 + x + 1),
 * this is the one whose two changes of basis cost least. */
struct sl_gf4 {
  uint64_t hi, lo; /* hi w + lo, in each of 64 bits */
};
struct sl_gf16 {
  struct sl_gf4 hi, lo; /* hi z + lo */
};

static inline struct sl_gf4 sl_gf4_add(struct sl_gf4 a, struct sl_gf4 b) {
  return (struct sl_gf4){a.hi ^ b.hi, a.lo ^ b.lo};
}
/* Karatsuba: hi gets a.hi b.lo + a.lo b.hi + a.hi b.hi. */
static inline struct sl_gf4 sl_gf4_mul(struct sl_gf4 a, struct sl_gf4 b) {
  uint64_t lo = a.lo & b.lo;
  return (struct sl_gf4){((a.hi ^ a.lo) & (b.hi ^ b.lo)) ^ lo, (a.hi & b.hi) ^ lo};
}
static inline struct sl_gf4 sl_gf4_square(struct sl_gf4 a) {
  return (struct sl_gf4){a.hi, a.hi ^ a.lo};
}
/* N a: (w + 1)(hi w + lo) = lo w + (hi + lo) */
static inline struct sl_gf4 sl_gf4_mul_n(struct sl_gf4 a) {
  return (struct sl_gf4){a.lo, a.hi ^ a.lo};
}

static inline struct sl_gf16 sl_gf16_add(struct sl_gf16 a, struct sl_gf16 b) {
  return (struct sl_gf16){sl_gf4_add(a.hi, b.hi), sl_gf4_add(a.lo, b.lo)};
}
static inline struct sl_gf16 sl_gf16_mul(struct sl_gf16 a, struct sl_gf16 b) {
  struct sl_gf4 hi = sl_gf4_mul(a.hi, b.hi), lo = sl_gf4_mul(a.lo, b.lo);
  struct sl_gf4 both = sl_gf4_mul(sl_gf4_add(a.hi, a.lo), sl_gf4_add(b.hi, b.lo));
  return (struct sl_gf16){sl_gf4_add(both, lo), sl_gf4_add(sl_gf4_mul_n(hi), lo)};
}
static inline struct sl_gf16 sl_gf16_square(struct sl_gf16 a) {
  struct sl_gf4 hi = sl_gf4_square(a.hi);
  return (struct sl_gf16){hi, sl_gf4_add(sl_gf4_mul_n(hi), sl_gf4_square(a.lo))};
}
/* M a^2, a linear map: (h w + g) z + (f w + e) becomes ((e + h) w + (f + g + h)) z + (e w + f). */
static inline struct sl_gf16 sl_gf16_square_mul_m(struct sl_gf16 a) {
  uint64_t e = a.lo.lo, f = a.lo.hi, g = a.hi.lo, h = a.hi.hi;
  return (struct sl_gf16){{e ^ h, f ^ g ^ h}, {e, f}};
}
static inline struct sl_gf16 sl_gf16_invert(struct sl_gf16 a) {
  struct sl_gf4 sum = sl_gf4_add(a.hi, a.lo);
  struct sl_gf4 d = sl_gf4_add(sl_gf4_mul_n(sl_gf4_square(a.hi)), sl_gf4_mul(a.lo, sum)); /* N a^2 + b (a + b) */
  struct sl_gf4 d_inverse = sl_gf4_square(d);
  return (struct sl_gf16){sl_gf4_mul(a.hi, d_inverse), sl_gf4_mul(sum, d_inverse)};
}

static inline void sl_aes_sub_bytes(struct sl_aes_slices *q) {
  const uint64_t *x = q->s;

  /* From AES's basis to the tower's. */
  uint64_t x15 = x[1] ^ x[5], x23 = x[2] ^ x[3], x57 = x[5] ^ x[7], x156 = x15 ^ x[6];
  struct sl_gf16 b = {{x[2] ^ x[4], x[2] ^ x[7]}, {x[1] ^ x[7], x[0] ^ x156}};
  struct sl_gf16 a = {{x57, x23 ^ x[4] ^ x156}, {x23 ^ x57, x[1]}};

  /* The inverse. */
  struct sl_gf16 sum = sl_gf16_add(a, b);
  struct sl_gf16 d = sl_gf16_add(sl_gf16_square_mul_m(a), sl_gf16_mul(b, sum)); /* M a^2 + b (a + b) */
  struct sl_gf16 d_inverse = sl_gf16_invert(d);
  struct sl_gf16 hi = sl_gf16_mul(a, d_inverse), lo = sl_gf16_mul(sum, d_inverse);

  /* Back to AES's basis and through the affine map, in one: a linear map, then 0x63 is added (the complements). */
  uint64_t y0 = lo.lo.lo, y1 = lo.lo.hi, y2 = lo.hi.lo, y3 = lo.hi.hi;
  uint64_t y4 = hi.lo.lo, y5 = hi.lo.hi, y6 = hi.hi.lo, y7 = hi.hi.hi;
  uint64_t y04 = y0 ^ y4, y23 = y2 ^ y3, y46 = y4 ^ y6, y014 = y04 ^ y1;
  q->s[0] = ~(y04 ^ y23);
  q->s[1] = ~y014;
  q->s[2] = y014 ^ y2 ^ y7;
  q->s[3] = y23 ^ y46 ^ y0;
  q->s[4] = y46 ^ y0;
  q->s[5] = ~(y23 ^ y4 ^ y5);
  q->s[6] = ~y46;
  q->s[7] = y46 ^ y2;
}

/* ---- The other steps ----------------------------------------------------------------------------------------- */

static inline void sl_aes_add_round_key(struct sl_aes_slices *q, const uint64_t key[static 2]) {
  SL_UNROLL
  for (unsigned i = 0; i < 8; i++) {
    uint64_t bits = key[i / 4] >> (i % 4) & UINT64_C(0x1111111111111111);
    q->s[i] ^= (bits << 4) - bits; /* 0001 -> 1111 in every nibble */
  }
}

/* Row r goes r columns down: its column c gets what column c + r held. */
static inline void sl_aes_shift_rows(struct sl_aes_slices *q) {
  SL_UNROLL
  for (unsigned i = 0; i < 8; i++) {
    uint64_t x = q->s[i];
    q->s[i] = (x & UINT64_C(0x000000000000ffff))         /* row 0 */
              | (x & UINT64_C(0x00000000fff00000)) >> 4  /* row 1 */
              | (x & UINT64_C(0x00000000000f0000)) << 12 /**/
              | (x & UINT64_C(0x0000ff0000000000)) >> 8  /* row 2 */
              | (x & UINT64_C(0x000000ff00000000)) << 8  /**/
              | (x & UINT64_C(0xf000000000000000)) >> 12 /* row 3 */
              | (x & UINT64_C(0x0fff000000000000)) << 4;
  }
}

/* Row r of the result is 2 x_r + 3 x_(r+1) + x_(r+2) + x_(r+3) = 2 t_r + x_(r+1) + t_(r+2), where t_r = x_r + x_(r+1). */
static inline void sl_aes_mix_columns(struct sl_aes_slices *q) {
  uint64_t next[8], t[8];
  SL_UNROLL
  for (unsigned i = 0; i < 8; i++) {
    next[i] = q->s[i] >> 16 | q->s[i] << 48;
    t[i] = q->s[i] ^ next[i];
  }
  SL_UNROLL
  for (unsigned i = 0; i < 8; i++) q->s[i] = next[i] ^ (t[i] >> 32 | t[i] << 32);
  /* 2 t: every bit moves up one, and x^8 = x^4 + x^3 + x + 1. */
  SL_UNROLL
  for (unsigned i = 1; i < 8; i++) q->s[i] ^= t[i - 1];
  q->s[0] ^= t[7];
  q->s[1] ^= t[7];
  q->s[3] ^= t[7];
  q->s[4] ^= t[7];
}

/* ---- AES ----------------------------------------------------------------------------------------------------- */

/* blocks = E(key, blocks), each of the four on its own. */
static inline void sl_aes_encrypt4(const struct sl_aes_key *key, uint8_t blocks[static SL_AES_BLOCKS_LEN]) {
  struct sl_aes_slices q;
  sl_aes_load(&q, blocks);
  sl_aes_add_round_key(&q, key->round_keys[0]);
  for (unsigned round = 1; round < key->n_rounds; round++) {
    sl_aes_sub_bytes(&q);
    sl_aes_shift_rows(&q);
    sl_aes_mix_columns(&q);
    sl_aes_add_round_key(&q, key->round_keys[round]);
  }
  sl_aes_sub_bytes(&q);
  sl_aes_shift_rows(&q);
  sl_aes_add_round_key(&q, key->round_keys[key->n_rounds]);
  sl_aes_store(blocks, &q);
}

/* The S-box on each byte of a word. */
static inline uint32_t sl_aes_sub_word(uint32_t word) {
  uint8_t blocks[SL_AES_BLOCKS_LEN] = {0};
  struct sl_aes_slices q;
  sl_store32_le(blocks, word);
  sl_aes_load(&q, blocks);
  sl_aes_sub_bytes(&q);
  sl_aes_store(blocks, &q);
  word = sl_load32_le(blocks);
  sl_wipe(blocks, sizeof blocks);
  return word;
}

/* FIPS 197 5.2, for secrets of 16 and 32 bytes. Words are loaded little-endian, so RotWord turns right by a byte and the
 * round constant belongs to the lowest one. */
static inline void sl_aes_expand(struct sl_aes_key *key, const uint8_t *secret, size_t secret_len) {
  uint32_t words[60];
  unsigned n_secret = (unsigned)secret_len / 4;
  key->n_rounds = n_secret + 6;
  unsigned n_words = 4 * ((unsigned)key->n_rounds + 1);

  for (unsigned i = 0; i < n_secret; i++) words[i] = sl_load32_le(secret + 4 * i);
  uint32_t round_constant = 1; /* powers of 2 in GF(2^8) */
  for (unsigned i = n_secret; i < n_words; i++) {
    uint32_t word = words[i - 1];
    if (i % n_secret == 0) {
      word = sl_aes_sub_word(word >> 8 | word << 24) ^ round_constant;
      round_constant = (round_constant << 1) ^ (round_constant >> 7) * 0x11b;
    } else if (n_secret == 8 && i % 8 == 4) {
      word = sl_aes_sub_word(word);
    }
    words[i] = words[i - n_secret] ^ word;
  }

  uint8_t blocks[SL_AES_BLOCKS_LEN] = {0};
  struct sl_aes_slices q;
  memset(key->round_keys, 0, sizeof key->round_keys);
  for (unsigned round = 0; round <= key->n_rounds; round++) {
    /* In the place of block 0, which is the one bit of each nibble that is kept. */
    memcpy(blocks, words + 4 * round, 16);
    sl_aes_load(&q, blocks);
    SL_UNROLL
    for (unsigned i = 0; i < 8; i++) key->round_keys[round][i / 4] |= q.s[i] << (i % 4);
  }
  sl_wipe(words, sizeof words);
  sl_wipe(blocks, sizeof blocks);
  sl_wipe(&q, sizeof q);
}

#endif

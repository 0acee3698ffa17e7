/* ghash.h - GHASH (NIST SP 800-38D 6.4) without tables: carry-less products from integer ones.
 *
 * A block names a polynomial over GF(2) whose coefficient of x^k is the k-th bit counted from the first byte's highest
 * one. Loaded as a big-endian number it therefore stands mirrored, x^0 at bit 127. Multiplying mirrored numbers without
 * carries gives the mirrored product, one bit too low: x^m ends up at bit 254 - m of 256 where 255 - m would be right,
 * which is the product times x. So the key keeps H / x, and the product comes out in its place. */
#ifndef SEALANE_ENGINE_PORTABLE_GHASH_H
#define SEALANE_ENGINE_PORTABLE_GHASH_H

#include "engine/bytes.h"
#include "engine/portable/unroll.h"
#include "engine/portable/wide.h"

/* An element of GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), mirrored: x^0 is the top bit of hi. */
struct sl_gf128 {
  uint64_t hi, lo;
};

static inline struct sl_gf128 sl_gf128_load(const uint8_t block[static 16]) {
  return (struct sl_gf128){sl_load64_be(block), sl_load64_be(block + 8)};
}
static inline void sl_gf128_store(uint8_t block[static 16], struct sl_gf128 a) {
  sl_store64_be(block, a.hi);
  sl_store64_be(block + 8, a.lo);
}

/* a / x: all powers go down by one. If there is an x^0, it becomes 1/x = x^127 + x^6 + x + 1. */
static inline struct sl_gf128 sl_gf128_div_x(struct sl_gf128 a) {
  uint64_t has_one = 0 - (a.hi >> 63); /* all ones or all zeros */
  return (struct sl_gf128){(a.hi << 1 | a.lo >> 63) ^ (has_one & UINT64_C(0xc200000000000000)),
                           a.lo << 1 ^ (has_one & 1)};
}

/* The 128-bit product without carries.
 *
 * An integer multiplication adds where we want XOR. If only every fourth bit of both operands may be set, then every
 * fourth bit of the product gets the sum of those terms, its lowest bit is their XOR, and the three bits above it have
 * room for the carries as long as no sum reaches 16. There are 16 such bits in a word, and a sum of 16 would be one too
 * many; so the top four bits of `a` are left out and multiplied by shifting. Taking each operand as four such parts, the
 * product's part r is the XOR of all a_i b_j with i + j = r mod 4. */
static inline struct sl_gf128 sl_clmul64(uint64_t a, uint64_t b) {
  const uint64_t every4th = UINT64_C(0x1111111111111111);
  struct sl_gf128 product = {0, 0};
  uint64_t a_low = a & UINT64_C(0x0fffffffffffffff);
  SL_UNROLL
  for (unsigned r = 0; r < 4; r++) {
    uint64_t hi = 0, lo = 0;
    SL_UNROLL
    for (unsigned i = 0; i < 4; i++) {
      unsigned j = (r - i) % 4;
      sl_wide p = sl_wide_mul(a_low & every4th << i, b & every4th << j);
      hi ^= sl_wide_hi(p);
      lo ^= sl_wide_lo(p);
    }
    product.hi ^= hi & every4th << r; /* 64 is a multiple of 4: the pattern goes on across the words */
    product.lo ^= lo & every4th << r;
  }
  SL_UNROLL
  for (unsigned i = 60; i < 64; i++) {
    uint64_t is_set = 0 - (a >> i & 1);
    product.hi ^= is_set & b >> (64 - i);
    product.lo ^= is_set & b << i;
  }
  return product;
}

/* a b x: with b = H / x, that is a H. */
static inline struct sl_gf128 sl_gf128_mul(struct sl_gf128 a, struct sl_gf128 b) {
  /* The 256-bit product p3 p2 p1 p0 after Karatsuba: three multiplications, not four. */
  struct sl_gf128 high = sl_clmul64(a.hi, b.hi);
  struct sl_gf128 low = sl_clmul64(a.lo, b.lo);
  struct sl_gf128 middle = sl_clmul64(a.hi ^ a.lo, b.hi ^ b.lo);
  middle.hi ^= high.hi ^ low.hi;
  middle.lo ^= high.lo ^ low.lo;
  uint64_t p3 = high.hi, p2 = high.lo ^ middle.hi, p1 = low.hi ^ middle.lo, p0 = low.lo;

  /* p1 p0 are the coefficients of x^128 and up; x^128 = 1 + x + x^2 + x^7, and times x^k is k to the right. What that
   * moves past x^127 is again x^128 and up, seven coefficients at most: they are folded in first, ahead of the rest. */
  p1 ^= p0 << 63 ^ p0 << 62 ^ p0 << 57;
  return (struct sl_gf128){
      p3 ^ p1 ^ p1 >> 1 ^ p1 >> 2 ^ p1 >> 7,
      p2 ^ p0 ^ (p0 >> 1 | p1 << 63) ^ (p0 >> 2 | p1 << 62) ^ (p0 >> 7 | p1 << 57),
  };
}

/* (hash + block) H */
static inline struct sl_gf128 sl_ghash_block(struct sl_gf128 hash, struct sl_gf128 h_div_x,
                                             const uint8_t block[static 16]) {
  struct sl_gf128 x = sl_gf128_load(block);
  return sl_gf128_mul((struct sl_gf128){hash.hi ^ x.hi, hash.lo ^ x.lo}, h_div_x);
}

/* The hash after len more bytes, filled up with zeros to whole blocks. */
static inline struct sl_gf128 sl_ghash(struct sl_gf128 hash, struct sl_gf128 h_div_x, const uint8_t *data, size_t len) {
  size_t n_rest = len % 16;
  for (size_t off = 0; off < len - n_rest; off += 16) hash = sl_ghash_block(hash, h_div_x, data + off);
  if (n_rest > 0) {
    uint8_t block[16] = {0};
    memcpy(block, data + len - n_rest, n_rest);
    hash = sl_ghash_block(hash, h_div_x, block);
  }
  return hash;
}

#endif

/* poly64.h - Poly1305 (RFC 8439 2.5) in general registers: a block is multiplied by r in ten instructions, and no vector
 * port has a part in it. h is in words of 64 bits, the uppermost small.
 *
 * Bounds. r0, r1 < 2^60 and r1 = 0 modulo 4, so 5/4 r1 is a whole number. With h2 <= 4, a block makes it 6 at most. Then
 * h0 r0 + h1 5/4 r1 < 2.25 2^124; h0 r1 + h1 r0 + h2 5/4 r1 is below that; h2 r0 and what comes up to it are below 2^63; five
 * quarters of that are below 2^64; and once they are added, h2 <= 3 + 1. */
#ifndef SEALANE_ENGINE_POLY64_H
#define SEALANE_ENGINE_POLY64_H

#include "engine/bytes.h"

typedef unsigned __int128 u128;

struct poly64 {
  uint64_t h0, h1, h2, r0, r1, s1; /* s1: 5/4 r1, what r1 2^128 is modulo 2^130 - 5 */
};

static inline uint64_t u128_high(u128 x) {
  return (uint64_t)(x >> 64);
}

static inline void poly64_init(struct poly64 *p, const uint8_t key[16]) {
  p->h0 = p->h1 = p->h2 = 0;
  p->r0 = sl_load64_le(key) & UINT64_C(0x0ffffffc0fffffff);
  p->r1 = sl_load64_le(key + 8) & UINT64_C(0x0ffffffc0ffffffc);
  p->s1 = p->r1 + (p->r1 >> 2);
}

/* h = (h + block + 2^128) r. */
static inline __attribute__((always_inline)) void poly64_block(struct poly64 *p, const uint8_t block[16]) {
  u128 m, h = (u128)p->h1 << 64 | p->h0;
  memcpy(&m, block, sizeof m);
  uint64_t h2 = p->h2 + 1 + __builtin_add_overflow(h, m, &h), h0 = (uint64_t)h, h1 = u128_high(h);

  u128 d0 = (u128)h0 * p->r0 + (u128)h1 * p->s1;
  u128 d1 = (u128)h0 * p->r1 + (u128)h1 * p->r0 + (h2 * p->s1) + u128_high(d0);
  uint64_t d2 = h2 * p->r0 + u128_high(d1);

  h = d1 << 64 | (uint64_t)d0;
  uint64_t over = (d2 >> 2) + (d2 & ~UINT64_C(3)); /* five times what is over 2^130 */
  p->h2 = (d2 & 3) + __builtin_add_overflow(h, over, &h);
  p->h0 = (uint64_t)h;
  p->h1 = u128_high(h);
}

/* tag = (h mod 2^130 - 5) + s, modulo 2^128. By words: compilers would leave s and h on the stack as words of 128 bits. */
static inline void poly64_final(const struct poly64 *p, const uint64_t s[2], uint8_t tag[16]) {
  u128 t = (u128)p->h0 + 5;
  uint64_t h0 = p->h0, h1 = p->h1, g0 = (uint64_t)t;
  t = (u128)h1 + u128_high(t);
  uint64_t g1 = (uint64_t)t, g2 = p->h2 + u128_high(t), is_less = (g2 >> 2) - 1; /* all ones when h < p; g2 < 8 */
  h0 = (h0 & is_less) | (g0 & ~is_less);
  h1 = (h1 & is_less) | (g1 & ~is_less);
  t = (u128)h0 + s[0];
  sl_store64_le(tag, (uint64_t)t);
  sl_store64_le(tag + 8, h1 + s[1] + u128_high(t));
}

#endif

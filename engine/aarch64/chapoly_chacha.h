/* chapoly_chacha.h - the ChaCha20 key stream on NEON, with hashes between the rounds: a state of sixteen vectors holds a word of four ChaCha20 blocks
 * (RFC 8439 2.3) each. Two states go side by side where there is enough to do: a round of one waits for its own results half of the
 * time. */
#ifndef SEALANE_ENGINE_AARCH64_CHAPOLY_CHACHA_H
#define SEALANE_ENGINE_AARCH64_CHAPOLY_CHACHA_H

#include "engine/aarch64/block.h"
#include "engine/portable/unroll.h"

#define INLINE static inline __attribute__((always_inline))
#define SHARED static __attribute__((noinline)) /* a function of its own, once */

typedef uint32x4_t w;

enum {
  LANES = 4,
  STATES = 2,
  W_BYTES = 16,
};

#include "engine/chapoly_lanes.h"

INLINE w w_load(const uint8_t *p) {
  return vreinterpretq_u32_u8(vld1q_u8(p));
}
INLINE void w_store(uint8_t *p, w x) {
  vst1q_u8(p, vreinterpretq_u8_u32(x));
}
INLINE w w_set(uint32_t x) {
  return vdupq_n_u32(x);
}
INLINE w w_add(w a, w b) {
  return vaddq_u32(a, b);
}
INLINE w w_and(w a, w b) {
  return vandq_u32(a, b);
}
INLINE w w_xor(w a, w b) {
  return veorq_u32(a, b);
}
INLINE w w_lows(w a, w b) {
  return vreinterpretq_u32_u64(vtrn1q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}
INLINE w w_highs(w a, w b) {
  return vreinterpretq_u32_u64(vtrn2q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}

/* Rows become columns. */
INLINE void w_transpose(w x[4]) {
  w a = vtrn1q_u32(x[0], x[1]), b = vtrn2q_u32(x[0], x[1]), c = vtrn1q_u32(x[2], x[3]), d = vtrn2q_u32(x[2], x[3]);
  x[0] = w_lows(a, c);
  x[1] = w_lows(b, d);
  x[2] = w_highs(a, c);
  x[3] = w_highs(b, d);
}

/* The state of four blocks before their rounds. */
INLINE void chacha_begin(w x[16], const struct chacha_lanes *lane) {
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    x[i] = vdupq_n_u32(constants[i]);
    x[4 + i] = w_load(lane->key[i]);
    x[8 + i] = w_load(lane->key[i] + 16);
    x[12 + i] = vextq_u32(vdupq_n_u32(lane->counter[i]), w_load(lane->nonce[i]), 3);
  }
  w_transpose(x + 4);
  w_transpose(x + 8);
  w_transpose(x + 12);
}

/* RFC 8439 2.1, rotations: by whole bytes in one operation, others in two. */
INLINE w w_rotate_16(w x) {
  return vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32(x)));
}
INLINE w w_rotate_8(w x, v places) {
  return vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(x), places));
}
#define W_ROTATE(x, n) vsriq_n_u32(vshlq_n_u32(x, n), x, 32 - (n))

INLINE v chacha_places(void) {
  static const uint8_t places[16] = {3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14};
  return block_load_all(places);
}

/* Four quarter rounds, step by step: columns where `shift` is 0, diagonals where it is 1. */
INLINE void chacha_half(w x[16], unsigned shift, v places) {
  w *a = x, *b = x + 4, *c = x + 8, *d = x + 12;
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    w *bi = &b[(i + shift) % 4], *di = &d[(i + 3 * shift) % 4];
    a[i] = vaddq_u32(a[i], *bi);
    *di = w_rotate_16(veorq_u32(*di, a[i]));
  }
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    w *bi = &b[(i + shift) % 4], *ci = &c[(i + 2 * shift) % 4];
    *ci = vaddq_u32(*ci, d[(i + 3 * shift) % 4]);
    *bi = veorq_u32(*bi, *ci);
    *bi = W_ROTATE(*bi, 12);
  }
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    w *bi = &b[(i + shift) % 4], *di = &d[(i + 3 * shift) % 4];
    a[i] = vaddq_u32(a[i], *bi);
    *di = w_rotate_8(veorq_u32(*di, a[i]), places);
  }
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    w *bi = &b[(i + shift) % 4], *ci = &c[(i + 2 * shift) % 4];
    *ci = vaddq_u32(*ci, d[(i + 3 * shift) % 4]);
    *bi = veorq_u32(*bi, *ci);
    *bi = W_ROTATE(*bi, 7);
  }
}

/* Where hashing is: the hash in registers, and what of it is left. */
struct chapoly_place {
  struct poly64 poly;
  struct chapoly_hash *hash;
  const uint8_t *block;
  size_t n_blocks;
};

/* Hashes one block, if there is one; after a record's last the next one's hash comes. */
INLINE void place_block(struct chapoly_place *at) {
  if (at->n_blocks == 0) return;
  poly64_block(&at->poly, at->block);
  at->block += 16;
  if (--at->n_blocks > 0) return;
  at->hash->poly = at->poly;
  at->hash++;
  at->poly = at->hash->poly;
  at->block = at->hash->block;
  at->n_blocks = at->hash->n_blocks;
}

/* The rounds of n_states states; and the hashes. */
INLINE void chacha_rounds(w (*x)[16], const w (*start)[16], unsigned n_states, struct chapoly_hash *hash) {
  v places = chacha_places();
  struct chapoly_place at = {hash->poly, hash, hash->block, hash->n_blocks};
  SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
    SL_UNROLL for (unsigned i = 0; i < 16; i++) x[s][i] = start[s][i];
  }
  for (unsigned i = 0; i < 10; i++) {
    SL_UNROLL for (unsigned half = 0; half < 2; half++) {
      SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
        chacha_half(x[s], half, places);
        place_block(&at);
      }
    }
  }
  while (at.n_blocks > 0) place_block(&at);
}

/* The end of four vectors of a state, from x[first] on: the start is added, and words go where they belong. */
INLINE void chacha_finish(w y[4], const w x[16], const w start[16], unsigned first) {
  SL_UNROLL for (unsigned j = 0; j < 4; j++) y[j] = vaddq_u32(x[first + j], start[first + j]);
  w_transpose(y);
}
INLINE size_t w_place(size_t j) {
  return UNIT_LEN * (j % 4) + 16 * (j / 4);
}

#endif

/* chapoly_chacha.h - the ChaCha20 key stream (RFC 8439 2.3) on NEON: a state of sixteen vectors holds a word of four blocks each,
 * and a block may be any of any record. Two states go side by side where there is enough to do: a round of one waits for its own
 * results half of the time. */
#ifndef SEALANE_ENGINE_AARCH64_CHAPOLY_CHACHA_H
#define SEALANE_ENGINE_AARCH64_CHAPOLY_CHACHA_H

#include "engine/aarch64/block.h"
#include "engine/portable/unroll.h"

#define INLINE static inline __attribute__((always_inline))

typedef uint32x4_t w;

enum { LANES = 4, UNIT_LEN = 64 };

/* One block of key stream. 16 bytes can be read at `nonce`. */
struct chacha_lane {
  const uint8_t *key, *nonce;
  uint32_t counter;
};

INLINE w w_load(const uint8_t *p) {
  return vreinterpretq_u32_u8(vld1q_u8(p));
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
INLINE void chacha_begin(w x[16], const struct chacha_lane lane[LANES]) {
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
  SL_UNROLL for (unsigned i = 0; i < 4; i++) {
    x[i] = vdupq_n_u32(constants[i]);
    x[4 + i] = w_load(lane[i].key);
    x[8 + i] = w_load(lane[i].key + 16);
    x[12 + i] = vextq_u32(vdupq_n_u32(lane[i].counter), w_load(lane[i].nonce), 3);
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

/* The end of four blocks: their start is added, and their words go where they belong. Vector j of x[i..i+3] then has bytes
 * 4 i .. 4 i + 15 of block j. */
INLINE void chacha_finish(w x[16], const w start[16]) {
  SL_UNROLL for (unsigned i = 0; i < 16; i += 4) {
    SL_UNROLL for (unsigned j = 0; j < 4; j++) x[i + j] = vaddq_u32(x[i + j], start[i + j]);
    w_transpose(x + i);
  }
}

INLINE void chacha_store(uint8_t (*stream)[UNIT_LEN], const w x[16]) {
  SL_UNROLL for (unsigned i = 0; i < 16; i++) vst1q_u8(stream[i % 4] + 16 * (i / 4), vreinterpretq_u8_u32(x[i]));
}

#endif

/* chapoly_chacha.h - ChaCha20 (RFC 8439 2.3), W_LANES blocks in a state of sixteen vectors, and the way of its words to bytes. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H

#define EACH_OF_FOUR UNROLL for (unsigned i = 0; i < 4; i++)
#define EACH_OF_TWO  UNROLL for (unsigned i = 0; i < 2; i++)

/* The quarter rounds (RFC 8439 2.1) of columns `first` and the next, or with turn = 1 of diagonals. Two at a time, because
 * with 16 registers the other two columns' share of row c can wait in memory; with 32 it makes no difference. */
INLINE void chacha_two_quarter_rounds(v x[16], unsigned turn, unsigned first) {
  v *a[2], *b[2], *c[2], *d[2];
  UNROLL for (unsigned i = 0; i < 2; i++) {
    a[i] = x + first + i;
    b[i] = x + 4 + (first + i + turn) % 4;
    c[i] = x + 8 + (first + i + 2 * turn) % 4;
    d[i] = x + 12 + (first + i + 3 * turn) % 4;
  }
  EACH_OF_TWO *a[i] = w_add(*a[i], *b[i]);
  EACH_OF_TWO *d[i] = w_xor(*d[i], *a[i]);
  EACH_OF_TWO *d[i] = w_rotate(*d[i], 16);
  EACH_OF_TWO *c[i] = w_add(*c[i], *d[i]);
  EACH_OF_TWO *b[i] = w_xor(*b[i], *c[i]);
  EACH_OF_TWO *b[i] = w_rotate(*b[i], 12);
  EACH_OF_TWO *a[i] = w_add(*a[i], *b[i]);
  EACH_OF_TWO *d[i] = w_xor(*d[i], *a[i]);
  EACH_OF_TWO *d[i] = w_rotate(*d[i], 8);
  EACH_OF_TWO *c[i] = w_add(*c[i], *d[i]);
  EACH_OF_TWO *b[i] = w_xor(*b[i], *c[i]);
  EACH_OF_TWO *b[i] = w_rotate(*b[i], 7);
}

/* out = start + the rounds of start (RFC 8439 2.3), one state. */
static __attribute__((noinline)) void chacha_one_state(v out[16], const v start[16]) {
  v x[16];
  UNROLL for (unsigned i = 0; i < 16; i++) x[i] = start[i];
  for (unsigned n = 0; n < 10; n++) {
    chacha_two_quarter_rounds(x, 0, 0);
    chacha_two_quarter_rounds(x, 0, 2);
    chacha_two_quarter_rounds(x, 1, 0); /* diagonals */
    chacha_two_quarter_rounds(x, 1, 2);
  }
  UNROLL for (unsigned i = 0; i < 16; i++) out[i] = w_add(x[i], start[i]);
}

/* Transposes 4 by 4 words in every 128-bit lane. */
INLINE void chacha_transpose(v x[4]) {
  v a = w_unpack_low(x[0], x[1]), b = w_unpack_high(x[0], x[1]);
  v c = w_unpack_low(x[2], x[3]), d = w_unpack_high(x[2], x[3]);
  x[0] = q_unpack_low(a, c), x[1] = q_unpack_high(a, c);
  x[2] = q_unpack_low(b, d), x[3] = q_unpack_high(b, d);
}

/* A state after its rounds, as parts of blocks: y[i][q] has bytes [16 q, 16 q + 16) of blocks i, i + 4, ... */
INLINE void chacha_parts(v y[4][4], const v x[16]) {
  UNROLL for (unsigned q = 0; q < 4; q++) {
    v words[4];
    EACH_OF_FOUR words[i] = x[4 * q + i];
    chacha_transpose(words);
    EACH_OF_FOUR y[i][q] = words[i];
  }
}
/* It becomes the bytes of its blocks, in place. */
SHARED void chacha_to_bytes(v x[16]) {
  v y[4][4];
  chacha_parts(y, x);
  w_store_blocks((uint8_t *)x, y);
}
/* out = in ^ those bytes */
INLINE void chacha_xor(uint8_t *out, const uint8_t *in, const v x[16]) {
  v y[4][4];
  chacha_parts(y, x);
  w_xor_blocks(out, in, y);
}

INLINE void chacha_xor_lanes(uint8_t *const *out, const uint8_t *const *in, size_t off, const v x[16]) {
  v y[4][4];
  chacha_parts(y, x);
  w_xor_lanes(out, in, off, y);
}

/* The states' constants: "expand 32-byte k". */
INLINE void chacha_start_constants(v start[16]) {
  start[0] = w_set(0x61707865), start[1] = w_set(0x3320646e), start[2] = w_set(0x79622d32),
  start[3] = w_set(0x6b206574);
}

#endif

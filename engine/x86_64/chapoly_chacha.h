/* chapoly_chacha.h - ChaCha20 (RFC 8439 2.3), W_LANES blocks in a state of sixteen vectors, and the way of its words to bytes. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H

#define EACH_COLUMN UNROLL for (unsigned i = 0; i < 4; i++)

/* Four quarter rounds (RFC 8439 2.1) side by side: of the columns, or with turn = 1 of the diagonals. */
INLINE void chacha_quarter_rounds(v x[16], unsigned turn) {
  v *a = x, *b = x + 4, *c = x + 8, *d = x + 12;
  unsigned to_b[4], to_c[4], to_d[4];
  EACH_COLUMN to_b[i] = (i + turn) % 4, to_c[i] = (i + 2 * turn) % 4, to_d[i] = (i + 3 * turn) % 4;
  EACH_COLUMN a[i] = w_add(a[i], b[to_b[i]]);
  EACH_COLUMN d[to_d[i]] = w_xor(d[to_d[i]], a[i]);
  EACH_COLUMN d[to_d[i]] = w_rotate(d[to_d[i]], 16);
  EACH_COLUMN c[to_c[i]] = w_add(c[to_c[i]], d[to_d[i]]);
  EACH_COLUMN b[to_b[i]] = w_xor(b[to_b[i]], c[to_c[i]]);
  EACH_COLUMN b[to_b[i]] = w_rotate(b[to_b[i]], 12);
  EACH_COLUMN a[i] = w_add(a[i], b[to_b[i]]);
  EACH_COLUMN d[to_d[i]] = w_xor(d[to_d[i]], a[i]);
  EACH_COLUMN d[to_d[i]] = w_rotate(d[to_d[i]], 8);
  EACH_COLUMN c[to_c[i]] = w_add(c[to_c[i]], d[to_d[i]]);
  EACH_COLUMN b[to_b[i]] = w_xor(b[to_b[i]], c[to_c[i]]);
  EACH_COLUMN b[to_b[i]] = w_rotate(b[to_b[i]], 7);
}

/* out = start + the rounds of start (RFC 8439 2.3), one state. */
static __attribute__((noinline)) void chacha_one_state(v out[16], const v start[16]) {
  v x[16];
  UNROLL for (unsigned i = 0; i < 16; i++) x[i] = start[i];
  for (unsigned n = 0; n < 10; n++) {
    chacha_quarter_rounds(x, 0);
    chacha_quarter_rounds(x, 1);
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
    EACH_COLUMN words[i] = x[4 * q + i];
    chacha_transpose(words);
    EACH_COLUMN y[i][q] = words[i];
  }
}
/* It becomes the bytes of its blocks, in place. */
INLINE void chacha_to_bytes(v x[16]) {
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

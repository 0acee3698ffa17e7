/* chapoly_chacha.h - ChaCha20 (RFC 8439 2.3), W_LANES blocks in a state of sixteen vectors, and the way of its words to text.
 *
 * The rounds leave their words in pairs, half way to blocks: for words 2 i and 2 i + 1 of lanes 4 a to 4 a + 3 there are two
 * vectors, of which 128-bit lane a has words of 64 bits
 *
 *     vector 2 i      lane 4 a, lane 4 a + 1
 *     vector 2 i + 1  lane 4 a + 2, lane 4 a + 3
 *
 * That is what Poly1305 wants for its keys, too: 64-bit lanes. So blocks take their places (lane_place()) in the order in
 * which these vectors have them. Vector j of state s is W_STATES j + s of a pass. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_CHACHA_H

#include "engine/x86_64/chapoly_common.h"

#define EACH_OF_FOUR UNROLL for (unsigned i = 0; i < 4; i++)

/* The quarter rounds (RFC 8439 2.1) of n columns from `first` on, or with turn = 1 of diagonals. Two at a time in the rounds,
 * because with 16 registers the other two columns' share of row c can wait in memory; with 32 it makes no difference. */
INLINE void chacha_quarter_rounds(v x[16], unsigned turn, unsigned first, unsigned n) {
  v *a[4], *b[4], *c[4], *d[4];
  UNROLL for (unsigned i = 0; i < n; i++) {
    a[i] = x + first + i;
    b[i] = x + 4 + (first + i + turn) % 4;
    c[i] = x + 8 + (first + i + 2 * turn) % 4;
    d[i] = x + 12 + (first + i + 3 * turn) % 4;
  }
#define EACH_OF_N UNROLL for (unsigned i = 0; i < n; i++)
  EACH_OF_N *a[i] = w_add(*a[i], *b[i]);
  EACH_OF_N *d[i] = w_xor(*d[i], *a[i]);
  EACH_OF_N *d[i] = w_rotate(*d[i], 16);
  EACH_OF_N *c[i] = w_add(*c[i], *d[i]);
  EACH_OF_N *b[i] = w_xor(*b[i], *c[i]);
  EACH_OF_N *b[i] = w_rotate(*b[i], 12);
  EACH_OF_N *a[i] = w_add(*a[i], *b[i]);
  EACH_OF_N *d[i] = w_xor(*d[i], *a[i]);
  EACH_OF_N *d[i] = w_rotate(*d[i], 8);
  EACH_OF_N *c[i] = w_add(*c[i], *d[i]);
  EACH_OF_N *b[i] = w_xor(*b[i], *c[i]);
  EACH_OF_N *b[i] = w_rotate(*b[i], 7);
#undef EACH_OF_N
}

/* What the first round makes of the columns that have no counter: the same in every pass. Of column 0: what it began with. */
SHARED void chacha_first_columns(v first[16], const v start[16]) {
  ROLLED for (unsigned i = 0; i < 4; i++) {
    v x[16]; /* of which this column's are used */
    UNROLL for (unsigned j = 0; j < 16; j += 4) x[j] = start[i + j];
    if (i > 0) chacha_quarter_rounds(x, 0, 0, 1);
    UNROLL for (unsigned j = 0; j < 16; j += 4) first[i + j] = x[j];
  }
}

/* out = start + the rounds of start (RFC 8439 2.3), one state. */
SHARED void chacha_one_state(v *out, const v start[16], const v first[16]) {
  v x[16];
  UNROLL for (unsigned i = 0; i < 16; i++) x[i] = i == 12 ? start[i] : first[i];
  chacha_quarter_rounds(x, 0, 0, 1);
  for (unsigned n = 9;; n--) {
    chacha_quarter_rounds(x, 1, 0, 2); /* diagonals */
    chacha_quarter_rounds(x, 1, 2, 2);
    if (n == 0) break;
    chacha_quarter_rounds(x, 0, 0, 2);
    chacha_quarter_rounds(x, 0, 2, 2);
  }
  UNROLL for (unsigned i = 0; i < 16; i += 2) {
    v a = w_add(x[i], start[i]), b = w_add(x[i + 1], start[i + 1]);
    out[i * W_STATES] = w_unpack_low(a, b);
    out[(i + 1) * W_STATES] = w_unpack_high(a, b);
  }
}

/* out = in ^ stream for the places of a state: the other half of the transposition, then block by block. */
SHARED void chacha_xor_lanes(const uint64_t out[W_LANES], const uint64_t in[W_LANES], const v *stream) {
  v y[4][4]; /* [i][q]: bytes [16 q, 16 q + 16) of lanes i, i + 4, ... */
  UNROLL for (unsigned q = 0; q < 4; q++) {
    const v *x = stream + 4 * q * W_STATES;
    y[0][q] = q_unpack_low(x[0], x[2 * W_STATES]);
    y[1][q] = q_unpack_high(x[0], x[2 * W_STATES]);
    y[2][q] = q_unpack_low(x[W_STATES], x[3 * W_STATES]);
    y[3][q] = q_unpack_high(x[W_STATES], x[3 * W_STATES]);
  }
  w_xor_lanes(out, in, y);
}

/* Blocks by themselves, a row of the state (RFC 8439 2.3) in each 128-bit lane: for what would leave most lanes of a pass
 * empty. Between columns and diagonals rows a, c, d turn, for what comes next waits for b. */
enum { FEW_BLOCKS = W_LANES / 2 };
INLINE void chacha_few_vectors(uint8_t (*out)[64], const uint8_t key[32], const uint8_t *nonce, uint32_t first,
                               uint32_t second, unsigned n_vectors) {
  static const uint32_t behind[8][4] __attribute__((aligned(64))) = {{0}, {0}, {1}, {2}, {3}, {4}, {5}, {6}};
  static const uint32_t is_behind[8][4] __attribute__((aligned(64))) = {
      {0}, {UINT32_MAX}, {UINT32_MAX}, {UINT32_MAX}, {UINT32_MAX}, {UINT32_MAX}, {UINT32_MAX}, {UINT32_MAX},
  };
  const __m128i constants = _mm_set_epi32(0x6b206574, 0x79622d32, 0x3320646e, 0x61707865);
  const __m128i begin = _mm_or_si128(_mm_slli_si128(block_load_all(nonce), 4), _mm_cvtsi32_si128((int)first));
  v start[2], a[2], b[2], c[2], d[2];
#define EACH_VECTOR UNROLL for (unsigned i = 0; i < n_vectors; i++)
  EACH_VECTOR {
    v distance = q_and(w_set(second - first), *(const v *)is_behind[i * FEW_BLOCKS / 2]);
    start[i] = w_add(w_row(begin), w_add(distance, *(const v *)behind[i * FEW_BLOCKS / 2]));
    a[i] = w_row(constants), b[i] = w_row(block_load_all(key)), c[i] = w_row(block_load_all(key + 16)), d[i] = start[i];
  }
  for (unsigned n = 0; n < 20; n++) {
    EACH_VECTOR a[i] = w_add(a[i], b[i]);
    EACH_VECTOR d[i] = w_xor(d[i], a[i]);
    EACH_VECTOR d[i] = w_rotate(d[i], 16);
    EACH_VECTOR c[i] = w_add(c[i], d[i]);
    EACH_VECTOR b[i] = w_xor(b[i], c[i]);
    EACH_VECTOR b[i] = w_rotate(b[i], 12);
    EACH_VECTOR a[i] = w_add(a[i], b[i]);
    EACH_VECTOR d[i] = w_xor(d[i], a[i]);
    EACH_VECTOR d[i] = w_rotate(d[i], 8);
    EACH_VECTOR c[i] = w_add(c[i], d[i]);
    EACH_VECTOR b[i] = w_xor(b[i], c[i]);
    EACH_VECTOR b[i] = w_rotate(b[i], 7);
    EACH_VECTOR d[i] = w_shuffle(d[i], 0x4e);
    if (n % 2 == 0) {
      EACH_VECTOR a[i] = w_shuffle(a[i], 0x93), c[i] = w_shuffle(c[i], 0x39);
    } else {
      EACH_VECTOR a[i] = w_shuffle(a[i], 0x39), c[i] = w_shuffle(c[i], 0x93);
    }
  }
  __asm__("" : "+r"(key)); /* its rows are loaded again: through the rounds, compilers would keep them on the stack */
  EACH_VECTOR {
    v x[4] = {w_add(a[i], w_row(constants)), w_add(b[i], w_row(block_load_all(key))),
              w_add(c[i], w_row(block_load_all(key + 16))), w_add(d[i], start[i])};
    w_store_blocks(out + i * FEW_BLOCKS / 2, x);
  }
#undef EACH_VECTOR
}

/* Theirs are the counters `first`, then `second` and those behind it; n <= FEW_BLOCKS are wanted. 16 bytes of nonce are read. A
 * vector by itself is faster where both want the same two ports. */
static void chacha_few_blocks(uint8_t (*out)[64], const uint8_t key[32], const uint8_t *nonce, uint32_t first,
                              uint32_t second, size_t n) {
  if (n <= FEW_BLOCKS / 2) {
    chacha_few_vectors(out, key, nonce, first, second, 1);
  } else {
    chacha_few_vectors(out, key, nonce, first, second, 2);
  }
}

/* Transposes 4 by 4 words in every 128-bit lane. */
INLINE void chacha_transpose(v x[4]) {
  v a = w_unpack_low(x[0], x[1]), b = w_unpack_high(x[0], x[1]);
  v c = w_unpack_low(x[2], x[3]), d = w_unpack_high(x[2], x[3]);
  x[0] = q_unpack_low(a, c), x[1] = q_unpack_high(a, c);
  x[2] = q_unpack_low(b, d), x[3] = q_unpack_high(b, d);
}

/* The states' constants: "expand 32-byte k". */
INLINE void chacha_start_constants(v start[16]) {
  start[0] = w_set(0x61707865), start[1] = w_set(0x3320646e), start[2] = w_set(0x79622d32),
  start[3] = w_set(0x6b206574);
}

#endif

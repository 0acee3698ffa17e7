/* chapoly_narrow.h - the table of engine/chapoly_run.h where there are 16 registers, out of a width's vocabulary. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_NARROW_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_NARROW_H

#include "engine/chapoly_lanes.h"

/* Rows become columns, in every 128-bit lane. */
INLINE void w_transpose(w x[4]) {
  w a = w_unpack_low32(x[0], x[1]), b = w_unpack_high32(x[0], x[1]);
  w c = w_unpack_low32(x[2], x[3]), d = w_unpack_high32(x[2], x[3]);
  x[0] = w_unpack_low64(a, c), x[1] = w_unpack_high64(a, c);
  x[2] = w_unpack_low64(b, d), x[3] = w_unpack_high64(b, d);
}

INLINE void chacha_begin(w x[16], const struct chacha_lanes *lane) {
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
  UNROLL for (unsigned i = 0; i < 4; i++) {
    x[i] = w_set(constants[i]);
    x[4 + i] = w_gather(lane->key + i, 0);
    x[8 + i] = w_gather(lane->key + i, 16);
  }
  w_transpose(x + 4);
  w_transpose(x + 8);
  w y[4];
  UNROLL for (unsigned i = 0; i < 4; i++) y[i] = w_gather(lane->nonce + i, 0);
  w_transpose(y);
  x[12] = w_load((const uint8_t *)lane->counter);
  UNROLL for (unsigned i = 0; i < 3; i++) x[13 + i] = y[i];
}

/* Vectors from x[first] on. */
INLINE void chacha_finish(w y[W_AT_ONCE], const w x[16], const w start[16], unsigned first) {
  UNROLL for (unsigned i = 0; i < W_AT_ONCE; i += 4) {
    UNROLL for (unsigned j = i; j < i + 4; j++) y[j] = w_add(x[first + j], start[first + j]);
    w_transpose(y + i);
  }
  w_to_blocks(y);
}

/* A row of the state in each 128-bit lane: for one record alone, which would leave most of a state empty. Between columns and
 * diagonals rows a, c, d turn, for what comes next waits for b. */
SHARED void chacha_few(uint8_t (*stream)[UNIT_LEN], const struct chacha_lanes *lane) {
  const w constants = w_row(_mm_set_epi32(0x6b206574, 0x79622d32, 0x3320646e, 0x61707865));
  w start[2], a[2], b[2], c[2], d[2];
#define EACH UNROLL for (unsigned i = 0; i < 2; i++)
  EACH {
    a[i] = constants;
    b[i] = w_rows(lane->key + i * FEW_UNITS / 2, 0);
    c[i] = w_rows(lane->key + i * FEW_UNITS / 2, 16);
    start[i] = d[i] = w_counters(w_rows(lane->nonce + i * FEW_UNITS / 2, 0), lane->counter + i * FEW_UNITS / 2);
  }
  for (unsigned n = 0; n < 20; n++) {
    EACH a[i] = w_add(a[i], b[i]);
    EACH d[i] = w_rotate_16(w_xor(d[i], a[i]));
    EACH c[i] = w_add(c[i], d[i]);
    EACH b[i] = w_rotate_12(w_xor(b[i], c[i]));
    EACH a[i] = w_add(a[i], b[i]);
    EACH d[i] = w_rotate_8(w_xor(d[i], a[i]));
    EACH c[i] = w_add(c[i], d[i]);
    EACH b[i] = w_rotate_7(w_xor(b[i], c[i]));
    EACH d[i] = w_shuffle(d[i], 0x4e);
    if (n % 2 == 0) {
      EACH a[i] = w_shuffle(a[i], 0x93), c[i] = w_shuffle(c[i], 0x39);
    } else {
      EACH a[i] = w_shuffle(a[i], 0x39), c[i] = w_shuffle(c[i], 0x93);
    }
  }
  __asm__("" : "+r"(lane)); /* keys are loaded again: through the rounds, compilers would keep them on the stack */
  EACH {
    w x[4] = {w_add(a[i], constants), w_add(b[i], w_rows(lane->key + i * FEW_UNITS / 2, 0)),
              w_add(c[i], w_rows(lane->key + i * FEW_UNITS / 2, 16)), w_add(d[i], start[i])};
    w_store_rows(stream[i * FEW_UNITS / 2], x);
  }
#undef EACH
}

#include "engine/x86_64/chapoly_rounds.h"

static void narrow_begin(struct chapoly_run *run) {
  struct chacha_lanes lane;
  chapoly_lanes(run, 0, &lane);
  chacha_begin((w *)run->start, &lane);
}
static void narrow_next(struct chapoly_run *run) {
  w *start = (w *)run->start;
  start[12] = w_add(start[12], w_set(LANES));
}
static void narrow_few(struct chapoly_run *run) {
  struct chacha_lanes lane;
  chapoly_lanes(run, 0, &lane);
  chacha_few(run->stream, &lane);
}

static void narrow_rounds(struct chapoly_run *run) {
  const w *start = (const w *)run->start, *x = (const w *)run->rounds;
  const uint8_t *in = run->in;
  uint8_t *out = run->out, *block = run->block[0];
  w seal = w_set(run->seal ? UINT32_MAX : 0);
  chacha_one_state((w *)run->rounds, start, run->hash, run->n_blocks);
  UNROLL for (unsigned i = 0; i < 16; i += W_AT_ONCE) {
    w y[W_AT_ONCE];
    chacha_finish(y, x, start, i);
    UNROLL for (unsigned j = 0; j < W_AT_ONCE; j++) {
      size_t off = w_place(i + j);
      if (in == NULL) {
        w_store(run->stream[0] + off, y[j]);
        continue;
      }
      w data = w_load(in + off); /* the ciphertext is what goes out or what comes in */
      w_store(block + off, w_xor(data, w_and(y[j], seal)));
      w_store(out + off, w_xor(data, y[j]));
    }
  }
}

/* sl_wipe(), in steps that start at once: of a memset compilers make `rep stos`, which does not. */
static void narrow_wipe(struct chapoly_run *run) {
  uint8_t *p = (uint8_t *)run, *end = p + offsetof(struct chapoly_run, n_blocks);
  ROLLED for (; p < end; p += W_BYTES) w_store(p, w_set(0));
  sl_wipe(run, 0);
}
_Static_assert(offsetof(struct chapoly_run, n_blocks) + W_BYTES <= sizeof(struct chapoly_run), "it is all inside");

static const struct chapoly_units_width chapoly_width = {
    .n_units = LANES,
    .few_units = FEW_UNITS,
    .begin = narrow_begin,
    .next = narrow_next,
    .rounds = narrow_rounds,
    .few = narrow_few,
    .wipe = narrow_wipe,
};

#endif

/* chapoly_neon.c - ChaCha20-Poly1305 eight blocks a pass: NEON. */
#include "engine/aarch64/chapoly_chacha.h"
#include "engine/aarch64/kernels.h"

static void neon_begin(struct chapoly_run *run) {
  for (unsigned s = 0; s < STATES; s++) {
    struct chacha_lanes lane;
    chapoly_lanes(run, LANES * s, &lane);
    chacha_begin((w *)run->start + 16 * s, &lane);
  }
}
static void neon_next(struct chapoly_run *run) {
  w *start = (w *)run->start;
  SL_UNROLL for (unsigned s = 0; s < STATES; s++) start[16 * s + 12] = w_add(start[16 * s + 12], w_set(STATES * LANES));
}

/* Key stream of n_states states to where it is wanted. */
INLINE void neon_states(struct chapoly_run *run, unsigned n_states) {
  const w(*start)[16] = (const w(*)[16])run->start;
  w x[STATES][16];
  const uint8_t *in = run->in;
  uint8_t *out = run->out, *block = run->block[0];
  w seal = w_set(run->seal ? UINT32_MAX : 0);
  chacha_rounds(x, start, n_states, run->hash);
  SL_UNROLL for (unsigned i = 0; i < 16 * n_states; i += 4) {
    w y[4];
    chacha_finish(y, x[i / 16], start[i / 16], i % 16);
    SL_UNROLL for (unsigned j = 0; j < 4; j++) {
      size_t off = UNIT_LEN * LANES * (i / 16) + w_place(i % 16 + j);
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
SHARED void neon_two_states(struct chapoly_run *run) {
  neon_states(run, 2);
}
SHARED void neon_one_state(struct chapoly_run *run) {
  neon_states(run, 1);
}
static void neon_rounds(struct chapoly_run *run) {
  if (run->n_units > LANES) {
    neon_two_states(run);
  } else {
    neon_one_state(run);
  }
}

static void neon_wipe(struct chapoly_run *run) {
  sl_wipe(run, sizeof *run);
}

/* No few units: rows of one block beside each other would wait for their results as long as a state does. */
static const struct chapoly_units_width chapoly_width = {
    .n_units = STATES * LANES,
    .begin = neon_begin,
    .next = neon_next,
    .rounds = neon_rounds,
    .wipe = neon_wipe,
};

#include "engine/chapoly_kernel.h"

const struct sl_kernel sl_kernel_chapoly_neon = {
    .name = "chapoly_neon",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(NEON),
    .aead = CHAPOLY_KERNEL_OPS,
    .stream = CHAPOLY_STREAM_OPS,
};

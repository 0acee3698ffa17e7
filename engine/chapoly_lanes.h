/* chapoly_lanes.h - what a state of a width begins with, for a file that has said how many LANES one has: blocks of key stream. */
#ifndef SEALANE_ENGINE_CHAPOLY_LANES_H
#define SEALANE_ENGINE_CHAPOLY_LANES_H

#include "engine/chapoly_run.h"

/* 16 bytes can be read at a nonce. */
struct chacha_lanes {
  const uint8_t *key[LANES], *nonce[LANES];
  uint32_t counter[LANES];
};
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* Those of a pass's units from `first` on. What is over repeats the first of all. */
static inline __attribute__((always_inline)) void chapoly_lanes(const struct chapoly_run *run, unsigned first,
                                                                struct chacha_lanes *lane) {
  for (unsigned i = 0; i < LANES; i++) {
    struct chapoly_unit unit = run->unit[first + i < run->n_units ? first + i : 0];
    lane->key[i] = sl_chapoly_secret(unit.job->key);
    lane->nonce[i] = unit.job->nonce;
    lane->counter[i] = unit.number == 0 ? 0 : (uint32_t)(unit.number - 1) + run->counter;
  }
}

#endif

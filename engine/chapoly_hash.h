/* chapoly_hash.h - the Poly1305 hashes of a pass of chapoly_units.h, for the rounds that compute them on the way. */
#ifndef SEALANE_ENGINE_CHAPOLY_HASH_H
#define SEALANE_ENGINE_CHAPOLY_HASH_H

#include "engine/poly64.h"
#include <sealane/aead.h>

enum { UNIT_LEN = 64 };

/* A record's hash, as far as one pass goes. Behind a pass's last one comes one that has no blocks. */
struct chapoly_hash {
  struct poly64 poly;
  uint64_t s[2];
  uint64_t n_blocks; /* in this pass */
  const uint8_t *block;
  struct sl_aead_job *job; /* whose tag it makes then, or NULL: it goes on */
};

/* What a state's lanes compute: blocks of key stream. 16 bytes can be read at a nonce. */
#define CHACHA_LANES(lanes)                                                                                            \
  struct chacha_lanes {                                                                                                \
    const uint8_t *key[lanes], *nonce[lanes];                                                                          \
    uint32_t counter[lanes];                                                                                           \
  }

#endif

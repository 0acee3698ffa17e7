/* chapoly_run.h - what chapoly_units.h and its widths share: a call under way, and a width as a table of what its vectors do. */
#ifndef SEALANE_ENGINE_CHAPOLY_RUN_H
#define SEALANE_ENGINE_CHAPOLY_RUN_H

#include "engine/kernel.h"
#include "engine/poly64.h"
#include "engine/stream.h"

enum {
  UNIT_LEN = 64,
  UNITS_MAX = 8,         /* in a pass, at any width */
  BLOCKS = 5 * UNITS_MAX /* of a pass: the lengths behind a last unit, or AAD and lengths alone */
};

/* A record's hash, as far as one pass goes. Behind a pass's last one comes one that has no blocks. */
struct chapoly_hash {
  struct poly64 poly;
  uint64_t s[2];
  uint64_t n_blocks; /* in this pass */
  const uint8_t *block;
  struct sl_aead_job *job; /* whose tag it makes then, or NULL: it goes on */
};

/* One unit of the list. */
struct chapoly_unit {
  struct sl_aead_job *job;
  size_t number;
};

/* What a call has under way. Secret: wiped in the end. */
struct chapoly_run {
  uint8_t start[UNITS_MAX][UNIT_LEN] __attribute__((aligned(64))); /* states before their rounds */
  uint8_t rounds[UNITS_MAX][UNIT_LEN];                             /* behind them, where registers do not suffice */
  uint8_t stream[UNITS_MAX][UNIT_LEN];                             /* key stream */
  uint8_t block[BLOCKS][16];               /* ciphertext, to be hashed; a unit is written whole */
  struct chapoly_hash hash[UNITS_MAX + 1]; /* in the order of the blocks */
  size_t n_blocks, n_hashes;
  struct chapoly_unit unit[UNITS_MAX];
  size_t n_units;
  const uint8_t *in; /* where all units of the pass follow each other inside a text: the first one's, else NULL */
  uint8_t *out;
  struct sl_aead_job *const *jobs; /* what is left of the list, from unit `next` of the first on */
  size_t n_jobs, next;
  struct sl_stream *piece; /* whose text the only job is a piece of, or NULL */
  uint32_t counter;        /* of unit 1: 1, but in pieces */
  bool seal;
};

/* A width. */
struct chapoly_units_width {
  size_t n_units;   /* in a pass */
  size_t few_units; /* what few() makes */
  /* The states of unit[], before their rounds; or, inside a text, those that follow the last ones. */
  void (*begin)(struct chapoly_run *run);
  void (*next)(struct chapoly_run *run);
  /* Their key stream to `stream`, or to where `in` and `out` say, and then ciphertext to `block`; and the hashes of what was there. */
  void (*rounds)(struct chapoly_run *run);
  /* Key stream of few units to `stream`, where nothing is hashed. */
  void (*few)(struct chapoly_run *run);
  /* Erases. */
  void (*wipe)(struct chapoly_run *run);
};

/* A kernel's struct sl_aead_ops and sl_stream_ops, but for the width. */
void sl_units_expand(struct sl_aead_key *key, const uint8_t *secret);
void sl_units_jobs(const struct chapoly_units_width *width, struct sl_aead_job *const *jobs, size_t n, bool seal);
void sl_units_start(struct sl_stream *s, const struct sl_aead_key *key);
void sl_units_absorb(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                     const uint8_t *blocks, size_t n);
void sl_units_crypt(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                    uint8_t *out, const uint8_t *in, size_t len, bool is_open);
void sl_units_tag(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                  uint8_t *tag);

#endif

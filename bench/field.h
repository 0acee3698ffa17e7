/* field.h - who races in `aead`: Sealane's kernels and the rivals, with the keys of one suite and direction.
 *
 * A contender has a row: one per kernel of ours, one per rival. A lane is one way of a contender that can run here, and has
 * a seat for each thread: keys, texts and a place in the cycle of keys of its own. */
#ifndef SEALANE_BENCH_FIELD_H
#define SEALANE_BENCH_FIELD_H

#include "flags.h"
#include "race.h"
#include "rivals/rival.h"
#include "texts.h"

enum { FIELD_CONTENDERS_MAX = 64, FIELD_LANES_MAX = 128 };

struct seat {
  const struct rival *rival;
  void *state;
  /* the cell being measured */
  const struct texts *texts;
  bool is_open;
  size_t position; /* of the next call in the cycle of keys; goes on from sample to sample */
};

struct lane {
  const struct rival *rival;
  const char *way;
  struct seat *seats; /* one per thread */
  void **seat_list;   /* the same, as a race takes them */
};

struct contender {
  const struct rival *rival;
  struct rival_way ways[RIVAL_WAYS_MAX]; /* ours: one */
  size_t n_ways;
  size_t first_lane, n_lanes; /* one per way that can run here */
  /* the cell being measured */
  const struct race_lane *best; /* of its lanes; NULL: n/a */
  const char *best_way;
};

struct field {
  enum sl_aead aead;
  bool is_open;
  size_t n_keys, n_threads;
  struct contender contenders[FIELD_CONTENDERS_MAX];
  size_t n_contenders;
  struct lane lanes[FIELD_LANES_MAX];
  struct race_lane race[FIELD_LANES_MAX + 1]; /* parallel to lanes; then the clock */
  size_t n_lanes;
  uint8_t *secrets;
  void *oracle; /* OpenSSL, sealing with the same keys */
};

/* Kernels of ours for a suite: those named in `kernels` ("all"; NULL: the chosen one). When none of them serves it, its chosen
 * one; when none was chosen, all, with their reasons. At least one. */
size_t field_kernels(enum sl_aead aead, const char *kernels, struct rival_way out[RIVAL_WAYS_MAX]);
/* Ends the program when a name in `kernels` is no AEAD kernel's. */
void field_check_kernels(const char *kernels);

/* Expands the keys of everybody: the kernels that field_kernels() finds, then the rivals, indices
 * into rival_list. aead, is_open, n_keys and n_threads are set by the caller. Ends the program when somebody cannot. */
void field_init(struct field *f, const char *kernels, const struct flag_list *rivals);
/* Checks everybody's output for a batch of texts against OpenSSL's, races all, finds each contender's best. Whoever differs
 * or fails ends the program. Returns ns per cycle. */
double field_race(struct field *f, size_t len, size_t batch, const struct race_limits *limits);
void field_free(struct field *f);

#endif

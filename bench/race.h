/* race.h - times several lanes against each other on a machine that is never quiet.
 *
 * Noise only ever adds time: another process, an interrupt, a lower clock. So each lane is sampled many times, briefly,
 * the lanes taking turns round by round, and the best sample is the figure. Whatever slows the machine for longer than
 * a round slows all lanes of that round; that is why a ratio holds where absolute figures do not. */
#ifndef SEALANE_BENCH_RACE_H
#define SEALANE_BENCH_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct race_lane {
  /* Untimed, before each sample of n_calls calls, warming ones included: makes what they will use up. May be NULL. */
  bool (*prepare)(void *ctx, size_t n_calls);
  /* Does n_calls calls; false when one did not do its work. */
  bool (*run)(void *ctx, size_t n_calls);
  void *ctx;
  void *const *thread_ctx; /* one per thread of the race, all at work at once; NULL: `ctx`, on one thread */
  size_t n_warm_calls;     /* untimed before each sample, so that the other lanes' traces in the caches do not count */
  size_t n_calls_min;      /* in one sample; 0 and 1 are the same */
  size_t n_calls_max;      /* in one sample, warming ones included; 0: no limit */
  /* results, in ns per call; with threads, in ns over all calls of all threads */
  double best, median, spread; /* spread: (third quartile - first) / median */
  size_t n_rounds, n_calls;    /* samples taken, calls in each */
};

struct race_limits {
  size_t n_rounds;  /* at most */
  double seconds;   /* for all lanes together, about; at least RACE_ROUNDS_MIN rounds are run all the same */
  size_t n_threads; /* for lanes with thread_ctx; 0 and 1 are the same */
};

enum { RACE_ROUNDS_MIN = 3, RACE_ROUNDS_MAX = 100000 };

/* Returns NULL, or the first lane whose prepare() or run() said false. */
const struct race_lane *race_run(struct race_lane *lanes, size_t n_lanes, const struct race_limits *limits);

#endif

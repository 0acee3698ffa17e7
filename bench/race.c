/* race.c - interleaved timing, best of many rounds. */
#include "race.h"
#include "bench.h"
#include "clock.h"
#include "team.h"
#include <math.h>
#include <stdlib.h>

/* A sample is this long at least: 1,000 times the 20 ns that reading the clock through the vDSO costs, and short enough
 * that many samples fall between two interruptions by the scheduler (milliseconds). */
static const double sample_ns_min = 20e3;
static const double sample_ns_max = 1e6;
/* With threads, starting and ending together costs some 100 ns a thread, which must not show either. */
static const double team_sample_ns_min = 200e3;

struct race {
  const struct race_limits *limits;
  struct team *team; /* NULL: one thread */
  double target_ns;  /* of a sample */
};

static bool run_lane(const struct race *race, const struct race_lane *lane, size_t n_calls) {
  if (race->team != NULL && lane->thread_ctx != NULL) return team_run(race->team, lane->run, lane->thread_ctx, n_calls);
  return lane->run(lane->thread_ctx != NULL ? lane->thread_ctx[0] : lane->ctx, n_calls);
}

static size_t lane_threads(const struct race *race, const struct race_lane *lane) {
  return race->team != NULL && lane->thread_ctx != NULL ? race->limits->n_threads : 1;
}

static size_t warm_calls(const struct race_lane *lane, size_t n_calls) {
  return lane->n_warm_calls < n_calls ? lane->n_warm_calls : n_calls;
}

static bool prepare_lane(const struct race *race, const struct race_lane *lane, size_t n_calls) {
  if (lane->prepare == NULL) return true;
  bool ok = true;
  for (size_t i = 0; i < lane_threads(race, lane); i++)
    ok &= lane->prepare(lane->thread_ctx != NULL ? lane->thread_ctx[i] : lane->ctx, n_calls);
  return ok;
}

/* Time of n_calls calls in ns; negative when one failed. */
static double time_lane(const struct race *race, const struct race_lane *lane, size_t n_calls) {
  size_t n_warm = warm_calls(lane, n_calls);
  if (!prepare_lane(race, lane, n_warm + n_calls)) return -1;
  if (n_warm > 0 && !run_lane(race, lane, n_warm)) return -1;
  double start = clock_now_ns();
  bool ok = run_lane(race, lane, n_calls);
  double end = clock_now_ns();
  return ok ? end - start : -1;
}

static bool fits_maximum(const struct race_lane *lane, size_t n_calls) {
  return lane->n_calls_max == 0 || n_calls + warm_calls(lane, n_calls) <= lane->n_calls_max;
}

/* Finds how many calls make a sample of about the target, or as near to it as the lane's limits let it come. */
static bool size_sample(const struct race *race, struct race_lane *lane) {
  size_t n_least = lane->n_calls_min > 1 ? lane->n_calls_min : 1;
  while (n_least > 1 && !fits_maximum(lane, n_least)) n_least--;
  for (lane->n_calls = n_least;; lane->n_calls *= 2) {
    double ns = time_lane(race, lane, lane->n_calls);
    if (ns < 0) return false;
    bool can_grow = lane->n_calls < SIZE_MAX / 4 && fits_maximum(lane, 2 * lane->n_calls);
    if (ns < race->target_ns / 2 && can_grow) continue;
    double scale = race->target_ns / fmax(ns, 1);
    if (scale < 1) lane->n_calls = (size_t)fmax((double)n_least, (double)lane->n_calls * scale);
    return true;
  }
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void summarize(struct race_lane *lane, double *samples, size_t n) {
  qsort(samples, n, sizeof samples[0], compare_doubles);
  lane->n_rounds = n;
  lane->best = samples[0];
  lane->median = n % 2 == 1 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
  lane->spread = (samples[(3 * n) / 4] - samples[n / 4]) / lane->median;
}

static const struct race_lane *run_rounds(const struct race *race, struct race_lane *lanes, size_t n_lanes,
                                          double *samples) {
  size_t n_rounds = race->limits->n_rounds, n = 0;
  double start = clock_now_ns();
  for (size_t i = 0; i < n_lanes; i++) {
    if (!size_sample(race, &lanes[i])) return &lanes[i];
  }
  for (; n < n_rounds; n++) {
    if (n >= RACE_ROUNDS_MIN && clock_now_ns() - start > race->limits->seconds * 1e9) break;
    for (size_t k = 0; k < n_lanes; k++) {
      size_t i = (n + k) % n_lanes; /* each goes first in its turn */
      double ns = time_lane(race, &lanes[i], lanes[i].n_calls);
      if (ns < 0) return &lanes[i];
      samples[i * n_rounds + n] = ns / (double)(lanes[i].n_calls * lane_threads(race, &lanes[i]));
    }
  }
  for (size_t i = 0; i < n_lanes; i++) summarize(&lanes[i], samples + i * n_rounds, n);
  return NULL;
}

const struct race_lane *race_run(struct race_lane *lanes, size_t n_lanes, const struct race_limits *limits) {
  if (n_lanes == 0) return NULL;
  bool is_team = limits->n_threads > 1;
  struct race race = {.limits = limits, .team = is_team ? team_start(limits->n_threads) : NULL};
  double target_ns = limits->seconds * 1e9 / ((double)limits->n_rounds * (double)n_lanes);
  target_ns = fmin(fmax(target_ns, is_team ? team_sample_ns_min : sample_ns_min), sample_ns_max);
  race.target_ns = fmax(target_ns, 1000 * clock_cost_ns());

  double *samples = bench_alloc(n_lanes * limits->n_rounds, sizeof samples[0]);
  const struct race_lane *failed = run_rounds(&race, lanes, n_lanes, samples);
  free(samples);
  team_stop(race.team);
  return failed;
}

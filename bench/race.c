/* race.c - interleaved timing, best of many rounds. */
#include "race.h"
#include "bench.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

/* A sample is this long at least: 1,000 times the 20 ns that reading the clock through the vDSO costs, and short enough
 * that many samples fall between two interruptions by the scheduler (milliseconds). */
static const double sample_ns_min = 20e3;
static const double sample_ns_max = 1e6;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What reading the clock costs: microseconds where the vDSO cannot, as on some virtual machines. */
static double clock_cost_ns(void) {
  double best = INFINITY;
  for (int i = 0; i < 50; i++) {
    double start = now_ns();
    for (int k = 0; k < 10; k++) (void)now_ns();
    best = fmin(best, (now_ns() - start) / 11);
  }
  return best;
}

/* Time of n_calls calls in ns; negative when one failed. */
static double time_lane(const struct race_lane *lane, size_t n_calls) {
  if (lane->n_warm_calls > 0) {
    size_t n_warm = lane->n_warm_calls < n_calls ? lane->n_warm_calls : n_calls;
    if (!lane->run(lane->ctx, n_warm)) return -1;
  }
  double start = now_ns();
  bool ok = lane->run(lane->ctx, n_calls);
  double end = now_ns();
  return ok ? end - start : -1;
}

/* Finds how many calls make a sample of about target_ns. */
static bool size_sample(struct race_lane *lane, double target_ns) {
  for (lane->n_calls = 1;; lane->n_calls *= 2) {
    double ns = time_lane(lane, lane->n_calls);
    if (ns < 0) return false;
    if (ns < target_ns / 2 && lane->n_calls < SIZE_MAX / 4) continue;
    double scale = target_ns / fmax(ns, 1);
    if (scale < 1 && lane->n_calls > 1) lane->n_calls = (size_t)fmax(1, (double)lane->n_calls * scale);
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

const struct race_lane *race_run(struct race_lane *lanes, size_t n_lanes, const struct race_limits *limits) {
  if (n_lanes == 0) return NULL;
  double target_ns = limits->seconds * 1e9 / ((double)limits->n_rounds * (double)n_lanes);
  target_ns = fmin(fmax(target_ns, sample_ns_min), sample_ns_max);
  target_ns = fmax(target_ns, 1000 * clock_cost_ns());

  const struct race_lane *failed = NULL;
  double *samples = bench_alloc(n_lanes * limits->n_rounds, sizeof samples[0]);
  double start = now_ns();
  for (size_t i = 0; i < n_lanes && failed == NULL; i++) {
    if (!size_sample(&lanes[i], target_ns)) failed = &lanes[i];
  }
  size_t n = 0;
  for (; n < limits->n_rounds && failed == NULL; n++) {
    if (n >= RACE_ROUNDS_MIN && now_ns() - start > limits->seconds * 1e9) break;
    for (size_t k = 0; k < n_lanes; k++) {
      size_t i = (n + k) % n_lanes; /* each goes first in its turn */
      double ns = time_lane(&lanes[i], lanes[i].n_calls);
      if (ns < 0) failed = &lanes[i];
      samples[i * limits->n_rounds + n] = ns / (double)lanes[i].n_calls;
    }
  }
  for (size_t i = 0; i < n_lanes && failed == NULL; i++) summarize(&lanes[i], samples + i * limits->n_rounds, n);
  free(samples);
  return failed;
}

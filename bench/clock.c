/* clock.c - time, and how long a cycle is. */
#include "clock.h"
#include <math.h>
#include <stdint.h>
#include <time.h>

double clock_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double clock_cost_ns(void) {
  double best = INFINITY;
  for (int i = 0; i < 50; i++) {
    double start = clock_now_ns();
    for (int k = 0; k < 10; k++) (void)clock_now_ns();
    best = fmin(best, (clock_now_ns() - start) / 11);
  }
  return best;
}

/* x += y in a register: adding a constant would not do, newer cores fold those away. */
#define ADD                                                                                                            \
  x += y;                                                                                                              \
  __asm__ volatile("" : "+r"(x), "+r"(y));
#define ADD_8 ADD ADD ADD ADD ADD ADD ADD ADD

bool clock_lane_run(void *ctx, size_t n_calls) {
  (void)ctx;
  register uint64_t x = 1, y = 3;
  for (size_t i = n_calls * (CLOCK_LANE_CYCLES / 32); i > 0; i--) {
    ADD_8 ADD_8 ADD_8 ADD_8
  }
  return true;
}

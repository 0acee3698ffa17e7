/* clock.h - time, and how long a cycle is.
 *
 * The time stamp counter runs at a fixed rate whatever the core does, and cycle counters are not for everyone to read.
 * But an addition that waits for the one before it takes one cycle on every CPU there is, so a chain of them is a
 * clock. It races beside the lanes it is for: a clock that changes changes for all. */
#ifndef SEALANE_BENCH_CLOCK_H
#define SEALANE_BENCH_CLOCK_H

#include <stdbool.h>
#include <stddef.h>

double clock_now_ns(void);
/* What clock_now_ns() costs: microseconds where the vDSO cannot, as on some virtual machines. */
double clock_cost_ns(void);

/* A race lane (race.h): one call takes CLOCK_LANE_CYCLES cycles. */
enum { CLOCK_LANE_CYCLES = 1024 };
bool clock_lane_run(void *ctx, size_t n_calls);

#endif

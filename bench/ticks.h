/* ticks.h - the finest clock there is, for one call at a time. */
#ifndef SEALANE_BENCH_TICKS_H
#define SEALANE_BENCH_TICKS_H

#include <stdint.h>

/* <arch>/ticks.c: a count that only grows, in units of the machine's own; what stands before the call is done before it. */
uint64_t ticks_now(void);

#endif

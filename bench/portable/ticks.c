/* ticks.c - nanoseconds, where no counter is known. */
#include "../ticks.h"
#include "../clock.h"

uint64_t ticks_now(void) {
  return (uint64_t)clock_now_ns();
}

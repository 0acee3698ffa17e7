/* ticks.c - x86-64's time stamp counter, between fences that let no instruction past. */
#include "../ticks.h"

uint64_t ticks_now(void) {
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

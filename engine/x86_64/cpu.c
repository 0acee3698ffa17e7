/* cpu.c - what an x86-64 CPU can do. No kernel of this directory asks for anything yet. */
#include "engine/kernel.h"

#include <stdio.h>

uint64_t sl_cpu_detect(void) {
  return 0;
}

void sl_cpu_model(char *out, size_t cap) {
  snprintf(out, cap, "x86-64");
}

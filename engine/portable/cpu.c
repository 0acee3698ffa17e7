/* cpu.c - machines without kernels of their own: no features to ask for. */
#include "engine/kernel.h"

#include <stdio.h>
#include <sys/utsname.h>

uint64_t sl_cpu_detect(void) {
  return 0;
}

void sl_cpu_model(char *out, size_t cap) {
  struct utsname name;
  snprintf(out, cap, "%s", uname(&name) == 0 ? name.machine : "unknown CPU");
}

/* list_kernels.c - prints the kernels of this build, one JSON object a line, for scripts/run_tests.py. */
#include <sealane/cpu.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  size_t n = sl_kernels_list(NULL, 0);
  struct sl_kernel_info *kernels = calloc(n + 1, sizeof *kernels);
  if (kernels == NULL) return 1;
  if (sl_kernels_list(kernels, n) != n) return 1;
  for (size_t i = 0; i < n; i++) {
    const struct sl_kernel_info *k = &kernels[i];
    /* No text of ours holds a quote or a backslash. */
    printf("{\"name\":\"%s\",\"algorithm\":\"%s\",\"available\":%s,\"chosen\":%s,\"reason\":\"%s\"}\n", k->name,
           k->algorithm, k->available ? "true" : "false", k->chosen ? "true" : "false", k->reason);
  }
  free(kernels);
  return 0;
}

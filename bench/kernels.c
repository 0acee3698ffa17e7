/* kernels.c - sealane-bench kernels: what this CPU can run, what was chosen, and why not the rest. */
#include "bench.h"
#include "flags.h"
#include "output.h"
#include <sealane/cpu.h>
#include <stdlib.h>
#include <string.h>

static const char *state_of(const struct sl_kernel_info *kernel) {
  if (!kernel->available) return "n/a";
  return kernel->chosen ? "chosen" : "available";
}

static void print_kernel(struct output *out, const struct sl_kernel_info *kernel, const char *previous) {
  const char *algorithm = strcmp(kernel->algorithm, previous) == 0 ? "" : kernel->algorithm;
  output_print(out, kernel->available ? "%-18s %-20s %s\n" : "%-18s %-20s %s: %s\n", algorithm, kernel->name,
               state_of(kernel), kernel->reason);
  json_begin(out);
  json_text(out, "bench", "kernels");
  json_text(out, "algorithm", kernel->algorithm);
  json_text(out, "kernel", kernel->name);
  json_bool(out, "available", kernel->available);
  json_bool(out, "chosen", kernel->chosen);
  json_text(out, "na", kernel->available ? NULL : kernel->reason);
  json_text(out, "cpu", bench_cpu_name());
  json_end(out);
}

static int run(int argc, char *argv[]) {
  const char *json_path = NULL;
  const struct flag flags[] = {
      flag_json(&json_path),
  };
  flags_parse(flags, sizeof flags / sizeof flags[0],
              "Lists every kernel, fastest first: chosen, available, or n/a with the reason.", argc, argv);
  struct output out;
  output_open(&out, json_path);

  char cpu[1024];
  sl_cpu_describe(cpu, sizeof cpu);
  output_print(&out, "%s\n\n%-18s %-20s %s\n", cpu, "algorithm", "kernel", "state");
  size_t n = sl_kernels_list(NULL, 0);
  struct sl_kernel_info *kernels = bench_alloc(n, sizeof kernels[0]);
  n = sl_kernels_list(kernels, n);
  for (size_t i = 0; i < n; i++) print_kernel(&out, &kernels[i], i > 0 ? kernels[i - 1].algorithm : "");
  free(kernels);
  output_close(&out);
  bench_check_kernels();
  return 0;
}

const struct bench_command bench_kernels = {
    .name = "kernels", .summary = "list kernels: chosen, available, or why not", .run = run};

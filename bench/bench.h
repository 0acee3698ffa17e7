/* bench.h - what every subcommand of sealane-bench shares. A subcommand is one file and one row in main.c. */
#ifndef SEALANE_BENCH_BENCH_H
#define SEALANE_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_PROGRAM "sealane-bench"

struct bench_command {
  const char *name;
  const char *summary;                /* one line of --help */
  int (*run)(int argc, char *argv[]); /* argv[0] is the subcommand's name; returns the exit status */
};

extern const struct bench_command bench_aead, bench_all, bench_kernels, bench_limits, bench_memory, bench_provider,
    bench_record, bench_timing;

/* Writes "sealane-bench: " and one line to standard error, and ends the program with status 1. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* n * size zeroed bytes on a cache line of their own, for free(); ends the program when there are none. */
void *bench_alloc(size_t n, size_t size);

/* The CPU's model name, without the features that sl_cpu_describe() adds. */
const char *bench_cpu_name(void);
/* Whether sl_cpu_describe() names this feature. */
bool bench_cpu_has(const char *feature);
/* Ends the program when SEALANE_KERNELS asks for what cannot run. */
void bench_check_kernels(void);

#endif

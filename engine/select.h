/* select.h - the inside of the selection: a function of a kernel list, CPU features and two strings. The library makes one
 * selection from its own; tests make theirs. */
#ifndef SEALANE_ENGINE_SELECT_H
#define SEALANE_ENGINE_SELECT_H

#include "kernel.h"

enum {
  SL_KERNELS_MAX = 64,    /* kernels a list may hold */
  SL_KERNEL_WHY_MAX = 160 /* bytes of a reason, NUL included */
};

enum sl_kernel_state {
  SL_KERNEL_CANNOT_RUN,
  SL_KERNEL_ASLEEP, /* has a start() that nobody has had a reason to call */
  SL_KERNEL_CANNOT_START,
  SL_KERNEL_FAILED_SELFTEST,
  SL_KERNEL_GOOD
};

/* All-zero is a valid empty object: nothing chosen. */
struct sl_selection {
  const struct sl_kernel *const *list; /* NULL-terminated */
  size_t n_kernels;
  uint64_t detected; /* features of the CPU */
  uint64_t features; /* those that kernels may use */
  enum sl_kernel_state states[SL_KERNELS_MAX];
  const char *why_not_started[SL_KERNELS_MAX]; /* what start() said */
  const struct sl_kernel *forced[SL_ALG_END];
  const struct sl_kernel *chosen[SL_ALG_END];
  sl_err err; /* why every key set-up fails, or SL_OK */
  char why[SL_KERNEL_WHY_MAX];
};

/* The features without those that build on one that is not there: no CPU has AVX2 without AVX. */
uint64_t sl_cpu_close(uint64_t features);

/* Finds out which kernels of a list can run: the CPU has what they need once cpu_off (names, comma-separated, or NULL) and
 * all that builds on it is taken away, and they pass their known-answer test. Those that have a start() stay asleep.
 * errors: SL_E_KERNEL cpu_off names a feature no kernel ever asks for; err and why are set */
SL_MUST_USE sl_err sl_selection_survey(struct sl_selection *sel, const struct sl_kernel *const *list, uint64_t detected,
                                       const char *cpu_off);
/* Starts and tests kernel i if it is asleep. */
void sl_selection_wake(struct sl_selection *sel, size_t i);
/* Forces kernels by name, comma-separated; after the survey.
 * errors: SL_E_KERNEL unknown, cannot run, or two of one algorithm: nothing is forced; why[0..SL_KERNEL_WHY_MAX) says */
SL_MUST_USE sl_err sl_selection_force(struct sl_selection *sel, const char *names, char *why);
/* Chooses: what is forced, else the first that can run and is not asleep. err is SL_E_SELFTEST when an algorithm of the list has none. */
void sl_selection_choose(struct sl_selection *sel);
/* Row i of sl_kernels_list(); wakes it. */
void sl_selection_info(struct sl_selection *sel, size_t i, struct sl_kernel_info *info);

#endif

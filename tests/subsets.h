/* subsets.h - every subset of the CPU's features that allows other kernels than the rest do, each in a process of its own. */
#ifndef SEALANE_TESTS_SUBSETS_H
#define SEALANE_TESTS_SUBSETS_H

#include "select.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SUBSETS_MAX = 256 };

/* Bit i: kernel i of the list can run with these features. */
static inline uint64_t subset_runnable(uint64_t features) {
  uint64_t kernels = 0;
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    if ((sl_kernel_list[i]->needs & ~features) == 0) kernels |= UINT64_C(1) << i;
  }
  return kernels;
}

/* Fills subsets[] with one set of features for each set of kernels that some subset of the CPU's allows. */
static inline size_t find_subsets(uint64_t subsets[SUBSETS_MAX]) {
  uint64_t detected = sl_cpu_detect(), needed = 0, seen[SUBSETS_MAX];
  size_t n = 0;
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) needed |= sl_kernel_list[i]->needs;
  needed &= detected;
  /* All subsets of the bits of `needed`, from all down to none. */
  for (uint64_t subset = needed;; subset = (subset - 1) & needed) {
    uint64_t features = sl_cpu_close((detected & ~needed) | subset), kernels = subset_runnable(features);
    size_t i = 0;
    while (i < n && seen[i] != kernels) i++;
    if (i == n) {
      assert_true(n < SUBSETS_MAX);
      seen[n] = kernels;
      subsets[n++] = features;
    }
    if (subset == 0) return n;
  }
}

static inline void subset_turn_off(uint64_t features) {
  static const char *const names[] = {
#define FEATURE_NAME(name, text) text,
      SL_CPU_FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
  };
  char off[512] = "";
  size_t used = 0;
  for (unsigned bit = 0; bit < SL_CPU_BIT_END; bit++) {
    if ((features >> bit & 1) != 0) used += (size_t)snprintf(off + used, sizeof off - used, "%s,", names[bit]);
  }
  assert_true(used < sizeof off);
  assert_int_equal(setenv("SEALANE_CPU_OFF", off, 1), 0);
  printf("SEALANE_CPU_OFF=%s\n", off);
}

/* Calls body(features), which returns how much failed, once for each subset; what it prints is shown when something did.
 * The selection of this process must not be made yet. */
static inline void in_each_subset(int (*body)(uint64_t features)) {
  uint64_t subsets[SUBSETS_MAX];
  size_t n = find_subsets(subsets);
  for (size_t i = 0; i < n; i++) {
    FILE *output = tmpfile();
    assert_non_null(output);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      if (dup2(fileno(output), 1) < 0 || dup2(fileno(output), 2) < 0) _exit(2);
      subset_turn_off(sl_cpu_detect() & ~subsets[i]);
      unsetenv("SEALANE_KERNELS");
      int n_failed = body(subsets[i]);
      fflush(NULL);
      _exit(n_failed == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) {
      rewind(output);
      for (int c = getc(output); c != EOF; c = getc(output)) putchar(c);
    }
    fclose(output);
    assert_int_equal(status, 0);
  }
  printf("  %zu subsets of features differ in what they allow\n", n);
}

#endif

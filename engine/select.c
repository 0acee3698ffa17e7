/* select.c - which kernel serves each algorithm: one choice, made once, for all threads (cpu.h says how to overrule it). */
#define _GNU_SOURCE
#include "select.h"
#include "selftest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------------------------- */

static const char *const feature_names[] = {
#define FEATURE_NAME(name, text) text,
    SL_CPU_FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
};

static const char *const algorithm_names[SL_ALG_END] = {
    [SL_ALG_AES_GCM] = "aes-gcm", [SL_ALG_CHACHA20_POLY1305] = "chacha20-poly1305",
    [SL_ALG_SHA256] = "sha256",   [SL_ALG_SHA512] = "sha512",
    [SL_ALG_X25519] = "x25519",
};

const char *sl_algorithm_name(enum sl_algorithm algorithm) {
  return (unsigned)algorithm < SL_ALG_END ? algorithm_names[algorithm] : "none";
}

/* A name in a comma-separated list, without the spaces around it. */
struct name {
  const char *text;
  size_t len;
};

/* Takes the next name off *list; false at its end. Nothing between two commas is no name. */
static bool next_name(const char **list, struct name *name) {
  do {
    name->text = *list + strspn(*list, " \t,");
    name->len = strcspn(name->text, ",");
    *list = name->text + name->len;
    while (name->len > 0 && (name->text[name->len - 1] == ' ' || name->text[name->len - 1] == '\t')) name->len--;
  } while (name->len == 0 && **list != '\0');
  return name->len > 0;
}

static bool is_name(struct name name, const char *text) {
  return strlen(text) == name.len && memcmp(text, name.text, name.len) == 0;
}

/* For messages: what a hostile environment may put in one is bounded. */
#define NAME_FORMAT     "%.*s"
#define NAME_ARGS(name) (int)((name).len < 40 ? (name).len : 40), (name).text

/* Appends "a, b, c" to out[0..cap), truncated; `used` bytes are there already. Returns how many are there then. */
static size_t append_features(char *out, size_t cap, size_t used, uint64_t features, const char *separator) {
  const char *before = "";
  for (unsigned bit = 0; bit < SL_CPU_BIT_END; bit++) {
    if ((features >> bit & 1) == 0) continue;
    if (used < cap) {
      int n = snprintf(out + used, cap - used, "%s%s", before, feature_names[bit]);
      used = n < 0 ? cap : used + (size_t)n;
    }
    before = separator;
  }
  return used < cap ? used : cap;
}

/* ---- CPU features -------------------------------------------------------------------------------------------- */

/* What a feature builds on: a CPU that lacks the one counts as lacking the other. Rows of what builds on an earlier row's
 * feature stand below it, so that one pass is enough. */
static const struct {
  uint64_t feature, builds_on;
} features_build_on[] = {
    {SL_CPU(SSE41), SL_CPU(SSSE3)},
    {SL_CPU(AVX), SL_CPU(SSE41)},
    {SL_CPU(AVX2), SL_CPU(AVX)},
    {SL_CPU(VAES), SL_CPU(AVX2) | SL_CPU(AES)},
    {SL_CPU(VPCLMUL), SL_CPU(AVX2) | SL_CPU(PCLMUL)},
    {SL_CPU(AVX512F), SL_CPU(AVX2)},
    {SL_CPU(AVX512BW), SL_CPU(AVX512F)},
    {SL_CPU(AVX512DQ), SL_CPU(AVX512F)},
    {SL_CPU(AVX512VL), SL_CPU(AVX512F)},
    {SL_CPU(AVX512IFMA), SL_CPU(AVX512F)},
    {SL_CPU(AVX512VBMI), SL_CPU(AVX512BW)},
    {SL_CPU(AVX512VBMI2), SL_CPU(AVX512BW)},
    {SL_CPU(WIDE512), SL_CPU(AVX512F)},
    {SL_CPU(ARM_AES), SL_CPU(NEON)},
    {SL_CPU(ARM_PMULL), SL_CPU(NEON)},
    {SL_CPU(ARM_SHA2), SL_CPU(NEON)},
    {SL_CPU(ARM_SHA512), SL_CPU(NEON)},
    {SL_CPU(ARM_EOR3), SL_CPU(NEON)},
};

uint64_t sl_cpu_close(uint64_t features) {
  for (size_t i = 0; i < sizeof features_build_on / sizeof features_build_on[0]; i++) {
    uint64_t builds_on = features_build_on[i].builds_on;
    if ((features & builds_on) != builds_on) features &= ~features_build_on[i].feature;
  }
  return features;
}

static sl_err turn_off(struct sl_selection *sel, const char *cpu_off) {
  struct name name;
  while (next_name(&cpu_off, &name)) {
    unsigned bit = 0;
    while (bit < SL_CPU_BIT_END && !is_name(name, feature_names[bit])) bit++;
    if (bit == SL_CPU_BIT_END) {
      snprintf(sel->why, sizeof sel->why, "SEALANE_CPU_OFF: unknown feature \"" NAME_FORMAT "\"", NAME_ARGS(name));
      return SL_E_KERNEL;
    }
    sel->features &= ~(UINT64_C(1) << bit);
  }
  return SL_OK;
}

/* ---- one selection ------------------------------------------------------------------------------------------- */

static enum sl_kernel_state test_kernel(const struct sl_kernel *kernel) {
  return sl_selftest(kernel) ? SL_KERNEL_GOOD : SL_KERNEL_FAILED_SELFTEST;
}

static enum sl_kernel_state survey_kernel(const struct sl_selection *sel, const struct sl_kernel *kernel) {
  if ((kernel->needs & ~sel->features) != 0) return SL_KERNEL_CANNOT_RUN;
  return kernel->start != NULL ? SL_KERNEL_ASLEEP : test_kernel(kernel);
}

void sl_selection_wake(struct sl_selection *sel, size_t i) {
  if (sel->states[i] != SL_KERNEL_ASLEEP) return;
  sel->why_not_started[i] = sel->list[i]->start();
  sel->states[i] = sel->why_not_started[i] != NULL ? SL_KERNEL_CANNOT_START : test_kernel(sel->list[i]);
}

sl_err sl_selection_survey(struct sl_selection *sel, const struct sl_kernel *const *list, uint64_t detected,
                           const char *cpu_off) {
  memset(sel, 0, sizeof *sel);
  sel->list = list;
  sel->detected = detected;
  sel->features = detected;
  sel->err = cpu_off != NULL ? turn_off(sel, cpu_off) : SL_OK;
  sel->features = sl_cpu_close(sel->features);
  while (sel->n_kernels < SL_KERNELS_MAX && list[sel->n_kernels] != NULL) {
    sel->states[sel->n_kernels] = survey_kernel(sel, list[sel->n_kernels]);
    sel->n_kernels++;
  }
  return sel->err;
}

/* Why kernel i cannot be used; "" when it can. */
static void explain(const struct sl_selection *sel, size_t i, char *out, size_t cap) {
  const struct sl_kernel *kernel = sel->list[i];
  uint64_t lacks = kernel->needs & ~sel->detected, off = kernel->needs & sel->detected & ~sel->features;
  out[0] = '\0';
  switch (sel->states[i]) {
  case SL_KERNEL_CANNOT_RUN:
    append_features(out, cap, (size_t)snprintf(out, cap, lacks != 0 ? "CPU lacks " : "SEALANE_CPU_OFF turns off "),
                    lacks != 0 ? lacks : off, ", ");
    break;
  case SL_KERNEL_CANNOT_START:
    snprintf(out, cap, "%s", sel->why_not_started[i]);
    break;
  case SL_KERNEL_FAILED_SELFTEST:
    snprintf(out, cap, "it failed its known-answer test");
    break;
  case SL_KERNEL_ASLEEP:
  case SL_KERNEL_GOOD:
    break;
  }
}

void sl_selection_info(struct sl_selection *sel, size_t i, struct sl_kernel_info *info) {
  const struct sl_kernel *kernel = sel->list[i];
  sl_selection_wake(sel, i);
  memset(info, 0, sizeof *info);
  info->name = kernel->name;
  info->algorithm = sl_algorithm_name(kernel->algorithm);
  info->available = sel->states[i] == SL_KERNEL_GOOD;
  info->chosen = sel->chosen[kernel->algorithm] == kernel;
  explain(sel, i, info->reason, sizeof info->reason);
}

static size_t find_kernel(const struct sl_selection *sel, struct name name) {
  size_t i = 0;
  while (i < sel->n_kernels && !is_name(name, sel->list[i]->name)) i++;
  return i;
}

sl_err sl_selection_force(struct sl_selection *sel, const char *names, char *why) {
  const struct sl_kernel *forced[SL_ALG_END] = {NULL};
  struct name name;
  while (next_name(&names, &name)) {
    size_t i = find_kernel(sel, name);
    if (i == sel->n_kernels) {
      snprintf(why, SL_KERNEL_WHY_MAX, "unknown kernel \"" NAME_FORMAT "\"", NAME_ARGS(name));
      return SL_E_KERNEL;
    }
    const struct sl_kernel *kernel = sel->list[i];
    sl_selection_wake(sel, i);
    if (sel->states[i] != SL_KERNEL_GOOD) {
      char reason[96];
      explain(sel, i, reason, sizeof reason);
      snprintf(why, SL_KERNEL_WHY_MAX, "kernel \"%s\" cannot run here: %s", kernel->name, reason);
      return SL_E_KERNEL;
    }
    const struct sl_kernel **place = &forced[kernel->algorithm];
    if (*place != NULL && *place != kernel) {
      snprintf(why, SL_KERNEL_WHY_MAX, "kernels \"%s\" and \"%s\" are both for %s", (*place)->name, kernel->name,
               sl_algorithm_name(kernel->algorithm));
      return SL_E_KERNEL;
    }
    *place = kernel;
  }
  memcpy(sel->forced, forced, sizeof forced);
  return SL_OK;
}

void sl_selection_choose(struct sl_selection *sel) {
  if (sel->err != SL_OK) return;
  memcpy(sel->chosen, sel->forced, sizeof sel->chosen);
  for (size_t i = 0; i < sel->n_kernels; i++) {
    const struct sl_kernel **chosen = &sel->chosen[sel->list[i]->algorithm];
    if (*chosen == NULL && sel->states[i] == SL_KERNEL_GOOD) *chosen = sel->list[i];
  }
  for (size_t i = 0; i < sel->n_kernels; i++) {
    enum sl_algorithm algorithm = sel->list[i]->algorithm;
    if (sel->chosen[algorithm] != NULL) continue;
    sel->err = SL_E_SELFTEST;
    snprintf(sel->why, sizeof sel->why, "no kernel for %s can be used", sl_algorithm_name(algorithm));
  }
}

/* ---- the library's selection --------------------------------------------------------------------------------- */

/* Written under the lock until is_settled, constant from then on but for kernels that are asleep: who asks for one takes the
 * lock. */
static struct sl_selection selection;
static bool is_surveyed, is_forced;
static atomic_bool is_settled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. A bad SEALANE_CPU_OFF stays in selection.err. */
static void survey(void) {
  if (is_surveyed) return;
  sl_err err = sl_selection_survey(&selection, sl_kernel_list, sl_cpu_detect(), secure_getenv("SEALANE_CPU_OFF"));
  is_surveyed = true;
  (void)err;
}

static const struct sl_selection *settled(void) {
  if (atomic_load_explicit(&is_settled, memory_order_acquire)) return &selection;
  pthread_mutex_lock(&lock);
  if (!atomic_load_explicit(&is_settled, memory_order_relaxed)) {
    survey();
    const char *names = is_forced ? NULL : secure_getenv("SEALANE_KERNELS");
    char why[SL_KERNEL_WHY_MAX];
    if (selection.err == SL_OK && names != NULL) {
      selection.err = sl_selection_force(&selection, names, why);
      if (selection.err != SL_OK) snprintf(selection.why, sizeof selection.why, "SEALANE_KERNELS: %.140s", why);
    }
    sl_selection_choose(&selection);
    atomic_store_explicit(&is_settled, true, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  return &selection;
}

sl_err sl_kernel_chosen(enum sl_algorithm algorithm, const struct sl_kernel **out) {
  const struct sl_selection *sel = settled();
  *out = sel->err == SL_E_KERNEL ? NULL : sel->chosen[algorithm];
  if (*out != NULL) return SL_OK;
  return sel->err == SL_E_KERNEL ? SL_E_KERNEL : SL_E_SELFTEST;
}

const struct sl_kernel *sl_kernel_named(const char *name) {
  const struct sl_selection *sel = settled();
  size_t i = find_kernel(sel, (struct name){name, strlen(name)});
  if (sel->err == SL_E_KERNEL || i == sel->n_kernels) return NULL;
  if (sel->list[i]->start != NULL) {
    pthread_mutex_lock(&lock);
    sl_selection_wake(&selection, i);
    pthread_mutex_unlock(&lock);
  }
  return sel->states[i] == SL_KERNEL_GOOD ? sel->list[i] : NULL;
}

size_t sl_kernels_list(struct sl_kernel_info *out, size_t cap) {
  const struct sl_selection *sel = settled();
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < sel->n_kernels && i < cap; i++) sl_selection_info(&selection, i, &out[i]);
  pthread_mutex_unlock(&lock);
  return sel->n_kernels;
}

sl_err sl_kernels_force(const char *names) {
  if (names == NULL) return SL_E_KERNEL;
  sl_err err = SL_E_STATE;
  pthread_mutex_lock(&lock);
  if (!atomic_load_explicit(&is_settled, memory_order_relaxed)) {
    char why[SL_KERNEL_WHY_MAX];
    survey();
    err = sl_selection_force(&selection, names, why);
    if (err == SL_OK) is_forced = true;
  }
  pthread_mutex_unlock(&lock);
  return err;
}

sl_err sl_kernels_check(char *why, size_t why_cap) {
  const struct sl_selection *sel = settled();
  if (why != NULL && why_cap > 0) snprintf(why, why_cap, "%s", sel->why);
  return sel->err;
}

void sl_cpu_describe(char *out, size_t cap) {
  if (out == NULL || cap == 0) return;
  const struct sl_selection *sel = settled();
  char model[96];
  sl_cpu_model(model, sizeof model);
  int n = snprintf(out, cap, "%s (", model);
  size_t used = append_features(out, cap, n < 0 ? 0 : (size_t)n, sel->features, " ");
  if (used < cap) snprintf(out + used, cap - used, ")");
}

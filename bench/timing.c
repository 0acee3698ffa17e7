/* timing.c - sealane-bench timing: does the time of a kernel depend on secrets? A statistical test, for the kernels that
 * valgrind cannot run (./dev ct) as for the others; after Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"
 * (DATE 2017).
 *
 * Two classes of inputs, one call measured at a time, of a class that a coin decides. If the classes have the same
 * distribution of times, Welch's t of their means is a small number however long one measures; if they do not, it grows
 * with the number of measurements. Interruptions make long tails that hide small differences, so t is also taken of the
 * shortest 90, 75, 50, 25 and 10 % of all measurements; the largest counts. Inputs of either class lie in one pool, are copied
 * to one place before each measurement, and are made anew for each attempt.
 *
 * A machine at work must not cry wolf: over T_LIMIT is a leak only when it is so in ATTEMPTS attempts of their own, and
 * each attempt's classes get other bytes. And silence must mean something: first of all the control, an open followed by a
 * comparison that stops early, must be found, in as long as that takes; the tests then get as long. */
#include "bench.h"
#include "clock.h"
#include "field.h"
#include "flags.h"
#include "hooks/inside.h"
#include "output.h"
#include "ticks.h"
#include <math.h>
#include <sealane/aead.h>
#include <sealane/version.h>
#include <stdlib.h>
#include <string.h>

/* 5 is one in 1.7 million under equal distributions, for one t; of six, one in 290,000; in three attempts running, never. */
#define T_LIMIT 5.0

/* Each attempt of the control may take twice as long as the one before. */
enum { ATTEMPTS = 3, CONTROL_ATTEMPTS = 5, POOL = 256, BATCH_MAX = 64, LEN_MAX = 16384, ROUND = 4 * POOL };

/* What differs between the classes. */
enum test { CONTROL, KEY, SEALED_TEXT, OPENED_TEXT, TAG, N_TESTS };

static const struct {
  const char *name, *classes;
} tests[N_TESTS] = {
    [CONTROL] = {"control", "as tag, and a comparison that stops early: must be found"},
    [KEY] = {"key", "expansion and seal: one key, random keys"},
    [SEALED_TEXT] = {"sealed text", "seal: one text, random texts"},
    [OPENED_TEXT] = {"opened text", "open: one text, random texts"},
    [TAG] = {"tag", "open: the tag's first byte wrong, its last byte wrong"},
};

struct input {
  uint8_t class;
  uint8_t secret[32], tag[SL_AEAD_TAG_LEN];
};

struct bench {
  struct flag_list suites, lens;
  uint64_t batch, n_samples_max;
  double seconds;
  const char *kernels, *json_path;
  struct output out;
  uint64_t seed;
  size_t n_leaks, n_blind;
  double seconds_now; /* of an attempt, and its samples at most: as the control found necessary */
  size_t n_samples_now;
  /* the test under way */
  enum test test;
  size_t len;
  struct sl_aead_key key;
  struct sl_aead_job jobs[BATCH_MAX], *job_list[BATCH_MAX];
  uint8_t secret[32], tag[SL_AEAD_TAG_LEN], right_tag[SL_AEAD_TAG_LEN]; /* where each input is copied to */
  uint8_t *in, *outs, *tags;
  struct input pool[POOL];
  uint8_t *pool_texts; /* POOL texts */
  size_t n_samples;
  uint64_t *times, *sorted; /* [samples_cap()] */
  uint8_t *classes;
  volatile uint32_t sink;
};

/* ---- inputs -------------------------------------------------------------------------------------------------- */

static void fill(struct bench *b, uint8_t *out, size_t len) {
  texts_fill(out, len, b->seed++);
}

static uint8_t coin(struct bench *b) {
  uint8_t byte;
  fill(b, &byte, 1);
  return byte & 1;
}

/* Makes `text` what an open gets: ciphertext, and its tag. */
static void seal_for_open(struct bench *b, uint8_t *text, uint8_t *tag) {
  struct sl_aead_job job = {.key = &b->key, .in = text, .out = text, .tag = tag, .len = b->len};
  if (sl_aead_seal(&job, 1) != 0) bench_die("timing: cannot seal");
}

static bool is_open(enum test test) {
  return test == OPENED_TEXT || test == TAG || test == CONTROL;
}

/* Class 0 is one input as often as there are members, class 1 another each time; of TAG and CONTROL, see above. */
static void make_pool(struct bench *b, const char *kernel, enum sl_aead aead) {
  size_t secret_len = sl_aead_secret_len(aead);
  uint8_t fixed_secret[32];
  uint8_t *fixed_text = bench_alloc(1, b->len);
  fill(b, fixed_secret, sizeof fixed_secret);
  fill(b, fixed_text, b->len);
  if (sl_aead_key_init_kernel(&b->key, aead, fixed_secret, secret_len, kernel) != SL_OK)
    bench_die("timing: cannot set up a key of %s", kernel);
  for (size_t i = 0; i < POOL; i++) {
    struct input *input = &b->pool[i];
    uint8_t *text = b->pool_texts + i * b->len;
    input->class = coin(b);
    bool text_is_random = (b->test == SEALED_TEXT || b->test == OPENED_TEXT) && input->class == 1;
    memcpy(input->secret, fixed_secret, sizeof input->secret);
    if (b->test == KEY && input->class == 1) fill(b, input->secret, sizeof input->secret);
    if (text_is_random) fill(b, text, b->len);
    if (!text_is_random && b->len > 0) memcpy(text, fixed_text, b->len);
    if (is_open(b->test)) seal_for_open(b, text, input->tag);
    memcpy(b->right_tag, input->tag, sizeof b->right_tag);
    if (b->test == TAG || b->test == CONTROL) input->tag[input->class == 0 ? 0 : SL_AEAD_TAG_LEN - 1] ^= 0x55;
  }
  free(fixed_text);
}

static void make_jobs(struct bench *b) {
  for (size_t i = 0; i < b->batch; i++) {
    b->job_list[i] = &b->jobs[i];
    b->jobs[i] = (struct sl_aead_job){.key = &b->key,
                                      .in = b->in,
                                      .out = b->outs + i * b->len,
                                      .tag = is_open(b->test) ? b->tag : b->tags + i * SL_AEAD_TAG_LEN,
                                      .len = b->len};
  }
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */

/* One call, of whichever test. Its class is not looked at. */
static void call(struct bench *b) {
  switch (b->test) {
  case KEY:
    hook_kernel_expand(&b->key, b->secret);
    hook_kernel_seal(b->job_list, b->batch);
    break;
  case SEALED_TEXT:
    hook_kernel_seal(b->job_list, b->batch);
    break;
  case OPENED_TEXT:
  case TAG:
    hook_kernel_open(b->job_list, b->batch);
    break;
  case CONTROL:
    hook_kernel_open(b->job_list, b->batch);
    for (size_t i = 0; i < b->batch; i++) b->sink += hook_leaky_differs(b->tag, b->right_tag, sizeof b->tag);
    break;
  case N_TESTS:
    break;
  }
}

/* n measurements, of inputs in random order. */
static void measure(struct bench *b, size_t n) {
  uint8_t order[2 * ROUND];
  fill(b, order, 2 * n);
  for (size_t i = 0; i < n; i++) {
    const struct input *input = &b->pool[(order[2 * i] | order[2 * i + 1] << 8) % POOL];
    memcpy(b->secret, input->secret, sizeof b->secret);
    memcpy(b->tag, input->tag, sizeof b->tag);
    if (b->len > 0) memcpy(b->in, b->pool_texts + (size_t)(input - b->pool) * b->len, b->len);
    for (size_t k = 0; k < b->batch; k++) b->jobs[k].err = SL_OK; /* a text whose tag is wrong is to be erased */
    uint64_t begin = ticks_now();
    call(b);
    b->times[b->n_samples] = ticks_now() - begin;
    b->classes[b->n_samples++] = input->class;
  }
}

/* ---- Welch's t ----------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Of the measurements up to `most`. */
static double welch_t(const struct bench *b, uint64_t most) {
  double n[2] = {0}, mean[2] = {0}, m2[2] = {0};
  for (size_t i = 0; i < b->n_samples; i++) {
    if (b->times[i] > most) continue;
    unsigned c = b->classes[i];
    double delta = (double)b->times[i] - mean[c];
    n[c]++;
    mean[c] += delta / n[c];
    m2[c] += delta * ((double)b->times[i] - mean[c]);
  }
  if (n[0] < 10 || n[1] < 10) return 0;
  double error = sqrt(m2[0] / (n[0] - 1) / n[0] + m2[1] / (n[1] - 1) / n[1]);
  if (error > 0) return (mean[0] - mean[1]) / error;
  return mean[0] == mean[1] ? 0 : INFINITY; /* two values, each class its own */
}

/* The t that is farthest from 0 over all crops. */
static double worst_t(struct bench *b) {
  static const double kept[] = {1, 0.9, 0.75, 0.5, 0.25, 0.1};
  double worst = 0;
  memcpy(b->sorted, b->times, b->n_samples * sizeof b->sorted[0]);
  qsort(b->sorted, b->n_samples, sizeof b->sorted[0], by_value);
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
    double t = welch_t(b, b->sorted[(size_t)(kept[i] * (double)(b->n_samples - 1))]);
    if (fabs(t) > fabs(worst)) worst = t;
  }
  return worst;
}

/* Measures for b->seconds_now, or b->n_samples_now times. */
static double attempt(struct bench *b, const char *kernel, enum sl_aead aead) {
  make_pool(b, kernel, aead);
  make_jobs(b);
  b->n_samples = 0;
  measure(b, ROUND); /* to warm up */
  b->n_samples = 0;
  for (double end = clock_now_ns() + b->seconds_now * 1e9; b->n_samples + ROUND <= b->n_samples_now;) {
    measure(b, ROUND);
    if (clock_now_ns() > end) break;
  }
  return worst_t(b);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static void print_row(struct bench *b, const char *kernel, enum sl_aead aead, double t, const char *verdict,
                      const char *na) {
  output_print(&b->out, "%-18s %-18s %-12s %6zu", sl_aead_name(aead), kernel, tests[b->test].name, b->len);
  if (na == NULL)
    output_print(&b->out, " %9zu %8.1f  %s\n", b->n_samples, t, verdict);
  else
    output_print(&b->out, " %9s %8s  %s\n", "n/a", "n/a", na);
  json_begin(&b->out);
  json_text(&b->out, "bench", "timing");
  json_text(&b->out, "kernel", kernel);
  json_text(&b->out, "suite", sl_aead_name(aead));
  json_text(&b->out, "test", tests[b->test].name);
  json_integer(&b->out, "len", b->len);
  json_integer(&b->out, "batch", b->batch);
  if (na == NULL) {
    json_integer(&b->out, "samples", b->n_samples);
    json_number(&b->out, "t", t);
  } else {
    json_null(&b->out, "t");
    json_text(&b->out, "na", na);
  }
  json_text(&b->out, "verdict", verdict);
  json_text(&b->out, "version", SEALANE_VERSION);
  json_text(&b->out, "cpu", bench_cpu_name());
  json_end(&b->out);
}

/* Whether a leak that is there is found. */
static bool run_control(struct bench *b, const char *kernel, enum sl_aead aead) {
  double t = attempt(b, kernel, aead);
  for (int i = 1; i < CONTROL_ATTEMPTS && fabs(t) <= T_LIMIT; i++) {
    b->seconds_now *= 2;
    b->n_samples_now *= 2;
    t = attempt(b, kernel, aead);
  }
  bool is_found = fabs(t) > T_LIMIT;
  b->n_blind += !is_found;
  print_row(b, kernel, aead, t, is_found ? "found" : "NOT FOUND", NULL);
  return is_found;
}

static void run_test(struct bench *b, const char *kernel, enum sl_aead aead) {
  double t = attempt(b, kernel, aead);
  for (int i = 1; i < ATTEMPTS && fabs(t) > T_LIMIT; i++) t = attempt(b, kernel, aead);
  bool is_leak = fabs(t) > T_LIMIT;
  b->n_leaks += is_leak;
  print_row(b, kernel, aead, t, is_leak ? "LEAK" : "no difference", NULL);
}

static void run_kernel(struct bench *b, const struct rival_way *kernel, enum sl_aead aead) {
  for (size_t l = 0; l < b->lens.n; l++) {
    const char *na = kernel->reason[0] != '\0' ? kernel->reason : NULL;
    b->len = b->lens.v[l];
    b->seconds_now = b->seconds;
    b->n_samples_now = b->n_samples_max;
    for (b->test = CONTROL; b->test < N_TESTS; b->test++) {
      bool is_of_text = b->test == SEALED_TEXT || b->test == OPENED_TEXT;
      output_progress(&b->out, "%s %s %s, %zu bytes", sl_aead_name(aead), kernel->name, tests[b->test].name, b->len);
      if (na != NULL || (is_of_text && b->len == 0)) {
        print_row(b, kernel->name, aead, 0, NULL, na != NULL ? na : "no text");
      } else if (b->test == CONTROL) {
        if (!run_control(b, kernel->name, aead)) na = "the control was not found: silence would mean nothing";
      } else {
        run_test(b, kernel->name, aead);
      }
    }
  }
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static void parse_flags(struct bench *b, int argc, char *argv[]) {
  const struct flag flags[] = {
      flag_suites(&b->suites, "algorithms, default all"),
      {.name = "--kernel",
       .arg = "NAME,...",
       .kind = FLAG_TEXT,
       .out = &b->kernels,
       .help = "kernels, or all; default the chosen one of each suite"},
      {.name = "--len",
       .arg = "BYTES,...",
       .kind = FLAG_NUMBERS,
       .out = &b->lens,
       .max = LEN_MAX,
       .help = "text of a record, default 64,1350"},
      {.name = "--batch",
       .arg = "N",
       .kind = FLAG_NUMBER,
       .out = &b->batch,
       .min = 1,
       .max = BATCH_MAX,
       .help = "records in one call, default 4"},
      {.name = "--samples",
       .arg = "N",
       .kind = FLAG_NUMBER,
       .out = &b->n_samples_max,
       .min = ROUND,
       .max = 1000000,
       .help = "measurements of an attempt at most, default 100000"},
      flag_seconds(&b->seconds, "time for an attempt at most, default 0.5"),
      flag_json(&b->json_path),
  };
  flags_parse(
      flags, sizeof flags / sizeof flags[0],
      "Tests whether the time of kernels depends on keys, texts and tags: Welch's t between two classes of inputs.\n"
      "Over 5 in three attempts running is a leak. Fails when there is one, and when the control, a comparison\n"
      "that leaks, is not found.",
      argc, argv);
}

static size_t samples_cap(const struct bench *b) {
  return b->n_samples_max << (CONTROL_ATTEMPTS - 1);
}

static int run(int argc, char *argv[]) {
  struct bench *b = bench_alloc(1, sizeof *b);
  b->suites = (struct flag_list){3, {SL_AES_128_GCM - 1, SL_AES_256_GCM - 1, SL_CHACHA20_POLY1305 - 1}};
  b->lens = (struct flag_list){2, {64, 1350}};
  b->batch = 4;
  b->n_samples_max = 100000;
  b->seconds = 0.5;
  parse_flags(b, argc, argv);
  field_check_kernels(b->kernels);
  output_open(&b->out, b->json_path);
  b->in = bench_alloc(1, LEN_MAX);
  b->outs = bench_alloc(b->batch, LEN_MAX);
  b->tags = bench_alloc(b->batch, SL_AEAD_TAG_LEN);
  b->pool_texts = bench_alloc(POOL, LEN_MAX);
  size_t n = samples_cap(b);
  b->times = bench_alloc(n, sizeof b->times[0]);
  b->sorted = bench_alloc(n, sizeof b->sorted[0]);
  b->classes = bench_alloc(n, 1);

  output_print(&b->out, "%s\nsealane %s, %zu records a call\n\n", bench_cpu_name(), SEALANE_VERSION, (size_t)b->batch);
  for (enum test test = CONTROL; test < N_TESTS; test++)
    output_print(&b->out, "%-12s %s\n", tests[test].name, tests[test].classes);
  output_print(&b->out, "\n%-18s %-18s %-12s %6s %9s %8s\n", "suite", "kernel", "test", "bytes", "samples", "t");
  for (size_t s = 0; s < b->suites.n; s++) {
    enum sl_aead aead = (enum sl_aead)(b->suites.v[s] + 1);
    struct rival_way kernels[RIVAL_WAYS_MAX];
    size_t n_kernels = field_kernels(aead, b->kernels, kernels);
    for (size_t k = 0; k < n_kernels; k++) run_kernel(b, &kernels[k], aead);
  }
  output_print(&b->out, "\n%zu leaks, %zu controls not found\n", b->n_leaks, b->n_blind);
  output_close(&b->out);
  int status = b->n_leaks + b->n_blind == 0 ? 0 : 1;
  sl_aead_key_wipe(&b->key);
  free(b->in);
  free(b->outs);
  free(b->tags);
  free(b->pool_texts);
  free(b->times);
  free(b->sorted);
  free(b->classes);
  free(b);
  return status;
}

const struct bench_command bench_timing = {
    .name = "timing", .summary = "does the time of a kernel depend on secrets: a statistical test", .run = run};

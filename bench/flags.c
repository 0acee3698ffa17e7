/* flags.c - command-line options as a table. */
#include "flags.h"
#include "bench.h"
#include "race.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sealane/aead.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct flag *flags, size_t n_flags, const char *intro, const char *command) {
  printf("usage: " BENCH_PROGRAM " %s [OPTION]...\n%s\n\n", command, intro);
  for (size_t i = 0; i < n_flags; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s %s", flags[i].name, flags[i].arg);
    printf("  %-22s %s\n", left, flags[i].help);
    if (flags[i].kind != FLAG_CHOICES) continue;
    printf("  %-22s of:", "");
    for (const char *const *c = flags[i].choices; *c != NULL; c++) printf(" %s", *c);
    if (flags[i].nothing != NULL) printf(", or %s", flags[i].nothing);
    printf("\n");
  }
  printf("  %-22s this text\n", "--help");
}

static uint64_t parse_number(const struct flag *flag, const char *text) {
  char *end = NULL;
  errno = 0;
  uint64_t v = strtoull(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || v < flag->min || v > flag->max)
    bench_die("%s: '%s' is not a number from %" PRIu64 " to %" PRIu64, flag->name, text, flag->min, flag->max);
  return v;
}

static uint64_t parse_choice(const struct flag *flag, const char *text) {
  char all[256] = "";
  for (uint64_t i = 0; flag->choices[i] != NULL; i++) {
    if (strcmp(flag->choices[i], text) == 0) return i;
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", flag->choices[i]);
  }
  bench_die("%s: '%s' is none of: %s", flag->name, text, all);
}

static void parse_list(const struct flag *flag, const char *value) {
  struct flag_list *list = flag->out;
  list->n = 0;
  if (flag->nothing != NULL && strcmp(value, flag->nothing) == 0) return;
  char *copy = strdup(value);
  if (copy == NULL) bench_die("out of memory");
  char *rest = copy;
  while (rest != NULL) {
    const char *item = strsep(&rest, ",");
    uint64_t v = flag->kind == FLAG_CHOICES ? parse_choice(flag, item) : parse_number(flag, item);
    for (size_t i = 0; i < list->n; i++) {
      if (list->v[i] == v) bench_die("%s: '%s' stands twice in '%s'", flag->name, item, value);
    }
    if (list->n == FLAG_LIST_MAX) bench_die("%s: '%s' has over %d entries", flag->name, value, FLAG_LIST_MAX);
    list->v[list->n++] = v;
  }
  free(copy);
}

static double parse_seconds(const struct flag *flag, const char *text) {
  char *end = NULL;
  double v = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(v) || v <= 0 || v > (double)flag->max)
    bench_die("%s: '%s' is not a number of seconds over 0 and up to %" PRIu64, flag->name, text, flag->max);
  return v;
}

static void parse_value(const struct flag *flag, const char *value) {
  switch (flag->kind) {
  case FLAG_NUMBER:
    *(uint64_t *)flag->out = parse_number(flag, value);
    return;
  case FLAG_NUMBERS:
  case FLAG_CHOICES:
    parse_list(flag, value);
    return;
  case FLAG_SECONDS:
    *(double *)flag->out = parse_seconds(flag, value);
    return;
  case FLAG_TEXT:
    if (value[0] == '\0') bench_die("%s: the value is empty", flag->name);
    *(const char **)flag->out = value;
    return;
  case FLAG_SWITCH:
    bench_die("%s: takes no value", flag->name);
  }
}

static const struct flag *find_flag(const struct flag *flags, size_t n_flags, const char *text, size_t len) {
  for (size_t i = 0; i < n_flags; i++) {
    if (strlen(flags[i].name) == len && memcmp(flags[i].name, text, len) == 0) return &flags[i];
  }
  return NULL;
}

void flags_parse(const struct flag *flags, size_t n_flags, const char *intro, int argc, char *argv[]) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      print_help(flags, n_flags, intro, argv[0]);
      if (fflush(stdout) != 0) bench_die("standard output: %s", strerror(errno));
      exit(0);
    }
    size_t len = strcspn(argv[i], "=");
    const struct flag *flag = find_flag(flags, n_flags, argv[i], len);
    if (flag == NULL) bench_die("%s: unknown option; try " BENCH_PROGRAM " %s --help", argv[i], argv[0]);
    if (flag->kind == FLAG_SWITCH && argv[i][len] == '\0') {
      *(bool *)flag->out = true;
    } else if (argv[i][len] == '=') {
      parse_value(flag, argv[i] + len + 1);
    } else if (i + 1 < argc) {
      parse_value(flag, argv[++i]);
    } else {
      bench_die("%s: needs a value: %s", flag->name, flag->arg);
    }
  }
}

/* ---- rows that several commands have ---------------------------------------------------------------------------- */

struct flag flag_suites(struct flag_list *suites, const char *help) {
  static const char *names[SL_AEAD_END]; /* the last stays NULL */
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) names[aead - 1] = sl_aead_name(aead);
  return (struct flag){
      .name = "--suite", .arg = "NAME,...", .kind = FLAG_CHOICES, .out = suites, .choices = names, .help = help};
}

struct flag flag_rounds(uint64_t *n_rounds) {
  return (struct flag){.name = "--rounds",
                       .arg = "N",
                       .kind = FLAG_NUMBER,
                       .out = n_rounds,
                       .min = RACE_ROUNDS_MIN,
                       .max = RACE_ROUNDS_MAX,
                       .help = "samples of everything that is timed at most, default 1000"};
}

struct flag flag_seconds(double *seconds, const char *help) {
  return (struct flag){
      .name = "--seconds", .arg = "S", .kind = FLAG_SECONDS, .out = seconds, .max = 3600, .help = help};
}

struct flag flag_json(const char **path) {
  return (struct flag){.name = "--json",
                       .arg = "FILE",
                       .kind = FLAG_TEXT,
                       .out = path,
                       .help = "also one JSON object a row; - for standard output, tables then go to standard error"};
}

struct flag flag_plot(const char **path, const char *help) {
  return (struct flag){.name = "--plot", .arg = "FILE.svg", .kind = FLAG_TEXT, .out = path, .help = help};
}

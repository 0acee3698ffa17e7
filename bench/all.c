/* all.c - sealane-bench all: the headline figures, one command line after the other, into one JSON file. */
#include "bench.h"
#include "flags.h"
#include "output.h"
#include "plot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What you could type yourself. `quick`: what --quick appends, where that is not just less time; later options win.
 * `plots`: its rows are what --plot draws. */
static const struct line {
  const struct bench_command *command;
  const char *args;
  const char *quick;
  bool plots;
} lines[] = {
    {.command = &bench_limits, .args = "--seconds 1"},
    /* every suite at every size, both ways */
    {.command = &bench_aead,
     .args = "--suite aes-128-gcm,aes-256-gcm,chacha20-poly1305 --op seal,open --len 64,256,1350,16384 --batch 1,32 "
             "--keys 64 --seconds 0.3",
     .plots = true},
    /* kernel against kernel */
    {.command = &bench_aead,
     .args = "--suite aes-128-gcm,chacha20-poly1305 --len 1350,16384 --batch 32 --kernel all --rivals ipsec-mb "
             "--seconds 0.4"},
    /* hot keys, cold keys */
    {.command = &bench_aead,
     .args = "--len 64,1350 --batch 32 --keys 1,64,5000,20000,100000 --seconds 0.5",
     .quick = "--keys 1,300"},
    {.command = &bench_record, .args = "--op seal,open --len 64,1350,16384 --batch 1,32 --conns 64 --seconds 0.4"},
    {.command = &bench_record, .args = "--len 64,1350 --batch 32 --conns 5000 --seconds 1", .quick = "--conns 300"},
    {.command = &bench_memory, .args = "--conns 500", .quick = "--conns 20"},
};
enum { N_LINES = sizeof lines / sizeof lines[0], ARGS_MAX = 40 };

/* Appends the words of `args`, whose copy the result is, for free(). */
static char *add_words(char **argv, int *argc, const char *args) {
  char *copy = strdup(args), *rest = copy;
  if (copy == NULL) bench_die("out of memory");
  while (rest != NULL && *argc < ARGS_MAX) argv[(*argc)++] = strsep(&rest, " ");
  return copy;
}

static void run_line(const struct line *line, struct output *out, bool is_quick, const char *plot_path) {
  char *argv[ARGS_MAX + 3], *copies[3] = {0};
  int argc = 0;
  argv[argc++] = (char *)(uintptr_t)line->command->name;
  copies[0] = add_words(argv, &argc, line->args);
  if (is_quick && line->command != &bench_memory) copies[1] = add_words(argv, &argc, "--rounds 3 --seconds 0.001");
  if (is_quick && line->quick != NULL) copies[2] = add_words(argv, &argc, line->quick);
  if (line->plots && plot_path != NULL) {
    argv[argc++] = "--plot";
    argv[argc++] = (char *)(uintptr_t)plot_path;
  }
  argv[argc] = NULL;
  output_print(out, "%s%s", line == lines ? "" : "\n", line->command->name);
  for (int i = 1; i < argc; i++) output_print(out, " %s", argv[i]);
  output_print(out, "\n");
  if (line->command->run(argc, argv) != 0) bench_die("%s failed", line->command->name);
  for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) free(copies[i]);
}

static int run(int argc, char *argv[]) {
  const char *json_path = NULL, *plot_path = NULL;
  bool is_quick = false;
  const struct flag flags[] = {
      {.name = "--quick",
       .arg = "",
       .kind = FLAG_SWITCH,
       .out = &is_quick,
       .help = "hardly measure: to see that everything runs"},
      flag_json(&json_path),
      flag_plot(&plot_path, "also draw GB/s over the length of the first aead (needs gnuplot)"),
  };
  char intro[2048];
  int used = snprintf(intro, sizeof intro, "Everything worth quoting, in under two minutes:\n");
  for (size_t i = 0; i < N_LINES && used > 0 && (size_t)used < sizeof intro; i++)
    used += snprintf(intro + used, sizeof intro - (size_t)used, "\n  %s %s", lines[i].command->name, lines[i].args);
  flags_parse(flags, sizeof flags / sizeof flags[0], intro, argc, argv);
  bench_check_kernels();
  plot_check(plot_path);
  struct output out;
  output_open(&out, json_path);
  output_share(&out);
  for (size_t i = 0; i < N_LINES; i++) run_line(&lines[i], &out, is_quick, plot_path);
  output_share(NULL);
  output_close(&out);
  return 0;
}

const struct bench_command bench_all = {
    .name = "all", .summary = "the headline figures of everything below, in under two minutes", .run = run};

/* all.c - sealane-bench all: the headline figures, one command line after the other, into one JSON file. */
#include "bench.h"
#include "flags.h"
#include "output.h"
#include "plot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What you could type yourself. `plots`: its rows are what --plot draws. */
static const struct line {
  const struct bench_command *command;
  const char *args;
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
    {.command = &bench_aead, .args = "--len 64,1350 --batch 32 --keys 1,64,5000,20000,100000 --seconds 0.5"},
    {.command = &bench_record, .args = "--op seal,open --len 64,1350,16384 --batch 1,32 --conns 64 --seconds 0.4"},
    {.command = &bench_record, .args = "--len 64,1350 --batch 32 --conns 5000 --seconds 1"},
    {.command = &bench_memory, .args = "--conns 500"},
};
enum { N_LINES = sizeof lines / sizeof lines[0], ARGS_MAX = 32 };

static void run_line(const struct line *line, struct output *out, const char *plot_path) {
  char *copy = strdup(line->args), *rest = copy, *argv[ARGS_MAX + 4];
  if (copy == NULL) bench_die("out of memory");
  int argc = 0;
  argv[argc++] = (char *)(uintptr_t)line->command->name;
  while (rest != NULL && argc < ARGS_MAX) argv[argc++] = strsep(&rest, " ");
  if (line->plots && plot_path != NULL) {
    argv[argc++] = "--plot";
    argv[argc++] = (char *)(uintptr_t)plot_path;
  }
  argv[argc] = NULL;
  output_print(out, "%s%s %s\n", line == lines ? "" : "\n", line->command->name, line->args);
  if (line->command->run(argc, argv) != 0) bench_die("%s failed", line->command->name);
  free(copy);
}

static int run(int argc, char *argv[]) {
  const char *json_path = NULL, *plot_path = NULL;
  const struct flag flags[] = {
      {.name = "--json",
       .arg = "FILE",
       .kind = FLAG_TEXT,
       .out = &json_path,
       .help = "also one JSON object a row; - for standard output, the tables then go to standard error"},
      {.name = "--plot",
       .arg = "FILE.svg",
       .kind = FLAG_TEXT,
       .out = &plot_path,
       .help = "also draw GB/s over the length of the first aead (needs gnuplot)"},
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
  for (size_t i = 0; i < N_LINES; i++) run_line(&lines[i], &out, plot_path);
  output_share(NULL);
  output_close(&out);
  return 0;
}

const struct bench_command bench_all = {
    .name = "all", .summary = "the headline figures of everything below, in under two minutes", .run = run};

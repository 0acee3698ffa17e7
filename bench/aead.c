/* aead.c - sealane-bench aead: seals and opens of bare AEAD records, Sealane's kernels and the rivals side by side.
 *
 *   for each suite, direction, number of threads and keys     everybody expands the same keys (field.c): a group of rows
 *     for each length and batch                               one cell: the same texts for all, outputs checked against
 *                                                             OpenSSL's, then one race of all, then one row each */
#include "bench.h"
#include "field.h"
#include "flags.h"
#include "plot.h"
#include "port_limits.h"
#include "report.h"
#include "team.h"
#include <stdlib.h>
#include <string.h>

enum { RIVALS_MAX = REPORT_RIVALS_MAX };

static const char *const op_names[] = {"seal", "open", NULL};
enum { OP_SEAL, OP_OPEN };

struct bench {
  struct flag_list suites, lens, batches, ops, rivals, keys, threads;
  uint64_t n_rounds;
  double seconds;
  const char *kernels; /* --kernel; NULL: the chosen one of each suite */
  const char *json_path, *plot_path;
  struct output out;
  struct report report;
  struct port_limit limits[SL_AEAD_END];
  size_t n_cells, cell_number;
  char versions[RIVALS_MAX + 1][64]; /* of rival_list, then ours */
  struct field field;
};

static const char *version_of(const struct bench *b, const struct rival *rival) {
  size_t i = 0;
  while (rival_list[i] != NULL && rival_list[i] != rival) i++;
  return b->versions[i];
}

static void report_race(struct bench *b, const struct report_cell *cell) {
  struct report_row rows[FIELD_CONTENDERS_MAX];
  for (size_t i = 0; i < b->field.n_contenders; i++) {
    const struct contender *c = &b->field.contenders[i];
    rows[i] = (struct report_row){.impl = c->rival->name,
                                  .version = version_of(b, c->rival),
                                  .way = c->best_way,
                                  .na = c->ways[0].reason,
                                  .lane = c->best};
  }
  report_cell(&b->report, cell, rows, b->field.n_contenders);
}

static void bench_group(struct bench *b, enum sl_aead aead, bool is_open, size_t n_threads, size_t n_keys) {
  b->field.aead = aead;
  b->field.is_open = is_open;
  b->field.n_keys = n_keys;
  b->field.n_threads = n_threads;
  output_progress(&b->out, "%zu of %zu: %s, %zu keys", b->cell_number + 1, b->n_cells, sl_aead_name(aead), n_keys);
  field_init(&b->field, b->kernels, &b->rivals);

  struct report *r = &b->report;
  r->aead = aead;
  r->op = op_names[is_open];
  r->n_keys = n_keys;
  r->n_threads = n_threads;
  r->is_cold = n_keys > HOT_KEYS_MAX;
  r->limit = b->limits[aead];
  report_begin_group(r);
  const struct race_limits limits = {.n_rounds = b->n_rounds, .seconds = b->seconds, .n_threads = n_threads};
  for (size_t l = 0; l < b->lens.n; l++) {
    for (size_t k = 0; k < b->batches.n; k++) {
      struct report_cell cell = {.len = b->lens.v[l], .batch = b->batches.v[k]};
      output_progress(&b->out, "%zu of %zu: %s %s, %zu bytes, batch of %zu", ++b->cell_number, b->n_cells,
                      sl_aead_name(aead), r->op, cell.len, cell.batch);
      cell.ns_per_cycle = field_race(&b->field, cell.len, cell.batch, &limits);
      report_race(b, &cell);
    }
  }
  report_end_group(r);
  field_free(&b->field);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static void check_sizes(const struct bench *b) {
  for (size_t l = 0; l < b->lens.n; l++) {
    for (size_t k = 0; k < b->batches.n; k++) {
      if (b->lens.v[l] * b->batches.v[k] > 1u << 28)
        bench_die("--batch: '%zu' texts of %zu bytes are over 256 MiB", (size_t)b->batches.v[k], (size_t)b->lens.v[l]);
    }
  }
  for (size_t i = 0; i < b->threads.n; i++) {
    if (b->threads.v[i] > team_cpus())
      bench_die("--threads: '%zu' is over the %zu CPUs this process may use", (size_t)b->threads.v[i], team_cpus());
  }
}

static void parse_flags(struct bench *b, int argc, char *argv[]) {
  const char *rivals[RIVALS_MAX] = {0};
  for (size_t i = 0; rival_list[i] != NULL && i < RIVALS_MAX - 1; i++) rivals[i] = rival_list[i]->name;

  const struct flag flags[] = {
      flag_suites(&b->suites, "algorithms, default aes-128-gcm"),
      {.name = "--op",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->ops,
       .choices = op_names,
       .help = "directions, default seal"},
      {.name = "--len",
       .arg = "BYTES,...",
       .kind = FLAG_NUMBERS,
       .out = &b->lens,
       .min = 0,
       .max = 1u << 24,
       .help = "text of a record, default 64,256,1350,16384"},
      {.name = "--batch",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->batches,
       .min = 1,
       .max = 1024,
       .help = "records in one call, default 1,32"},
      {.name = "--keys",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->keys,
       .min = 1,
       .max = 1000000,
       .help = "keys the records rotate among, default 64; over 256 they are cold"},
      {.name = "--threads",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->threads,
       .min = 1,
       .max = 1024,
       .help = "threads at work at once, each pinned to a CPU; ns and GB/s are those of all together; default 1"},
      {.name = "--kernel",
       .arg = "NAME,...",
       .kind = FLAG_TEXT,
       .out = &b->kernels,
       .help = "kernels of ours, or all; default the chosen one of each suite"},
      {.name = "--rivals",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->rivals,
       .choices = rivals,
       .nothing = "none",
       .help = "whom to measure beside ours, default all; direct is our kernel without the API"},
      flag_rounds(&b->n_rounds),
      flag_seconds(&b->seconds, "time for a cell of the table, default 0.5"),
      flag_json(&b->json_path),
      flag_plot(&b->plot_path, "also draw GB/s over the length (needs gnuplot)"),
  };
  flags_parse(
      flags, sizeof flags / sizeof flags[0],
      "Times one AEAD record: ns per record, best of many interleaved rounds, how near that is to the limit of\n"
      "the ports, and how many times faster than each rival. 5 bytes of AAD, 12 of nonce, 16 of tag, as in a\n"
      "TLS 1.3 record. Under each group: cycles as a line over the length.",
      argc, argv);
  check_sizes(b);
}

static void print_versions(struct bench *b) {
  output_print(&b->out, "%s\nsealane %s", bench_cpu_name(), version_of(b, &rival_sealane));
  for (size_t i = 0; i < b->rivals.n; i++) {
    const struct rival *rival = rival_list[b->rivals.v[i]];
    output_print(&b->out, ", %s %s", rival->name, version_of(b, rival));
  }
  output_print(&b->out, "; ns per record, best of up to %zu rounds; x: times faster than\n", (size_t)b->n_rounds);
}

static int run(int argc, char *argv[]) {
  struct bench *b = bench_alloc(1, sizeof *b);
  b->suites = (struct flag_list){1, {SL_AES_128_GCM - 1}};
  b->ops = (struct flag_list){1, {OP_SEAL}};
  b->lens = (struct flag_list){4, {64, 256, 1350, 16384}};
  b->batches = (struct flag_list){2, {1, 32}};
  b->keys = (struct flag_list){1, {64}};
  b->threads = (struct flag_list){1, {1}};
  b->n_rounds = 1000;
  b->seconds = 0.5;
  size_t n_rivals = 0;
  for (; rival_list[n_rivals] != NULL && n_rivals < RIVALS_MAX - 1; n_rivals++) {
    b->rivals.v[b->rivals.n++] = n_rivals;
    rival_list[n_rivals]->version(b->versions[n_rivals], sizeof b->versions[0]);
  }
  rival_sealane.version(b->versions[n_rivals], sizeof b->versions[0]);
  parse_flags(b, argc, argv);
  field_check_kernels(b->kernels);
  output_open(&b->out, b->json_path);
  b->report = (struct report){.out = &b->out, .bench = "aead", .keys_name = "keys", .plot = plot_open(b->plot_path)};
  for (size_t i = 0; i < b->rivals.n; i++) b->report.rivals[b->report.n_rivals++] = rival_list[b->rivals.v[i]]->name;

  print_versions(b);
  limits_measure(b->limits, b->seconds < 0.3 ? b->seconds : 0.3);
  b->n_cells = b->suites.n * b->ops.n * b->threads.n * b->keys.n * b->lens.n * b->batches.n;
  for (size_t s = 0; s < b->suites.n; s++) {
    for (size_t o = 0; o < b->ops.n; o++) {
      for (size_t t = 0; t < b->threads.n; t++) {
        for (size_t k = 0; k < b->keys.n; k++)
          bench_group(b, (enum sl_aead)(b->suites.v[s] + 1), b->ops.v[o] == OP_OPEN, b->threads.v[t], b->keys.v[k]);
      }
    }
  }
  output_close(&b->out);
  plot_close(b->report.plot);
  free(b);
  return 0;
}

const struct bench_command bench_aead = {
    .name = "aead", .summary = "seal and open AEAD records, against the rivals and the limit of the ports", .run = run};

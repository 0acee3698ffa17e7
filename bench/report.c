/* report.c - rows and fits. */
#include "report.h"
#include "bench.h"
#include "fit.h"
#include "flags.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The cycles of one implementation at one batch size, over the lengths measured. */
struct report_line {
  char impl[32], way[32];
  size_t batch, n;
  double bytes[FLAG_LIST_MAX], cycles[FLAG_LIST_MAX];
};

static double ns_of(const struct report_cell *cell, const struct report_row *row) {
  return row->lane->best / (double)cell->batch;
}

/* Of one thread: a limit of the ports of one core says nothing about two threads, which may share one. */
static double limit_share(const struct report *r, const struct report_cell *cell, const struct report_row *row) {
  if (r->n_threads > 1) return NAN;
  return limits_cycles(&r->limit, r->aead, cell->len) * cell->ns_per_cycle / ns_of(cell, row);
}

/* How many times faster than another: by the best rounds and by the medians; NaN when either did not run. */
struct ratio {
  double best, median;
};

static struct ratio ratio_to(const struct report_row *row, const char *rival, const struct report_row *rows,
                             size_t n_rows) {
  for (size_t i = 0; i < n_rows; i++) {
    const struct report_row *other = &rows[i];
    if (strcmp(other->impl, rival) != 0 || other->lane == NULL || row->lane == NULL) continue;
    return (struct ratio){other->lane->best / row->lane->best, other->lane->median / row->lane->median};
  }
  return (struct ratio){NAN, NAN};
}

/* On a machine that was busy for a whole cell one lane may have had a quiet moment that the other had not. */
static bool is_doubtful(struct ratio ratio) {
  return fabs(ratio.best / ratio.median - 1) > 0.1;
}

/* ---- one cell --------------------------------------------------------------------------------------------------- */

static void print_row(struct report *r, const struct report_cell *cell, const struct report_row *row,
                      const struct report_row *rows, size_t n_rows) {
  output_print(r->out, "%6zu %6zu  %-8s %-16s ", cell->len, cell->batch, row->impl, row->way);
  if (row->lane == NULL) {
    output_print(r->out, "%10s  %s\n", "n/a", row->na);
    return;
  }
  double ns = ns_of(cell, row), share = limit_share(r, cell, row);
  output_print(r->out, "%10.2f %10.2f %6.1f%% %8.3f", ns, row->lane->median / (double)cell->batch,
               row->lane->spread * 100, (double)cell->len / ns);
  if (isnan(share))
    output_print(r->out, " %7s", "n/a");
  else
    output_print(r->out, " %6.1f%%", share * 100);
  for (size_t i = 0; i < r->n_rivals; i++) {
    struct ratio ratio = ratio_to(row, r->rivals[i], rows, n_rows);
    if (isnan(ratio.best))
      output_print(r->out, "  %10s", "n/a");
    else
      output_print(r->out, "  %9.2f%c", ratio.best, is_doubtful(ratio) ? '?' : ' ');
  }
  output_print(r->out, "\n");
}

static void write_group(struct report *r, const char *bench, const struct report_row *row) {
  json_begin(r->out);
  json_text(r->out, "bench", bench);
  json_text(r->out, "impl", row->impl);
  json_text(r->out, "version", row->version);
  json_text(r->out, "kernel", row->way);
  json_text(r->out, "suite", sl_aead_name(r->aead));
  json_text(r->out, "op", r->op);
}

static void write_load(struct report *r) {
  json_integer(r->out, r->keys_name, r->n_keys);
  json_bool(r->out, "cold", r->is_cold);
  json_integer(r->out, "threads", r->n_threads);
}

static void write_row(struct report *r, const struct report_cell *cell, const struct report_row *row,
                      const struct report_row *rows, size_t n_rows) {
  struct output *out = r->out;
  write_group(r, r->bench, row);
  json_integer(out, "len", cell->len);
  json_integer(out, "batch", cell->batch);
  write_load(r);
  if (row->lane == NULL) {
    json_null(out, "ns");
    json_text(out, "na", row->na);
  } else {
    double ns = ns_of(cell, row);
    json_number(out, "ns", ns);
    json_number(out, "gbps", (double)cell->len / ns);
    json_number(out, "median_ns", row->lane->median / (double)cell->batch);
    json_number(out, "spread", row->lane->spread);
    json_integer(out, "rounds", row->lane->n_rounds);
    json_integer(out, "records_per_round", row->lane->n_calls * cell->batch);
    json_number(out, "cycles", ns / cell->ns_per_cycle);
    json_number(out, "port_limit", limit_share(r, cell, row));
    json_number(out, "ghz", 1 / cell->ns_per_cycle);
    json_object_begin(out, "faster_than");
    for (size_t i = 0; i < r->n_rivals; i++) {
      if (strcmp(r->rivals[i], row->impl) != 0)
        json_number(out, r->rivals[i], ratio_to(row, r->rivals[i], rows, n_rows).best);
    }
    json_object_end(out);
  }
  json_text(out, "cpu", bench_cpu_name());
  json_end(out);
}

static struct report_line *find_line(struct report *r, const struct report_row *row, size_t batch) {
  char impl[32], way[32];
  snprintf(impl, sizeof impl, "%s", row->impl);
  snprintf(way, sizeof way, "%s", row->way);
  bool is_ours = strcmp(impl, "sealane") == 0; /* ours have a row a kernel, the others may change their way */
  for (size_t i = 0; i < r->n_lines; i++) {
    struct report_line *line = &r->lines[i];
    if (line->batch == batch && strcmp(line->impl, impl) == 0 && (!is_ours || strcmp(line->way, way) == 0)) return line;
  }
  r->lines = realloc(r->lines, (r->n_lines + 1) * sizeof r->lines[0]);
  if (r->lines == NULL) bench_die("out of memory");
  struct report_line *line = &r->lines[r->n_lines++];
  *line = (struct report_line){.batch = batch};
  snprintf(line->impl, sizeof line->impl, "%s", impl);
  snprintf(line->way, sizeof line->way, "%s", way);
  return line;
}

static void panel_name(const struct report *r, char *out, size_t cap) {
  int n = snprintf(out, cap, "%s %s %s, %zu %s", r->bench, sl_aead_name(r->aead), r->op, r->n_keys, r->keys_name);
  if (r->n_threads > 1 && n > 0 && (size_t)n < cap) snprintf(out + n, cap - (size_t)n, ", %zu threads", r->n_threads);
}

static void plot_row(struct report *r, const struct report_cell *cell, const struct report_row *row) {
  /* `direct` is all but ours: a second curve on top of it. */
  if (r->plot == NULL || row->lane == NULL || strcmp(row->impl, "direct") == 0) return;
  char panel[96], who[96];
  panel_name(r, panel, sizeof panel);
  bool is_ours = strcmp(row->impl, "sealane") == 0;
  snprintf(who, sizeof who, "%s%s%s", row->impl, is_ours ? " " : "", is_ours ? row->way : "");
  plot_add(r->plot, panel, who, cell->batch, (double)cell->len, (double)cell->len / ns_of(cell, row));
}

static void plot_limit(struct report *r, const struct report_cell *cell) {
  if (r->plot == NULL || r->limit.na != NULL || r->n_threads > 1) return;
  char panel[96];
  panel_name(r, panel, sizeof panel);
  double ns = limits_cycles(&r->limit, r->aead, cell->len) * cell->ns_per_cycle;
  plot_add(r->plot, panel, "port limit", 0, (double)cell->len, (double)cell->len / ns);
}

void report_cell(struct report *r, const struct report_cell *cell, const struct report_row *rows, size_t n_rows) {
  for (size_t i = 0; i < n_rows; i++) {
    print_row(r, cell, &rows[i], rows, n_rows);
    write_row(r, cell, &rows[i], rows, n_rows);
    plot_row(r, cell, &rows[i]);
    struct report_line *line = find_line(r, &rows[i], cell->batch);
    if (rows[i].lane == NULL || line->n == FLAG_LIST_MAX) continue;
    line->bytes[line->n] = (double)cell->len;
    line->cycles[line->n++] = ns_of(cell, &rows[i]) / cell->ns_per_cycle;
  }
  plot_limit(r, cell);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

void report_begin_group(struct report *r) {
  r->n_lines = 0;
  output_print(r->out, "\n%s %s, %zu %s%s", sl_aead_name(r->aead), r->op, r->n_keys, r->keys_name,
               r->is_cold ? " (cold)" : "");
  if (r->n_threads > 1) output_print(r->out, ", %zu threads", r->n_threads);
  output_print(r->out, "\n%6s %6s  %-8s %-16s %10s %10s %7s %8s %7s", "bytes", "batch", "impl", "kernel", "ns",
               "median", "spread", "GB/s", "% port");
  for (size_t i = 0; i < r->n_rivals; i++) output_print(r->out, "  x %-8s", r->rivals[i]);
  output_print(r->out, "\n");
}

static void write_fit(struct report *r, const struct report_line *line, const struct fit *fit) {
  const struct report_row row = {.impl = line->impl, .way = line->way};
  write_group(r, "fit", &row);
  json_text(r->out, "of", r->bench);
  json_integer(r->out, "batch", line->batch);
  write_load(r);
  json_integer(r->out, "lens", line->n);
  json_number(r->out, "cycles_per_record", fit == NULL ? NAN : fit->intercept);
  json_number(r->out, "cycles_per_byte", fit == NULL ? NAN : fit->slope);
  json_number(r->out, "worst", fit == NULL ? NAN : fit->worst);
  if (fit == NULL) json_text(r->out, "na", "no figures to fit a line to");
  json_text(r->out, "cpu", bench_cpu_name());
  json_end(r->out);
}

void report_end_group(struct report *r) {
  size_t n_lens = 0;
  for (size_t i = 0; i < r->n_lines; i++) n_lens = r->lines[i].n > n_lens ? r->lines[i].n : n_lens;
  if (n_lens >= 2)
    output_print(r->out, "%13s  %-8s %-16s %10s %10s %7s\n", "batch", "impl", "kernel", "cyc/record", "cyc/byte",
                 "off by");
  for (size_t i = 0; i < r->n_lines && n_lens >= 2; i++) {
    const struct report_line *line = &r->lines[i];
    output_print(r->out, "%13zu  %-8s %-16s ", line->batch, line->impl, line->way);
    if (line->n < 2) {
      output_print(r->out, "%10s  no figures to fit a line to\n", "n/a");
      write_fit(r, line, NULL);
      continue;
    }
    struct fit fit = fit_line(line->bytes, line->cycles, line->n);
    output_print(r->out, "%10.1f %10.4f %6.1f%%\n", fit.intercept, fit.slope, fit.worst * 100);
    write_fit(r, line, &fit);
  }
  free(r->lines);
  r->lines = NULL;
  r->n_lines = 0;
}

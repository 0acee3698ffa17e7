/* report.h - rows: a table for people, JSON for programs, a line fitted through the lengths, points for a plot.
 *
 * A group is the rows that share suite, direction, keys and threads; a cell those that share length and batch, too, and so
 * were raced against each other. */
#ifndef SEALANE_BENCH_REPORT_H
#define SEALANE_BENCH_REPORT_H

#include "output.h"
#include "plot.h"
#include "port_limits.h"
#include "race.h"
#include <stdbool.h>

enum { REPORT_RIVALS_MAX = 16 };

struct report_row {
  const char *impl, *version, *way;
  const char *na;               /* why there is no figure */
  const struct race_lane *lane; /* one call is a batch; NULL: n/a */
};

struct report_cell {
  size_t len, batch;
  double ns_per_cycle;
};

struct report_line;

struct report {
  struct output *out;
  struct plot *plot;
  /* the group */
  const char *bench;     /* as in the JSON */
  const char *keys_name; /* "keys", "conns" */
  enum sl_aead aead;
  const char *op;
  size_t n_keys, n_threads;
  bool is_cold;
  struct port_limit limit;
  const char *rivals[REPORT_RIVALS_MAX]; /* columns: times faster than */
  size_t n_rivals;
  /* collected for the fit */
  struct report_line *lines;
  size_t n_lines;
};

void report_begin_group(struct report *r);
void report_cell(struct report *r, const struct report_cell *cell, const struct report_row *rows, size_t n_rows);
/* Prints the fits. */
void report_end_group(struct report *r);

#endif

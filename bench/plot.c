/* plot.c - gnuplot gets a script with the data in it through a pipe. */
#define _GNU_SOURCE
#include "plot.h"
#include "bench.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_CAP = 96, PANEL_WIDTH = 820, PANEL_HEIGHT = 400, COLUMNS_MAX = 2 };

struct point {
  char panel[NAME_CAP], who[NAME_CAP];
  size_t batch;
  double bytes, gb_per_second;
};

struct plot {
  const char *path;
  size_t n, cap;
  struct point *points;
};

static bool is_in_path(const char *program) {
  const char *path = getenv("PATH");
  char full[4096];
  for (const char *p = path; p != NULL && *p != '\0';) {
    size_t len = strcspn(p, ":");
    snprintf(full, sizeof full, "%.*s/%s", (int)len, p, program);
    if (len > 0 && access(full, X_OK) == 0) return true;
    p += len + (p[len] == ':');
  }
  return false;
}

void plot_check(const char *path) {
  if (path == NULL) return;
  if (!is_in_path("gnuplot")) bench_die("--plot: gnuplot is not installed (Debian: apt-get install gnuplot-nox)");
  if (strpbrk(path, "'\n") != NULL || path[0] == '|') /* which would be a command's */
    bench_die("--plot: '%s': a name with a quote or a newline, or with a | in front, is not for gnuplot", path);
  FILE *f = fopen(path, "a"); /* what is there stays until there is something new */
  if (f == NULL) bench_die("--plot: %s: %s", path, strerror(errno));
  fclose(f);
}

struct plot *plot_open(const char *path) {
  if (path == NULL) return NULL;
  plot_check(path);
  struct plot *plot = bench_alloc(1, sizeof *plot);
  plot->path = path;
  return plot;
}

static bool same_panel(const struct point *a, const struct point *b) {
  return strcmp(a->panel, b->panel) == 0;
}

static bool same_who(const struct point *a, const struct point *b) {
  return same_panel(a, b) && strcmp(a->who, b->who) == 0;
}

static bool same_curve(const struct point *a, const struct point *b) {
  return same_who(a, b) && a->batch == b->batch;
}

void plot_add(struct plot *plot, const char *panel, const char *who, size_t batch, double bytes, double gb_per_second) {
  if (plot == NULL || bytes <= 0) return; /* an empty record has no place on a logarithmic axis */
  struct point p = {.batch = batch, .bytes = bytes, .gb_per_second = gb_per_second};
  snprintf(p.panel, sizeof p.panel, "%s", panel);
  snprintf(p.who, sizeof p.who, "%s", who);
  for (size_t i = 0; i < plot->n; i++) {
    if (same_curve(&plot->points[i], &p) && plot->points[i].bytes == bytes) return;
  }
  if (plot->n == plot->cap) {
    plot->cap = plot->cap > 0 ? 2 * plot->cap : 256;
    plot->points = realloc(plot->points, plot->cap * sizeof plot->points[0]);
    if (plot->points == NULL) bench_die("out of memory");
  }
  plot->points[plot->n++] = p;
}

/* ---- the script ------------------------------------------------------------------------------------------------- */

typedef bool same_fn(const struct point *a, const struct point *b);

/* Whether no point before i is the same. */
static bool is_first(const struct plot *plot, size_t i, same_fn *same) {
  for (size_t k = 0; k < i; k++) {
    if (same(&plot->points[k], &plot->points[i])) return false;
  }
  return true;
}

/* How many different ones by `inner` came up, among those the same by `outer`, before the first like point i. */
static size_t rank(const struct plot *plot, size_t i, same_fn *outer, same_fn *inner) {
  size_t n = 0;
  for (size_t k = 0; k < i && !inner(&plot->points[k], &plot->points[i]); k++)
    n += outer(&plot->points[k], &plot->points[i]) && is_first(plot, k, inner);
  return n;
}

static void put_data(FILE *f, const struct plot *plot, size_t first, size_t number) {
  fprintf(f, "$curve%zu << EOD\n", number);
  for (size_t i = first; i < plot->n; i++) {
    const struct point *p = &plot->points[i];
    if (same_curve(p, &plot->points[first])) fprintf(f, "%g %g\n", p->bytes, p->gb_per_second);
  }
  fputs("EOD\n", f);
}

/* One colour for everything of one name, ours thicker; one mark and dash per batch size; the limit is dots. */
static void put_curve(FILE *f, const struct plot *plot, size_t first, size_t number) {
  static const char *const colours[] = {"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5f5f5f"};
  static const unsigned marks[] = {6, 7, 4, 5, 8, 9};
  enum { N_COLOURS = sizeof colours / sizeof colours[0], N_MARKS = sizeof marks / sizeof marks[0] };
  const struct point *p = &plot->points[first];
  fprintf(f, "%s$curve%zu using 1:2 ", number > 0 ? ", " : "", number);
  if (p->batch == 0) {
    fprintf(f, "title '%s' noenhanced with lines dashtype 3 linewidth 1.5 linecolor rgb '#000000'", p->who);
    return;
  }
  size_t colour = rank(plot, first, same_panel, same_who), mark = rank(plot, first, same_who, same_curve);
  fprintf(
      f, "title '%s, batch of %zu' noenhanced with linespoints linewidth %s pointtype %u pointsize 0.7 dashtype %d ",
      p->who, p->batch, strncmp(p->who, "sealane", 7) == 0 ? "2.5" : "1.2", marks[mark % N_MARKS], mark == 0 ? 2 : 1);
  fprintf(f, "linecolor rgb '%s'", colours[colour % N_COLOURS]);
}

static void put_panel(FILE *f, const struct plot *plot, size_t first) {
  size_t n = 0;
  for (size_t i = first; i < plot->n; i++) {
    if (same_panel(&plot->points[i], &plot->points[first]) && is_first(plot, i, same_curve)) put_data(f, plot, i, n++);
  }
  fprintf(f, "set title '%s' noenhanced\nplot ", plot->points[first].panel);
  n = 0;
  for (size_t i = first; i < plot->n; i++) {
    if (same_panel(&plot->points[i], &plot->points[first]) && is_first(plot, i, same_curve)) put_curve(f, plot, i, n++);
  }
  fputs("\n", f);
}

static void put_script(FILE *f, const struct plot *plot) {
  size_t n_panels = 0;
  for (size_t i = 0; i < plot->n; i++) n_panels += is_first(plot, i, same_panel);
  size_t n_columns = n_panels < COLUMNS_MAX ? n_panels : COLUMNS_MAX, n_rows = (n_panels + n_columns - 1) / n_columns;
  fprintf(f,
          "set terminal svg size %zu,%zu font 'sans-serif,12' background rgb 'white'\n"
          "set output '%s'\n"
          "set logscale x 2\nset logscale y 2\nset grid\n"
          "set xlabel 'bytes of a record'\nset ylabel 'GB/s (10^9 bytes of text a second)' noenhanced\n"
          "set format y '%%g'\nset offsets graph 0.04, graph 0.04, graph 0.04, graph 0.04\n"
          "set key at graph 1.04, graph 0.85 left top vertical Left reverse samplen 2.5 spacing 1.2\n"
          "set lmargin 11\nset rmargin 44\n"
          "set multiplot layout %zu,%zu title '%s' noenhanced\n",
          n_columns * PANEL_WIDTH, n_rows * PANEL_HEIGHT + 30, plot->path, n_rows, n_columns, bench_cpu_name());
  for (size_t i = 0; i < plot->n; i++) {
    if (is_first(plot, i, same_panel)) put_panel(f, plot, i);
  }
  fputs("unset multiplot\n", f);
}

/* gnuplot says nothing about a disk that is full. */
static bool is_whole(const char *path) {
  static const char end[] = "</svg>\n";
  char tail[64];
  struct stat status;
  FILE *f = fopen(path, "r");
  if (f == NULL) return false;
  bool is_file = fstat(fileno(f), &status) == 0 && S_ISREG(status.st_mode);
  size_t n = is_file && fseek(f, -(long)sizeof tail, SEEK_END) == 0 ? fread(tail, 1, sizeof tail, f) : 0;
  fclose(f);
  return !is_file || (n == sizeof tail && memmem(tail, n, end, sizeof end - 1) != NULL);
}

void plot_close(struct plot *plot) {
  if (plot == NULL) return;
  if (plot->n == 0) bench_die("--plot: no row had a figure: nothing to draw");
  void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a gnuplot that ends early says so by its status */
  FILE *f = popen("gnuplot", "w");
  if (f == NULL) bench_die("--plot: cannot start gnuplot: %s", strerror(errno));
  put_script(f, plot);
  int status = pclose(f);
  signal(SIGPIPE, before);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !is_whole(plot->path))
    bench_die("--plot: gnuplot failed; %s is not complete", plot->path);
  free(plot->points);
  free(plot);
}

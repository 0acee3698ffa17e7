/* plot.c - gnuplot gets a script with the data in it through a pipe. */
#include "plot.h"
#include "bench.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_CAP = 96, PANEL_WIDTH = 560, PANEL_HEIGHT = 440, COLUMNS_MAX = 3 };

struct point {
  char panel[NAME_CAP], curve[NAME_CAP];
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
  if (strpbrk(path, "'\n") != NULL)
    bench_die("--plot: '%s': a name with a quote or a newline is not for gnuplot", path);
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

void plot_add(struct plot *plot, const char *panel, const char *curve, double bytes, double gb_per_second) {
  if (plot == NULL || bytes <= 0) return; /* an empty record has no place on a logarithmic axis */
  if (plot->n == plot->cap) {
    plot->cap = plot->cap > 0 ? 2 * plot->cap : 256;
    plot->points = realloc(plot->points, plot->cap * sizeof plot->points[0]);
    if (plot->points == NULL) bench_die("out of memory");
  }
  struct point *p = &plot->points[plot->n++];
  *p = (struct point){.bytes = bytes, .gb_per_second = gb_per_second};
  snprintf(p->panel, sizeof p->panel, "%s", panel);
  snprintf(p->curve, sizeof p->curve, "%s", curve);
}

/* ---- the script ------------------------------------------------------------------------------------------------- */

/* Whether point i is the first of its panel, or of its curve in its panel. */
static bool begins(const struct plot *plot, size_t i, bool curve) {
  for (size_t k = 0; k < i; k++) {
    if (strcmp(plot->points[k].panel, plot->points[i].panel) != 0) continue;
    if (!curve || strcmp(plot->points[k].curve, plot->points[i].curve) == 0) return false;
  }
  return true;
}

static void put_curve(FILE *f, const struct plot *plot, size_t first, size_t number) {
  fprintf(f, "$curve%zu << EOD\n", number);
  for (size_t i = first; i < plot->n; i++) {
    const struct point *p = &plot->points[i];
    if (strcmp(p->panel, plot->points[first].panel) == 0 && strcmp(p->curve, plot->points[first].curve) == 0)
      fprintf(f, "%g %g\n", p->bytes, p->gb_per_second);
  }
  fputs("EOD\n", f);
}

/* Ours stand out, the limit is dashes, rivals have the colours that are left. */
static void put_style(FILE *f, const char *curve, size_t index) {
  static const char *const colours[] = {"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5f5f5f"};
  enum { N_COLOURS = sizeof colours / sizeof colours[0] };
  if (strcmp(curve, "port limit") == 0) {
    fputs("with lines dashtype 2 linewidth 1 linecolor rgb '#000000'", f);
  } else {
    bool is_ours = strncmp(curve, "sealane", 7) == 0;
    fprintf(f, "with linespoints linewidth %s pointtype %zu pointsize 0.7 linecolor rgb '%s'", is_ours ? "3" : "1.5",
            4 + index % 10, colours[index % N_COLOURS]);
  }
}

static void put_panel(FILE *f, const struct plot *plot, size_t first) {
  size_t n = 0, index = 0;
  for (size_t i = first; i < plot->n; i++) {
    if (strcmp(plot->points[i].panel, plot->points[first].panel) == 0 && begins(plot, i, true))
      put_curve(f, plot, i, n++);
  }
  fprintf(f, "set title '%s' noenhanced\nplot ", plot->points[first].panel);
  for (size_t i = first; i < plot->n; i++) {
    if (strcmp(plot->points[i].panel, plot->points[first].panel) != 0 || !begins(plot, i, true)) continue;
    fprintf(f, "%s$curve%zu using 1:2 title '%s' noenhanced ", index > 0 ? ", " : "", index, plot->points[i].curve);
    put_style(f, plot->points[i].curve, index++);
  }
  fputs("\n", f);
}

static void put_script(FILE *f, const struct plot *plot) {
  size_t n_panels = 0;
  for (size_t i = 0; i < plot->n; i++) n_panels += begins(plot, i, false);
  size_t n_columns = n_panels < COLUMNS_MAX ? n_panels : COLUMNS_MAX, n_rows = (n_panels + n_columns - 1) / n_columns;
  fprintf(f,
          "set terminal svg size %zu,%zu font 'sans-serif,12' background rgb 'white'\n"
          "set output '%s'\n"
          "set logscale x 2\nset logscale y 2\nset grid\n"
          "set xlabel 'bytes of a record'\nset ylabel 'GB/s (10^9 bytes of text a second)' noenhanced\n"
          "set format y '%%g'\nset offsets graph 0.04, graph 0.04, graph 0.04, graph 0.04\n"
          "set key bottom right Left reverse samplen 2 spacing 1.1\n"
          "set multiplot layout %zu,%zu title '%s' noenhanced\n",
          n_columns * PANEL_WIDTH, n_rows * PANEL_HEIGHT + 30, plot->path, n_rows, n_columns, bench_cpu_name());
  for (size_t i = 0; i < plot->n; i++) {
    if (begins(plot, i, false)) put_panel(f, plot, i);
  }
  fputs("unset multiplot\n", f);
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
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    bench_die("--plot: gnuplot failed; %s is not complete", plot->path);
  free(plot->points);
  free(plot);
}

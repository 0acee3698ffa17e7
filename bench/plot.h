/* plot.h - curves over the length of a record, drawn by gnuplot as one SVG with a panel per suite, direction and load. */
#ifndef SEALANE_BENCH_PLOT_H
#define SEALANE_BENCH_PLOT_H

#include <stddef.h>

struct plot;

/* Ends the program when gnuplot is missing or the file cannot be written. NULL is allowed. */
void plot_check(const char *path);
/* NULL for path NULL: every call below then does nothing. Checks first, before anything is measured. */
struct plot *plot_open(const char *path);
/* One point of the curve of `who` at this batch size, 0 for a limit that knows none; the names are copied. Curves are
 * drawn in the order of their first points; a point that is there already is not added again. */
void plot_add(struct plot *plot, const char *panel, const char *who, size_t batch, double bytes, double gb_per_second);
/* Draws. Ends the program when gnuplot does not succeed or there is nothing to draw. */
void plot_close(struct plot *plot);

#endif

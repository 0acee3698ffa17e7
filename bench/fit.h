/* fit.h - cycles per record as intercept + slope * bytes. */
#ifndef SEALANE_BENCH_FIT_H
#define SEALANE_BENCH_FIT_H

#include <stddef.h>

struct fit {
  double intercept; /* what a record costs whatever its length */
  double slope;     /* per byte */
  double worst;     /* the largest distance of a point from the line, relative to the point */
};

/* The line through n >= 2 points (x[i], y[i] > 0), x not all the same, that makes the sum of squared *relative* errors
 * least: a short record counts as much as a long one. */
struct fit fit_line(const double *x, const double *y, size_t n);

#endif

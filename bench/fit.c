/* fit.c - weighted least squares, weights 1/y^2. */
#include "fit.h"
#include <math.h>

struct fit fit_line(const double *x, const double *y, size_t n) {
  double w_sum = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (size_t i = 0; i < n; i++) {
    double w = 1 / (y[i] * y[i]);
    w_sum += w;
    wx += w * x[i];
    wy += w * y[i];
    wxx += w * x[i] * x[i];
    wxy += w * x[i] * y[i];
  }
  struct fit fit = {.slope = (w_sum * wxy - wx * wy) / (w_sum * wxx - wx * wx)};
  fit.intercept = (wy - fit.slope * wx) / w_sum;
  for (size_t i = 0; i < n; i++) fit.worst = fmax(fit.worst, fabs(fit.intercept + fit.slope * x[i] - y[i]) / y[i]);
  return fit;
}

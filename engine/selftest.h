/* selftest.h - the known-answer test a kernel passes before it is used. */
#ifndef SEALANE_ENGINE_SELFTEST_H
#define SEALANE_ENGINE_SELFTEST_H

#include "kernel.h"

/* Runs the kernel, which must be one this CPU can run, against known answers. Tens of microseconds, no allocation. */
SL_MUST_USE bool sl_selftest(const struct sl_kernel *kernel);

#endif

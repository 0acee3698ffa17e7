/* fuzz.h - the function every target has: libFuzzer's name, so that it can be linked with it (./dev fuzz) or with replay.c. */
#ifndef SEALANE_TESTS_FUZZ_H
#define SEALANE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Tries one input; aborts when something is wrong. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

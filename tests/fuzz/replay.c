/* replay.c - a fuzz target without libFuzzer.
 *
 *   fuzz_server FILE...        tries these inputs
 *   fuzz_server [-n COUNT]     tries COUNT inputs (2000) of its own making, the same each time */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 20000 };

static uint64_t state = 88172645463325252u;

static uint32_t dice(uint32_t n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % n;
}

/* Short things to do as a rule, small numbers more often than large ones; now and then bytes of any kind. */
static size_t make(uint8_t *data) {
  size_t len = 2 + dice(dice(8) ? 60 : 1000);
  if (dice(50) == 0) len = dice(INPUT_MAX);
  for (size_t i = 0; i < len; i++) data[i] = (uint8_t)(dice(3) ? dice(12) : dice(256));
  return len;
}

static void try(const uint8_t *data, size_t len) {
  uint8_t *exact = malloc(len + 1); /* an access past the end is one past the allocation, too */
  if (exact == NULL) abort();
  memcpy(exact + 1, data, len);
  LLVMFuzzerTestOneInput(exact + 1, len);
  free(exact);
}

static int try_file(const char *path) {
  static uint8_t data[1 << 20];
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  size_t len = fread(data, 1, sizeof data, file);
  fclose(file);
  try(data, len);
  printf("%s: %zu bytes\n", path, len);
  return 0;
}

int main(int argc, char **argv) {
  static uint8_t data[INPUT_MAX];
  unsigned long count = 2000;
  int status = 0;
  if (argc == 3 && strcmp(argv[1], "-n") == 0)
    count = strtoul(argv[2], NULL, 10);
  else if (argc > 1) {
    for (int i = 1; i < argc; i++) status |= try_file(argv[i]);
    return status;
  }
  for (unsigned long i = 0; i < count; i++) try(data, make(data));
  printf("ok 1 - %lu inputs of its own making\n1..1\n", count); /* TAP, for scripts/run_tests.py */
  return 0;
}

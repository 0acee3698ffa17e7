/* main.c - sealane-bench: what one core of this machine can do, ours and the rivals'.
 *
 *   sealane-bench all --json results.json --plot results.svg
 *   sealane-bench aead --suite aes-128-gcm --len 64,16384 --batch 1,32 --keys 64 --json results.json */
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <sealane/cpu.h>
#include <sealane/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct bench_command *const commands[] = {
    &bench_all,    &bench_kernels, &bench_limits,   &bench_aead,
    &bench_record, &bench_memory,  &bench_provider, &bench_timing,
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

_Noreturn void bench_die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fflush(stdout);
  fputs(BENCH_PROGRAM ": ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

void *bench_alloc(size_t n, size_t size) {
  size_t bytes;
  bool overflows = __builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, (size_t)64, &bytes);
  bytes &= ~(size_t)63;
  void *p = overflows ? NULL : aligned_alloc(64, bytes > 0 ? bytes : 64);
  if (p == NULL) bench_die("out of memory: %zu x %zu bytes", n, size);
  return memset(p, 0, bytes > 0 ? bytes : 64);
}

/* sl_cpu_describe() writes "name (feature feature)": the two halves, split once. */
static struct {
  bool is_known;
  char name[1024];
  const char *features; /* " feature feature " */
} cpu;

static void describe_cpu(void) {
  if (cpu.is_known) return;
  cpu.is_known = true;
  sl_cpu_describe(cpu.name, sizeof cpu.name - 1);
  char *open = NULL;
  for (char *p = strstr(cpu.name, " ("); p != NULL; p = strstr(p + 1, " (")) open = p;
  if (open == NULL) {
    cpu.features = " ";
    return;
  }
  open[0] = '\0';
  open[1] = ' ';
  cpu.features = open + 1;
  char *close = strchr(open + 1, ')');
  if (close != NULL) *close = ' ';
}

const char *bench_cpu_name(void) {
  describe_cpu();
  return cpu.name;
}

bool bench_cpu_has(const char *feature) {
  char word[64];
  describe_cpu();
  snprintf(word, sizeof word, " %s ", feature);
  return strstr(cpu.features, word) != NULL;
}

void bench_check_kernels(void) {
  char why[256] = "";
  sl_err err = sl_kernels_check(why, sizeof why);
  if (err != SL_OK) bench_die("%s", why[0] != '\0' ? why : sl_err_text(err));
}

static void usage(FILE *to) {
  fputs("usage: " BENCH_PROGRAM " COMMAND [OPTION]...\n"
        "Measures what one core of this machine can do with Sealane and with its rivals.\n\n",
        to);
  for (size_t i = 0; i < N_COMMANDS; i++) fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
  fputs("\n  " BENCH_PROGRAM " COMMAND --help   the command's options\n"
        "  " BENCH_PROGRAM " --version        the version\n\n"
        "Environment: SEALANE_KERNELS=NAME,... forces kernels; SEALANE_CPU_OFF=FEATURE,... hides CPU features.\n",
        to);
}

/* A stream that is closed would become the number of the next file, and a table stand among the rows of --json. What is
 * opened for reading takes the number, and refuses what is written. */
static void hold_standard_streams(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

int main(int argc, char *argv[]) {
  hold_standard_streams();
  if (argc < 2) {
    usage(stderr);
    return 1;
  }
  int status = -1;
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    usage(stdout);
    status = 0;
  } else if (strcmp(argv[1], "--version") == 0) {
    puts(BENCH_PROGRAM " " SEALANE_VERSION);
    status = 0;
  }
  for (size_t i = 0; i < N_COMMANDS && status < 0; i++) {
    if (strcmp(argv[1], commands[i]->name) == 0) status = commands[i]->run(argc - 1, argv + 1);
  }
  if (status < 0) bench_die("%s: no such command; try " BENCH_PROGRAM " --help", argv[1]);
  /* A table that did not reach a full disk must not look like success. */
  if (fflush(stdout) != 0 || ferror(stdout)) bench_die("standard output: %s", strerror(errno));
  return status;
}

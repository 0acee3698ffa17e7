/* options.h - the command line of sealane-serve. */
#ifndef SEALANE_SERVE_OPTIONS_H
#define SEALANE_SERVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_LIST_MAX = 16 };

struct options {
  const char *listen[OPTIONS_LIST_MAX];
  size_t n_listen;
  const char *cert[OPTIONS_LIST_MAX], *key[OPTIONS_LIST_MAX];
  size_t n_cert, n_key;
  const char *root;   /* NULL: the built-in page */
  const char *suites; /* NULL: the library's order */
  const char *keylog; /* NULL: none */
  size_t n_threads;   /* 0: one per CPU this process may use */
  size_t max_connections;
  uint64_t handshake_timeout_ms, idle_timeout_ms, stall_timeout_ms, grace_ms;
  bool is_verbose;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* Reads argv into *options; what it names stays in argv. --help and --version print and are DONE; WRONG leaves one
 * line in why. */
enum options_result options_read(struct options *options, int argc, char **argv, char *why, size_t why_cap);

#endif

/* flags.h - command-line options as a table: one row is the parser, the limits and the line of --help. */
#ifndef SEALANE_BENCH_FLAGS_H
#define SEALANE_BENCH_FLAGS_H

#include <stddef.h>
#include <stdint.h>

enum { FLAG_LIST_MAX = 64 };

/* A list of numbers, or of indices into a flag's choices, in the order given and without repetition. */
struct flag_list {
  size_t n;
  uint64_t v[FLAG_LIST_MAX];
};

enum flag_kind {
  FLAG_NUMBER,  /* uint64_t *: min..max */
  FLAG_NUMBERS, /* struct flag_list *: each min..max */
  FLAG_SECONDS, /* double *: over 0, up to max; fractions allowed */
  FLAG_CHOICES, /* struct flag_list *: indices into choices */
  FLAG_TEXT,    /* const char **: as it stands, not empty */
  FLAG_SWITCH   /* bool *: true when it is there; takes no value */
};

struct flag {
  const char *name; /* "--len" */
  const char *arg;  /* how --help calls the value: "BYTES,..."; "" when there is none */
  const char *help; /* one line, with the default */
  enum flag_kind kind;
  void *out; /* holds the default; see flag_kind for its type */
  uint64_t min, max;
  const char *const *choices; /* NULL-terminated */
  const char *nothing;        /* FLAG_CHOICES: the word for an empty list; NULL when the list may not be empty */
};

/* Rows that several commands have. Choice i of --suite is enum sl_aead i + 1. */
struct flag flag_suites(struct flag_list *suites, const char *help);
struct flag flag_rounds(uint64_t *n_rounds);
struct flag flag_seconds(double *seconds, const char *help);
struct flag flag_json(const char **path);
struct flag flag_plot(const char **path, const char *help);

/* Parses "--flag value" and "--flag=value" in argv[1..]; a list given replaces its default. --help prints the table and
 * ends the program with status 0; anything that does not fit ends it with status 1 and one line that names the flag
 * and the value. */
void flags_parse(const struct flag *flags, size_t n_flags, const char *intro, int argc, char *argv[]);

#endif

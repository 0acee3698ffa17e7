/* vectors.h - reads the vector files of vectors/ (their format: vectors/README.md).
 *
 *   struct vectors v;
 *   for (vectors_open(&v, "aes_gcm_nist.txt"); vectors_next(&v);) {
 *     size_t key_len;
 *     const uint8_t *key = vectors_bytes(&v, "key", &key_len);
 *     ...
 *   }
 *   vectors_close(&v);
 *
 * A file that is missing, malformed or without the name asked for ends the program with its place printed: a test that
 * cannot read its vectors must not pass. */
#ifndef SEALANE_TESTS_VECTORS_H
#define SEALANE_TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VECTORS_FIELDS_MAX 32

struct vectors {
  char path[512];
  FILE *file;
  char *line;
  size_t line_cap, line_no;
  size_t n_read; /* vectors so far */
  size_t n_fields;
  struct {
    char *name, *value;
    uint8_t *bytes; /* decoded when asked for, exactly as long as it is: sanitizers see any access past it */
  } fields[VECTORS_FIELDS_MAX];
};

/* Opens vectors/<name>. */
void vectors_open(struct vectors *v, const char *name);
/* Goes on to the next vector; false at the end. What the one before returned is gone then. */
bool vectors_next(struct vectors *v);
/* Also says how many vectors were read, and fails when there were none. */
void vectors_close(struct vectors *v);

/* "aes_gcm_nist.txt:120", for messages; valid until the next call. */
const char *vectors_where(const struct vectors *v);
bool vectors_has(const struct vectors *v, const char *name);
const char *vectors_word(const struct vectors *v, const char *name);
uint64_t vectors_number(const struct vectors *v, const char *name);
/* Never NULL, also for no bytes. */
const uint8_t *vectors_bytes(struct vectors *v, const char *name, size_t *len);

#endif

/* vectors.c - the reader of vectors/ (format: vectors/README.md). Strict: what it does not understand ends the test. */
#define _GNU_SOURCE
#include "vectors.h"

#include <stdlib.h>
#include <string.h>

const char *vectors_where(const struct vectors *v) {
  static _Thread_local char where[600];
  const char *base = strrchr(v->path, '/');
  snprintf(where, sizeof where, "%s:%zu", base != NULL ? base + 1 : v->path, v->line_no);
  return where;
}

static _Noreturn void bad(const struct vectors *v, const char *what, const char *name) {
  fprintf(stderr, "%s: %s%s%s\n", vectors_where(v), what, name[0] != '\0' ? " " : "", name);
  exit(1);
}

static void *must(const struct vectors *v, void *p) {
  if (p == NULL) bad(v, "out of memory", "");
  return p;
}

void vectors_open(struct vectors *v, const char *name) {
  memset(v, 0, sizeof *v);
  snprintf(v->path, sizeof v->path, "%s/%s", SEALANE_VECTORS, name);
  v->file = fopen(v->path, "r");
  if (v->file == NULL) bad(v, "cannot be opened", v->path);
}

static void forget(struct vectors *v) {
  for (size_t i = 0; i < v->n_fields; i++) {
    free(v->fields[i].name);
    free(v->fields[i].bytes);
  }
  memset(v->fields, 0, sizeof v->fields);
  v->n_fields = 0;
}

/* "name = value" or "name =". */
static void add_field(struct vectors *v) {
  if (v->n_fields == VECTORS_FIELDS_MAX) bad(v, "too many lines in one vector", "");
  char *copy = must(v, strdup(v->line));
  size_t name_len = strspn(copy, "abcdefghijklmnopqrstuvwxyz0123456789_");
  if (name_len == 0 || strncmp(copy + name_len, " =", 2) != 0) bad(v, "not a line of the form `name = value`:", copy);
  char *value = copy + name_len + 2;
  if (*value == ' ') value++;
  copy[name_len] = '\0';
  if (vectors_has(v, copy)) bad(v, "twice in one vector:", copy);
  v->fields[v->n_fields].name = copy;
  v->fields[v->n_fields].value = value;
  v->n_fields++;
}

bool vectors_next(struct vectors *v) {
  forget(v);
  for (;;) {
    ssize_t n = getline(&v->line, &v->line_cap, v->file);
    if (n < 0) break;
    v->line_no++;
    while (n > 0 && (v->line[n - 1] == '\n' || v->line[n - 1] == '\r')) v->line[--n] = '\0';
    if (v->line[0] == '#') continue;
    if (v->line[0] != '\0') {
      add_field(v);
    } else if (v->n_fields > 0) {
      break;
    }
  }
  if (v->n_fields > 0) v->n_read++;
  return v->n_fields > 0;
}

void vectors_close(struct vectors *v) {
  if (v->n_read == 0) bad(v, "holds no vectors", "");
  printf("  %zu vectors of %s\n", v->n_read, strrchr(v->path, '/') + 1);
  forget(v);
  free(v->line);
  fclose(v->file);
  memset(v, 0, sizeof *v);
}

static size_t find(const struct vectors *v, const char *name) {
  size_t i = 0;
  while (i < v->n_fields && strcmp(v->fields[i].name, name) != 0) i++;
  return i;
}

bool vectors_has(const struct vectors *v, const char *name) {
  return find(v, name) < v->n_fields;
}

static size_t must_find(const struct vectors *v, const char *name) {
  size_t i = find(v, name);
  if (i == v->n_fields) bad(v, "the vector that ends here lacks", name);
  return i;
}

const char *vectors_word(const struct vectors *v, const char *name) {
  return v->fields[must_find(v, name)].value;
}

static uint64_t parse_number(const struct vectors *v, const char *text, const char *name) {
  char *end;
  uint64_t n = strtoull(text, &end, 10);
  if (end == text || *end != '\0' || text[0] == '-') bad(v, "not a number:", name);
  return n;
}

uint64_t vectors_number(const struct vectors *v, const char *name) {
  return parse_number(v, vectors_word(v, name), name);
}

static unsigned hex_digit(const struct vectors *v, char c, const char *name) {
  if (c >= '0' && c <= '9') return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
  bad(v, "not hexadecimal:", name);
}

const uint8_t *vectors_bytes(struct vectors *v, const char *name, size_t *len) {
  size_t i = must_find(v, name);
  const char *hex = v->fields[i].value;
  size_t n_digits = strcspn(hex, " ");
  uint64_t repeat = 1;
  if (hex[n_digits] != '\0') {
    if (strncmp(hex + n_digits, " * ", 3) != 0) bad(v, "not bytes:", name);
    repeat = parse_number(v, hex + n_digits + 3, name);
  }
  size_t unit = n_digits / 2;
  if (n_digits % 2 != 0) bad(v, "an odd number of hexadecimal digits:", name);
  if (unit > 0 && repeat > (1u << 24) / unit) bad(v, "longer than 16 MiB:", name);
  *len = unit * repeat;
  free(v->fields[i].bytes);
  uint8_t *bytes = v->fields[i].bytes = must(v, malloc(*len > 0 ? *len : 1));
  for (size_t j = 0; j < unit; j++) {
    bytes[j] = (uint8_t)(hex_digit(v, hex[2 * j], name) << 4 | hex_digit(v, hex[2 * j + 1], name));
  }
  for (size_t j = unit; j < *len; j++) bytes[j] = bytes[j - unit];
  return bytes;
}

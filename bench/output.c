/* output.c - where results go. */
#include "output.h"
#include "bench.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const struct output *shared; /* `all` runs one command after the other into one file */

void output_share(const struct output *out) {
  shared = out;
}

void output_open(struct output *out, const char *json_path) {
  *out = (struct output){.table = stdout, .separator = ""};
  if (json_path == NULL && shared != NULL) {
    *out = *shared;
    out->is_shared = true;
  }
  if (json_path == NULL) return;
  if (strcmp(json_path, "-") == 0) {
    out->table = stderr;
    out->json = stdout;
    out->json_name = "standard output";
    return;
  }
  out->json_name = json_path;
  out->json = fopen(json_path, "w");
  if (out->json == NULL) bench_die("--json: %s: %s", json_path, strerror(errno));
}

static void clear_progress(struct output *out) {
  if (!out->progress_shown) return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  out->progress_shown = false;
}

static void check_json(struct output *out, bool failed) {
  if (!failed) return;
  int why = errno;
  clear_progress(out);
  bench_die("--json: %s: %s", out->json_name, strerror(why));
}

static void check_table(struct output *out) {
  if (fflush(out->table) != 0 || ferror(out->table))
    bench_die("standard %s: %s", out->table == stdout ? "output" : "error", strerror(errno));
}

void output_close(struct output *out) {
  clear_progress(out);
  check_table(out);
  if (out->json != NULL) check_json(out, fflush(out->json) != 0 || ferror(out->json));
  if (out->json != NULL && out->json != stdout && !out->is_shared) check_json(out, fclose(out->json) != 0);
  out->json = NULL;
}

void output_print(struct output *out, const char *format, ...) {
  va_list args;
  va_start(args, format);
  clear_progress(out);
  vfprintf(out->table, format, args);
  va_end(args);
  check_table(out);
}

void output_progress(struct output *out, const char *format, ...) {
  if (!isatty(STDERR_FILENO)) return;
  va_list args;
  va_start(args, format);
  clear_progress(out);
  vfprintf(stderr, format, args);
  fflush(stderr);
  out->progress_shown = true;
  va_end(args);
}

/* ---- JSON (RFC 8259) ----------------------------------------------------------------------------------------- */

static void put_string(FILE *f, const char *text) {
  fputc('"', f);
  for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\') {
      fprintf(f, "\\%c", *p);
    } else if (*p < 0x20) {
      fprintf(f, "\\u%04x", *p);
    } else {
      fputc(*p, f);
    }
  }
  fputc('"', f);
}

static bool put_name(struct output *out, const char *name) {
  if (out->json == NULL) return false;
  fputs(out->separator, out->json);
  put_string(out->json, name);
  fputc(':', out->json);
  out->separator = ",";
  return true;
}

void json_begin(struct output *out) {
  if (out->json == NULL) return;
  fputc('{', out->json);
  out->separator = "";
}

void json_text(struct output *out, const char *name, const char *text) {
  if (text == NULL) {
    json_null(out, name);
  } else if (put_name(out, name)) {
    put_string(out->json, text);
  }
}

void json_integer(struct output *out, const char *name, uint64_t v) {
  if (put_name(out, name)) fprintf(out->json, "%" PRIu64, v);
}

void json_number(struct output *out, const char *name, double v) {
  if (!isfinite(v)) {
    json_null(out, name);
  } else if (put_name(out, name)) {
    fprintf(out->json, "%.6g", v);
  }
}

void json_bool(struct output *out, const char *name, bool v) {
  if (put_name(out, name)) fputs(v ? "true" : "false", out->json);
}

void json_null(struct output *out, const char *name) {
  if (put_name(out, name)) fputs("null", out->json);
}

void json_object_begin(struct output *out, const char *name) {
  if (!put_name(out, name)) return;
  fputc('{', out->json);
  out->separator = "";
}

void json_object_end(struct output *out) {
  if (out->json == NULL) return;
  fputc('}', out->json);
  out->separator = ",";
}

void json_end(struct output *out) {
  if (out->json == NULL) return;
  fputs("}\n", out->json);
  check_json(out, fflush(out->json) != 0 || ferror(out->json));
}

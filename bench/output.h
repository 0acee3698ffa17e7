/* output.h - where results go: a table for people, JSON lines for programs, progress for whoever waits.
 *
 *   table     standard output, or standard error when the JSON takes standard output
 *   JSON      one object a line, on disk before the next is measured: an interrupted run keeps what it has
 *   progress  one line on standard error that erases itself, only when that is a terminal */
#ifndef SEALANE_BENCH_OUTPUT_H
#define SEALANE_BENCH_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct output {
  FILE *table;
  FILE *json;            /* NULL: none asked for */
  const char *json_name; /* for messages */
  const char *separator; /* within the object being written */
  bool progress_shown;
  bool is_shared; /* the files are somebody else's to close */
};

/* json_path: NULL for none, "-" for standard output. Ends the program when the file cannot be written. */
void output_open(struct output *out, const char *json_path);
/* Ends the program when something did not reach its file. */
void output_close(struct output *out);
/* From now on every output_open() without a file of its own goes where `out` goes, which must stay open; NULL: no more. */
void output_share(const struct output *out);

/* Writes to the table, erasing a progress line first. */
void output_print(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_progress(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One object a line: begin, any of the fields, end. Without JSON they do nothing. A NULL text is null. */
void json_begin(struct output *out);
void json_text(struct output *out, const char *name, const char *text);
void json_integer(struct output *out, const char *name, uint64_t v);
void json_number(struct output *out, const char *name, double v); /* null unless finite */
void json_bool(struct output *out, const char *name, bool v);
void json_null(struct output *out, const char *name);
void json_object_begin(struct output *out, const char *name);
void json_object_end(struct output *out);
void json_end(struct output *out);

#endif

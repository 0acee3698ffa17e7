/* fields.h - the values of the header fields a file server answers to (RFC 9110): dates, entity tags, ranges. Pure functions
 * of their arguments. */
#ifndef SEALANE_SERVE_FIELDS_H
#define SEALANE_SERVE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define FIELDS_DATE_CAP 30u /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

/* What a file is, as far as caches are concerned. */
struct validators {
  char etag[64]; /* quoted, strong */
  int64_t modified_s;
};

/* IMF-fixdate of seconds since 1970. */
void fields_date_write(char out[static FIELDS_DATE_CAP], int64_t time_s);
/* Reads any of the three forms of RFC 9110 5.6.7. returns: false when it is none. */
bool fields_date_read(const char *text, int64_t now_s, int64_t *time_s);

/* Does an If-Match or If-None-Match list hold this tag, or "*"? Weak comparison takes W/"x" for "x". */
bool fields_etag_list_has(const char *list, const char *etag, bool is_weak_comparison);

/* The conditions of a request, in the order of RFC 9110 13.2.2 (NULL: the field is absent).
 * returns: 200 go on, 304, 412 */
unsigned fields_preconditions(const char *if_match, const char *if_unmodified_since, const char *if_none_match,
                              const char *if_modified_since, const struct validators *file, int64_t now_s);

/* Does If-Range (NULL: absent, which is true) let the Range apply? */
bool fields_if_range(const char *if_range, const struct validators *file, int64_t now_s);

enum range_result {
  RANGE_WHOLE,        /* send everything: no range, one we do not understand, or several */
  RANGE_PART,         /* send bytes [*first, *end) */
  RANGE_UNSATISFIABLE /* 416 */
};
/* Reads a Range field (NULL: absent) against a file of `len` bytes. */
enum range_result fields_range(const char *range, uint64_t len, uint64_t *first, uint64_t *end);

#endif

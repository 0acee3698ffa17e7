/* text.h - text that grows on the heap: response heads, pages, JSON. A failed allocation is remembered and makes every
 * later call a no-op, so that one check at the end is enough. All-zero is an empty text. */
#ifndef SEALANE_SERVE_TEXT_H
#define SEALANE_SERVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
  char *bytes; /* NUL-terminated when not NULL */
  size_t len, cap;
  bool has_failed;
};

void text_free(struct text *text);
void text_add(struct text *text, const char *bytes, size_t len);
void text_str(struct text *text, const char *string);
void text_u64(struct text *text, uint64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As the content of an HTML element or a quoted attribute. */
void text_html(struct text *text, const char *string);
/* As a JSON string, quotes included; bytes that are not ASCII become \u00XX, so the result is JSON whatever comes in, and
 * may stand in a <script> element. */
void text_json(struct text *text, const char *string);
/* As the path of a URI reference (RFC 3986 3.3): everything but unreserved characters and '/' is percent-encoded. */
void text_uri_path(struct text *text, const char *bytes, size_t len);

#endif

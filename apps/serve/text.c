/* text.c - see text.h. */
#include "text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_free(struct text *text) {
  free(text->bytes);
  *text = (struct text){0};
}

/* Makes room for len bytes and a NUL behind what is there. */
static bool reserve(struct text *text, size_t len) {
  if (text->has_failed) return false;
  if (text->cap - text->len > len) return true;
  size_t cap = text->cap == 0 ? 512 : text->cap;
  while (cap - text->len <= len) cap *= 2;
  char *bytes = realloc(text->bytes, cap);
  if (bytes == NULL) {
    text->has_failed = true;
    return false;
  }
  text->bytes = bytes;
  text->cap = cap;
  return true;
}

void text_add(struct text *text, const char *bytes, size_t len) {
  if (!reserve(text, len)) return;
  memcpy(text->bytes + text->len, bytes, len);
  text->len += len;
  text->bytes[text->len] = '\0';
}

void text_str(struct text *text, const char *string) {
  text_add(text, string, strlen(string));
}

void text_u64(struct text *text, uint64_t value) {
  char digits[20]; /* 2^64 - 1 has so many */
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  text_add(text, digits + at, sizeof(digits) - at);
}

void text_printf(struct text *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0 || !reserve(text, (size_t)len)) return;
  va_start(args, format);
  vsnprintf(text->bytes + text->len, (size_t)len + 1, format, args);
  va_end(args);
  text->len += (size_t)len;
}

void text_html(struct text *text, const char *string) {
  for (; *string != '\0'; string++) {
    switch (*string) {
    case '&':
      text_str(text, "&amp;");
      break;
    case '<':
      text_str(text, "&lt;");
      break;
    case '>':
      text_str(text, "&gt;");
      break;
    case '"':
      text_str(text, "&quot;");
      break;
    case '\'':
      text_str(text, "&#39;");
      break;
    default:
      text_add(text, string, 1);
    }
  }
}

void text_json(struct text *text, const char *string) {
  text_str(text, "\"");
  for (; *string != '\0'; string++) {
    unsigned char c = (unsigned char)*string;
    if (c == '"' || c == '\\') {
      text_str(text, "\\");
      text_add(text, string, 1);
    } else if (c < 0x20 || c >= 0x7f || c == '<') { /* '<': so that no JSON ends the <script> it stands in */
      text_printf(text, "\\u%04x", c);
    } else {
      text_add(text, string, 1);
    }
  }
  text_str(text, "\"");
}

void text_uri_path(struct text *text, const char *bytes, size_t len) {
  static const char hex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c < 0x80 && (isalnum(c) || strchr("-._~/", c) != NULL)) {
      text_add(text, bytes + i, 1);
    } else {
      char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
      text_add(text, escaped, 3);
    }
  }
}

/* chunks.c - see chunks.h. */
#include "chunks.h"

enum chunk_place {
  AT_SIZE, /* the first digit */
  IN_SIZE,
  AFTER_SIZE, /* white space, which only an extension may follow */
  IN_EXTENSION,
  AT_SIZE_LF,
  IN_DATA,
  AT_DATA_CR,
  AT_DATA_LF,
  AT_TRAILER, /* the first byte of a line */
  IN_TRAILER,
  AT_TRAILER_LF,
  AT_LAST_LF,
  AT_END
};

static int hex_value(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* A byte that may stand in a line. */
static bool is_text(uint8_t c) {
  return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool is_space(uint8_t c) {
  return c == ' ' || c == '\t';
}

static unsigned take_digit(struct chunks *chunks, uint8_t c) {
  int value = hex_value(c);
  if (value < 0 || chunks->n_digits == 16) return 400;
  chunks->n_digits++;
  chunks->left = chunks->left << 4 | (uint64_t)value; /* 16 digits fit */
  chunks->place = IN_SIZE;
  return 0;
}

/* Takes one byte that is not chunk data. returns: 0 or 400 */
static unsigned take_byte(struct chunks *chunks, uint8_t c) {
  switch ((enum chunk_place)chunks->place) {
  case AT_SIZE:
    return take_digit(chunks, c);
  case IN_SIZE:
  case AFTER_SIZE:
    if (c == ';') {
      chunks->place = IN_EXTENSION;
    } else if (is_space(c)) {
      chunks->place = AFTER_SIZE;
    } else if (chunks->place == AFTER_SIZE) {
      return 400;
    } else if (c == '\r') {
      chunks->place = AT_SIZE_LF;
    } else {
      return take_digit(chunks, c);
    }
    return 0;
  case IN_EXTENSION:
    if (c == '\r') chunks->place = AT_SIZE_LF;
    return c == '\r' || is_text(c) ? 0 : 400;
  case AT_SIZE_LF:
    chunks->place = chunks->left > 0 ? IN_DATA : AT_TRAILER;
    return c == '\n' ? 0 : 400;
  case AT_DATA_CR:
    chunks->place = AT_DATA_LF;
    return c == '\r' ? 0 : 400;
  case AT_DATA_LF:
    chunks->place = AT_SIZE;
    chunks->n_digits = 0;
    return c == '\n' ? 0 : 400;
  case AT_TRAILER:
    chunks->place = c == '\r' ? AT_LAST_LF : IN_TRAILER;
    return c == '\r' || (is_text(c) && !is_space(c)) ? 0 : 400; /* white space would fold the line before */
  case IN_TRAILER:
    if (c == '\r') chunks->place = AT_TRAILER_LF;
    return c == '\r' || is_text(c) ? 0 : 400;
  case AT_TRAILER_LF:
    chunks->place = AT_TRAILER;
    return c == '\n' ? 0 : 400;
  case AT_LAST_LF:
    chunks->place = AT_END;
    return c == '\n' ? 0 : 400;
  case IN_DATA:
  case AT_END:
    break;
  }
  return 400;
}

unsigned chunks_feed(struct chunks *chunks, const uint8_t *data, size_t len, uint64_t max_len, size_t max_extra_len,
                     size_t *used, bool *is_complete) {
  size_t off = 0;
  *used = len;
  while (off < len && chunks->place != AT_END) {
    if (chunks->place == IN_DATA) {
      size_t n = len - off < chunks->left ? len - off : (size_t)chunks->left;
      off += n;
      chunks->len += n;
      chunks->left -= n;
      if (chunks->left == 0) chunks->place = AT_DATA_CR;
      continue;
    }
    bool is_extra = chunks->place == AFTER_SIZE || chunks->place == IN_EXTENSION || chunks->place >= AT_TRAILER;
    if (is_extra && ++chunks->extra_len > max_extra_len) return 431;
    unsigned status = take_byte(chunks, data[off++]);
    if (status != 0) return status;
    if (chunks->place == IN_DATA && chunks->left > max_len - chunks->len) return 413;
  }
  *used = off;
  *is_complete = chunks->place == AT_END;
  return 0;
}

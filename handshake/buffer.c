/* buffer.c - growing bytes. realloc() would leave copies of old content in freed memory, hence copy, wipe, free. */
#include "buffer.h"
#include <engine/bytes.h>
#include <stdlib.h>

enum { BUFFER_FIRST = 64 };

sl_err sl_buffer_reserve(struct sl_buffer *buffer, size_t n) {
  if (n <= buffer->cap - buffer->len) return SL_OK;
  if (n > UINT32_MAX / 2 - buffer->len) return SL_E_MEMORY;
  size_t cap = buffer->cap > BUFFER_FIRST ? buffer->cap : BUFFER_FIRST;
  while (cap < buffer->len + n) cap *= 2;
  uint8_t *data = malloc(cap);
  if (data == NULL) return SL_E_MEMORY;
  if (buffer->len > 0) memcpy(data, buffer->data, buffer->len);
  struct sl_buffer grown = {data, buffer->len, (uint32_t)cap};
  sl_buffer_free(buffer);
  *buffer = grown;
  return SL_OK;
}

sl_err sl_buffer_append(struct sl_buffer *buffer, const uint8_t *data, size_t len) {
  if (len == 0) return SL_OK;
  sl_err err = sl_buffer_reserve(buffer, len);
  if (err) return err;
  memcpy(buffer->data + buffer->len, data, len);
  buffer->len += (uint32_t)len;
  return SL_OK;
}

void sl_buffer_consume(struct sl_buffer *buffer, size_t n) {
  if (n >= buffer->len) {
    sl_buffer_free(buffer);
    return;
  }
  memmove(buffer->data, buffer->data + n, buffer->len - n);
  buffer->len -= (uint32_t)n;
}

void sl_buffer_free(struct sl_buffer *buffer) {
  if (buffer->data != NULL) sl_wipe(buffer->data, buffer->cap);
  free(buffer->data);
  *buffer = (struct sl_buffer){0};
}

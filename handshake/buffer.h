/* buffer.h - bytes that grow with what is put into them, never with what a peer announces; wiped before they are freed. */
#ifndef SEALANE_HANDSHAKE_BUFFER_H
#define SEALANE_HANDSHAKE_BUFFER_H

#include <sealane/error.h>
#include <stddef.h>
#include <stdint.h>

/* All-zero is an empty buffer without memory. */
struct sl_buffer {
  uint8_t *data;
  uint32_t len, cap; /* bytes */
};

/* Makes room for n more bytes. errors: SL_E_MEMORY: nothing changed */
SL_MUST_USE sl_err sl_buffer_reserve(struct sl_buffer *buffer, size_t n);
/* errors: SL_E_MEMORY: nothing changed */
SL_MUST_USE sl_err sl_buffer_append(struct sl_buffer *buffer, const uint8_t *data, size_t len);
/* Drops the first n bytes; a buffer that becomes empty gives its memory back. */
void sl_buffer_consume(struct sl_buffer *buffer, size_t n);
/* Erases and frees; idempotent. */
void sl_buffer_free(struct sl_buffer *buffer);

#endif

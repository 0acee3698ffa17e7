/* chunks.h - where a chunked body ends (RFC 9112 7.1), for a reader who has no use for what is in it. Strict, since who
 * is generous here finds requests where others find a body: lines end by CRLF and nothing else, sizes are hex digits. */
#ifndef SEALANE_SERVE_CHUNKS_H
#define SEALANE_SERVE_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunks {  /* all zero at first */
  uint64_t left; /* bytes of the chunk that is arriving */
  uint64_t len;  /* of all chunks so far */
  size_t extra_len;
  uint8_t n_digits;
  uint8_t place; /* enum chunk_place */
};

/* Takes bytes up to the end of the body; *used says how many of data[0..len), *is_complete whether that is the end.
 * At most max_len bytes of chunks, and max_extra_len of extensions and trailers, which are passed over.
 * returns: 0, or the status that refuses it: 400, 413, 431 */
unsigned chunks_feed(struct chunks *chunks, const uint8_t *data, size_t len, uint64_t max_len, size_t max_extra_len,
                     size_t *used, bool *is_complete);

#endif

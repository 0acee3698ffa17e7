/* exchange.h - one request and its answer: decides what to say, then gives the answer out piece by piece. */
#ifndef SEALANE_SERVE_EXCHANGE_H
#define SEALANE_SERVE_EXCHANGE_H

#include "files.h"
#include "http.h"
#include <sealane/tls.h>

struct server;

/* What an answer depends on besides its request. */
struct exchange_context {
  const struct server *server;
  const struct sl_conn *tls;
  const char *date; /* now, as IMF-fixdate */
  int64_t now_s;
  bool is_last; /* the connection ends after this answer whatever the client would like */
};

struct exchange {
  struct http_request request;
  bool is_answering; /* the request is complete, or refused */
  bool is_last;      /* "Connection: close" */
  struct text head, body;
  size_t head_off, body_off;
  int fd; /* the file that is the body; -1 none */
  uint64_t file_off, file_end;
  bool must_block;  /* the file system cannot say whether a read would block: read through the ring at once */
  bool is_blocking; /* O_NONBLOCK has been taken off, for the ring */
};

/* NULL: no memory. */
struct exchange *exchange_new(void);
void exchange_free(struct exchange *exchange);

/* Decides the answer to the request. returns: false when there is no memory for it */
bool exchange_answer(struct exchange *exchange, const struct exchange_context *context);
/* Answers with a status and a small text, and ends the connection. */
bool exchange_refuse(struct exchange *exchange, const struct exchange_context *context, unsigned status);

/* Bytes of the answer not given out yet. */
uint64_t exchange_left(const struct exchange *exchange);

enum exchange_read {
  EXCHANGE_OK,     /* `out` is full or the answer is complete */
  EXCHANGE_COLD,   /* what follows is file data that is not in memory: read it through the ring */
  EXCHANGE_BROKEN, /* the file is shorter than it was, or failed: the answer cannot be completed */
};
/* Copies what follows of the answer to out[0..cap); *len says how much, also when it is not OK. */
enum exchange_read exchange_read(struct exchange *exchange, uint8_t *out, size_t cap, size_t *len);
/* After EXCHANGE_COLD: the file to read, from where, and up to how much; then, that `len` bytes of it were read. */
int exchange_cold_file(struct exchange *exchange, uint64_t *off, uint64_t *len);
void exchange_skip(struct exchange *exchange, size_t len);

#endif

/* exchange.c - see exchange.h. */
#define _GNU_SOURCE
#include "exchange.h"
#include "page.h"
#include "serve.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct exchange *exchange_new(void) {
  struct exchange *exchange = malloc(sizeof(*exchange));
  if (exchange == NULL) return NULL;
  *exchange = (struct exchange){.fd = -1};
  http_request_init(&exchange->request);
  return exchange;
}

void exchange_free(struct exchange *exchange) {
  if (exchange == NULL) return;
  http_request_free(&exchange->request);
  text_free(&exchange->head);
  text_free(&exchange->body);
  if (exchange->fd >= 0) close(exchange->fd);
  free(exchange);
}

static bool wants_body(const struct exchange *exchange) {
  return exchange->request.parser.method != HTTP_HEAD;
}

/* Starts the head: what every answer says. */
static void begin_head(struct exchange *exchange, const struct exchange_context *context, unsigned status) {
  struct text *head = &exchange->head;
  text_str(head, "HTTP/1.1 ");
  text_u64(head, status);
  text_str(head, " ");
  text_str(head, http_reason(status));
  text_str(head, "\r\nServer: sealane\r\nDate: ");
  text_str(head, context->date);
  text_str(head, "\r\n");
  if (exchange->is_last) {
    text_str(head, "Connection: close\r\n");
  } else if (exchange->request.parser.http_minor == 0) {
    text_str(head, "Connection: keep-alive\r\n"); /* what HTTP/1.0 clients that asked for it wait to see */
  }
}

static void add_line(struct exchange *exchange, const char *name, const char *value) {
  text_str(&exchange->head, name);
  text_str(&exchange->head, ": ");
  text_str(&exchange->head, value);
  text_str(&exchange->head, "\r\n");
}

static void add_length(struct exchange *exchange, uint64_t len) {
  text_str(&exchange->head, "Content-Length: ");
  text_u64(&exchange->head, len);
  text_str(&exchange->head, "\r\n");
}

static bool end_head(struct exchange *exchange) {
  text_str(&exchange->head, "\r\n");
  exchange->is_answering = true;
  return !exchange->head.has_failed && !exchange->body.has_failed;
}

/* The body is exchange->body: says so, and drops it again for HEAD. */
static bool end_with_body(struct exchange *exchange, const char *type) {
  add_line(exchange, "Content-Type", type);
  add_length(exchange, exchange->body.len);
  text_str(&exchange->head, "X-Content-Type-Options: nosniff\r\n");
  if (!wants_body(exchange)) exchange->body_off = exchange->body.len;
  return end_head(exchange);
}

/* An answer that is only a status, with a small text for people. */
static bool answer_status(struct exchange *exchange, const struct exchange_context *context, unsigned status) {
  begin_head(exchange, context, status);
  if (status == 405) add_line(exchange, "Allow", "GET, HEAD");
  if (status == 503) add_line(exchange, "Retry-After", "1");
  text_u64(&exchange->body, status);
  text_str(&exchange->body, " ");
  text_str(&exchange->body, http_reason(status));
  text_str(&exchange->body, "\n");
  return end_with_body(exchange, "text/plain; charset=utf-8");
}

/* A folder asked for without its slash: relative links in its index would lead astray. */
static bool answer_redirect(struct exchange *exchange, const struct exchange_context *context,
                            const struct file_path *path, const char *query, size_t query_len) {
  begin_head(exchange, context, 301);
  /* From the resolved path, never from the target: "//host" at its start would send the client elsewhere. */
  text_str(&exchange->head, "Location: /");
  text_uri_path(&exchange->head, path->name, path->len);
  text_str(&exchange->head, "/");
  if (query_len > 0) {
    text_str(&exchange->head, "?");
    text_add(&exchange->head, query, query_len);
  }
  text_str(&exchange->head, "\r\n");
  text_str(&exchange->body, "301 Moved Permanently\n");
  return end_with_body(exchange, "text/plain; charset=utf-8");
}

static void add_validators(struct exchange *exchange, const struct validators *validators, int64_t now_s) {
  char date[FIELDS_DATE_CAP];
  /* A file from the future was changed now, as far as caches may know (RFC 9110 8.8.2.1). */
  fields_date_write(date, validators->modified_s < now_s ? validators->modified_s : now_s);
  add_line(exchange, "Last-Modified", date);
  add_line(exchange, "ETag", validators->etag);
}

static bool answer_file(struct exchange *exchange, const struct exchange_context *context, const struct file *file) {
  const struct http_request *request = &exchange->request;
  const struct validators *validators = &file->validators;
  exchange->fd = file->fd;
  unsigned status = fields_preconditions(
      http_request_field(request, HTTP_IF_MATCH), http_request_field(request, HTTP_IF_UNMODIFIED_SINCE),
      http_request_field(request, HTTP_IF_NONE_MATCH), http_request_field(request, HTTP_IF_MODIFIED_SINCE), validators,
      context->now_s);
  if (status == 412) return answer_status(exchange, context, 412);
  if (status == 304) {
    begin_head(exchange, context, 304);
    add_validators(exchange, validators, context->now_s);
    return end_head(exchange);
  }

  uint64_t first = 0, end = file->len;
  if (request->parser.method == HTTP_GET &&
      fields_if_range(http_request_field(request, HTTP_IF_RANGE), validators, context->now_s)) {
    switch (fields_range(http_request_field(request, HTTP_RANGE), file->len, &first, &end)) {
    case RANGE_WHOLE:
      first = 0;
      end = file->len;
      break;
    case RANGE_PART:
      status = 206;
      break;
    case RANGE_UNSATISFIABLE:
      begin_head(exchange, context, 416);
      text_printf(&exchange->head, "Content-Range: bytes */%llu\r\n", (unsigned long long)file->len);
      text_str(&exchange->body, "416 Range Not Satisfiable\n");
      return end_with_body(exchange, "text/plain; charset=utf-8");
    }
  }
  begin_head(exchange, context, status);
  add_validators(exchange, validators, context->now_s);
  add_line(exchange, "Accept-Ranges", "bytes");
  add_line(exchange, "Content-Type", file->type);
  add_line(exchange, "X-Content-Type-Options", "nosniff");
  add_length(exchange, end - first);
  if (status == 206) {
    text_printf(&exchange->head, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)first,
                (unsigned long long)(end - 1), (unsigned long long)file->len);
  }
  if (wants_body(exchange)) {
    exchange->file_off = first;
    exchange->file_end = end;
  }
  return end_head(exchange);
}

static bool answer_root(struct exchange *exchange, const struct exchange_context *context, const char *target,
                        size_t target_len, const char *query, size_t query_len) {
  struct file_path path;
  struct file file;
  unsigned status = file_path_init(&path, target, target_len);
  if (status == 0) status = files_open(context->server->root_fd, &path, &file);
  if (status == 301) return answer_redirect(exchange, context, &path, query, query_len);
  if (status != 200) return answer_status(exchange, context, status);
  return answer_file(exchange, context, &file);
}

static bool answer_builtin(struct exchange *exchange, const struct exchange_context *context, const char *target,
                           size_t target_len) {
  bool is_page = target_len == 1;
  bool is_live = target_len == 10 && memcmp(target, "/live.json", 10) == 0;
  if (!is_page && !is_live) return answer_status(exchange, context, 404);
  begin_head(exchange, context, 200);
  add_line(exchange, "Cache-Control", "no-store");
  if (is_live) {
    page_live_json(&exchange->body, context->server, context->tls);
    return end_with_body(exchange, "application/json");
  }
  page_html(&exchange->body, context->server, context->tls);
  add_line(exchange, "Content-Security-Policy", PAGE_CONTENT_SECURITY_POLICY);
  return end_with_body(exchange, "text/html; charset=utf-8");
}

bool exchange_answer(struct exchange *exchange, const struct exchange_context *context) {
  const struct http_request *request = &exchange->request;
  const char *target, *query;
  size_t target_len, query_len;
  exchange->is_last = context->is_last || !request->wants_keep_alive;
  if (request->parser.method != HTTP_GET && request->parser.method != HTTP_HEAD) {
    if (request->parser.method == HTTP_CONNECT) exchange->is_last = true; /* what follows would be the tunnel's */
    return answer_status(exchange, context, 405);
  }
  if (!http_request_path(request, &target, &target_len, &query, &query_len))
    return answer_status(exchange, context, 400);
  if (context->server->root_fd >= 0) {
    return answer_root(exchange, context, target, target_len, query, query_len);
  }
  return answer_builtin(exchange, context, target, target_len);
}

bool exchange_refuse(struct exchange *exchange, const struct exchange_context *context, unsigned status) {
  exchange->is_last = true;
  return answer_status(exchange, context, status);
}

uint64_t exchange_left(const struct exchange *exchange) {
  return (exchange->head.len - exchange->head_off) + (exchange->body.len - exchange->body_off) +
         (exchange->file_end - exchange->file_off);
}

static size_t take(uint8_t *out, size_t cap, const struct text *text, size_t *off) {
  size_t len = text->len - *off;
  if (len > cap) len = cap;
  if (len > 0) memcpy(out, text->bytes + *off, len);
  *off += len;
  return len;
}

enum exchange_read exchange_read(struct exchange *exchange, uint8_t *out, size_t cap, size_t *len) {
  *len = take(out, cap, &exchange->head, &exchange->head_off);
  *len += take(out + *len, cap - *len, &exchange->body, &exchange->body_off);
  while (*len < cap && exchange->file_off < exchange->file_end) {
    if (exchange->must_block) return EXCHANGE_COLD;
    uint64_t left = exchange->file_end - exchange->file_off;
    struct iovec iov = {out + *len, left < cap - *len ? (size_t)left : cap - *len};
    ssize_t n = preadv2(exchange->fd, &iov, 1, (off_t)exchange->file_off, RWF_NOWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return EXCHANGE_COLD;
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
      exchange->must_block = true;
      return EXCHANGE_COLD;
    }
    if (n <= 0) return EXCHANGE_BROKEN;
    *len += (size_t)n;
    exchange->file_off += (uint64_t)n;
  }
  return EXCHANGE_OK;
}

int exchange_cold_file(struct exchange *exchange, uint64_t *off, uint64_t *len) {
  if (!exchange->is_blocking) {
    fcntl(exchange->fd, F_SETFL, 0); /* with O_NONBLOCK the ring would give EAGAIN instead of waiting */
    exchange->is_blocking = true;
  }
  *off = exchange->file_off;
  *len = exchange->file_end - exchange->file_off;
  return exchange->fd;
}

void exchange_skip(struct exchange *exchange, size_t len) {
  exchange->file_off += len;
}

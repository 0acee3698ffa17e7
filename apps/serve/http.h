/* http.h - one HTTP/1.1 request as it arrives (RFC 9112), its header parsed by http-parser; what that library leaves to
 * its caller (limits, Host, method tokens, white space, bodies that nobody wants) is decided here. Knows nothing of connections. */
#ifndef SEALANE_SERVE_HTTP_H
#define SEALANE_SERVE_HTTP_H

#include "chunks.h"
#include "text.h"
#include <http_parser.h>

#define HTTP_TARGET_MAX 8192u    /* calc: 2**13  bytes of a request target, more is 414 */
#define HTTP_HEADER_MAX 16384u   /* calc: 2**14  bytes of request line and header fields, more is 431 */
#define HTTP_BODY_MAX   1048576u /* calc: 2**20  bytes of a request body that are read and dropped, more is 413 */

/* The fields a file server answers to. */
enum http_field {
  HTTP_HOST,
  HTTP_EXPECT,
  HTTP_RANGE,
  HTTP_IF_RANGE,
  HTTP_IF_MATCH,
  HTTP_IF_NONE_MATCH,
  HTTP_IF_MODIFIED_SINCE,
  HTTP_IF_UNMODIFIED_SINCE,
  HTTP_TRANSFER_ENCODING,
  N_HTTP_FIELDS
};

enum http_progress {
  HTTP_MORE,     /* all bytes were taken, the request is not complete */
  HTTP_COMPLETE, /* answer it */
  HTTP_REFUSED   /* answer `status` and close: where the next request starts is unknown */
};

struct http_request {
  http_parser parser;
  struct text text; /* the target, then the values of the fields, each NUL-terminated */
  size_t target_len;
  size_t field_off[N_HTTP_FIELDS]; /* 0: absent (the target comes first) */
  bool field_is_repeated[N_HTTP_FIELDS];
  uint64_t body_len;  /* received so far */
  uint64_t body_left; /* to come; unknown when it is chunked */
  struct chunks chunks;
  unsigned status; /* of HTTP_REFUSED */
  bool wants_keep_alive;
  /* within the header */
  char name[24]; /* longer than the longest name above, lower case */
  size_t name_len;
  int field; /* whose value is arriving, -1: one that is ignored */
  size_t header_len;
  uint8_t line; /* enum line_place of the byte that comes next */
  bool in_value, header_is_done, is_chunked, is_complete;
};

void http_request_init(struct http_request *request);
void http_request_free(struct http_request *request);
/* Takes bytes until the request is complete; *used says how many of data[0..len). */
enum http_progress http_request_feed(struct http_request *request, const uint8_t *data, size_t len, size_t *used);

/* The target's path, percent-encoded as it came, and its query ("" when absent). returns: false for a target that names
 * no path (authority form, "*", a fragment) */
bool http_request_path(const struct http_request *request, const char **path, size_t *path_len, const char **query,
                       size_t *query_len);
/* A field's value; NULL when it is absent, or repeated though it may come only once. */
const char *http_request_field(const struct http_request *request, enum http_field field);

/* "Not Found"; "Unknown" for a status this server does not use. */
const char *http_reason(unsigned status);

#endif

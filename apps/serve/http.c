/* http.c - see http.h. */
#include "http.h"
#include <ctype.h>
#include <string.h>

static const struct {
  const char *name;
  bool is_list; /* several lines mean one list (RFC 9110 5.3) */
} fields[N_HTTP_FIELDS] = {
    [HTTP_HOST] = {"host", false},
    [HTTP_EXPECT] = {"expect", true},
    [HTTP_RANGE] = {"range", false},
    [HTTP_IF_RANGE] = {"if-range", false},
    [HTTP_IF_MATCH] = {"if-match", true},
    [HTTP_IF_NONE_MATCH] = {"if-none-match", true},
    [HTTP_IF_MODIFIED_SINCE] = {"if-modified-since", false},
    [HTTP_IF_UNMODIFIED_SINCE] = {"if-unmodified-since", false},
    [HTTP_TRANSFER_ENCODING] = {"transfer-encoding", true},
};

static struct http_request *request_of(http_parser *parser) {
  return parser->data;
}

/* The parser stops at the callback that returns this. */
static int refuse(struct http_request *request, unsigned status) {
  if (request->status == 0) request->status = status;
  return -1;
}

static bool is_token_byte(unsigned char c) {
  return isalnum(c) || (c != '\0' && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int on_url(http_parser *parser, const char *at, size_t len) {
  struct http_request *request = request_of(parser);
  if (len > HTTP_TARGET_MAX - request->target_len) return refuse(request, 414);
  text_add(&request->text, at, len);
  request->target_len += len;
  return 0;
}

/* The value that was arriving is whole: trailing white space goes, a NUL comes. */
static void finish_value(struct http_request *request) {
  if (!request->in_value) return;
  request->in_value = false;
  request->name_len = 0;
  struct text *text = &request->text;
  if (request->field < 0 || text->has_failed) return;
  size_t off = request->field_off[request->field];
  while (text->len > off && (text->bytes[text->len - 1] == ' ' || text->bytes[text->len - 1] == '\t')) text->len--;
  text_add(text, "", 1);
}

static int on_header_field(http_parser *parser, const char *at, size_t len) {
  struct http_request *request = request_of(parser);
  finish_value(request);
  for (size_t i = 0; i < len; i++) {
    /* The parser can be built to let white space before the colon pass, which RFC 9112 5.1 forbids. */
    if (!is_token_byte((unsigned char)at[i])) return refuse(request, 400);
    if (request->name_len < sizeof(request->name)) {
      request->name[request->name_len++] = (char)tolower((unsigned char)at[i]);
    }
  }
  return 0;
}

static int start_value(struct http_request *request) {
  struct text *text = &request->text;
  request->in_value = true;
  request->field = -1;
  for (int i = 0; i < N_HTTP_FIELDS; i++) {
    if (strlen(fields[i].name) == request->name_len && memcmp(fields[i].name, request->name, request->name_len) == 0) {
      request->field = i;
    }
  }
  if (request->field < 0) return 0;
  if (text->len == request->target_len) text_add(text, "", 1); /* ends the target; no field has offset 0 */
  if (text->has_failed) return refuse(request, 503);
  size_t old = request->field_off[request->field];
  request->field_off[request->field] = text->len;
  if (old == 0) return 0;
  request->field_is_repeated[request->field] = true;
  if (!fields[request->field].is_list) return 0;
  for (size_t i = old; !text->has_failed && text->bytes[i] != '\0'; i++) {
    char byte = text->bytes[i]; /* the text may move while it grows */
    text_add(text, &byte, 1);
  }
  text_str(text, ", ");
  /* Every repetition copies what was there: without a bound, short lines would make long texts. */
  return text->len > HTTP_TARGET_MAX + 2 * HTTP_HEADER_MAX ? refuse(request, 431) : 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len) {
  struct http_request *request = request_of(parser);
  if (!request->in_value) {
    int stop = start_value(request);
    if (stop != 0) return stop;
  }
  if (request->field >= 0) text_add(&request->text, at, len);
  return 0;
}

static bool host_is_sane(const char *host) {
  for (; *host != '\0'; host++) {
    if (!isalnum((unsigned char)*host) && strchr("-._~:[]%!$&'()*+,;=", *host) == NULL) return false;
  }
  return true;
}

/* The body is chunked once, or its end is unknown (RFC 9112 6.1). returns: 0, or the status that refuses it */
static unsigned status_of_coding(const char *coding, unsigned http_minor) {
  if (http_minor == 0) return 400; /* some reader on its way may not know chunks */
  if (strcasecmp(coding, "chunked") == 0) return 0;
  return strncasecmp(coding, "chunked", 7) == 0 ? 400 : 501;
}

static int on_headers_complete(http_parser *parser) {
  struct http_request *request = request_of(parser);
  finish_value(request);
  request->header_is_done = true;
  if (request->text.has_failed) return refuse(request, 503);
  if (parser->http_major != 1) return refuse(request, 505);
  request->wants_keep_alive = http_should_keep_alive(parser) != 0;

  const char *host = http_request_field(request, HTTP_HOST);
  if (request->field_is_repeated[HTTP_HOST]) return refuse(request, 400);
  if (host == NULL && parser->http_minor >= 1) return refuse(request, 400); /* RFC 9112 3.2 */
  if (host != NULL && !host_is_sane(host)) return refuse(request, 400);

  const char *coding = http_request_field(request, HTTP_TRANSFER_ENCODING);
  if (coding != NULL) {
    unsigned status = status_of_coding(coding, parser->http_minor);
    if (status != 0) return refuse(request, status);
    request->is_chunked = true;
  } else if ((parser->flags & F_CONTENTLENGTH) != 0) {
    request->body_left = parser->content_length;
    if (request->body_left > HTTP_BODY_MAX) return refuse(request, 413);
  }
  bool has_body = request->is_chunked || request->body_left > 0;

  const char *expect = http_request_field(request, HTTP_EXPECT);
  if (expect != NULL && parser->http_minor >= 1) {
    if (strcasecmp(expect, "100-continue") != 0) return refuse(request, 417);
    /* No body is of use here, so the final answer is given at once and the body not waited for (RFC 9110 10.1.1); a
     * client that sends it all the same finds the connection closed after the answer. */
    if (has_body) {
      request->wants_keep_alive = false;
      request->is_complete = true;
      return -1;
    }
  }
  request->is_complete = !has_body;
  return 1; /* no body for the parser, which does not look at the line ends between chunks */
}

/* Told at the end of the header, since the parser leaves bodies to us. */
static int on_message_complete(http_parser *parser) {
  http_parser_pause(parser, 1);
  return 0;
}

void http_request_init(struct http_request *request) {
  *request = (struct http_request){.field = -1};
  http_parser_init(&request->parser, HTTP_REQUEST);
  request->parser.data = request;
}

void http_request_free(struct http_request *request) {
  text_free(&request->text);
}

/* The parser knows a list of methods and calls everything else an error. A name it does not know is a method that is
 * not implemented (501); anything that is not a token is no HTTP at all (400). What it took before is a token. */
static unsigned status_of_unknown_method(const uint8_t *rest, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (rest[i] == ' ') return 501;
    if (!is_token_byte(rest[i])) return 400;
  }
  return len < 64 ? 501 : 400;
}

static unsigned status_of_error(const struct http_request *request, const uint8_t *rest, size_t len) {
  switch (HTTP_PARSER_ERRNO(&request->parser)) {
  case HPE_INVALID_METHOD:
    return status_of_unknown_method(rest, len);
  case HPE_HEADER_OVERFLOW:
    return 431;
  default:
    return 400;
  }
}

/* Where in a header the next byte stands. */
enum line_place { IN_METHOD, AT_TARGET, IN_TARGET, AT_VERSION, IN_VERSION, AT_LINE, AFTER_CR, IN_LINE, AFTER_HEADER };

/* Looks at a header before the parser does, for its length and its white space. The parser is generous with the latter,
 * and two readers who are generous in different ways take the same bytes for different requests. So: one space between
 * the parts of a request line (RFC 9112 3), no folded lines (5.2). returns: 0, or the status that refuses it */
static unsigned check_header(struct http_request *request, const uint8_t *data, size_t len) {
  enum line_place place = request->line;
  for (size_t i = 0; i < len && place != AFTER_HEADER; i++) {
    uint8_t c = data[i];
    if (++request->header_len > HTTP_HEADER_MAX) return place == IN_TARGET ? 414 : 431;
    switch (place) {
    case IN_METHOD:
    case IN_TARGET:
      if (c == ' ') place++;
      if (c == '\n') place = AT_LINE;
      break;
    case AT_TARGET:
    case AT_VERSION:
      if (c == ' ') return 400;
      place++;
      break;
    case IN_VERSION:
      if (c == ' ' || c == '\t') return 400;
      if (c == '\n') place = AT_LINE;
      break;
    case AT_LINE:
      if (c == ' ' || c == '\t') return 400;
      place = c == '\n' ? AFTER_HEADER : c == '\r' ? AFTER_CR : IN_LINE;
      break;
    case AFTER_CR:
    case IN_LINE:
      if (c == '\n') place = place == AFTER_CR ? AFTER_HEADER : AT_LINE;
      break;
    case AFTER_HEADER:
      break;
    }
  }
  request->line = (uint8_t)place;
  return 0;
}

/* Drops what belongs to the body. returns: 0, or the status that refuses it */
static unsigned take_body(struct http_request *request, const uint8_t *data, size_t len, size_t *used) {
  if (request->is_chunked) {
    unsigned status =
        chunks_feed(&request->chunks, data, len, HTTP_BODY_MAX, HTTP_HEADER_MAX, used, &request->is_complete);
    request->body_len = request->chunks.len;
    return status;
  }
  *used = len < request->body_left ? len : (size_t)request->body_left;
  request->body_len += *used;
  request->body_left -= *used;
  request->is_complete = request->body_left == 0;
  return 0;
}

/* Takes the header, up to its end. */
static enum http_progress take_header(struct http_request *request, const uint8_t *data, size_t len, size_t *used) {
  static const http_parser_settings settings = {.on_url = on_url,
                                                .on_header_field = on_header_field,
                                                .on_header_value = on_header_value,
                                                .on_headers_complete = on_headers_complete,
                                                .on_message_complete = on_message_complete};
  request->status = check_header(request, data, len);
  if (request->status != 0) return HTTP_REFUSED;
  *used = http_parser_execute(&request->parser, &settings, (const char *)data, len);
  if (request->status != 0) return HTTP_REFUSED;
  if (request->is_complete) return HTTP_COMPLETE;
  if (request->header_is_done || HTTP_PARSER_ERRNO(&request->parser) == HPE_OK) return HTTP_MORE;
  if (*used > len) *used = len;
  request->status = status_of_error(request, data + *used, len - *used);
  return HTTP_REFUSED;
}

enum http_progress http_request_feed(struct http_request *request, const uint8_t *data, size_t len, size_t *used) {
  size_t taken = 0, body_taken;
  *used = len;
  if (len == 0) return HTTP_MORE;
  if (!request->header_is_done) {
    enum http_progress progress = take_header(request, data, len, &taken);
    if (progress == HTTP_COMPLETE) *used = taken;
    if (progress != HTTP_MORE || !request->header_is_done) return progress;
  }
  request->status = take_body(request, data + taken, len - taken, &body_taken);
  if (request->status != 0) return HTTP_REFUSED;
  if (!request->is_complete) return HTTP_MORE;
  *used = taken + body_taken;
  return HTTP_COMPLETE;
}

bool http_request_path(const struct http_request *request, const char **path, size_t *path_len, const char **query,
                       size_t *query_len) {
  struct http_parser_url url;
  const char *target = request->text.bytes;
  http_parser_url_init(&url);
  if (target == NULL || request->parser.method == HTTP_CONNECT) return false;
  if (http_parser_parse_url(target, request->target_len, 0, &url) != 0) return false;
  if ((url.field_set & (1u << UF_FRAGMENT)) != 0) return false;
  *path = "/"; /* of an absolute form that ends with its authority */
  *path_len = 1;
  if ((url.field_set & (1u << UF_PATH)) != 0) {
    *path = target + url.field_data[UF_PATH].off;
    *path_len = url.field_data[UF_PATH].len;
  }
  *query = "";
  *query_len = 0;
  if ((url.field_set & (1u << UF_QUERY)) != 0) {
    *query = target + url.field_data[UF_QUERY].off;
    *query_len = url.field_data[UF_QUERY].len;
  }
  return (*path)[0] == '/';
}

const char *http_request_field(const struct http_request *request, enum http_field field) {
  if (request->field_off[field] == 0 || request->text.has_failed) return NULL;
  if (request->field_is_repeated[field] && !fields[field].is_list) return NULL;
  return request->text.bytes + request->field_off[field];
}

const char *http_reason(unsigned status) {
  switch (status) {
  case 200:
    return "OK";
  case 206:
    return "Partial Content";
  case 301:
    return "Moved Permanently";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 412:
    return "Precondition Failed";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 416:
    return "Range Not Satisfiable";
  case 417:
    return "Expectation Failed";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 503:
    return "Service Unavailable";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return "Unknown";
  }
}

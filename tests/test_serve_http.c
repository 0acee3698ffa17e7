/* test_serve_http.c - requests as they arrive: whatever the pieces, the same requests; limits, white space, bodies
 * (RFC 9112, RFC 9110). */
#include "apps/serve/http.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct outcome {
  enum http_progress progress;
  unsigned status;
  size_t used;
  bool wants_keep_alive;
};

/* Feeds `data` in pieces of at most piece_len bytes, each in an allocation of its own so that a sanitizer sees every
 * byte read beyond it, until the request is complete or refused. */
static struct outcome feed(struct http_request *request, const char *data, size_t len, size_t piece_len) {
  struct outcome outcome = {.progress = HTTP_MORE};
  http_request_init(request);
  while (outcome.progress == HTTP_MORE && outcome.used < len) {
    size_t n = len - outcome.used < piece_len ? len - outcome.used : piece_len;
    uint8_t *piece = malloc(n);
    size_t used;
    assert_non_null(piece);
    memcpy(piece, data + outcome.used, n);
    outcome.progress = http_request_feed(request, piece, n, &used);
    assert_true(used <= n);
    assert_true(outcome.progress != HTTP_MORE || used == n);
    outcome.used += used;
    free(piece);
  }
  outcome.status = request->status;
  outcome.wants_keep_alive = request->wants_keep_alive;
  return outcome;
}

static const size_t piece_lens[] = {1, 2, 3, 7, 16, 1 << 30};
enum { N_PIECE_LENS = sizeof(piece_lens) / sizeof(piece_lens[0]) };

/* ---- what is refused, and with what --------------------------------------------------------------------------- */

#define CHUNKED "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
  const char *data;
  unsigned status; /* 0: complete */
} requests[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nhOsT:a\r\n\r\n", 0},
    {"GET / HTTP/1.1\nHost: a\n\n", 0}, /* RFC 9112 2.2: a lone LF may end a line */
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", 0},
    {"HEAD /x?y HTTP/1.0\r\n\r\n", 0},
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"\x16\x03\x01\x02", 400},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
    {"GET /\r\n\r\n", 505},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: \"\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX y: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", 413},
    {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417},
    /* Where two readers find different ends of a chunked body, one finds a request in it. */
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
    {CHUNKED "3\r\nabcXX0\r\n\r\n", 400},
    {CHUNKED "3\r\nabcdef\r\n0\r\n\r\n", 400},
    {CHUNKED "3\r\nabc\n0\r\n\r\n", 400},
    {CHUNKED "3\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "3;\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "3 \r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED " 3\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "+3\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED ";a=b\r\n", 400},
    {CHUNKED "00000000000000000\r\n\r\n", 400},
    {CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n", 400},
    {CHUNKED "fffffffffffffff0\r\n", 413},
    {CHUNKED "100001\r\n", 413},
    {CHUNKED "0\r\nX: y\n\r\n", 400},
    {CHUNKED "0\r\nX: y\r\n z\r\n\r\n", 400},
    {CHUNKED "0\r\nX: \x01\r\n\r\n", 400},
    {CHUNKED "0\r\n\rX", 400},
    {CHUNKED "3\r\nabc\r\n0\r\n\r\n", 0},
    {CHUNKED "003\t;a=\"b\";c\r\nabc\r\nA\r\n0123456789\r\n0;x\r\nX: y\r\nZ: \x80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", 0},
    {"GET / HTTP/1.0\r\nExpect: miracles\r\n\r\n", 0},
};

static void requests_get_the_right_status(void **state) {
  (void)state;
  static char filler[HTTP_BODY_MAX + 1];
  memset(filler, 'x', sizeof(filler));
  for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
    for (size_t p = 0; p < N_PIECE_LENS; p++) {
      struct http_request request;
      const char *data = requests[i].data;
      struct outcome outcome = feed(&request, data, strlen(data), piece_lens[p]);
      if (outcome.progress == HTTP_MORE && requests[i].status == 413) { /* the announced chunk itself */
        size_t used;
        outcome.progress = http_request_feed(&request, (const uint8_t *)filler, sizeof(filler), &used);
        outcome.status = request.status;
      }
      enum http_progress expected = requests[i].status == 0 ? HTTP_COMPLETE : HTTP_REFUSED;
      if (outcome.progress != expected || outcome.status != requests[i].status) {
        fail_msg("%s in pieces of %zu: progress %d, status %u", data, piece_lens[p], (int)outcome.progress,
                 outcome.status);
      }
      http_request_free(&request);
    }
  }
}

static void limits_are_kept(void **state) {
  (void)state;
  static char data[1 << 18];
  for (size_t p = 0; p < N_PIECE_LENS; p++) {
    struct http_request request;
    for (size_t over = 0; over < 2; over++) { /* the longest target, and one byte more */
      size_t len = (size_t)sprintf(data, "GET /");
      memset(data + len, 'a', HTTP_TARGET_MAX - 1 + over);
      len += HTTP_TARGET_MAX - 1 + over;
      len += (size_t)sprintf(data + len, " HTTP/1.1\r\nHost: a\r\n\r\n");
      struct outcome outcome = feed(&request, data, len, piece_lens[p]);
      assert_int_equal(outcome.progress, over ? HTTP_REFUSED : HTTP_COMPLETE);
      assert_int_equal(outcome.status, over ? 414 : 0);
      http_request_free(&request);
    }
    size_t len = (size_t)sprintf(data, "GET / HTTP/1.1\r\nHost: a\r\n");
    while (len < sizeof(data) - 64) len += (size_t)sprintf(data + len, "X-Field: value\r\n");
    struct outcome outcome = feed(&request, data, len, piece_lens[p]);
    assert_int_equal(outcome.progress, HTTP_REFUSED);
    assert_int_equal(outcome.status, 431);
    assert_true(request.text.cap <= 2 * (HTTP_TARGET_MAX + HTTP_HEADER_MAX));
    http_request_free(&request);

    len = (size_t)sprintf(data, "GET / HTTP/1.1\r\nHost: a\r\n");
    while (len < HTTP_HEADER_MAX - 64)
      len += (size_t)sprintf(data + len, "If-Match: \"1\"\r\n"); /* each copies the last */
    len += (size_t)sprintf(data + len, "\r\n");
    outcome = feed(&request, data, len, piece_lens[p]);
    assert_int_equal(outcome.status, 431);
    assert_true(request.text.cap <= 8 * HTTP_HEADER_MAX);
    http_request_free(&request);

    len = (size_t)sprintf(data, "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: ");
    memset(data + len, '"', sizeof(data) - len);
    outcome = feed(&request, data, sizeof(data), piece_lens[p]);
    assert_int_equal(outcome.status, 431);
    assert_true(request.text.cap <= 8 * HTTP_HEADER_MAX);
    http_request_free(&request);
  }
}

/* ---- what is taken ----------------------------------------------------------------------------------------------- */

static void fields_are_taken_whole(void **state) {
  (void)state;
  static const char data[] = "GET /a%20b?c=d HTTP/1.1\r\n"
                             "Host: example.org \t\r\n"
                             "X-Other: Range: bytes=0-1\r\n"
                             "range:\t bytes=2-3\r\n"
                             "If-None-Match: \"a\"\r\n"
                             "If-Match: \"x\"\r\n"
                             "IF-NONE-MATCH: \"b\"\r\n"
                             "If-Range: \"r\"\r\n"
                             "If-Range: \"s\"\r\n"
                             "If-None-Match: \"c\"\r\n"
                             "Ranges: no\r\n"
                             "If-Modified-Sinc: no\r\n"
                             "\r\n";
  for (size_t piece_len = 1; piece_len < sizeof(data); piece_len++) {
    struct http_request request;
    const char *path, *query;
    size_t path_len, query_len;
    struct outcome outcome = feed(&request, data, sizeof(data) - 1, piece_len);
    assert_int_equal(outcome.progress, HTTP_COMPLETE);
    assert_true(outcome.wants_keep_alive);
    assert_string_equal(http_request_field(&request, HTTP_HOST), "example.org");
    assert_string_equal(http_request_field(&request, HTTP_RANGE), "bytes=2-3");
    assert_string_equal(http_request_field(&request, HTTP_IF_NONE_MATCH), "\"a\", \"b\", \"c\"");
    assert_string_equal(http_request_field(&request, HTTP_IF_MATCH), "\"x\"");
    assert_null(http_request_field(&request, HTTP_IF_RANGE)); /* twice: neither */
    assert_null(http_request_field(&request, HTTP_IF_MODIFIED_SINCE));
    assert_null(http_request_field(&request, HTTP_EXPECT));
    assert_true(http_request_path(&request, &path, &path_len, &query, &query_len));
    assert_int_equal(path_len, 6);
    assert_memory_equal(path, "/a%20b", 6);
    assert_int_equal(query_len, 3);
    assert_memory_equal(query, "c=d", 3);
    http_request_free(&request);
  }
}

static void targets_name_paths(void **state) {
  (void)state;
  static const struct {
    const char *method, *target, *path; /* NULL: none */
  } rows[] = {
      {"GET", "/", "/"},
      {"GET", "https://localhost/x", "/x"},
      {"GET", "http://localhost", "/"},
      {"GET", "/a#b", NULL},
      {"OPTIONS", "*", NULL},
      {"CONNECT", "a:443", NULL},
      {"GET", "//a/b", "//a/b"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char data[256];
    const char *path, *query;
    size_t path_len, query_len;
    struct http_request request;
    int len = snprintf(data, sizeof(data), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].method, rows[i].target);
    assert_int_equal(feed(&request, data, (size_t)len, 5).progress, HTTP_COMPLETE);
    bool has_path = http_request_path(&request, &path, &path_len, &query, &query_len);
    assert_int_equal(has_path, rows[i].path != NULL);
    if (has_path) {
      assert_int_equal(path_len, strlen(rows[i].path));
      assert_memory_equal(path, rows[i].path, path_len);
    }
    http_request_free(&request);
  }
}

static void the_next_request_is_left_alone(void **state) {
  (void)state;
  static const char next[] = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
  static const char *const firsts[] = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  };
  for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
    char data[512];
    int len = snprintf(data, sizeof(data), "%s%s", firsts[i], next);
    for (size_t piece_len = 1; piece_len <= (size_t)len; piece_len++) {
      struct http_request request;
      struct outcome outcome = feed(&request, data, (size_t)len, piece_len);
      assert_int_equal(outcome.progress, HTTP_COMPLETE);
      assert_int_equal(outcome.used, strlen(firsts[i]));
      assert_true(outcome.wants_keep_alive);
      assert_string_equal(http_request_field(&request, HTTP_HOST), "a"); /* not the trailer's */
      http_request_free(&request);
    }
  }
}

static void connections_last_as_asked(void **state) {
  (void)state;
  static const struct {
    const char *data;
    bool lasts;
  } rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", false}, /* answered at once */
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    for (size_t p = 0; p < N_PIECE_LENS; p++) {
      struct http_request request;
      struct outcome outcome = feed(&request, rows[i].data, strlen(rows[i].data), piece_lens[p]);
      assert_int_equal(outcome.progress, HTTP_COMPLETE);
      assert_int_equal(outcome.wants_keep_alive, rows[i].lasts);
      http_request_free(&request);
    }
  }
}

static void bodies_up_to_the_limit_are_dropped(void **state) {
  (void)state;
  struct http_request request;
  char *data = malloc(HTTP_BODY_MAX + 256);
  assert_non_null(data);
  size_t len = (size_t)sprintf(data, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %u\r\n\r\n", HTTP_BODY_MAX);
  memset(data + len, 'x', HTTP_BODY_MAX);
  len += HTTP_BODY_MAX;
  struct outcome outcome = feed(&request, data, len, 4096);
  assert_int_equal(outcome.progress, HTTP_COMPLETE);
  assert_int_equal(outcome.used, len);
  assert_int_equal(request.body_len, HTTP_BODY_MAX);
  assert_true(request.text.cap <= 1024); /* none of it was kept */
  http_request_free(&request);
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_get_the_right_status),
      cmocka_unit_test(limits_are_kept),
      cmocka_unit_test(fields_are_taken_whole),
      cmocka_unit_test(targets_name_paths),
      cmocka_unit_test(the_next_request_is_left_alone),
      cmocka_unit_test(connections_last_as_asked),
      cmocka_unit_test(bodies_up_to_the_limit_are_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

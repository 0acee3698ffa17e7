/* test_serve_fields.c - dates, entity tags, conditions and ranges (RFC 9110 5.6.7, 8.8, 13, 14), and types by name. */
#include "apps/serve/fields.h"
#include "apps/serve/mime.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1767225600 /* 2026-01-01 */

static void dates_are_read_in_three_forms(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t time_s; /* -1: not a date */
  } rows[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* RFC 9110 5.6.7's own examples */
      {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
      {"Sun Nov  6 08:49:37 1994", 784111777},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Thursday, 01-Jan-26 00:00:00 GMT", NOW},
      {"Friday, 01-Jan-77 00:00:00 GMT", 220924800}, /* 2077 would be over 50 years ahead */
      {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
      {"yesterday", -1},
      {"", -1},
      {"Sun, 06 Nov 1994 08:49:37 CET", -1},
      {"Sun, 06 Nov 1994 08:49:37 GMT and more", -1},
      {"Sun, 06 Nox 1994 08:49:37 GMT", -1},
      {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
      {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
      {"Sun, 06 Nov 1994 08:49 GMT", -1},
      {"1994-11-06T08:49:37Z", -1},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int64_t time_s = -1;
    bool is_date = fields_date_read(rows[i].text, NOW, &time_s);
    if (is_date != (rows[i].time_s >= 0) || (is_date && time_s != rows[i].time_s)) {
      fail_msg("'%s' was read as %lld", rows[i].text, (long long)time_s);
    }
  }
}

static void dates_survive_writing_and_reading(void **state) {
  (void)state;
  char text[FIELDS_DATE_CAP];
  fields_date_write(text, 784111777);
  assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
  for (int64_t t = 0; t < 8000000000; t += 7654321) {
    int64_t read_s;
    fields_date_write(text, t);
    assert_true(fields_date_read(text, NOW, &read_s));
    assert_true(read_s == t);
  }
  fields_date_write(text, INT64_MAX); /* no such date: any that is one */
  assert_int_equal(strlen(text), FIELDS_DATE_CAP - 1);
  fields_date_write(text, INT64_MIN);
  assert_int_equal(strlen(text), FIELDS_DATE_CAP - 1);
}

static void etag_lists(void **state) {
  (void)state;
  static const struct {
    const char *list;
    bool has_weakly, has_strongly;
  } rows[] = {
      {"*", true, true},
      {" * ", false, false}, /* trailing white space was taken off before */
      {"\"a-1\"", true, true},
      {"W/\"a-1\"", true, false},
      {"\"x\", \"a-1\"", true, true},
      {"\"x\",,  \"y\",W/\"z\" , W/\"a-1\"", true, false},
      {"W/\"a-1\", \"a-1\"", true, true},
      {"\"a-1", false, false},
      {"a-1", false, false},
      {"\"a-12\"", false, false},
      {"\"a-\"", false, false},
      {"\"x, \"a-1\"", false, false}, /* a comma inside the first tag */
      {"w/\"a-1\"", false, false},
      {"", false, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    if (fields_etag_list_has(rows[i].list, "\"a-1\"", true) != rows[i].has_weakly ||
        fields_etag_list_has(rows[i].list, "\"a-1\"", false) != rows[i].has_strongly) {
      fail_msg("%s", rows[i].list);
    }
  }
}

static const struct validators file = {.etag = "\"a-1\"", .modified_s = 784111777};
#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static void conditions_in_their_order(void **state) {
  (void)state;
  static const struct {
    const char *if_match, *if_unmodified_since, *if_none_match, *if_modified_since;
    unsigned status;
  } rows[] = {
      {NULL, NULL, NULL, NULL, 200},         {"\"a-1\"", NULL, NULL, NULL, 200},
      {"*", NULL, NULL, NULL, 200},          {"W/\"a-1\"", NULL, NULL, NULL, 412},
      {"\"b\"", NULL, NULL, NULL, 412},      {"\"a-1\"", BEFORE, NULL, NULL, 200}, /* If-Match decides alone */
      {NULL, AT, NULL, NULL, 200},           {NULL, BEFORE, NULL, NULL, 412},
      {NULL, "nonsense", NULL, NULL, 200},   {NULL, NULL, "\"a-1\"", NULL, 304},
      {NULL, NULL, "W/\"a-1\"", NULL, 304},  {NULL, NULL, "\"b\"", NULL, 200},
      {NULL, NULL, "\"b\"", AFTER, 200}, /* If-None-Match decides alone */
      {NULL, NULL, NULL, AT, 304},           {NULL, NULL, NULL, AFTER, 304},
      {NULL, NULL, NULL, BEFORE, 200},       {NULL, NULL, NULL, "nonsense", 200},
      {"\"b\"", NULL, "\"a-1\"", NULL, 412}, {"\"a-1\"", NULL, "\"a-1\"", NULL, 304},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    unsigned status = fields_preconditions(rows[i].if_match, rows[i].if_unmodified_since, rows[i].if_none_match,
                                           rows[i].if_modified_since, &file, NOW);
    if (status != rows[i].status) fail_msg("row %zu: %u", i, status);
  }
}

static void if_range_needs_a_strong_validator(void **state) {
  (void)state;
  assert_true(fields_if_range(NULL, &file, NOW));
  assert_true(fields_if_range("\"a-1\"", &file, NOW));
  assert_false(fields_if_range("W/\"a-1\"", &file, NOW));
  assert_false(fields_if_range("\"b\"", &file, NOW));
  assert_true(fields_if_range(AT, &file, NOW));
  assert_false(fields_if_range(AT, &file, file.modified_s)); /* it may change again within this second */
  assert_false(fields_if_range(AFTER, &file, NOW));
  assert_false(fields_if_range("nonsense", &file, NOW));
}

static void ranges(void **state) {
  (void)state;
  static const struct {
    const char *range;
    uint64_t len;
    enum range_result result;
    uint64_t first, end;
  } rows[] = {
      {NULL, 100, RANGE_WHOLE, 0, 0},
      {"bytes=0-0", 100, RANGE_PART, 0, 1},
      {"bytes=0-99", 100, RANGE_PART, 0, 100},
      {"bytes=0-100", 100, RANGE_PART, 0, 100},
      {"bytes=99-", 100, RANGE_PART, 99, 100},
      {"bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0},
      {"bytes=-1", 100, RANGE_PART, 99, 100},
      {"bytes=-100", 100, RANGE_PART, 0, 100},
      {"bytes=-101", 100, RANGE_PART, 0, 100},
      {"bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0},
      {"BYTES = 5-9", 100, RANGE_PART, 5, 10},
      {"bytes=5-9 ", 100, RANGE_PART, 5, 10},
      {"bytes=9-5", 100, RANGE_WHOLE, 0, 0},
      {"bytes=0-1,2-3", 100, RANGE_WHOLE, 0, 0},
      {"bytes=", 100, RANGE_WHOLE, 0, 0},
      {"bytes", 100, RANGE_WHOLE, 0, 0},
      {"bytes=-", 100, RANGE_WHOLE, 0, 0},
      {"bytes=a-", 100, RANGE_WHOLE, 0, 0},
      {"bytes=1-2x", 100, RANGE_WHOLE, 0, 0},
      {"bytes=--1", 100, RANGE_WHOLE, 0, 0},
      {"bytes=1", 100, RANGE_WHOLE, 0, 0},
      {"lines=1-2", 100, RANGE_WHOLE, 0, 0},
      {"bytes=0-18446744073709551615", 100, RANGE_PART, 0, 100},
      {"bytes=0-99999999999999999999999", 100, RANGE_PART, 0, 100},
      {"bytes=99999999999999999999999-", 100, RANGE_UNSATISFIABLE, 0, 0},
      {"bytes=18446744073709551616-18446744073709551617", 100, RANGE_UNSATISFIABLE, 0, 0},
      {"bytes=-99999999999999999999999", 100, RANGE_PART, 0, 100},
      {"bytes=4294967296-4294967297", 1ull << 40, RANGE_PART, 4294967296, 4294967298},
      {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
      {"bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    uint64_t first = 0, end = 0;
    enum range_result result = fields_range(rows[i].range, rows[i].len, &first, &end);
    if (result != rows[i].result || (result == RANGE_PART && (first != rows[i].first || end != rows[i].end))) {
      fail_msg("%s of %llu: %d, %llu to %llu", rows[i].range, (unsigned long long)rows[i].len, (int)result,
               (unsigned long long)first, (unsigned long long)end);
    }
  }
}

static void types_by_name(void **state) {
  (void)state;
  assert_string_equal(mime_of_path("index.html"), "text/html; charset=utf-8");
  assert_string_equal(mime_of_path("a/b.c/INDEX.HTML"), "text/html; charset=utf-8");
  assert_string_equal(mime_of_path("a.tar.gz"), "application/gzip");
  assert_string_equal(mime_of_path("folder.html/plain"), "application/octet-stream");
  assert_string_equal(mime_of_path("none."), "application/octet-stream");
  assert_string_equal(mime_of_path(""), "application/octet-stream");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dates_are_read_in_three_forms),
      cmocka_unit_test(dates_survive_writing_and_reading),
      cmocka_unit_test(etag_lists),
      cmocka_unit_test(conditions_in_their_order),
      cmocka_unit_test(if_range_needs_a_strong_validator),
      cmocka_unit_test(ranges),
      cmocka_unit_test(types_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

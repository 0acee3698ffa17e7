/* fields.c - see fields.h. */
#include "fields.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void fields_date_write(char out[static FIELDS_DATE_CAP], int64_t time_s) {
  time_t t = (time_t)time_s;
  struct tm tm;
  if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
    t = 0; /* outside years 0000..9999 no such date can be written */
    gmtime_r(&t, &tm);
  }
  /* Not strftime: its names follow the locale. The bounds only tell the compiler what gmtime_r promises. */
  snprintf(out, FIELDS_DATE_CAP, "%s, %02u %s %04u %02u:%02u:%02u GMT", day_names[tm.tm_wday % 7],
           (unsigned)tm.tm_mday % 100, month_names[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
           (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static int month_of(const char *name) {
  for (int i = 0; i < 12; i++) {
    if (strcmp(name, month_names[i]) == 0) return i;
  }
  return -1;
}

bool fields_date_read(const char *text, int64_t now_s, int64_t *time_s) {
  struct tm tm = {0};
  char day[10], month[4];
  int len = 0;
  bool has_short_year = false;
  if (sscanf(text, "%3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", day, &tm.tm_mday, month, &tm.tm_year,
             &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &len) == 7 &&
      len > 0) {
    tm.tm_year -= 1900;
  } else if (sscanf(text, "%9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", day, &tm.tm_mday, month, &tm.tm_year,
                    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &len) == 7 &&
             len > 0) {
    has_short_year = true;
  } else if (sscanf(text, "%3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", day, month, &tm.tm_mday, &tm.tm_hour,
                    &tm.tm_min, &tm.tm_sec, &tm.tm_year, &len) == 7 &&
             len > 0) {
    tm.tm_year -= 1900;
  } else {
    return false;
  }
  tm.tm_mon = month_of(month);
  if (text[len] != '\0' || tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
      tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60) {
    return false;
  }
  if (has_short_year) {
    /* More than 50 years ahead means the most recent year with these digits (RFC 9110 5.6.7). */
    time_t now = (time_t)now_s;
    struct tm now_tm;
    if (gmtime_r(&now, &now_tm) == NULL || tm.tm_year < 0) return false;
    int year = now_tm.tm_year - now_tm.tm_year % 100 + tm.tm_year;
    if (year > now_tm.tm_year + 50) year -= 100;
    tm.tm_year = year;
  }
  *time_s = (int64_t)timegm(&tm);
  return true;
}

static const char *skip_space(const char *at) {
  return at + strspn(at, " \t");
}

bool fields_etag_list_has(const char *list, const char *etag, bool is_weak_comparison) {
  list = skip_space(list);
  if (strcmp(list, "*") == 0) return true;
  size_t etag_len = strlen(etag);
  for (;;) {
    list += strspn(list, " \t,");
    bool is_weak = strncmp(list, "W/", 2) == 0;
    if (is_weak) list += 2;
    if (*list != '"') return false; /* the end, or nothing a tag can start with */
    const char *close = strchr(list + 1, '"');
    if (close == NULL) return false;
    size_t len = (size_t)(close + 1 - list);
    if ((is_weak_comparison || !is_weak) && len == etag_len && memcmp(list, etag, len) == 0) return true;
    list = close + 1;
  }
}

unsigned fields_preconditions(const char *if_match, const char *if_unmodified_since, const char *if_none_match,
                              const char *if_modified_since, const struct validators *file, int64_t now_s) {
  int64_t date_s;
  if (if_match != NULL) {
    if (!fields_etag_list_has(if_match, file->etag, false)) return 412;
  } else if (if_unmodified_since != NULL && fields_date_read(if_unmodified_since, now_s, &date_s)) {
    if (file->modified_s > date_s) return 412;
  }
  if (if_none_match != NULL) {
    if (fields_etag_list_has(if_none_match, file->etag, true)) return 304;
  } else if (if_modified_since != NULL && fields_date_read(if_modified_since, now_s, &date_s)) {
    if (file->modified_s <= date_s) return 304;
  }
  return 200;
}

bool fields_if_range(const char *if_range, const struct validators *file, int64_t now_s) {
  if (if_range == NULL) return true;
  if_range = skip_space(if_range);
  if (*if_range == '"') return strcmp(if_range, file->etag) == 0;
  int64_t date_s;
  /* A date is a strong validator only when the file can no longer change within its second (RFC 9110 8.8.2.2). */
  return fields_date_read(if_range, now_s, &date_s) && date_s == file->modified_s && file->modified_s < now_s;
}

/* One number of a range. Those beyond any file's length are all the same: beyond. */
static const char *read_number(const char *at, uint64_t *value) {
  const char *digits = at;
  *value = 0;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (*value < UINT64_MAX / 20) {
      *value = *value * 10 + (uint64_t)(*at - '0');
    } else {
      *value = INT64_MAX;
    }
  }
  return at == digits ? NULL : at;
}

enum range_result fields_range(const char *range, uint64_t len, uint64_t *first, uint64_t *end) {
  if (range == NULL || strncasecmp(range, "bytes", 5) != 0) return RANGE_WHOLE;
  range = skip_space(range + 5);
  if (*range != '=') return RANGE_WHOLE;
  range = skip_space(range + 1);
  if (*range == '-') {
    uint64_t suffix_len;
    range = read_number(range + 1, &suffix_len);
    if (range == NULL || *skip_space(range) != '\0') return RANGE_WHOLE;
    if (suffix_len == 0 || len == 0) return RANGE_UNSATISFIABLE;
    *first = suffix_len < len ? len - suffix_len : 0;
    *end = len;
    return RANGE_PART;
  }
  range = read_number(range, first);
  if (range == NULL || *range != '-') return RANGE_WHOLE;
  range++;
  *end = len;
  if (*range >= '0' && *range <= '9') {
    uint64_t last;
    range = read_number(range, &last);
    if (last < *first) return RANGE_WHOLE;
    if (last < len) *end = last + 1;
  }
  if (*skip_space(range) != '\0') return RANGE_WHOLE; /* several ranges, or none we can read */
  return *first < len ? RANGE_PART : RANGE_UNSATISFIABLE;
}

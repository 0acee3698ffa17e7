/* test_serve_parts.c - the server's timers, pools, growing text, command line and listening sockets. */
#include "apps/serve/listen.h"
#include "apps/serve/options.h"
#include "apps/serve/pool.h"
#include "apps/serve/text.h"
#include "apps/serve/timer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- timers ------------------------------------------------------------------------------------------------------ */

struct alarm {
  struct timer timer;
  uint64_t fired_ms; /* 0: not yet */
};

struct clock {
  struct timer_wheel wheel;
  uint64_t now_ms;
  size_t n_fired;
};

static void note(void *ctx, struct timer *timer) {
  struct clock *clock = ctx;
  struct alarm *alarm = LIST_ENTRY(timer, struct alarm, timer);
  assert_int_equal(alarm->fired_ms, 0);
  alarm->fired_ms = clock->now_ms;
  clock->n_fired++;
}

static void timers_fire_once_and_in_time(void **state) {
  (void)state;
  enum { N = 500 };
  static struct alarm alarms[N];
  static struct clock clock;
  uint64_t steps[] = {1, 13, 64, 1000, 50000, 200000};
  for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
    clock = (struct clock){.now_ms = 123456};
    timer_wheel_init(&clock.wheel, clock.now_ms);
    for (uint64_t i = 0; i < N; i++) { /* up to 124 s ahead, several turns of the wheel */
      timer_init(&alarms[i].timer);
      alarms[i].fired_ms = 0;
      timer_set(&clock.wheel, &alarms[i].timer, clock.now_ms + i * i / 2);
      if (i % 5 == 0) timer_clear(&clock.wheel, &alarms[i].timer);
      if (i % 7 == 0) timer_set(&clock.wheel, &alarms[i].timer, clock.now_ms + i);
    }
    while (clock.now_ms < 123456 + 300000) {
      clock.now_ms += steps[s];
      timer_wheel_advance(&clock.wheel, clock.now_ms, note, &clock);
    }
    for (uint64_t i = 0; i < N; i++) {
      uint64_t after = i % 7 == 0 ? i : i * i / 2;
      if (i % 5 == 0 && i % 7 != 0) {
        assert_int_equal(alarms[i].fired_ms, 0);
        continue;
      }
      assert_true(alarms[i].fired_ms >= 123456 + after);
      assert_true(alarms[i].fired_ms < 123456 + after + 2 * TIMER_TICK_MS + steps[s]);
    }
    assert_int_equal(timer_wheel_wait_ms(&clock.wheel, clock.now_ms), -1);
  }
}

static void waiting_as_told_misses_nothing(void **state) {
  (void)state;
  static struct clock clock;
  static struct alarm alarms[3];
  static const uint64_t after_ms[] = {10, 5000, 100000};
  clock = (struct clock){.now_ms = 77};
  timer_wheel_init(&clock.wheel, clock.now_ms);
  for (size_t i = 0; i < 3; i++) {
    timer_init(&alarms[i].timer);
    timer_set(&clock.wheel, &alarms[i].timer, 77 + after_ms[i]);
  }
  int64_t wait_ms;
  size_t n_waits = 0;
  while ((wait_ms = timer_wheel_wait_ms(&clock.wheel, clock.now_ms)) >= 0) {
    clock.now_ms += (uint64_t)wait_ms;
    timer_wheel_advance(&clock.wheel, clock.now_ms, note, &clock);
    assert_true(++n_waits < 100);
  }
  assert_int_equal(clock.n_fired, 3);
  for (size_t i = 0; i < 3; i++) {
    assert_true(alarms[i].fired_ms >= 77 + after_ms[i] && alarms[i].fired_ms <= 77 + after_ms[i] + 2 * TIMER_TICK_MS);
  }
}

static struct alarm victim;

static void clear_victim(void *ctx, struct timer *timer) {
  struct clock *clock = ctx;
  note(ctx, timer);
  timer_clear(&clock->wheel, &victim.timer);
}

static void timers_may_clear_each_other(void **state) {
  (void)state;
  static struct clock clock;
  struct alarm first = {0};
  clock = (struct clock){.now_ms = 1};
  victim = (struct alarm){0};
  timer_wheel_init(&clock.wheel, clock.now_ms);
  timer_init(&first.timer);
  timer_init(&victim.timer);
  timer_set(&clock.wheel, &first.timer, 100);
  timer_set(&clock.wheel, &victim.timer, 100);
  clock.now_ms = 1000;
  timer_wheel_advance(&clock.wheel, clock.now_ms, clear_victim, &clock);
  assert_int_equal(clock.n_fired, 1);
  assert_int_equal(victim.fired_ms, 0);
  assert_int_equal(clock.wheel.n_timers, 0);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void pools_end(void **state) {
  (void)state;
  enum { N = 5, LEN = 4096 };
  struct pool pool;
  uint8_t *bufs[N];
  assert_true(pool_init(&pool, LEN, N));
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) {
      bufs[i] = pool_get(&pool);
      assert_non_null(bufs[i]);
      memset(bufs[i], (int)i, LEN);
    }
    assert_null(pool_get(&pool));
    for (size_t i = 0; i < N; i++) {
      assert_int_equal(bufs[i][0], i); /* none overlaps another */
      assert_int_equal(bufs[i][LEN - 1], i);
    }
    for (size_t i = 0; i < N; i++) pool_put(&pool, bufs[i]);
  }
  pool_put(&pool, pool_get(&pool));
  assert_ptr_equal(pool_get(&pool), bufs[N - 1]); /* the one used last is used next */
  pool_free(&pool);
}

static void arenas_end(void **state) {
  (void)state;
  struct arena arena;
  assert_true(arena_init(&arena, 8192));
  uint8_t *a = arena_take(&arena, 100), *b = arena_take(&arena, 4000);
  assert_true(a != NULL && b >= a + 100 && (uintptr_t)b % 64 == 0);
  assert_null(arena_take(&arena, 8192));
  assert_null(arena_take(&arena, SIZE_MAX));
  arena_trim(&arena, b, 1);
  assert_ptr_equal(arena_take(&arena, 1), b + 64);
  arena_reset(&arena);
  assert_ptr_equal(arena_take(&arena, 8192), a);
  assert_null(arena_take(&arena, 1));
  arena_free(&arena);
}

static void text_is_escaped(void **state) {
  (void)state;
  struct text text = {0};
  text_html(&text, "<a href=\"x\">&'");
  assert_string_equal(text.bytes, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  text_free(&text);
  text_json(&text, "a\"\\\n\x7f\xff</script>");
  assert_string_equal(text.bytes, "\"a\\\"\\\\\\u000a\\u007f\\u00ff\\u003c/script>\"");
  text_free(&text);
  text_uri_path(&text, "a b/\\?#%\r\n~\xc3", 12);
  assert_string_equal(text.bytes, "a%20b/%5C%3F%23%25%0D%0A~%C3");
  text_free(&text);
  for (unsigned i = 0; i < 3000; i++) text_printf(&text, "%u,", i);
  for (uint64_t i = 0; i < 64; i++) text_u64(&text, UINT64_MAX >> i);
  assert_int_equal(text.len, strlen(text.bytes));
  assert_memory_equal(text.bytes + text.len - 5, "15731", 5); /* ... 15, 7, 3, 1 */
  assert_non_null(strstr(text.bytes, ",2999,18446744073709551615922337"));
  text_free(&text);
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static void flags_are_read(void **state) {
  (void)state;
  char *argv[] = {"sealane-serve",
                  "--listen",
                  "[::1]:0",
                  "--listen=127.0.0.1:1",
                  "--cert",
                  "c",
                  "--key",
                  "k",
                  "--threads",
                  "3",
                  "--idle-timeout=7",
                  "--grace",
                  "0",
                  "--verbose",
                  "--suites",
                  "x:y",
                  "--root",
                  "/r",
                  "--keylog",
                  "l"};
  struct options options;
  char why[256] = "";
  assert_int_equal(options_read(&options, sizeof(argv) / sizeof(argv[0]), argv, why, sizeof(why)), OPTIONS_RUN);
  assert_int_equal(options.n_listen, 2);
  assert_string_equal(options.listen[0], "[::1]:0");
  assert_string_equal(options.listen[1], "127.0.0.1:1");
  assert_int_equal(options.n_cert, 1);
  assert_string_equal(options.key[0], "k");
  assert_int_equal(options.n_threads, 3);
  assert_int_equal(options.idle_timeout_ms, 7000);
  assert_int_equal(options.grace_ms, 0);
  assert_int_equal(options.handshake_timeout_ms, 10000);
  assert_true(options.is_verbose);
  assert_string_equal(options.suites, "x:y");
  assert_string_equal(options.root, "/r");
  assert_string_equal(options.keylog, "l");
}

static void wrong_flags_are_named(void **state) {
  (void)state;
  static const struct {
    char *flag, *value;
    const char *named;
  } rows[] = {
      {"--nonsense", NULL, "--nonsense"},
      {"stray", NULL, "stray"},
      {"--", NULL, "--"},
      {"--listen", NULL, "--listen"},
      {"--listen", "", "--listen"},
      {"--threads", "0", "'0'"},
      {"--threads", "1025", "1025"},
      {"--threads", "-1", "-1"},
      {"--threads", " 1", "--threads"},
      {"--threads", "1x", "1x"},
      {"--threads", "", "--threads"},
      {"--threads=", NULL, "--threads"},
      {"--grace", "99999999999999999999", "--grace"},
      {"--cert", "c", "'c' has no --key"},
      {"--key", "k", "'k' has no --cert"},
      {"--thread", "1", "--thread:"},
      {"--verbose=1", NULL, "--verbose=1"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char *argv[] = {"sealane-serve", rows[i].flag, rows[i].value};
    struct options options;
    char why[256] = "";
    enum options_result result = options_read(&options, rows[i].value != NULL ? 3 : 2, argv, why, sizeof(why));
    if (result != OPTIONS_WRONG || strstr(why, rows[i].named) == NULL || strchr(why, '\n') != NULL) {
      fail_msg("%s: %d: %s", rows[i].flag, (int)result, why);
    }
  }
  char *twice[] = {"sealane-serve", "--root", "a", "--root", "b"};
  char *many[1 + 2 * (OPTIONS_LIST_MAX + 1)] = {"sealane-serve"};
  struct options options;
  char why[256];
  assert_int_equal(options_read(&options, 5, twice, why, sizeof(why)), OPTIONS_WRONG);
  assert_non_null(strstr(why, "--root"));
  for (size_t i = 1; i < sizeof(many) / sizeof(many[0]); i++) many[i] = i % 2 == 1 ? "--listen" : "127.0.0.1:0";
  assert_int_equal(options_read(&options, sizeof(many) / sizeof(many[0]), many, why, sizeof(why)), OPTIONS_WRONG);
  assert_non_null(strstr(why, "--listen"));
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

static void ports_are_shared_among_ourselves_only(void **state) {
  (void)state;
  int fds[3], others[3];
  struct address bound, other;
  char text[ADDRESS_TEXT_CAP], why[256] = "";
  assert_int_equal(listen_open("127.0.0.1:0", fds, 3, &bound, why, sizeof(why)), 0);
  address_write(&bound, text);
  assert_memory_equal(text, "127.0.0.1:", 10);
  assert_string_not_equal(text, "127.0.0.1:0");
  assert_int_equal(listen_open(text, others, 3, &other, why, sizeof(why)), -1);
  assert_non_null(strstr(why, text));
  for (size_t i = 0; i < 3; i++) close(fds[i]);
  assert_int_equal(listen_open(text, fds, 3, &bound, why, sizeof(why)), 0);
  for (size_t i = 0; i < 3; i++) close(fds[i]);
}

static void bad_addresses_are_named(void **state) {
  (void)state;
  static const char *const rows[] = {"",
                                     "8443",
                                     ":8443",
                                     "127.0.0.1",
                                     "127.0.0.1:",
                                     "a:1",
                                     "127.0.0.1:65536",
                                     "127.0.0.1:-1",
                                     "127.0.0.1:1x",
                                     "[::1]",
                                     "::1:1",
                                     "[::1:1",
                                     "[127.0.0.1]:1",
                                     "[]:1",
                                     "999.0.0.1:0"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int fd;
    struct address bound;
    char why[256] = "";
    if (listen_open(rows[i], &fd, 1, &bound, why, sizeof(why)) != -1 || strstr(why, rows[i]) == NULL) {
      fail_msg("%s: %s", rows[i], why);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_once_and_in_time),
      cmocka_unit_test(waiting_as_told_misses_nothing),
      cmocka_unit_test(timers_may_clear_each_other),
      cmocka_unit_test(pools_end),
      cmocka_unit_test(arenas_end),
      cmocka_unit_test(text_is_escaped),
      cmocka_unit_test(flags_are_read),
      cmocka_unit_test(wrong_flags_are_named),
      cmocka_unit_test(ports_are_shared_among_ourselves_only),
      cmocka_unit_test(bad_addresses_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

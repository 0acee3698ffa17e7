/* test_no_memory.c - every allocation the library makes fails once: a connection then fails with SL_E_MEMORY, or a call says so
 * and changed nothing; nothing leaks (the sanitizers' business) and nothing crashes. Linked with --wrap. */
#include "session.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);

static bool inside;            /* the library, where allocations count */
static unsigned n_allocations; /* so far */
static unsigned fail_at;       /* the one that fails, from 1; 0: none */

static bool fails(void) {
  return inside && ++n_allocations == fail_at;
}

void *__wrap_malloc(size_t len) {
  return fails() ? NULL : __real_malloc(len);
}
void *__wrap_calloc(size_t n, size_t len) {
  return fails() ? NULL : __real_calloc(n, len);
}
void *__wrap_aligned_alloc(size_t align, size_t len) {
  return fails() ? NULL : __real_aligned_alloc(align, len);
}

static void hook(bool enters) {
  inside = enters;
}

/* A handshake with a retry, cut feeds, data and key updates both ways, a close. Stops where the connection does. */
static sl_err story(struct sl_config *config, bool *is_whole) {
  struct session s = {.feed_len = 700};
  const struct sl_failure *failure;
  uint8_t text[3000] = {0};
  sl_err err = SL_OK;
  *is_whole = false;
  session_open(&s, config, STAGE_NEW, 700);
  hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
  client_say_hello(&s.client);
  session_carry(&s);
  if (!s.client.was_retried) goto out;
  client_add_share(&s.client);
  client_say_hello(&s.client);
  session_carry(&s);
  if (!s.client.got_flight) goto out;
  client_say_finished(&s.client);
  for (int i = 0; i < 5; i++) {
    client_sealed(&s.client, SL_CONTENT_APPLICATION_DATA, text, sizeof text, 0);
    for (unsigned k = 0; k < 5; k++) client_sealed(&s.client, SL_CONTENT_HANDSHAKE, &"\x18\0\0\1\1"[k], 1, 0);
    client_rotate(&s.client);
  }
  session_carry(&s);
  if (sl_conn_state(s.pump.conn) != SL_CONN_OPEN) goto out;
  assert_int_equal(pump_send(&s.pump, text, sizeof text), SL_OK);
  assert_int_equal(sl_conn_key_update(s.pump.conn, &s.pump.batch, true), SL_OK);
  pump_run(&s.pump);
  if (sl_conn_state(s.pump.conn) != SL_CONN_OPEN) goto out;
  assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
  pump_run(&s.pump);
  session_carry(&s);
  *is_whole = s.client.got_close && s.pump.received.len == 5 * sizeof text;
out:
  failure = sl_conn_failure(s.pump.conn);
  err = failure->reason ? failure->reason : s.pump.feed_err;
  if (failure->reason) {
    assert_int_equal(failure->alert, SL_ALERT_INTERNAL_ERROR);
    /* The alert is in the output unless it was the one allocation that failed. */
    assert_true(s.client.alert == -1 || s.client.alert == SL_ALERT_INTERNAL_ERROR);
  }
  session_close(&s);
  return err;
}

static void test_every_allocation(void **state) {
  (void)state;
  struct sl_config *config = session_config();
  bool is_whole;
  pump_hook = hook;
  n_allocations = fail_at = 0;
  assert_int_equal(story(config, &is_whole), SL_OK);
  assert_true(is_whole);
  unsigned n = n_allocations;
  assert_true(n > 15);
  for (unsigned i = 1; i <= n; i++) {
    n_allocations = 0;
    fail_at = i;
    if (story(config, &is_whole) != SL_E_MEMORY) fail_msg("allocation %u of %u failed and nobody said so", i, n);
    assert_false(is_whole);
  }
  print_message("%u allocations, each failed once\n", n);
  pump_hook = NULL;
  sl_config_free(config);
}

/* A feed that finds no memory for what it must keep changes nothing: the same bytes can be fed again. */
static void test_feed_again(void **state) {
  (void)state;
  struct sl_config *config = session_config();
  struct session s;
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  client_say_hello(&s.client);
  struct sl_buffer *wire = &s.client.wire;
  uint8_t plain[2000];
  for (size_t at = 0; at < wire->len; at += 100) {
    size_t n = wire->len - at < 100 ? wire->len - at : 100;
    for (fail_at = 1;; fail_at = 0) {
      n_allocations = 0;
      inside = true;
      sl_err err = sl_conn_feed(s.pump.conn, &s.pump.batch, wire->data + at, n, plain, sizeof plain);
      inside = false;
      if (err == SL_OK) break;
      assert_int_equal(err, SL_E_MEMORY);
      assert_int_equal(fail_at, 1);
    }
    pump_run(&s.pump);
  }
  sl_buffer_free(wire);
  session_carry(&s);
  assert_true(s.client.got_flight);
  session_close(&s);
  sl_config_free(config);
}

static void test_new(void **state) {
  (void)state;
  struct sl_config *config = session_config();
  struct sl_conn *conn;
  n_allocations = 0;
  fail_at = 1;
  inside = true;
  assert_int_equal(sl_conn_new(&conn, config), SL_E_MEMORY);
  inside = false;
  assert_null(conn);
  sl_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_allocation),
      cmocka_unit_test(test_feed_again),
      cmocka_unit_test(test_new),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

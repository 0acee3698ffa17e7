/* session.c - see session.h. */
#include "session.h"
#include "unit.h"
#include <string.h>

static uint8_t random_next;

static sl_err give_random(void *ctx, uint8_t *out, size_t len) {
  (void)ctx;
  for (size_t i = 0; i < len; i++) out[i] = random_next++;
  return SL_OK;
}

struct sl_config *session_config(void) {
  struct sl_config *config = pump_config("ED25519");
  sl_config_set_random(config, give_random, NULL);
  return config;
}

void session_open(struct session *s, struct sl_config *config, enum session_stage stage, size_t feed_len) {
  *s = (struct session){.feed_len = SIZE_MAX};
  random_next = 0;
  pump_open(&s->pump, config, 16);
  client_open(&s->client, stage != STAGE_RETRY);
  if (stage >= STAGE_RETRY) {
    client_say_hello(&s->client);
    session_carry(s);
    assert_int_equal(s->client.was_retried, stage == STAGE_RETRY);
    assert_int_equal(s->client.got_flight, stage != STAGE_RETRY);
  }
  if (stage == STAGE_OPEN) {
    client_say_finished(&s->client);
    session_carry(s);
    assert_int_equal(sl_conn_state(s->pump.conn), SL_CONN_OPEN);
  }
  s->feed_len = feed_len;
}

void session_close(struct session *s) {
  pump_close(&s->pump);
  client_close(&s->client);
  sl_buffer_free(&s->transmitted);
}

void session_carry(struct session *s) {
  struct sl_buffer *wire = &s->client.wire, *back = &s->pump.to_peer;
  for (size_t at = 0; at < wire->len;) {
    size_t n = wire->len - at < s->feed_len ? wire->len - at : s->feed_len;
    if (pump_feed(&s->pump, wire->data + at, n) == SL_E_MEMORY) break; /* a stream with a hole is of no use */
    at += n;
  }
  sl_buffer_free(wire);
  assert_int_equal(sl_buffer_append(&s->transmitted, back->data, back->len), SL_OK);
  client_take(&s->client, back->data, back->len);
  sl_buffer_free(back);
}

void session_refused(struct session *s, sl_err reason, unsigned alert, const char *what) {
  const struct sl_failure *failure = sl_conn_failure(s->pump.conn);
  if (sl_conn_state(s->pump.conn) != SL_CONN_FAILED) fail_msg("%s: not refused", what);
  if (failure->reason != reason || failure->alert != alert)
    fail_msg("%s: %s, alert %s: \"%s\"; expected %s, alert %s", what, sl_err_name(failure->reason),
             sl_alert_name(failure->alert), failure->text, sl_err_name(reason), sl_alert_name(alert));
  int expected = alert == SL_ALERT_NONE || failure->alert_received ? -1 : (int)alert;
  if (s->client.alert != expected) fail_msg("%s: the client got alert %d, not %d", what, s->client.alert, expected);
  if (s->client.alert >= 0) assert_int_equal(s->client.alert_level, s->client.read_level);
  assert_true(strlen(failure->text) > 10);
  assert_int_equal(pump_feed(&s->pump, (const uint8_t *)"\x15\x03\x03\x00\x02\x02\x28", 7), SL_E_CLOSED);
  assert_int_equal(pump_send(&s->pump, (const uint8_t *)"late", 4), SL_E_CLOSED);
  assert_int_equal(sl_conn_key_update(s->pump.conn, &s->pump.batch, true), SL_E_CLOSED);
  assert_int_equal(sl_conn_close(s->pump.conn, &s->pump.batch), SL_OK);
  pump_run(&s->pump);
  assert_int_equal(s->pump.to_peer.len, 0);
  assert_int_equal(s->pump.batch.n_records, 0);
  size_t n_lendable = 0; /* every record went back */
  for (const struct sl_record *r = s->pump.batch.lendable; r != NULL; r = r->next) n_lendable++;
  assert_int_equal(n_lendable, s->pump.batch.cap);
}

void session_works(struct session *s, const char *what) {
  static const char question[] = "Is it me you are looking for?", answer[] = "Not in so many words.";
  if (sl_conn_state(s->pump.conn) != SL_CONN_OPEN)
    fail_msg("%s: not open: %s", what, sl_conn_failure(s->pump.conn)->text);
  sl_buffer_free(&s->pump.received);
  sl_buffer_free(&s->client.data);
  client_sealed(&s->client, SL_CONTENT_APPLICATION_DATA, question, sizeof question, 0);
  session_carry(s);
  if (s->pump.received.len != sizeof question) fail_msg("%s: %s", what, sl_conn_failure(s->pump.conn)->text);
  assert_memory_equal(s->pump.received.data, question, sizeof question);
  assert_int_equal(pump_send(&s->pump, (const uint8_t *)answer, sizeof answer), SL_OK);
  session_carry(s);
  assert_int_equal(s->client.data.len, sizeof answer);
  assert_memory_equal(s->client.data.data, answer, sizeof answer);
}

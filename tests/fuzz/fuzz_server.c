/* fuzz_server.c - a server connection fed with anything, at every stage of its life.
 *
 * An input is a stage, a feed size and a list of things to do: raw bytes, records with and without protection, ClientHellos
 * with any extension, right KeyUpdates and Finished, sends, closes. Everything is done to two connections, one fed in one
 * piece and one in small ones: they must come to the same end. */
#include "fuzz.h"
#include "session.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an input has left. */
struct input {
  const uint8_t *at, *end;
};

static uint8_t take_byte(struct input *in) {
  return in->at < in->end ? *in->at++ : 0;
}

static const uint8_t *take_bytes(struct input *in, size_t *len) {
  size_t rest = (size_t)(in->end - in->at);
  if (*len > rest) *len = rest;
  in->at += *len;
  return in->at - *len;
}

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fuzz_server: %s\n", what);
  abort();
}

/* Feeds what the client said and throws away the answer. */
static void feed(struct session *s) {
  struct sl_conn *conn = s->pump.conn;
  struct sl_buffer *wire = &s->client.wire;
  for (size_t at = 0; at < wire->len;) {
    size_t n = wire->len - at < s->feed_len ? wire->len - at : s->feed_len;
    bool is_over = sl_conn_state(conn) == SL_CONN_FAILED;
    sl_err err = pump_feed(&s->pump, wire->data + at, n);
    check(err == SL_OK || err == SL_E_CLOSED, "a feed returned something else");
    check(!is_over || (err == SL_E_CLOSED && s->pump.to_peer.len == 0), "life after death");
    sl_buffer_free(&s->pump.to_peer);
    at += n;
  }
  sl_buffer_free(wire);
  const struct sl_failure *failure = sl_conn_failure(conn);
  check((sl_conn_state(conn) == SL_CONN_FAILED) == (failure->reason != SL_OK), "a failure without a reason");
  check(failure->reason == SL_OK || failure->text[0] != 0, "a failure without a sentence");
  check(failure->reason != SL_E_MEMORY && failure->reason != SL_E_STATE && failure->reason != SL_E_ARG &&
            failure->reason != SL_E_SPACE && failure->reason != SL_E_OVERLAP && failure->reason != SL_E_KEY,
        "a failure that is our own fault");
}

static void say_hello(struct session *s) {
  if (s->client.hello.n_extensions < HELLO_EXTENSIONS_MAX) client_add_share(&s->client);
  client_say_hello(&s->client);
}

static void say_finished(struct session *s) {
  if (s->client.suite == NULL || s->client.write_level != CLIENT_HANDSHAKE || !s->client.got_flight) return;
  client_say_finished(&s->client);
}

/* Does the next thing of the input to one of the connections. */
static void act(struct session *s, struct input *in) {
  struct client *c = &s->client;
  bool has_key = c->write.aead.ops != NULL;
  enum { RAW, PLAIN, SEALED, UPDATE, SEND, ASK, CLOSE, HELLO, FINISHED, EXTENSION, FEED, N_ACTS };
  uint8_t what = take_byte(in) % N_ACTS, type = take_byte(in);
  size_t len = take_byte(in);
  if (len >= 250) len = (len - 249) * 3000; /* now and then a long one */
  const uint8_t *bytes = take_bytes(in, &len);
  if (what == PLAIN && len > UINT16_MAX) len = UINT16_MAX;
  if (what == SEALED && len > SL_RECORD_TEXT_MAX - 20) len = SL_RECORD_TEXT_MAX - 20;
  switch (what) {
  case RAW:
    assert_int_equal(sl_buffer_append(&c->wire, bytes, len), SL_OK);
    break;
  case PLAIN:
    client_plain(c, type % 8 ? 20 + type % 5 : type, bytes, len);
    break;
  case SEALED:
    if (has_key) client_sealed(c, type % 8 ? 20 + type % 5 : type | 1, bytes, len, type % 20);
    break;
  case UPDATE:
    if (has_key && c->suite) client_say_key_update(c, type % 2);
    break;
  case HELLO:
    say_hello(s);
    break;
  case FINISHED:
    say_finished(s);
    break;
  case EXTENSION:
    if (c->hello.n_extensions < HELLO_EXTENSIONS_MAX) hello_set(&c->hello, type, bytes, len);
    break;
  case FEED:
    feed(s);
    break;
  case SEND:
    feed(s);
    (void)pump_send(&s->pump, bytes, len);
    break;
  case ASK:
    feed(s);
    (void)!sl_conn_key_update(s->pump.conn, &s->pump.batch, type % 2);
    pump_run(&s->pump);
    break;
  case CLOSE:
    feed(s);
    (void)!sl_conn_close(s->pump.conn, &s->pump.batch);
    pump_run(&s->pump);
    break;
  }
  sl_buffer_free(&s->pump.to_peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sl_config *config;
  if (config == NULL) config = session_config();
  struct input head = {data, data + size};
  enum session_stage stage = (enum session_stage)(take_byte(&head) % 4);
  size_t feed_len = 1 + take_byte(&head);
  struct session s[2];
  for (int i = 0; i < 2; i++) {
    struct input in = head;
    session_open(&s[i], config, stage, i ? feed_len : SIZE_MAX);
    while (in.at < in.end) act(&s[i], &in);
    feed(&s[i]);
  }
  check(sl_conn_state(s[0].pump.conn) == sl_conn_state(s[1].pump.conn), "the state depends on feed sizes");
  const struct sl_failure *one = sl_conn_failure(s[0].pump.conn), *other = sl_conn_failure(s[1].pump.conn);
  check(one->reason == other->reason && one->alert == other->alert && strcmp(one->text, other->text) == 0,
        "the failure depends on feed sizes");
  struct sl_buffer *a = &s[0].pump.received, *b = &s[1].pump.received;
  check(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0), "the data depend on feed sizes");
  for (int i = 0; i < 2; i++) session_close(&s[i]);
  return 0;
}

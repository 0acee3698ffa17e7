/* fuzz_server.c - a server connection fed with anything, at every stage of its life.
 *
 * An input is a stage, a feed size, a suite, a batch size and a list of things to do: raw bytes, records with and without
 * protection, ClientHellos with any extension, right KeyUpdates and Finished, sends, closes. Everything is done to two
 * connections, one fed in one piece and one in small ones with a small batch: they must come to the same end. The client
 * has the right keys and hears what the server says, which must be TLS to the last byte whatever the client does. */
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

/* One of the two connections. */
struct side {
  struct session s;
  bool
      is_deaf; /* before there were keys the client said what its transcript does not have: it cannot follow any more */
  unsigned n_hellos;
};

/* Hands the client what the server said. */
static void hear(struct side *side) {
  struct session *s = &side->s;
  struct sl_buffer *back = &s->pump.to_peer;
  if (!side->is_deaf) client_take(&s->client, back->data, back->len);
  sl_buffer_free(back);
}

/* Is what the client says from here on no part of a transcript? */
static bool has_flight(const struct side *side) {
  return side->s.client.got_flight;
}

/* Feeds what the client said. */
static void feed(struct side *side) {
  struct session *s = &side->s;
  struct sl_conn *conn = s->pump.conn;
  struct sl_buffer *wire = &s->client.wire;
  for (size_t at = 0; at < wire->len;) {
    size_t n = wire->len - at < s->feed_len ? wire->len - at : s->feed_len;
    bool is_over = sl_conn_state(conn) == SL_CONN_FAILED;
    sl_err err = pump_feed(&s->pump, wire->data + at, n);
    check(err == SL_OK || err == SL_E_CLOSED, "a feed returned something else");
    check(!is_over || (err == SL_E_CLOSED && s->pump.to_peer.len == 0), "life after death");
    hear(side);
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

static void say_hello(struct side *side) {
  struct session *s = &side->s;
  side->is_deaf |= !has_flight(side) && side->n_hellos > s->client.was_retried;
  side->n_hellos++;
  if (s->client.hello.n_extensions < HELLO_EXTENSIONS_MAX) client_add_share(&s->client);
  client_say_hello(&s->client);
}

static void say_finished(struct session *s) {
  if (s->client.suite == NULL || s->client.write_level != CLIENT_HANDSHAKE || !s->client.got_flight) return;
  client_say_finished(&s->client);
}

/* Does the next thing of the input to one of the connections. */
static void act(struct side *side, struct input *in) {
  struct session *s = &side->s;
  struct client *c = &s->client;
  bool has_key = c->write.aead.ops != NULL;
  enum { RAW, PLAIN, SEALED, UPDATE, SEND, ASK, CLOSE, HELLO, FINISHED, EXTENSION, FEED, N_ACTS };
  uint8_t what = take_byte(in) % N_ACTS, type = take_byte(in);
  size_t len = take_byte(in);
  if (len >= 250) len = (len - 249) * 3000; /* now and then a long one */
  const uint8_t *bytes = take_bytes(in, &len);
  if (what == PLAIN && len > UINT16_MAX) len = UINT16_MAX;
  if (what == SEALED && len > SL_RECORD_TEXT_MAX - 20) len = SL_RECORD_TEXT_MAX - 20;
  if ((what == RAW || what == PLAIN) && !has_flight(side))
    side->is_deaf |= what == RAW || type % 8 == 0 || type % 5 == 2;
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
    say_hello(side);
    break;
  case FINISHED:
    say_finished(s);
    break;
  case EXTENSION:
    if (c->hello.n_extensions < HELLO_EXTENSIONS_MAX) hello_set(&c->hello, type, bytes, len);
    break;
  case FEED:
    feed(side);
    break;
  case SEND:
    feed(side);
    (void)pump_send(&s->pump, bytes, len);
    break;
  case ASK:
    feed(side);
    (void)!sl_conn_key_update(s->pump.conn, &s->pump.batch, type % 2);
    pump_run(&s->pump);
    break;
  case CLOSE:
    feed(side);
    (void)!sl_conn_close(s->pump.conn, &s->pump.batch);
    pump_run(&s->pump);
    break;
  }
  hear(side);
}

/* The same connection with a batch of so few records. */
static void shrink_batch(struct pump *pump, size_t n_records) {
  sl_batch_wipe(&pump->batch);
  assert_int_equal(sl_batch_init(&pump->batch, n_records, pump->batch_mem, sl_batch_mem_len(n_records)), SL_OK);
}

static bool is_same(const struct sl_buffer *a, const struct sl_buffer *b) {
  return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void compare(const struct side *a, const struct side *b) {
  const struct sl_conn *one = a->s.pump.conn, *other = b->s.pump.conn;
  check(sl_conn_state(one) == sl_conn_state(other), "the state depends on feed sizes");
  const struct sl_failure *why = sl_conn_failure(one), *other_why = sl_conn_failure(other);
  check(why->reason == other_why->reason && why->alert == other_why->alert && strcmp(why->text, other_why->text) == 0,
        "the failure depends on feed sizes");
  check(is_same(&a->s.pump.received, &b->s.pump.received), "the data depend on feed sizes");
  const struct client *heard = &a->s.client, *other_heard = &b->s.client;
  check(heard->alert == other_heard->alert && heard->got_close == other_heard->got_close &&
            is_same(&heard->data, &other_heard->data),
        "what the client hears depends on feed sizes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const suites[] = {"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"};
  static struct sl_config *configs[3];
  for (int i = 0; i < 3 && configs[i] == NULL; i++) {
    configs[i] = session_config();
    check(sl_config_set_suites(configs[i], suites[i]) == SL_OK, "no suite");
  }
  struct input head = {data, data + size};
  uint8_t stage = take_byte(&head), choice = take_byte(&head);
  size_t feed_len = 1 + take_byte(&head);
  struct side sides[2] = {0};
  for (int i = 0; i < 2; i++) {
    struct side *side = &sides[i];
    struct input in = head;
    session_open(&side->s, configs[choice % 3], (enum session_stage)(stage % 4), i ? feed_len : SIZE_MAX);
    side->n_hellos = stage % 4 != STAGE_NEW;
    if (i) shrink_batch(&side->s.pump, 1 + choice / 3 % 4);
    while (in.at < in.end) act(side, &in);
    feed(side);
  }
  compare(&sides[0], &sides[1]);
  for (int i = 0; i < 2; i++) session_close(&sides[i].s);
  return 0;
}

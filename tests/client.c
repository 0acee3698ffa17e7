/* client.c - see client.h. */
#include "client.h"
#include "unit.h"
#include <string.h>

/* ---- ClientHello ---------------------------------------------------------------------------------------------- */

void buffer_set(struct sl_buffer *buffer, const void *data, size_t len) {
  sl_buffer_free(buffer);
  assert_int_equal(sl_buffer_append(buffer, data, len), SL_OK);
}

void hello_add(struct hello *hello, uint16_t type, const void *body, size_t len) {
  assert_true(hello->n_extensions < HELLO_EXTENSIONS_MAX);
  size_t i = hello->n_extensions++;
  hello->extensions[i].type = type;
  hello->extensions[i].body = (struct sl_buffer){0};
  buffer_set(&hello->extensions[i].body, body, len);
}

void hello_set(struct hello *hello, uint16_t type, const void *body, size_t len) {
  for (size_t i = 0; i < hello->n_extensions; i++)
    if (hello->extensions[i].type == type) {
      buffer_set(&hello->extensions[i].body, body, len);
      return;
    }
  hello_add(hello, type, body, len);
}

void hello_remove(struct hello *hello, uint16_t type) {
  for (size_t i = 0; i < hello->n_extensions; i++) {
    if (hello->extensions[i].type != type) continue;
    sl_buffer_free(&hello->extensions[i].body);
    hello->n_extensions--;
    memmove(&hello->extensions[i], &hello->extensions[i + 1], (hello->n_extensions - i) * sizeof hello->extensions[0]);
    return;
  }
  fail_msg("the hello has no extension %u", type);
}

void hello_free(struct hello *hello) {
  sl_buffer_free(&hello->session_id);
  sl_buffer_free(&hello->suites);
  sl_buffer_free(&hello->compression);
  sl_buffer_free(&hello->trailer);
  while (hello->n_extensions > 0) sl_buffer_free(&hello->extensions[--hello->n_extensions].body);
}

#define SET(buffer, bytes) buffer_set(buffer, bytes, sizeof(bytes) - 1)
#define ADD(type, bytes)   hello_add(hello, type, bytes, sizeof(bytes) - 1)

/* Much like a browser's: GREASE where RFC 8701 puts it, unknown extensions, our group neither first nor last. */
static void hello_default(struct hello *hello) {
  *hello = (struct hello){.legacy_version = SL_TLS_1_2, .has_extensions = true};
  for (uint8_t i = 0; i < 32; i++) hello->random[i] = (uint8_t)(0xc0 ^ i);
  SET(&hello->session_id, "0123456789abcdef0123456789ABCDEF");
  SET(&hello->suites, "\x3a\x3a\x13\x01\x13\x02\x13\x03\xc0\x2b\x00\x2f");
  SET(&hello->compression, "\0");
  ADD(0x4a4a, "");
  ADD(SL_EXT_SERVER_NAME, "\x00\x0c\x00\x00\x09localhost");
  ADD(23, "");
  ADD(0xff01, "\0");
  ADD(SL_EXT_SUPPORTED_GROUPS, "\x00\x08\x6a\x6a\x00\x17\x00\x1d\x00\x18");
  ADD(SL_EXT_ALPN, "\x00\x0c\x02h2\x08http/1.1");
  ADD(SL_EXT_SIGNATURE_ALGORITHMS, "\x00\x12\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01\x08\x07");
  ADD(SL_EXT_PSK_KEY_EXCHANGE_MODES, "\x01\x01");
  ADD(SL_EXT_SUPPORTED_VERSIONS, "\x06\x8a\x8a\x03\x04\x03\x03");
  ADD(SL_EXT_KEY_SHARE, "\x00\x05\x6a\x6a\x00\x01\x00"); /* GREASE alone: no share we know */
  ADD(0xfafa, "\0");
}

void client_add_share(struct client *client) {
  const struct sl_group_params *group = client->group;
  uint8_t body[6 + SL_SHARE_MAX];
  sl_store16_be(body, (uint16_t)(4 + group->share_len));
  sl_store16_be(body + 2, group->group);
  sl_store16_be(body + 4, group->share_len);
  memcpy(body + 6, client->share, group->share_len);
  hello_set(&client->hello, SL_EXT_KEY_SHARE, body, 6u + group->share_len);
}

/* A share does not depend on the peer's, but whoever makes one gives it a point: the generator, in both groups. */
static void set_group(struct client *client, uint16_t group) {
  static const uint8_t nine[SL_SHARE_MAX] = {9};
  static const uint8_t generator[SL_SHARE_MAX] = {
      4,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
      0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
      0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
      0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
  uint8_t unused[SL_EXCHANGE_SHARED_LEN];
  client->group = sl_group_params(group);
  assert_non_null(client->group);
  for (uint8_t i = 0; i < SL_EXCHANGE_SECRET_LEN; i++) client->exchange_secret[i] = (uint8_t)(i * 7 + 1);
  const uint8_t *point = group == SL_GROUP_X25519 ? nine : generator;
  assert_int_equal(client->group->exchange(client->share, unused, client->exchange_secret, point), SL_OK);
}

void client_take_group(struct client *client, uint16_t group) {
  set_group(client, group);
  hello_set(&client->hello, SL_EXT_SUPPORTED_GROUPS, (uint8_t[]){0, 2, (uint8_t)(group >> 8), (uint8_t)group}, 4);
}

void client_open(struct client *client, bool has_share) {
  *client = (struct client){.alert = -1};
  hello_default(&client->hello);
  set_group(client, SL_GROUP_X25519);
  if (has_share) client_add_share(client);
}

void client_close(struct client *client) {
  hello_free(&client->hello);
  struct sl_buffer *buffers[] = {&client->wire,    &client->transcript, &client->from_server,
                                 &client->message, &client->said,       &client->data};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) sl_buffer_free(buffers[i]);
}

void client_write_hello(struct client *client, struct sl_buffer *message) {
  const struct hello *hello = &client->hello;
  struct sl_writer w = {.out = message};
  size_t from = message->len;
  sl_write_u8(&w, SL_MSG_CLIENT_HELLO);
  size_t body = sl_write_begin(&w, 3);
  sl_write_u16(&w, hello->legacy_version);
  sl_write_bytes(&w, hello->random, 32);
  const struct {
    const struct sl_buffer *content;
    unsigned len_bytes;
  } vectors[] = {{&hello->session_id, 1}, {&hello->suites, 2}, {&hello->compression, 1}};
  for (size_t i = 0; i < 3; i++) {
    size_t start = sl_write_begin(&w, vectors[i].len_bytes);
    sl_write_bytes(&w, vectors[i].content->data, vectors[i].content->len);
    sl_write_end(&w, vectors[i].len_bytes, start);
  }
  if (hello->has_extensions) {
    size_t extensions = sl_write_begin(&w, 2);
    for (size_t i = 0; i < hello->n_extensions; i++) {
      sl_write_u16(&w, hello->extensions[i].type);
      size_t start = sl_write_begin(&w, 2);
      sl_write_bytes(&w, hello->extensions[i].body.data, hello->extensions[i].body.len);
      sl_write_end(&w, 2, start);
    }
    sl_write_end(&w, 2, extensions);
  }
  sl_write_bytes(&w, hello->trailer.data, hello->trailer.len);
  sl_write_end(&w, 3, body);
  assert_int_equal(w.err, SL_OK);
  assert_int_equal(sl_buffer_append(&client->transcript, message->data + from, message->len - from), SL_OK);
}

void client_say_hello(struct client *client) {
  struct sl_buffer message = {0};
  client_write_hello(client, &message);
  for (size_t at = 0; at < message.len; at += SL_RECORD_TEXT_MAX)
    client_plain(client, SL_CONTENT_HANDSHAKE, message.data + at,
                 message.len - at < SL_RECORD_TEXT_MAX ? message.len - at : SL_RECORD_TEXT_MAX);
  sl_buffer_free(&message);
}

/* ---- saying --------------------------------------------------------------------------------------------------- */

void client_plain(struct client *client, uint8_t type, const void *data, size_t len) {
  uint8_t header[5] = {type, 3, client->suite ? 3 : 1, (uint8_t)(len >> 8), (uint8_t)len};
  assert_int_equal(sl_buffer_append(&client->wire, header, 5), SL_OK);
  assert_int_equal(sl_buffer_append(&client->wire, data, len), SL_OK);
}

void client_sealed(struct client *client, uint8_t type, const void *data, size_t len, size_t pad_len) {
  struct sl_record record = {0};
  struct iovec text = {(void *)(uintptr_t)data, len};
  size_t wire_len = SL_RECORD_WIRE_LEN(len, pad_len);
  struct sl_buffer *out = &client->wire;
  assert_int_equal(sl_buffer_reserve(out, wire_len), SL_OK);
  assert_int_equal(
      sl_record_seal(&record, &client->write, type, &text, 1, pad_len, out->data + out->len, out->cap - out->len),
      SL_OK);
  assert_int_equal(sl_record_run(&record), SL_OK);
  out->len += (uint32_t)wire_len;
}

static void transcript_hash(const struct client *client, uint8_t *hash) {
  assert_int_equal(sl_hash_once(client->suite->hash, client->transcript.data, client->transcript.len, hash), SL_OK);
}

size_t client_finished(struct client *client, uint8_t *message) {
  uint8_t hash[SL_HASH_LEN_MAX];
  uint8_t len = (uint8_t)sl_hash_len(client->suite->hash);
  transcript_hash(client, hash);
  memcpy(message, (uint8_t[]){SL_MSG_FINISHED, 0, 0, len}, 4);
  assert_int_equal(sl_secret_finished(client->suite->hash, &client->client_handshake, hash, message + 4), SL_OK);
  return 4 + len;
}

static void set_key(struct client *client, struct sl_record_key *key, const struct sl_secret *secret) {
  assert_int_equal(sl_secret_record_key(client->suite->hash, client->suite->aead, secret, key), SL_OK);
}

void client_say_finished(struct client *client) {
  uint8_t message[4 + SL_HASH_LEN_MAX];
  size_t len = client_finished(client, message);
  client_sealed(client, SL_CONTENT_HANDSHAKE, message, len, 0);
  client->write_level = CLIENT_TRAFFIC;
  set_key(client, &client->write, &client->write_secret);
}

void client_rotate(struct client *client) {
  assert_int_equal(sl_secret_update(client->suite->hash, &client->write_secret), SL_OK);
  set_key(client, &client->write, &client->write_secret);
}

void client_say_key_update(struct client *client, uint8_t request) {
  uint8_t message[] = {SL_MSG_KEY_UPDATE, 0, 0, 1, request};
  client_sealed(client, SL_CONTENT_HANDSHAKE, message, sizeof message, 0);
  client_rotate(client);
}

/* ---- hearing -------------------------------------------------------------------------------------------------- */

static const uint8_t retry_random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                       0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                       0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static void hear_retry(struct client *client) {
  uint8_t hash[SL_HASH_LEN_MAX], len = (uint8_t)sl_hash_len(client->suite->hash);
  assert_false(client->was_retried);
  client->was_retried = true;
  transcript_hash(client, hash);
  buffer_set(&client->transcript, (uint8_t[]){SL_MSG_MESSAGE_HASH, 0, 0, len}, 4);
  assert_int_equal(sl_buffer_append(&client->transcript, hash, len), SL_OK);
}

static void hear_server_hello(struct client *client, const uint8_t *msg, size_t len) {
  struct sl_reader r = {msg + 4, msg + len}, session_id = {0}, extensions = {0}, body = {0}, share = {0};
  uint16_t version = 0, suite = 0, type = 0, group = 0, chosen = 0;
  uint8_t compression = 0, shared[32], hash[SL_HASH_LEN_MAX];
  const uint8_t *random = NULL;
  assert_true(sl_read_u16(&r, &version) && version == SL_TLS_1_2);
  assert_true(sl_read_bytes(&r, 32, &random));
  assert_true(sl_read_vector(&r, 1, &session_id));
  assert_int_equal(sl_reader_len(&session_id), client->hello.session_id.len);
  if (client->hello.session_id.len > 0)
    assert_memory_equal(session_id.at, client->hello.session_id.data, client->hello.session_id.len);
  assert_true(sl_read_u16(&r, &suite) && sl_read_u8(&r, &compression) && compression == 0);
  assert_true(sl_read_only_vector(&r, 2, &extensions));
  client->suite = sl_suite_params(suite);
  assert_non_null(client->suite);
  bool is_retry = memcmp(random, retry_random, 32) == 0;
  while (sl_reader_len(&extensions) > 0) {
    assert_true(sl_read_u16(&extensions, &type) && sl_read_vector(&extensions, 2, &body));
    if (type == SL_EXT_SUPPORTED_VERSIONS) assert_true(sl_read_u16(&body, &chosen));
    if (type == SL_EXT_KEY_SHARE) {
      assert_true(sl_read_u16(&body, &group));
      if (!is_retry) assert_true(sl_read_vector(&body, 2, &share));
    }
    assert_int_equal(sl_reader_len(&body), 0);
  }
  assert_int_equal(chosen, SL_TLS_1_3);
  assert_int_equal(group, client->group->group);
  if (is_retry) hear_retry(client);
  assert_int_equal(sl_buffer_append(&client->transcript, msg, len), SL_OK);
  if (is_retry) return;
  uint8_t unused[SL_SHARE_MAX];
  assert_int_equal(sl_reader_len(&share), client->group->share_len);
  assert_int_equal(client->group->exchange(unused, shared, client->exchange_secret, share.at), SL_OK);
  transcript_hash(client, hash);
  assert_int_equal(sl_schedule_early(&client->schedule, client->suite->hash, NULL, 0), SL_OK);
  assert_int_equal(
      sl_schedule_handshake(&client->schedule, shared, 32, hash, &client->client_handshake, &client->server_handshake),
      SL_OK);
  set_key(client, &client->read, &client->server_handshake);
  set_key(client, &client->write, &client->client_handshake);
  client->read_level = client->write_level = CLIENT_HANDSHAKE;
}

static void hear_finished(struct client *client, const uint8_t *msg, size_t len) {
  uint8_t hash[SL_HASH_LEN_MAX], expected[SL_HASH_LEN_MAX];
  transcript_hash(client, hash);
  assert_int_equal(sl_secret_finished(client->suite->hash, &client->server_handshake, hash, expected), SL_OK);
  assert_int_equal(len, 4 + sl_hash_len(client->suite->hash));
  assert_memory_equal(msg + 4, expected, len - 4);
  assert_int_equal(sl_buffer_append(&client->transcript, msg, len), SL_OK);
  transcript_hash(client, hash);
  assert_int_equal(sl_schedule_master(&client->schedule), SL_OK);
  assert_int_equal(
      sl_schedule_traffic(&client->schedule, hash, &client->write_secret, &client->read_secret, &client->exporter),
      SL_OK);
  set_key(client, &client->read, &client->read_secret);
  client->read_level = CLIENT_TRAFFIC;
  client->got_flight = true;
}

static void hear_key_update(struct client *client, const uint8_t *msg, size_t len) {
  assert_int_equal(len, 5);
  assert_true(msg[4] <= 1);
  client->n_key_updates++;
  client->n_update_requests += msg[4];
  assert_int_equal(sl_secret_update(client->suite->hash, &client->read_secret), SL_OK);
  set_key(client, &client->read, &client->read_secret);
}

static void hear_message(struct client *client, const uint8_t *msg, size_t len) {
  static const uint8_t order[] = {SL_MSG_ENCRYPTED_EXTENSIONS, SL_MSG_CERTIFICATE, SL_MSG_CERTIFICATE_VERIFY,
                                  SL_MSG_FINISHED};
  assert_int_equal(sl_buffer_append(&client->said, msg, len), SL_OK);
  switch (client->read_level) {
  case CLIENT_PLAIN:
    assert_int_equal(msg[0], SL_MSG_SERVER_HELLO);
    hear_server_hello(client, msg, len);
    break;
  case CLIENT_HANDSHAKE:
    assert_non_null(memchr(order, msg[0], sizeof order));
    if (msg[0] == SL_MSG_FINISHED)
      hear_finished(client, msg, len);
    else
      assert_int_equal(sl_buffer_append(&client->transcript, msg, len), SL_OK);
    break;
  case CLIENT_TRAFFIC:
    assert_int_equal(msg[0], SL_MSG_KEY_UPDATE);
    hear_key_update(client, msg, len);
    break;
  }
}

static void hear_handshake(struct client *client, const uint8_t *data, size_t len) {
  assert_true(len > 0);
  assert_int_equal(sl_buffer_append(&client->message, data, len), SL_OK);
  while (client->message.len >= 4) {
    size_t msg_len = 4 + sl_load24_be(client->message.data + 1);
    if (client->message.len < msg_len) break;
    enum client_level before = client->read_level;
    hear_message(client, client->message.data, msg_len);
    sl_buffer_consume(&client->message, msg_len);
    if (before != client->read_level) assert_int_equal(client->message.len, 0);
  }
}

static void hear_content(struct client *client, uint8_t type, const uint8_t *data, size_t len) {
  assert_int_equal(client->alert, -1); /* nothing follows an alert */
  assert_false(client->got_close);
  switch (type) {
  case SL_CONTENT_HANDSHAKE:
    hear_handshake(client, data, len);
    break;
  case SL_CONTENT_APPLICATION_DATA:
    assert_int_equal(sl_buffer_append(&client->data, data, len), SL_OK);
    break;
  case SL_CONTENT_ALERT:
    assert_int_equal(len, 2);
    client->alert_level = client->read_level;
    assert_int_equal(data[0], data[1] == SL_ALERT_CLOSE_NOTIFY ? 1 : 2);
    if (data[1] == SL_ALERT_CLOSE_NOTIFY)
      client->got_close = true;
    else
      client->alert = data[1];
    break;
  default:
    fail_msg("the server sent a record of type %u", type);
  }
}

static void hear_record(struct client *client, const uint8_t *wire, size_t len) {
  assert_int_equal(sl_load16_be(wire + 1), 0x0303);
  client->n_records++;
  if (wire[0] == SL_CONTENT_CHANGE_CIPHER_SPEC) {
    assert_int_equal(len, 6);
    assert_int_equal(wire[5], 1);
    client->n_ccs++;
    return;
  }
  if (client->read_level == CLIENT_PLAIN) {
    assert_int_not_equal(wire[0], SL_CONTENT_APPLICATION_DATA);
    hear_content(client, wire[0], wire + 5, len - 5);
    return;
  }
  struct sl_record record = {0};
  static uint8_t plain[SL_RECORD_FRAGMENT_MAX];
  assert_int_equal(sl_record_open(&record, &client->read, wire, len, plain, sizeof plain), SL_OK);
  assert_int_equal(sl_record_run(&record), SL_OK);
  hear_content(client, record.type, plain, record.plain_len);
}

void client_take(struct client *client, const uint8_t *data, size_t len) {
  assert_int_equal(sl_buffer_append(&client->from_server, data, len), SL_OK);
  while (client->from_server.len >= 5) {
    size_t record_len = 5 + sl_load16_be(client->from_server.data + 3);
    if (client->from_server.len < record_len) break;
    hear_record(client, client->from_server.data, record_len);
    sl_buffer_consume(&client->from_server, record_len);
  }
}

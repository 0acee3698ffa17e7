/* server.c - the TLS 1.3 server (RFC 8446 appendix A.2) as a table of states: which message each expects, under which keys,
 * and who handles it; and states that await work of the batch instead. A handler sets the next state. */
#include "client_hello.h"
#include "conn.h"
#include <stdio.h>
#include <stdlib.h>

/* Handles msg[0..len), header included; NULL and 0 when its state awaited work. Its failure is told in `failure`, or is no
 * more than its reason. */
typedef sl_err handle_fn(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                         struct sl_failure *failure);

static handle_fn on_client_hello, on_second_hello, on_finished, on_key_update;
static handle_fn say_hello, say_finished, on_flight_sealed;

static const struct transition {
  enum sl_state state;
  enum sl_message message;
  uint32_t min_len, max_len; /* of the body, in bytes */
  handle_fn *handle;
} transitions[] = {
    {SL_EXPECT_CLIENT_HELLO, SL_MSG_CLIENT_HELLO, 0, SL_CLIENT_HELLO_MAX, on_client_hello},
    /* -> EXPECT_SECOND_HELLO | AWAIT_KEY_EXCHANGE */
    {SL_EXPECT_SECOND_HELLO, SL_MSG_CLIENT_HELLO, 0, SL_CLIENT_HELLO_MAX, on_second_hello},
    /* -> AWAIT_KEY_EXCHANGE */
    {SL_AWAIT_KEY_EXCHANGE, SL_MSG_NONE, 0, 0, say_hello},      /* -> AWAIT_SIGNATURE */
    {SL_AWAIT_SIGNATURE, SL_MSG_NONE, 0, 0, say_finished},      /* -> AWAIT_FLIGHT */
    {SL_AWAIT_FLIGHT, SL_MSG_NONE, 0, 0, on_flight_sealed},     /* -> EXPECT_FINISHED */
    {SL_EXPECT_FINISHED, SL_MSG_FINISHED, 32, 48, on_finished}, /* -> EXPECT_DATA */
    {SL_EXPECT_DATA, SL_MSG_KEY_UPDATE, 1, 1, on_key_update},   /* -> EXPECT_DATA */
};

enum sl_level sl_state_level(enum sl_state state) {
  static const enum sl_level levels[SL_STATE_END] = {
      [SL_EXPECT_CLIENT_HELLO] = SL_LEVEL_PLAIN, [SL_EXPECT_SECOND_HELLO] = SL_LEVEL_PLAIN,
      [SL_AWAIT_KEY_EXCHANGE] = SL_LEVEL_PLAIN,  [SL_AWAIT_SIGNATURE] = SL_LEVEL_HANDSHAKE,
      [SL_AWAIT_FLIGHT] = SL_LEVEL_HANDSHAKE,    [SL_EXPECT_FINISHED] = SL_LEVEL_HANDSHAKE,
      [SL_EXPECT_DATA] = SL_LEVEL_TRAFFIC,
  };
  return levels[state];
}

static const struct transition *find_transition(enum sl_state state, unsigned message) {
  for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++)
    if (transitions[i].state == state && transitions[i].message == message) return &transitions[i];
  return NULL;
}

/* ---- messages in, work back ----------------------------------------------------------------------------------- */

static bool run_handler(struct sl_conn *conn, struct sl_batch *batch, const struct transition *t, const uint8_t *msg,
                        size_t len) {
  struct sl_failure failure = {.message = t->message == SL_MSG_NONE ? 0 : (uint8_t)t->message, .extension = -1};
  sl_err err = t->handle(conn, batch, msg, len, &failure);
  if (err == SL_OK) return true;
  if (failure.reason == SL_OK) sl_refuse_plainly(&failure, err);
  return sl_conn_fail(conn, batch, &failure);
}

bool sl_server_go_on(struct sl_conn *conn, struct sl_batch *batch) {
  if (conn->handshake == NULL || conn->handshake->work_place != SL_WORK_NONE) return false;
  const struct transition *t = find_transition(conn->state, SL_MSG_NONE);
  if (t == NULL) return false;
  run_handler(conn, batch, t, NULL, 0);
  return true;
}

/* Looks at as much of a message as there is: whether it may come now and how long it is. */
static sl_err check_message(const struct sl_conn *conn, const uint8_t *msg, size_t len, const struct transition **t,
                            struct sl_failure *failure) {
  failure->message = msg[0];
  *t = find_transition(conn->state, msg[0]);
  if (*t == NULL)
    return sl_refuse(failure, SL_E_MESSAGE, "a %s (%u) must not stand here", sl_message_name(msg[0]), msg[0]);
  if (len < SL_MESSAGE_HEADER_LEN) return SL_OK;
  uint32_t body_len = sl_load24_be(msg + 1);
  if (body_len < (*t)->min_len || body_len > (*t)->max_len)
    return sl_refuse(failure, SL_E_DECODE, "a %s cannot have %u bytes", sl_message_name(msg[0]), body_len);
  /* What follows any of a client's messages is under other keys, or answers what was not said yet. */
  if (len > SL_MESSAGE_HEADER_LEN + body_len)
    return sl_refuse(failure, SL_E_MESSAGE, "%zu bytes follow the %s in its record",
                     len - SL_MESSAGE_HEADER_LEN - body_len, sl_message_name(msg[0]));
  return SL_OK;
}

bool sl_server_take(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *data, size_t len) {
  const struct transition *t = NULL;
  struct sl_failure failure = {.extension = -1};
  sl_err err = SL_OK;
  if (len == 0) {
    sl_refuse(&failure, SL_E_RECORD_TYPE, "a handshake record without content");
    return sl_conn_fail(conn, batch, &failure);
  }
  bool is_kept = conn->message.len > 0;
  if (is_kept) err = sl_buffer_append(&conn->message, data, len);
  const uint8_t *msg = is_kept ? conn->message.data : data;
  size_t msg_len = is_kept ? conn->message.len : len;
  if (!err) err = check_message(conn, msg, msg_len, &t, &failure);
  bool is_whole = msg_len >= SL_MESSAGE_HEADER_LEN && msg_len == SL_MESSAGE_HEADER_LEN + sl_load24_be(msg + 1);
  if (!err && !is_whole && !is_kept) err = sl_buffer_append(&conn->message, data, len);
  if (err) {
    if (failure.reason == SL_OK) sl_refuse_plainly(&failure, err);
    return sl_conn_fail(conn, batch, &failure);
  }
  if (!is_whole) return true;
  bool is_well = run_handler(conn, batch, t, msg, msg_len);
  sl_buffer_free(&conn->message);
  return is_well;
}

/* ---- the handshake's memory ------------------------------------------------------------------------------------ */

static sl_err handshake_new(struct sl_conn *conn) {
  _Static_assert(sizeof(struct sl_handshake) % _Alignof(struct sl_handshake) == 0, "aligned_alloc asks for this");
  struct sl_handshake *hs = aligned_alloc(_Alignof(struct sl_handshake), sizeof *hs);
  if (hs == NULL) return SL_E_MEMORY;
  memset(hs, 0, sizeof *hs);
  hs->conn = conn;
  conn->handshake = hs;
  return SL_OK;
}

static void wipe_secrets(struct sl_handshake *hs) {
  sl_record_key_wipe(&hs->read);
  sl_record_key_wipe(&hs->write);
  sl_wipe(&hs->schedule, sizeof hs->schedule);
  sl_wipe(&hs->client_secret, sizeof hs->client_secret);
  sl_wipe(&hs->server_secret, sizeof hs->server_secret);
}

void sl_handshake_free(struct sl_conn *conn) {
  struct sl_handshake *hs = conn->handshake;
  if (hs == NULL) return;
  sl_buffer_free(&hs->flight);
  if (hs->work_place == SL_WORK_AWAY) { /* the text to be signed belongs to the signer until it answers */
    wipe_secrets(hs);
    return;
  }
  sl_wipe(hs, sizeof *hs);
  free(hs);
  conn->handshake = NULL;
}

static void keylog(const struct sl_conn *conn, const char *label, const struct sl_secret *secret) {
  static const char hex[] = "0123456789abcdef";
  char line[40 + 2 * SL_HELLO_RANDOM_LEN + 1 + 2 * SL_SECRET_MAX + 1];
  const struct sl_handshake *hs = conn->handshake;
  if (conn->config->keylog == NULL) return;
  size_t at = (size_t)snprintf(line, 40, "%s ", label);
  for (size_t i = 0; i < SL_HELLO_RANDOM_LEN; i++) {
    line[at++] = hex[hs->client_random[i] >> 4];
    line[at++] = hex[hs->client_random[i] & 15];
  }
  line[at++] = ' ';
  for (size_t i = 0; i < sl_hash_len(hs->schedule.hash); i++) {
    line[at++] = hex[secret->bytes[i] >> 4];
    line[at++] = hex[secret->bytes[i] & 15];
  }
  line[at] = 0;
  conn->config->keylog(conn->config->keylog_ctx, line);
  sl_wipe(line, sizeof line);
}

/* ---- ClientHello ------------------------------------------------------------------------------------------------ */

static sl_err choose_suite(struct sl_conn *conn, const struct sl_client_hello *hello, struct sl_failure *failure) {
  const struct sl_config *config = conn->config;
  for (size_t i = 0; i < config->n_suites; i++)
    if (sl_client_hello_offers(hello->suites, config->suites[i])) {
      conn->suite = config->suites[i];
      return SL_OK;
    }
  char theirs[96];
  sl_describe_numbers(theirs, sizeof theirs, SL_KIND_SUITE, hello->suites);
  return sl_refuse(failure, SL_E_NO_SUITE, "no common cipher suite: client %s", theirs);
}

/* The first of our groups that the client has, even where it gave a share of another one: x25519 is worth the round trip that
 * asking for it takes. */
static sl_err choose_group(struct sl_conn *conn, const struct sl_client_hello *hello, struct sl_failure *failure) {
  const struct sl_group_params *ours;
  for (uint8_t i = 0; (ours = sl_group_at(i)) != NULL; i++)
    if (sl_client_hello_offers(hello->groups, ours->group)) {
      conn->group_at = i & 3;
      return SL_OK;
    }
  char theirs[80];
  failure->extension = SL_EXT_SUPPORTED_GROUPS;
  sl_describe_numbers(theirs, sizeof theirs, SL_KIND_GROUP, hello->groups);
  return sl_refuse(failure, SL_E_NO_GROUP, "no common group: client %s, server x25519, secp256r1", theirs);
}

/* Our protocols in our order (RFC 7301 3.2). */
static sl_err choose_protocol(struct sl_conn *conn, const struct sl_client_hello *hello, struct sl_failure *failure) {
  const struct sl_config *config = conn->config;
  struct sl_handshake *hs = conn->handshake;
  if (config->alpn_len == 0 || !sl_client_hello_has(hello, SL_EXT_ALPN)) return SL_OK;
  struct sl_reader ours = {config->alpn, config->alpn + config->alpn_len}, name, offered = {0};
  while (sl_read_vector(&ours, 1, &name)) {
    size_t len = sl_reader_len(&name);
    for (struct sl_reader theirs = hello->protocols; sl_read_vector(&theirs, 1, &offered);)
      if (sl_reader_len(&offered) == len && memcmp(offered.at, name.at, len) == 0) {
        hs->protocol = name.at;
        hs->protocol_len = (uint8_t)len;
        return SL_OK;
      }
  }
  struct sl_reader theirs = hello->protocols;
  (void)sl_read_vector(&theirs, 1, &offered);
  failure->extension = SL_EXT_ALPN;
  char shown[33];
  size_t len = sl_reader_len(&offered) < sizeof shown - 1 ? sl_reader_len(&offered) : sizeof shown - 1;
  for (size_t i = 0; i < len; i++) shown[i] = offered.at[i] > 0x20 && offered.at[i] < 0x7f ? (char)offered.at[i] : '?';
  shown[len] = 0;
  return sl_refuse(failure, SL_E_NO_ALPN,
                   "no common application protocol: client's first is \"%s\", server's first \"%.*s\"", shown,
                   config->alpn[0] < 32 ? config->alpn[0] : 32, (const char *)config->alpn + 1);
}

/* Keeps what applications ask for later. */
static sl_err keep_names(struct sl_conn *conn, const struct sl_client_hello *hello) {
  const struct sl_handshake *hs = conn->handshake;
  size_t name_len = sl_reader_len(&hello->server_name);
  conn->has_server_name = name_len > 0;
  if (name_len == 0 && hs->protocol_len == 0) return SL_OK;
  char *names = calloc(1, name_len + hs->protocol_len + 2);
  if (names == NULL) return SL_E_MEMORY;
  if (name_len > 0) memcpy(names, hello->server_name.at, name_len);
  if (hs->protocol_len > 0) memcpy(names + name_len + 1, hs->protocol, hs->protocol_len);
  conn->names = names;
  return SL_OK;
}

static sl_err choose_credential(struct sl_conn *conn, const struct sl_client_hello *hello, struct sl_failure *failure) {
  /* Only schemes some credential could use are of interest, so a list of thousands needs no memory. */
  static const uint16_t ours[] = {
      SL_SCHEME_ECDSA_SECP256R1_SHA256, SL_SCHEME_ECDSA_SECP384R1_SHA384, SL_SCHEME_RSA_PSS_RSAE_SHA256,
      SL_SCHEME_RSA_PSS_RSAE_SHA384,    SL_SCHEME_RSA_PSS_RSAE_SHA512,    SL_SCHEME_ED25519,
      SL_SCHEME_RSA_PSS_PSS_SHA256,     SL_SCHEME_RSA_PSS_PSS_SHA384,     SL_SCHEME_RSA_PSS_PSS_SHA512,
  };
  uint16_t theirs[sizeof ours / sizeof ours[0]];
  size_t n = 0;
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
    if (sl_client_hello_offers(hello->schemes, ours[i])) theirs[n++] = ours[i];
  conn->handshake->credential =
      sl_config_credential(conn->config, conn->names ? conn->names : "", theirs, n, &conn->scheme);
  if (conn->handshake->credential != NULL) return SL_OK;
  char shown[96];
  failure->extension = SL_EXT_SIGNATURE_ALGORITHMS;
  sl_describe_numbers(shown, sizeof shown, SL_KIND_SCHEME, hello->schemes);
  return sl_refuse(failure, SL_E_NO_SCHEME, "no certificate fits: client %s", shown);
}

static sl_err start_key_exchange(struct sl_conn *conn, struct sl_batch *batch, const struct sl_reader *share,
                                 struct sl_failure *failure);
static sl_err say_retry(struct sl_conn *conn, const struct sl_client_hello *hello);

/* What of the hello outlives its message. */
static void keep_hello(struct sl_handshake *hs, const struct sl_client_hello *hello) {
  memcpy(hs->client_random, hello->random, SL_HELLO_RANDOM_LEN);
  hs->session_id_len = (uint8_t)sl_reader_len(&hello->session_id);
  memcpy(hs->session_id, hello->session_id.at, hs->session_id_len);
  hs->skips_early_data = sl_client_hello_has(hello, SL_EXT_EARLY_DATA);
}

static sl_err on_client_hello(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                              struct sl_failure *failure) {
  struct sl_client_hello hello;
  struct sl_reader share;
  sl_err err = sl_client_hello_parse(&hello, msg + SL_MESSAGE_HEADER_LEN, len - SL_MESSAGE_HEADER_LEN, failure);
  if (!err) err = sl_client_hello_check(&hello, failure);
  if (!err) err = choose_suite(conn, &hello, failure);
  if (!err) err = choose_group(conn, &hello, failure);
  if (!err) err = handshake_new(conn);
  if (err) return err;
  struct sl_handshake *hs = conn->handshake;
  keep_hello(hs, &hello);
  err = choose_protocol(conn, &hello, failure);
  if (!err) err = keep_names(conn, &hello);
  if (!err) err = choose_credential(conn, &hello, failure);
  hs->schedule.hash = sl_suite_params(conn->suite)->hash;
  if (!err) err = sl_hash_init(&hs->transcript, hs->schedule.hash);
  if (err) return err;
  sl_hash_update(&hs->transcript, msg, len);
  if (sl_client_hello_share(&hello, sl_group_at(conn->group_at)->group, &share))
    return start_key_exchange(conn, batch, &share, failure);
  return say_retry(conn, &hello);
}

/* "The client MUST send the same ClientHello without modification, except" for a list of extensions (4.1.2), of which
 * we asked for a key share and gave no cookie. */
static sl_err on_second_hello(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                              struct sl_failure *failure) {
  struct sl_handshake *hs = conn->handshake;
  struct sl_client_hello hello;
  struct sl_reader share;
  uint8_t digest[sizeof hs->hello_digest];
  sl_err err = sl_client_hello_parse(&hello, msg + SL_MESSAGE_HEADER_LEN, len - SL_MESSAGE_HEADER_LEN, failure);
  if (!err) err = sl_client_hello_check(&hello, failure);
  if (!err) err = sl_client_hello_digest(&hello, digest);
  if (err) return err;
  if (memcmp(digest, hs->hello_digest, sizeof digest) != 0)
    return sl_refuse(failure, SL_E_RETRY, "the second ClientHello changes more than a HelloRetryRequest allows");
  static const struct {
    enum sl_extension extension;
    const char *name;
  } gone[] = {{SL_EXT_EARLY_DATA, "early_data"}, {SL_EXT_COOKIE, "a cookie nobody gave"}};
  for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
    if (sl_client_hello_has(&hello, gone[i].extension)) {
      failure->extension = gone[i].extension;
      return sl_refuse(failure, SL_E_RETRY, "the second ClientHello has %s", gone[i].name);
    }
  failure->extension = SL_EXT_KEY_SHARE;
  bool has_share = sl_client_hello_share(&hello, sl_group_at(conn->group_at)->group, &share);
  if (!has_share || sl_reader_len(&hello.shares) != 4 + sl_reader_len(&share))
    return sl_refuse(failure, SL_E_RETRY, "the second ClientHello has %s instead of the one key share asked for, %s",
                     has_share ? "other key shares too" : "other or no key shares", sl_group_at(conn->group_at)->name);
  hs->skips_early_data = false;
  sl_hash_update(&hs->transcript, msg, len);
  return start_key_exchange(conn, batch, &share, failure);
}

/* A record of what a middlebox takes for a TLS 1.2 resumption (appendix D.4): after our first message, once. */
static sl_err say_compatible(struct sl_conn *conn) {
  static const uint8_t ccs[] = {1};
  if (conn->handshake->session_id_len == 0) return SL_OK;
  return sl_output_plain(conn, SL_CONTENT_CHANGE_CIPHER_SPEC, ccs, sizeof ccs);
}

/* The transcript then begins with a stand-in for the first ClientHello (4.4.1). */
static sl_err say_retry(struct sl_conn *conn, const struct sl_client_hello *hello) {
  struct sl_handshake *hs = conn->handshake;
  uint8_t hash[SL_HASH_LEN_MAX];
  uint8_t hash_len = (uint8_t)sl_hash_len(hs->schedule.hash);
  const uint8_t header[SL_MESSAGE_HEADER_LEN] = {SL_MSG_MESSAGE_HASH, 0, 0, hash_len};
  const struct sl_server_hello retry = {
      .session_id = hs->session_id,
      .session_id_len = hs->session_id_len,
      .suite = conn->suite,
      .group = sl_group_at(conn->group_at)->group,
  };
  struct sl_writer w = {.out = &hs->flight};
  sl_err err = sl_client_hello_digest(hello, hs->hello_digest);
  sl_hash_final(&hs->transcript, hash);
  if (!err) err = sl_hash_init(&hs->transcript, hs->schedule.hash);
  sl_hash_update(&hs->transcript, header, sizeof header);
  sl_hash_update(&hs->transcript, hash, hash_len);
  sl_write_server_hello(&w, &retry);
  if (!err) err = w.err;
  if (!err) err = sl_output_plain(conn, SL_CONTENT_HANDSHAKE, hs->flight.data, hs->flight.len);
  if (!err) err = say_compatible(conn);
  if (err) return err;
  sl_hash_update(&hs->transcript, hs->flight.data, hs->flight.len);
  sl_buffer_free(&hs->flight);
  conn->was_retried = true;
  conn->state = SL_EXPECT_SECOND_HELLO;
  return SL_OK;
}

/* ---- work ------------------------------------------------------------------------------------------------------- */

static struct sl_handshake *handshake_of_work(struct sl_work *work) {
  return (struct sl_handshake *)(void *)((char *)work - offsetof(struct sl_handshake, work));
}

static void submit(struct sl_handshake *hs, struct sl_batch *batch, void (*run)(struct sl_work *, struct sl_batch *)) {
  hs->work = (struct sl_work){.run = run, .owner = &hs->conn->task};
  hs->work_place = SL_WORK_QUEUED;
  sl_batch_submit(batch, &hs->work);
}

/* All key exchanges of a round. */
static void run_key_exchanges(struct sl_work *list, struct sl_batch *batch) {
  for (struct sl_work *work = list; work != NULL; work = work->next) {
    struct sl_handshake *hs = handshake_of_work(work);
    hs->work_err =
        sl_group_at(hs->conn->group_at)->exchange(hs->share, hs->shared, hs->exchange_secret, hs->peer_share);
    hs->work_place = SL_WORK_NONE;
    batch->stats.n_key_exchanges += 2;
  }
}

/* All signatures of a round. One that an application's signer makes elsewhere still wakes its connection, which has input
 * to look at before the run ends. */
static void run_signatures(struct sl_work *list, struct sl_batch *batch) {
  for (struct sl_work *work = list; work != NULL; work = work->next) {
    struct sl_handshake *hs = handshake_of_work(work);
    hs->work_err = sl_credential_sign(hs->credential, hs->conn, hs->conn->scheme, hs->tbs, hs->tbs_len, hs->sig,
                                      sizeof hs->sig, &hs->sig_len);
    hs->work_place = hs->work_err == SL_E_PENDING ? SL_WORK_AWAY : SL_WORK_NONE;
    if (hs->work_place == SL_WORK_NONE) batch->stats.n_signatures++;
  }
}

static sl_err draw_secret(struct sl_conn *conn, const struct sl_group_params *group) {
  uint8_t *secret = conn->handshake->exchange_secret;
  for (unsigned n_draws = 0; n_draws < SL_SECRET_DRAWS_MAX; n_draws++) {
    sl_err err = sl_config_random(conn->config, secret, SL_EXCHANGE_SECRET_LEN);
    if (err) return err;
    sl_secret(secret, SL_EXCHANGE_SECRET_LEN);
    if (group->is_secret(secret)) return SL_OK;
  }
  return SL_E_RANDOM;
}

static sl_err start_key_exchange(struct sl_conn *conn, struct sl_batch *batch, const struct sl_reader *share,
                                 struct sl_failure *failure) {
  struct sl_handshake *hs = conn->handshake;
  const struct sl_group_params *group = sl_group_at(conn->group_at);
  failure->extension = SL_EXT_KEY_SHARE;
  if (sl_reader_len(share) != group->share_len)
    return sl_refuse(failure, SL_E_KEY_SHARE, "the client's %s key share has %zu bytes instead of %u", group->name,
                     sl_reader_len(share), group->share_len);
  failure->extension = -1;
  memcpy(hs->peer_share, share->at, group->share_len);
  sl_err err = draw_secret(conn, group);
  if (err) return err;
  submit(hs, batch, run_key_exchanges);
  conn->state = SL_AWAIT_KEY_EXCHANGE;
  return SL_OK;
}

/* ---- the server's flight ----------------------------------------------------------------------------------------- */

/* Early and Handshake Secret, both sides' keys. */
static sl_err derive_handshake_keys(struct sl_conn *conn) {
  struct sl_handshake *hs = conn->handshake;
  const struct sl_suite_params *suite = sl_suite_params(conn->suite);
  uint8_t hash[SL_HASH_LEN_MAX];
  sl_hash_peek(&hs->transcript, hash);
  sl_err err = sl_schedule_early(&hs->schedule, suite->hash, NULL, 0);
  if (!err)
    err = sl_schedule_handshake(&hs->schedule, hs->shared, sizeof hs->shared, hash, &hs->client_secret,
                                &hs->server_secret);
  if (!err) err = sl_secret_record_key(suite->hash, suite->aead, &hs->client_secret, &hs->read);
  if (!err) err = sl_secret_record_key(suite->hash, suite->aead, &hs->server_secret, &hs->write);
  sl_wipe(hs->exchange_secret, sizeof hs->exchange_secret);
  sl_wipe(hs->shared, sizeof hs->shared);
  if (err) return err;
  keylog(conn, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", &hs->client_secret);
  keylog(conn, "SERVER_HANDSHAKE_TRAFFIC_SECRET", &hs->server_secret);
  return SL_OK;
}

/* EncryptedExtensions and Certificate, and what CertificateVerify is to sign. */
static sl_err write_certificate(struct sl_conn *conn) {
  struct sl_handshake *hs = conn->handshake;
  struct sl_writer w = {.out = &hs->flight};
  uint8_t hash[SL_HASH_LEN_MAX];
  sl_write_encrypted_extensions(&w, hs->protocol, hs->protocol_len, conn->has_server_name);
  sl_write_certificate(&w, hs->credential->list, hs->credential->list_len);
  if (w.err) return w.err;
  sl_hash_update(&hs->transcript, hs->flight.data, hs->flight.len);
  sl_hash_peek(&hs->transcript, hash);
  hs->tbs_len = sl_certificate_verify_tbs(hs->tbs, hash, sl_hash_len(hs->schedule.hash));
  return SL_OK;
}

static sl_err say_hello(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                        struct sl_failure *failure) {
  struct sl_handshake *hs = conn->handshake;
  uint8_t random[SL_HELLO_RANDOM_LEN];
  struct sl_writer w = {.out = &hs->flight};
  (void)msg;
  (void)len;
  if (hs->work_err) {
    failure->message = SL_MSG_CLIENT_HELLO;
    if (hs->work_err == SL_E_KEY_SHARE) failure->extension = SL_EXT_KEY_SHARE;
    return hs->work_err;
  }
  sl_err err = sl_config_random(conn->config, random, sizeof random);
  if (err) return err;
  const struct sl_server_hello hello = {
      .random = random,
      .session_id = hs->session_id,
      .session_id_len = hs->session_id_len,
      .suite = conn->suite,
      .group = sl_group_at(conn->group_at)->group,
      .share = hs->share,
      .share_len = sl_group_at(conn->group_at)->share_len,
  };
  sl_declassify(hs->share, sizeof hs->share); /* the public half goes to the peer in clear */
  sl_write_server_hello(&w, &hello);
  if (w.err) return w.err;
  sl_hash_update(&hs->transcript, hs->flight.data, hs->flight.len);
  err = derive_handshake_keys(conn);
  if (!err) err = sl_output_plain(conn, SL_CONTENT_HANDSHAKE, hs->flight.data, hs->flight.len);
  if (!err && !conn->was_retried) err = say_compatible(conn);
  if (err) return err;
  hs->write_level = SL_LEVEL_HANDSHAKE;
  sl_buffer_free(&hs->flight);
  err = write_certificate(conn);
  if (err) return err;
  submit(hs, batch, run_signatures);
  conn->state = SL_AWAIT_SIGNATURE;
  return SL_OK;
}

/* CertificateVerify and Finished end the flight. */
static sl_err write_finished(struct sl_conn *conn) {
  struct sl_handshake *hs = conn->handshake;
  size_t hash_len = sl_hash_len(hs->schedule.hash), start = hs->flight.len;
  struct sl_writer w = {.out = &hs->flight};
  uint8_t hash[SL_HASH_LEN_MAX], verify_data[SL_HASH_LEN_MAX];
  sl_write_certificate_verify(&w, conn->scheme, hs->sig, hs->sig_len);
  if (w.err) return w.err;
  sl_hash_update(&hs->transcript, hs->flight.data + start, hs->flight.len - start);
  sl_hash_peek(&hs->transcript, hash);
  sl_err err = sl_secret_finished(hs->schedule.hash, &hs->server_secret, hash, verify_data);
  if (err) return err;
  start = hs->flight.len;
  sl_write_finished(&w, verify_data, hash_len);
  if (w.err) return w.err;
  sl_hash_update(&hs->transcript, hs->flight.data + start, hs->flight.len - start);
  return SL_OK;
}

/* Master Secret, both sides' traffic keys, and the Finished to expect: all that depends on the flight. */
static sl_err derive_traffic_keys(struct sl_conn *conn) {
  struct sl_handshake *hs = conn->handshake;
  const struct sl_suite_params *suite = sl_suite_params(conn->suite);
  struct sl_secret exporter;
  uint8_t hash[SL_HASH_LEN_MAX];
  sl_hash_peek(&hs->transcript, hash);
  sl_err err = sl_secret_finished(suite->hash, &hs->client_secret, hash, hs->client_finished.bytes);
  if (!err) err = sl_schedule_master(&hs->schedule);
  if (!err) err = sl_schedule_traffic(&hs->schedule, hash, &conn->read_secret, &conn->write_secret, &exporter);
  if (!err) err = sl_secret_record_key(suite->hash, suite->aead, &conn->read_secret, &conn->read);
  if (!err) err = sl_secret_record_key(suite->hash, suite->aead, &conn->write_secret, &conn->write);
  if (!err) {
    keylog(conn, "CLIENT_TRAFFIC_SECRET_0", &conn->read_secret);
    keylog(conn, "SERVER_TRAFFIC_SECRET_0", &conn->write_secret);
    keylog(conn, "EXPORTER_SECRET", &exporter);
  }
  sl_wipe(&exporter, sizeof exporter);
  return err;
}

static sl_err say_finished(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                           struct sl_failure *failure) {
  struct sl_handshake *hs = conn->handshake;
  (void)msg;
  (void)len;
  if (hs->work_err || hs->sig_len == 0 || hs->sig_len > sizeof hs->sig) {
    failure->message = SL_MSG_CERTIFICATE_VERIFY;
    sl_err reason = hs->work_err ? hs->work_err : SL_E_SIGN;
    sl_refuse(failure, reason, "no %s signature: %s", sl_signature_scheme_name(conn->scheme), sl_err_text(reason));
    failure->alert = SL_ALERT_INTERNAL_ERROR; /* whatever the signer's trouble is, it is not the client's */
    return reason;
  }
  sl_err err = write_finished(conn);
  if (!err) err = derive_traffic_keys(conn);
  if (!err) err = sl_output_flight(conn, batch, &hs->write, hs->flight.data, hs->flight.len);
  if (err) return err;
  hs->write_level = SL_LEVEL_TRAFFIC;
  conn->state = SL_AWAIT_FLIGHT;
  return SL_OK;
}

/* Sealing does not fail once it has been described: the results only have to be given back. */
static sl_err on_flight_sealed(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                               struct sl_failure *failure) {
  (void)msg;
  (void)len;
  (void)failure;
  sl_err err = SL_OK;
  while (conn->opened != NULL) {
    struct sl_record *record = conn->opened;
    conn->opened = record->next;
    if (!err) err = record->err;
    sl_batch_return(batch, record);
  }
  sl_buffer_free(&conn->handshake->flight);
  conn->state = SL_EXPECT_FINISHED;
  return err;
}

/* ---- the client's answer, and after ------------------------------------------------------------------------------ */

static sl_err on_finished(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                          struct sl_failure *failure) {
  struct sl_handshake *hs = conn->handshake;
  size_t hash_len = sl_hash_len(hs->schedule.hash);
  (void)batch;
  if (len != SL_MESSAGE_HEADER_LEN + hash_len)
    return sl_refuse(failure, SL_E_DECODE, "a Finished of %zu bytes instead of %zu", len - SL_MESSAGE_HEADER_LEN,
                     hash_len);
  uint32_t differs = sl_differ(msg + SL_MESSAGE_HEADER_LEN, hs->client_finished.bytes, hash_len);
  sl_declassify(&differs, sizeof differs); /* the verdict shows on the wire */
  if (differs) return SL_E_FINISHED;
  conn->state = SL_EXPECT_DATA;
  sl_handshake_free(conn);
  return SL_OK;
}

static sl_err on_key_update(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *msg, size_t len,
                            struct sl_failure *failure) {
  (void)len;
  uint8_t request = msg[SL_MESSAGE_HEADER_LEN];
  if (request > SL_UPDATE_REQUESTED)
    return sl_refuse(failure, SL_E_PARAMETER, "a KeyUpdate asks for %u; only 0 and 1 have a meaning", request);
  sl_input_reopen(conn, batch); /* what was opened behind it was opened with the old key */
  conn->window = 1;
  sl_err err = sl_conn_replace_key(conn, &conn->read, &conn->read_secret);
  if (err) return err;
  conn->update_asked = false;
  /* An answer that was not transmitted yet answers this request too (4.6.3). */
  if (request == SL_UPDATE_REQUESTED && !conn->update_waits) conn->update_due = true;
  (void)sl_conn_count_idle(conn, batch);
  return SL_OK;
}

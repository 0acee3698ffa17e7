/* record.c - TLS 1.3 record framing (RFC 8446 section 5). Makes header, nonce and AAD; never looks at plaintext, save
 * to find the content type behind padding. */
#include "record_run.h"

#include "aead_jobs.h"
#include "bytes.h"
#include <sealane/record.h>

#define LEGACY_RECORD_VERSION 0x0303u

sl_err sl_record_key_init(struct sl_record_key *key, enum sl_aead aead, const uint8_t *secret, size_t secret_len,
                          const uint8_t iv[SL_AEAD_NONCE_LEN]) {
  key->seq = 0;
  /* ChaCha20-Poly1305: "the record sequence number would wrap before the safety limit is reached" (5.5). */
  key->limit = aead == SL_CHACHA20_POLY1305 ? UINT64_MAX : SL_RECORD_LIMIT_GCM;
  memcpy(key->iv, iv, sizeof key->iv);
  sl_err err = sl_aead_key_init(&key->aead, aead, secret, secret_len);
  if (err != SL_OK) sl_record_key_wipe(key);
  return err;
}

void sl_record_key_wipe(struct sl_record_key *key) {
  sl_wipe(key, sizeof *key);
}

/* Can this key carry one more record? */
static sl_err key_check(const struct sl_record_key *key) {
  if (key->aead.ops == NULL) return SL_E_KEY;
  if (key->seq >= key->limit) return SL_E_SEQ;
  return SL_OK;
}

/* The nonce of RFC 8446 5.3, and the step of the sequence number it uses up: the only place that makes one. */
static void nonce_take(uint8_t nonce[SL_AEAD_NONCE_LEN], struct sl_record_key *key) {
  memcpy(nonce, key->iv, SL_AEAD_NONCE_LEN);
  sl_store64_be(nonce + 4, sl_load64_be(key->iv + 4) ^ key->seq);
  key->seq++;
}

static bool ranges_overlap(const void *a, size_t a_len, const void *b, size_t b_len) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return a_len > 0 && b_len > 0 && x < y + b_len && y < x + a_len;
}

/* What a list of text pieces comes to. */
struct gathered {
  const uint8_t *only; /* the piece, when there is exactly one that is not empty */
  size_t n_pieces;     /* that are not empty */
  size_t len;          /* bytes */
};

static sl_err gather_measure(struct gathered *g, const struct iovec *text, size_t n_text) {
  *g = (struct gathered){0};
  if (n_text > 0 && text == NULL) return SL_E_ARG;
  for (size_t i = 0; i < n_text; i++) {
    if (text[i].iov_len == 0) continue;
    if (text[i].iov_base == NULL) return SL_E_ARG;
    if (text[i].iov_len > SL_RECORD_TEXT_MAX - g->len) return SL_E_LENGTH;
    g->only = text[i].iov_base;
    g->n_pieces++;
    g->len += text[i].iov_len;
  }
  if (g->n_pieces != 1) g->only = NULL;
  return SL_OK;
}

/* Text may stand where its ciphertext will when it is one piece; otherwise it must be clear of the wire. */
static sl_err gather_check(const struct gathered *g, const struct iovec *text, size_t n_text, const uint8_t *wire,
                           size_t wire_len) {
  if (g->only == wire + SL_RECORD_HEADER_LEN) return SL_OK;
  for (size_t i = 0; i < n_text; i++)
    if (ranges_overlap(text[i].iov_base, text[i].iov_len, wire, wire_len)) return SL_E_OVERLAP;
  return SL_OK;
}

static void gather_copy(uint8_t *to, const struct iovec *text, size_t n_text) {
  for (size_t i = 0; i < n_text; i++) {
    if (text[i].iov_len == 0 || text[i].iov_base == to) continue;
    memcpy(to, text[i].iov_base, text[i].iov_len);
    to += text[i].iov_len;
  }
}

static sl_err seal_describe(struct sl_record *record, struct sl_record_key *key, uint8_t type, const struct iovec *text,
                            size_t n_text, size_t pad_len, uint8_t *wire, size_t wire_cap) {
  struct gathered g;
  if (wire == NULL || type == 0) return SL_E_ARG;
  sl_err err = key_check(key);
  if (err == SL_OK) err = gather_measure(&g, text, n_text);
  if (err != SL_OK) return err;
  if (pad_len > SL_RECORD_TEXT_MAX - g.len) return SL_E_LENGTH;
  size_t wire_len = SL_RECORD_WIRE_LEN(g.len, pad_len);
  if (wire_cap < wire_len) return SL_E_SPACE;
  err = gather_check(&g, text, n_text, wire, wire_len);
  if (err != SL_OK) return err;

  uint8_t *body = wire + SL_RECORD_HEADER_LEN;
  struct sl_aead_job *job = &record->job;
  job->in = g.only;
  job->len = g.len;
  job->tail = type;
  job->tail_len = 1;
  if (g.n_pieces > 1 || pad_len > 0) {
    gather_copy(body, text, n_text);
    job->in = body;
  }
  if (pad_len > 0) { /* the type is no longer last: it goes to the wire with the zeros behind it */
    body[g.len] = type;
    memset(body + g.len + 1, 0, pad_len);
    job->len = g.len + 1 + pad_len;
    job->tail_len = 0;
  }
  sl_aead_key_prefetch(&key->aead);
  job->key = &key->aead;
  job->out = body;
  job->tag = wire + wire_len - SL_AEAD_TAG_LEN;
  job->aad = wire;
  job->aad_len = SL_RECORD_HEADER_LEN;
  wire[0] = SL_CONTENT_APPLICATION_DATA;
  sl_store16_be(wire + 1, LEGACY_RECORD_VERSION);
  sl_store16_be(wire + 3, (uint16_t)(wire_len - SL_RECORD_HEADER_LEN));
  nonce_take(job->nonce, key);
  record->is_open = false;
  record->type = type;
  record->wire_len = wire_len;
  record->plain_len = g.len;
  return SL_E_PENDING;
}

sl_err sl_record_seal(struct sl_record *record, struct sl_record_key *key, uint8_t type, const struct iovec *text,
                      size_t n_text, size_t pad_len, uint8_t *wire, size_t wire_cap) {
  record->err = seal_describe(record, key, type, text, n_text, pad_len, wire, wire_cap);
  return record->err == SL_E_PENDING ? SL_OK : record->err;
}

static sl_err open_describe(struct sl_record *record, struct sl_record_key *key, const uint8_t *wire, size_t wire_len,
                            uint8_t *plain, size_t plain_cap) {
  if (wire == NULL || wire_len < SL_RECORD_HEADER_LEN) return SL_E_ARG;
  size_t fragment_len = sl_load16_be(wire + 3);
  if (wire_len != SL_RECORD_HEADER_LEN + fragment_len) return SL_E_ARG;
  if (fragment_len > SL_RECORD_FRAGMENT_MAX || fragment_len < 1 + SL_AEAD_TAG_LEN) return SL_E_LENGTH;
  sl_err err = key_check(key);
  if (err != SL_OK) return err;
  size_t text_len = fragment_len - 1 - SL_AEAD_TAG_LEN;
  if (plain_cap < text_len) return SL_E_SPACE;
  if (plain == NULL && text_len > 0) return SL_E_ARG;
  const uint8_t *body = wire + SL_RECORD_HEADER_LEN;
  if (plain != body && ranges_overlap(plain, text_len, wire, wire_len)) return SL_E_OVERLAP;

  struct sl_aead_job *job = &record->job;
  sl_aead_key_prefetch(&key->aead);
  job->key = &key->aead;
  job->in = body;
  job->out = plain;
  job->tag = (uint8_t *)(uintptr_t)(wire + wire_len - SL_AEAD_TAG_LEN); /* opening only reads it */
  job->len = text_len;
  job->tail_len = 1;
  job->aad = wire;
  job->aad_len = SL_RECORD_HEADER_LEN;
  nonce_take(job->nonce, key);
  record->is_open = true;
  record->type = 0;
  record->wire_len = wire_len;
  record->plain_len = 0;
  return SL_E_PENDING;
}

sl_err sl_record_open(struct sl_record *record, struct sl_record_key *key, const uint8_t *wire, size_t wire_len,
                      uint8_t *plain, size_t plain_cap) {
  record->err = open_describe(record, key, wire, wire_len, plain, plain_cap);
  return record->err == SL_E_PENDING ? SL_OK : record->err;
}

/* The content type is the last byte that is not zero (5.4). How much padding there was shows in the time this takes, as
 * it does in every peer; the RFC leaves it to the sender to pad where that matters. */
static sl_err open_finish(struct sl_record *record) {
  const struct sl_aead_job *job = &record->job;
  if (job->err != SL_OK) return job->err;
  size_t len = job->len;
  uint8_t type = job->tail;
  sl_declassify(&type, 1); /* types and lengths are public */
  while (type == 0 && len > 0) {
    type = job->out[--len];
    sl_declassify(&type, 1);
  }
  if (job->len > SL_RECORD_TEXT_MAX || type == 0) {
    sl_wipe(job->out, job->len);
    return job->len > SL_RECORD_TEXT_MAX ? SL_E_LENGTH : SL_E_NO_CONTENT_TYPE;
  }
  record->type = type;
  record->plain_len = len;
  return SL_OK;
}

void sl_record_finish(struct sl_record *record) {
  record->err = record->is_open ? open_finish(record) : record->job.err;
}

sl_err sl_record_run(struct sl_record *record) {
  if (record->err != SL_E_PENDING) return record->err;
  struct sl_aead_job *job = &record->job;
  sl_aead_jobs_run(&job, 1, record->is_open);
  sl_record_finish(record);
  return record->err;
}

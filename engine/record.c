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
  key->n_lines = sl_aead_key_lines(aead);
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

/* Can this key carry one more record? An empty one may carry none, so the line of memory that the nonce comes from says it
 * all; what the others hold has time to arrive until the batch runs. */
static sl_err key_check(const struct sl_record_key *key) {
  if (__builtin_expect(key->seq < key->limit, true)) return SL_OK;
  return key->aead.ops == NULL ? SL_E_KEY : SL_E_SEQ;
}

/* The nonce of RFC 8446 5.3, and the step of the sequence number it uses up: the only place that makes one. */
static void nonce_take(uint8_t nonce[SL_AEAD_NONCE_LEN], struct sl_record_key *key) {
  memcpy(nonce, key->iv, 4);
  sl_store64_be(nonce + 4, sl_load64_be(key->iv + 4) ^ key->seq);
  key->seq++;
}

/* ---- sealing ------------------------------------------------------------------------------------------------- */

/* What a kernel reads, between the header and the tag of a record. */
struct body {
  const uint8_t *in;
  size_t len;       /* bytes at `in` */
  uint8_t tail_len; /* 1: the type comes behind them; 0: it is among them */
};

/* Type, version and the length's upper byte (RFC 8446 5.2), in the wire's order. */
static inline uint32_t header_begin(size_t fragment_len) {
  return (uint32_t)SL_CONTENT_APPLICATION_DATA << 24 | LEGACY_RECORD_VERSION << 8 | (uint32_t)fragment_len >> 8;
}

static inline void seal_describe(struct sl_record *record, struct sl_record_key *key, uint8_t type, struct body body,
                                 size_t plain_len, uint8_t *wire) {
  size_t text_len = body.len + body.tail_len, fragment_len = text_len + SL_AEAD_TAG_LEN;
  struct sl_aead_job *job = &record->job;
  sl_aead_key_prefetch_ops(&key->aead);
  sl_aead_key_prefetch_rest(&key->aead, key->n_lines);
  job->key = &key->aead;
  job->aad = wire;
  job->in = body.in;
  job->out = wire + SL_RECORD_HEADER_LEN;
  job->tag = wire + SL_RECORD_HEADER_LEN + text_len;
  job->len = body.len;
  job->aad_len = SL_RECORD_HEADER_LEN;
  job->tail_len = body.tail_len;
  job->tail = type;
  nonce_take(job->nonce, key);
  sl_store32_be(wire, header_begin(fragment_len));
  wire[4] = (uint8_t)fragment_len;
  record->is_open = false;
  record->type = type;
  record->wire_len = SL_RECORD_HEADER_LEN + fragment_len;
  record->plain_len = plain_len;
}

/* Almost all records carry one piece of text, read where it stands. */
static inline sl_err seal_piece(struct sl_record *record, struct sl_record_key *key, uint8_t type,
                                const struct iovec *text, uint8_t *wire, size_t wire_cap) {
  const uint8_t *in = text->iov_base;
  size_t len = text->iov_len, wire_len = SL_RECORD_WIRE_LEN(len, 0);
  if (len > SL_RECORD_TEXT_MAX) return SL_E_LENGTH;
  if (wire_cap < wire_len) return SL_E_SPACE;
  if (in != wire + SL_RECORD_HEADER_LEN) {
    if (in == NULL && len > 0) return SL_E_ARG;
    if (sl_overlap(in, len, wire, wire_len)) return SL_E_OVERLAP;
  }
  seal_describe(record, key, type, (struct body){in, len, 1}, len, wire);
  return SL_E_PENDING;
}

/* Pieces are gathered on the wire, unless there is only one that is not empty, and no padding. That one may stand where its
 * ciphertext will; others must be clear of the wire. Nothing is written before all is found sound. */
static __attribute__((noinline)) sl_err seal_pieces(struct sl_record *record, struct sl_record_key *key, uint8_t type,
                                                    const struct iovec *text, size_t n_text, size_t pad_len,
                                                    uint8_t *wire, size_t wire_cap) {
  uint8_t *to = wire + SL_RECORD_HEADER_LEN;
  const struct iovec *only = NULL;
  size_t len = 0, n_pieces = 0;
  for (size_t i = 0; i < n_text; i++) {
    if (text[i].iov_len == 0) continue;
    if (text[i].iov_base == NULL) return SL_E_ARG;
    if (text[i].iov_len > SL_RECORD_TEXT_MAX - len) return SL_E_LENGTH;
    len += text[i].iov_len;
    only = n_pieces++ == 0 ? &text[i] : NULL;
  }
  if (pad_len > SL_RECORD_TEXT_MAX - len) return SL_E_LENGTH;
  size_t wire_len = SL_RECORD_WIRE_LEN(len, pad_len);
  if (wire_cap < wire_len) return SL_E_SPACE;
  bool is_in_place = only != NULL && only->iov_base == to;
  for (size_t i = 0; i < n_text && !is_in_place; i++)
    if (sl_overlap(text[i].iov_base, text[i].iov_len, wire, wire_len)) return SL_E_OVERLAP;

  struct body body = {to, len, 1};
  if (only != NULL && pad_len == 0) {
    body.in = only->iov_base;
  } else if (!is_in_place) {
    for (size_t i = 0; i < n_text; to += text[i++].iov_len)
      if (text[i].iov_len > 0) memcpy(to, text[i].iov_base, text[i].iov_len);
  }
  if (pad_len > 0) { /* the type is no longer last: it goes to the wire with the zeros behind it */
    uint8_t *end = wire + SL_RECORD_HEADER_LEN + len;
    *end = type;
    memset(end + 1, 0, pad_len);
    body = (struct body){body.in, len + 1 + pad_len, 0};
  }
  seal_describe(record, key, type, body, len, wire);
  return SL_E_PENDING;
}

sl_err sl_record_seal(struct sl_record *record, struct sl_record_key *key, uint8_t type, const struct iovec *text,
                      size_t n_text, size_t pad_len, uint8_t *wire, size_t wire_cap) {
  sl_err err = wire == NULL || type == 0 || (n_text > 0 && text == NULL) ? SL_E_ARG : key_check(key);
  if (err == SL_OK) {
    err = n_text == 1 && pad_len == 0 ? seal_piece(record, key, type, text, wire, wire_cap)
                                      : seal_pieces(record, key, type, text, n_text, pad_len, wire, wire_cap);
  }
  record->err = err;
  return err == SL_E_PENDING ? SL_OK : err;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

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
  if (plain != body && sl_overlap(plain, text_len, wire, wire_len)) return SL_E_OVERLAP;

  struct sl_aead_job *job = &record->job;
  sl_aead_key_prefetch_ops(&key->aead);
  sl_aead_key_prefetch_rest(&key->aead, key->n_lines);
  job->key = &key->aead;
  job->in = body;
  job->out = plain;
  job->tag = (uint8_t *)(uintptr_t)(wire + wire_len - SL_AEAD_TAG_LEN); /* opening only reads it */
  job->len = text_len;
  job->tail_len = 1;
  job->aad = wire;
  job->aad_len = SL_RECORD_HEADER_LEN;
  job->err = SL_OK; /* a text whose tag is wrong does not stay */
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
sl_err sl_record_open_finish_rest(struct sl_record *record) {
  const struct sl_aead_job *job = &record->job;
  if (job->err != SL_OK) return job->err;
  size_t len = job->len;
  uint8_t type = job->tail;
  sl_declassify(&type, 1);
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

/* ---- one record ---------------------------------------------------------------------------------------------- */

sl_err sl_record_run(struct sl_record *record) {
  if (record->err != SL_E_PENDING) return record->err;
  struct sl_aead_job *job = &record->job;
  sl_aead_jobs_run(&job, 1, record->is_open);
  record->err = record->is_open ? sl_record_open_finish(record) : SL_OK;
  return record->err;
}

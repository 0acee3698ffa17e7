/* cipher.c - what AES-GCM and ChaCha20-Poly1305 share under EVP. */
#include "cipher.h"
#include "bytes.h"
#include "params.h"
#include "pipeline.h"

void *cipher_new(const struct prov *prov, const struct cipher_kind *kind, size_t size) {
  struct cipher *c = prov_alloc(prov, size);
  if (c == NULL) return NULL;
  c->prov = prov;
  c->kind = kind;
  c->text.kept = c->kept;
  c->text.kept_cap = KEPT_LEN;
  return c;
}

void cipher_free(struct cipher *c, size_t size) {
  if (c == NULL) return;
  pipeline_free(c);
  prov_wipe_free(c->prov, c->text.room, sizeof *c->text.room);
  prov_wipe_free(c->prov, c, size);
}

void *cipher_dup(const struct cipher *c, size_t size) {
  struct cipher *copy = c != NULL ? prov_alloc(c->prov, size) : NULL;
  if (copy == NULL) return NULL;
  memcpy(copy, c, size);
  copy->pipes = NULL;
  copy->text.kept = copy->kept;
  if (text_copy_room(copy, &copy->text) && pipeline_copy(copy, c->pipes)) return copy;
  cipher_free(copy, size);
  return NULL;
}

size_t cipher_key_len(const struct cipher *c) {
  return sl_aead_secret_len(c->kind->aead);
}

int cipher_set_key(struct cipher *c, const uint8_t *secret, size_t len) {
  if (len != cipher_key_len(c)) return prov_fail(c->prov, PROV_E_KEY_LENGTH);
  text_drop(&c->text);
  sl_err err = sl_aead_key_init(&c->key, c->kind->aead, secret, len);
  if (err != SL_OK) return prov_fail_because(c->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  return 1;
}

/* ---- a text -------------------------------------------------------------------------------------------------- */

void text_drop(struct text *t) {
  if (t->state == TEXT_STREAM) sl_stream_wipe(&t->stream, t->room);
  if (t->state == TEXT_WHOLE) sl_wipe(t->whole_tag, TAG_LEN);
  t->state = TEXT_NONE;
}

static int text_failed(const struct cipher *c, sl_err err) {
  return prov_fail_because(c->prov, PROV_E_CIPHER, "%s", sl_err_text(err));
}

/* Kernels read a nonce and the 4 bytes behind it at once, which waits for whatever wrote them in parts: so they are written as
 * they are read. */
typedef uint64_t nonce_block __attribute__((vector_size(16)));
_Static_assert(sizeof(nonce_block) == sizeof((struct text){0}.nonce), "one store");

static void store_nonce(uint8_t *at, const uint8_t *nonce) {
  nonce_block x = {sl_load64_le(nonce), sl_load32_le(nonce + 8)};
  memcpy(at, &x, sizeof x);
}

int text_begin(const struct cipher *c, struct text *t, const uint8_t *nonce, size_t nonce_len) {
  text_drop(t);
  if (nonce_len == SL_AEAD_NONCE_LEN && c->key.ops != NULL) {
    store_nonce(t->nonce, nonce);
    t->aad_len = 0;
    t->state = TEXT_WAITS;
    return 1;
  }
  if (sl_stream_start(&t->stream, &c->key, nonce, nonce_len) != SL_OK) return prov_fail(c->prov, PROV_E_NO_IV);
  t->state = TEXT_STREAM;
  return 1;
}

/* Up to here a copy costs next to nothing, and so does doing a text twice. */
enum { TWICE_LEN = 128, LAST_LEN = 16 };

/* Whether a text of this length can be gone on with by its tag. */
static bool may_be_by_tag(const struct cipher *c, size_t len) {
  return c->kind->aead != SL_CHACHA20_POLY1305 && len > TWICE_LEN;
}

size_t text_job_keeps(const struct cipher *c, size_t len) {
  return may_be_by_tag(c, len) ? LAST_LEN : len;
}

/* Keeps what going on with this ciphertext would take. */
static void keep(const struct cipher *c, struct text *t, const uint8_t *ciphertext, size_t len) {
  if (may_be_by_tag(c, len))
    memcpy(t->kept, ciphertext + len - LAST_LEN, LAST_LEN);
  else
    memcpy(t->kept, ciphertext, len);
}

/* A text that was done becomes a stream, by its tag or by being done again. */
static sl_err whole_to_stream(const struct cipher *c, struct text *t) {
  if (t->is_by_tag) {
    const uint8_t *last = t->kept + LAST_LEN - t->whole_len % 16; /* of the last block what there is */
    return sl_stream_resume(&t->stream, &c->key, t->nonce, t->aad_len, t->whole_len, last, t->whole_tag);
  }
  uint8_t text[256];
  sl_err err = SL_OK;
  for (size_t at = 0, n; at < t->whole_len && err == SL_OK; at += n) {
    n = t->whole_len - at < sizeof text ? t->whole_len - at : sizeof text;
    err = sl_stream_text(&t->stream, &c->key, NULL, text, t->kept + at, n, true);
  }
  sl_wipe(text, sizeof text);
  return err;
}

/* What has been kept goes through a stream. */
static sl_err to_stream(const struct cipher *c, struct text *t) {
  if (t->state == TEXT_STREAM) return SL_OK;
  if (t->state == TEXT_NONE) return SL_E_STATE;
  sl_err err = sl_stream_start(&t->stream, &c->key, t->nonce, SL_AEAD_NONCE_LEN);
  if (err == SL_OK) err = sl_stream_aad(&t->stream, &c->key, t->aad, t->aad_len);
  if (err == SL_OK && t->state == TEXT_WHOLE) {
    err = whole_to_stream(c, t);
    sl_wipe(t->whole_tag, TAG_LEN);
  }
  t->state = TEXT_STREAM;
  return err;
}

bool text_may_be_job(const struct cipher *c, const struct text *t, const uint8_t *out, const uint8_t *in, size_t len) {
  /* In place or apart, as kernels want it; anything else is for a stream to make of it what it can. */
  bool may_do = out == in || out + len <= in || in + len <= out;
  size_t max = t->expects_more ? TWICE_LEN : may_be_by_tag(c, len) ? SL_AEAD_TEXT_MAX : t->kept_cap;
  return t->state == TEXT_WAITS && len <= max && may_do;
}

void text_job(const struct cipher *c, struct text *t, struct sl_aead_job *job, uint8_t *out, const uint8_t *in,
              size_t len) {
  job->key = &c->key;
  job->aad = t->aad;
  job->aad_len = t->aad_len;
  job->in = in;
  job->out = out;
  job->tag = t->whole_tag;
  job->len = len;
  _Static_assert(offsetof(struct sl_aead_job, err) == offsetof(struct sl_aead_job, nonce) + 16,
                 "no tail, and no error");
  memcpy((uint8_t *)job + offsetof(struct sl_aead_job, nonce), t->nonce, sizeof t->nonce);
  job->err = SL_E_PENDING; /* a text with another tag stays, and the job's becomes the right one (engine/kernel.h) */
  if (!c->is_open) return;
  memcpy(t->whole_tag, t->tag, TAG_LEN); /* one that is not there yet, or is shorter, is another */
  keep(c, t, in, len);                   /* `out` may be there, too */
}

void text_job_done(const struct cipher *c, struct text *t, const struct sl_aead_job *job) {
  if (!c->is_open) keep(c, t, job->out, job->len);
  t->whole_len = job->len;
  t->is_by_tag = may_be_by_tag(c, job->len);
  t->state = TEXT_WHOLE;
}

/* A text in one pass. */
static void whole_text(const struct cipher *c, struct text *t, uint8_t *out, const uint8_t *in, size_t len) {
  struct sl_aead_job job, *const jobs[] = {&job};
  text_job(c, t, &job, out, in, len);
  (c->is_open ? c->key.ops->open : c->key.ops->seal)(jobs, 1);
  text_job_done(c, t, &job);
}

/* Whether the text that is under way wants a room and has none. */
static bool lacks_room(const struct text *t, size_t len) {
  return t->room == NULL && sl_stream_wants_room(&t->stream, len);
}

static int text_stream(const struct cipher *c, struct text *t, uint8_t *out, const uint8_t *in, size_t len) {
  if (t->state == TEXT_WHOLE && t->whole_len > TWICE_LEN) t->expects_more = true;
  sl_err err = to_stream(c, t);
  if (err != SL_OK) return text_failed(c, err);
  if (lacks_room(t, len)) {
    t->room = prov_alloc(c->prov, sizeof *t->room);
    if (t->room == NULL) return 0;
  }
  err = sl_stream_text(&t->stream, &c->key, t->room, out, in, len, c->is_open);
  return err == SL_OK ? 1 : text_failed(c, err);
}

static int more_text(const struct cipher *c, struct text *t, uint8_t *out, const uint8_t *in, size_t len) {
  if (len == 0) return 1;
  if (!text_may_be_job(c, t, out, in, len)) return text_stream(c, t, out, in, len);
  whole_text(c, t, out, in, len);
  return 1;
}

int text_piece(const struct cipher *c, struct text *t, uint8_t *out, const uint8_t *in, size_t len) {
  if (out != NULL) return more_text(c, t, out, in, len);
  if (t->state == TEXT_WAITS && len <= (size_t)KEPT_AAD_LEN - t->aad_len) {
    memcpy(t->aad + t->aad_len, in, len);
    t->aad_len = (uint8_t)(t->aad_len + len);
    return 1;
  }
  sl_err err = to_stream(c, t);
  if (err == SL_OK) err = sl_stream_aad(&t->stream, &c->key, in, len);
  return err == SL_OK ? 1 : text_failed(c, err);
}

int text_end(const struct cipher *c, struct text *t, size_t tag_len) {
  uint8_t *tag = t->whole_tag;
  if (t->state != TEXT_WHOLE) {
    sl_err err = to_stream(c, t);
    if (err != SL_OK) return text_failed(c, err);
    sl_stream_tag(&t->stream, &c->key, t->room, tag);
  }
  t->state = TEXT_NONE;
  if (!c->is_open) {
    memcpy(t->tag, tag, TAG_LEN);
    return 1;
  }
  uint32_t differs = tag_len == TAG_LEN ? sl_differ(tag, t->tag, TAG_LEN) : sl_differ(tag, t->tag, tag_len);
  sl_wipe(tag, TAG_LEN);                   /* the right tag of a text that had a wrong one would be a forgery */
  sl_declassify(&differs, sizeof differs); /* the caller learns it anyway */
  return differs == 0;
}

bool text_copy_room(const struct cipher *c, struct text *t) {
  const struct sl_stream_room *room = t->room;
  t->room = NULL;
  if (t->stream.room_len == 0) return true; /* 0 without a stream, too */
  t->room = prov_alloc(c->prov, sizeof *t->room);
  if (t->room == NULL) return false;
  *t->room = *room;
  return true;
}

int cipher_record(struct cipher *c, const uint8_t *nonce, uint8_t *out, const uint8_t *in, size_t len) {
  struct sl_aead_job job = {
      .key = &c->key,
      .aad = c->tls_aad,
      .aad_len = TLS_AAD_LEN,
      .in = in,
      .out = out,
      .tag = c->is_open ? (uint8_t *)(uintptr_t)in + len : out + len,
      .len = len,
  };
  memcpy(job.nonce, nonce, sizeof job.nonce);
  size_t n_failed = c->is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1);
  if (n_failed == 0) return 1;
  return job.err == SL_E_AUTH ? 0 : prov_fail_because(c->prov, PROV_E_TLS_RECORD, "%s", sl_err_text(job.err));
}

/* ---- parameters of the cipher itself ------------------------------------------------------------------------- */

/* OpenSSL has it from 3.6 on. */
#define PARAM_ENCRYPT_THEN_MAC "encrypt-then-mac"

int cipher_get_params(OSSL_PARAM params[], const struct cipher_kind *kind) {
  const struct {
    const char *name;
    uint64_t value;
  } known[] = {
      {OSSL_CIPHER_PARAM_MODE, kind->mode},
      {OSSL_CIPHER_PARAM_KEYLEN, sl_aead_secret_len(kind->aead)},
      {OSSL_CIPHER_PARAM_IVLEN, IV_DEFAULT_LEN},
      {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1},
      {OSSL_CIPHER_PARAM_AEAD, 1},
      {OSSL_CIPHER_PARAM_CUSTOM_IV, 1},
      {OSSL_CIPHER_PARAM_CTS, 0},
      {OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, 0},
      {OSSL_CIPHER_PARAM_HAS_RAND_KEY, 0},
      {PARAM_ENCRYPT_THEN_MAC, 0},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    OSSL_PARAM *p = param_find(params, known[i].name);
    if (p != NULL && !param_set_number(p, known[i].value)) return 0;
  }
  return 1;
}

const OSSL_PARAM *cipher_gettable_params(void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_MODE, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(unsigned), 0},
      {OSSL_CIPHER_PARAM_KEYLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_BLOCK_SIZE, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_CUSTOM_IV, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_CTS, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_HAS_RAND_KEY, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {PARAM_ENCRYPT_THEN_MAC, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)prov;
  return list;
}

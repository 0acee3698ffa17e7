/* pipeline.c - see pipeline.h. */
#include "pipeline.h"
#include "bytes.h"
#include "params.h"

enum { KEPT_STEP = 256 };

struct pipe {
  struct text text;
  bool has_iv, is_begun; /* the text was begun with the IV */
  uint8_t iv[IV_MAX];
};

/* c->n_pipes of n_max are in use. */
struct pipes {
  size_t n_max, iv_len;
  size_t tag_len; /* 0: no tags have been set, or made */
  uint16_t kept_len;
  uint8_t *kept; /* kept_len bytes for each pipe */
  struct pipe pipe[];
};

/* ---- memory -------------------------------------------------------------------------------------------------- */

static size_t size_for(size_t n_max) {
  return sizeof(struct pipes) + n_max * sizeof(struct pipe);
}

static void free_kept(const struct cipher *c, struct pipes *pipes) {
  prov_wipe_free(c->prov, pipes->kept, pipes->n_max * pipes->kept_len);
  pipes->kept = NULL;
  pipes->kept_len = 0;
}

void pipeline_free(struct cipher *c) {
  struct pipes *pipes = c->pipes;
  c->n_pipes = 0;
  c->pipes = NULL;
  if (pipes == NULL) return;
  for (size_t i = 0; i < pipes->n_max; i++) {
    prov_wipe_free(c->prov, pipes->pipe[i].text.room, sizeof(struct sl_stream_room));
  }
  free_kept(c, pipes);
  prov_wipe_free(c->prov, pipes, size_for(pipes->n_max));
}

/* Memory for copies of this length, in place of what there is. */
static bool make_kept(const struct cipher *c, struct pipes *pipes, uint16_t len) {
  free_kept(c, pipes);
  uint8_t *kept = len > 0 ? prov_alloc(c->prov, pipes->n_max * len) : NULL;
  if (kept != NULL) pipes->kept_len = len;
  pipes->kept = kept;
  for (size_t i = 0; i < pipes->n_max; i++) {
    pipes->pipe[i].text.kept = kept != NULL ? kept + i * pipes->kept_len : NULL;
    pipes->pipe[i].text.kept_cap = pipes->kept_len;
  }
  return kept != NULL || len == 0;
}

bool pipeline_copy(struct cipher *c, const struct pipes *from) {
  if (from == NULL) return true;
  struct pipes *pipes = prov_alloc(c->prov, size_for(from->n_max));
  if (pipes == NULL) return false;
  memcpy(pipes, from, size_for(from->n_max));
  c->pipes = pipes;
  pipes->kept = NULL;
  bool ok = make_kept(c, pipes, from->kept_len);
  if (ok && from->kept_len > 0) memcpy(pipes->kept, from->kept, from->n_max * from->kept_len);
  for (size_t i = 0; i < pipes->n_max; i++) {
    struct text *t = &pipes->pipe[i].text;
    if (ok)
      ok = text_copy_room(c, t);
    else
      t->room = NULL; /* the original's */
  }
  return ok;
}

/* n pipes; what others there were is lost. */
static bool make_pipes(struct cipher *c, size_t n) {
  if (c->n_pipes == n) return true;
  if (c->pipes == NULL || c->pipes->n_max < n) {
    pipeline_free(c);
    c->pipes = prov_alloc(c->prov, size_for(n));
    if (c->pipes == NULL) return false;
    c->pipes->n_max = n;
  }
  for (size_t i = 0; i < c->pipes->n_max; i++) c->pipes->pipe[i].has_iv = false;
  c->n_pipes = n;
  return true;
}

/* ---- init ---------------------------------------------------------------------------------------------------- */

static void drop_texts(struct cipher *c) {
  struct pipes *pipes = c->pipes;
  for (size_t i = 0; i < pipes->n_max; i++) {
    struct pipe *pipe = &pipes->pipe[i];
    text_drop(&pipe->text);
    if (pipe->is_begun) pipe->has_iv = false;
    pipe->is_begun = false;
  }
  pipes->tag_len = 0;
}

static int init(struct cipher *c, const uint8_t *key, size_t key_len, size_t n, const uint8_t **iv, size_t iv_len,
                const OSSL_PARAM params[], bool is_open) {
  if (n == 0 || n > PIPES_MAX) return prov_fail(c->prov, PROV_E_PIPES);
  bool is_chapoly = c->kind->aead == SL_CHACHA20_POLY1305;
  if (iv != NULL && (iv_len == 0 || iv_len > IV_MAX || (is_chapoly && iv_len != IV_DEFAULT_LEN))) {
    return prov_fail(c->prov, PROV_E_IV_LENGTH);
  }
  for (size_t i = 0; iv != NULL && i < n; i++) {
    if (iv[i] == NULL) return prov_fail(c->prov, PROV_E_NO_IV);
  }
  if (key != NULL && !cipher_set_key(c, key, key_len)) return 0;
  text_drop(&c->text);
  if (!make_pipes(c, n)) return 0;
  drop_texts(c);
  c->is_open = is_open;
  for (size_t i = 0; iv != NULL && i < n; i++) {
    copy_iv(c->pipes->pipe[i].iv, iv[i], iv_len);
    c->pipes->pipe[i].has_iv = true;
  }
  if (iv != NULL) c->pipes->iv_len = iv_len;
  const OSSL_PARAM *tags = param_find_const(params, PARAM_PIPELINE_TAG);
  return tags == NULL || pipeline_set_tags(c, tags);
}

int pipeline_seal_init(void *ctx, const unsigned char *key, size_t key_len, size_t n, const unsigned char **iv,
                       size_t iv_len, const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, n, iv, iv_len, params, false);
}

int pipeline_open_init(void *ctx, const unsigned char *key, size_t key_len, size_t n, const unsigned char **iv,
                       size_t iv_len, const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, n, iv, iv_len, params, true);
}

/* ---- the texts ----------------------------------------------------------------------------------------------- */

/* Whether the texts can be gone on with: all that can be said before anything is done. */
static int may_go_on(const struct cipher *c, size_t n) {
  if (n == 0 || n != c->n_pipes) return prov_fail(c->prov, PROV_E_PIPES);
  if (c->key.ops == NULL) return prov_fail(c->prov, PROV_E_NO_KEY);
  for (size_t i = 0; i < n; i++) {
    if (!c->pipes->pipe[i].has_iv) return prov_fail(c->prov, PROV_E_NO_IV);
  }
  return 1;
}

static int begin(const struct cipher *c, struct pipe *pipe) {
  if (pipe->is_begun) return 1;
  pipe->is_begun = true;
  return text_begin(c, &pipe->text, pipe->iv, c->pipes->iv_len);
}

/* Memory for copies of these texts, as far as they want it; what is kept already stays where it is. */
static bool make_room(const struct cipher *c, size_t n, const size_t *len) {
  size_t longest = 0;
  for (size_t i = 0; i < n; i++) {
    if (c->pipes->pipe[i].text.state == TEXT_WHOLE) return true;
    size_t keeps = text_job_keeps(c, len[i]);
    if (keeps <= c->kind->side_by_side_len && keeps > longest) longest = keeps;
  }
  if (longest <= c->pipes->kept_len && c->pipes->kept != NULL) return true;
  if (longest == 0) longest = 1;
  return make_kept(c, c->pipes, (uint16_t)((longest + KEPT_STEP - 1) / KEPT_STEP * KEPT_STEP));
}

/* A piece of each text. Those that can be jobs are done side by side, the others one by one. */
static int texts(struct cipher *c, size_t n, uint8_t **out, const uint8_t **in, const size_t *len) {
  struct pipes *pipes = c->pipes;
  struct sl_aead_job jobs[PIPES_MAX], *side_by_side[PIPES_MAX];
  size_t pipe_of[PIPES_MAX], n_jobs = 0;
  int ok = 1;
  if (!make_room(c, n, len)) return 0;
  for (size_t i = 0; i < n && ok; i++) {
    struct text *t = &pipes->pipe[i].text;
    if (len[i] == 0) continue;
    if (out[i] != NULL && text_may_be_job(c, t, out[i], in[i], len[i])) {
      text_job(c, t, &jobs[n_jobs], out[i], in[i], len[i]);
      side_by_side[n_jobs] = &jobs[n_jobs];
      pipe_of[n_jobs++] = i;
    } else {
      ok = text_piece(c, t, out[i], in[i], len[i]);
    }
  }
  if (n_jobs > 0) (c->is_open ? c->key.ops->open : c->key.ops->seal)(side_by_side, n_jobs);
  for (size_t j = 0; j < n_jobs; j++) text_job_done(c, &pipes->pipe[pipe_of[j]].text, &jobs[j]);
  return ok;
}

int pipeline_update(void *ctx, size_t n, unsigned char **out, size_t *out_len, const size_t *out_cap,
                    const unsigned char **in, const size_t *len) {
  struct cipher *c = ctx;
  if (!may_go_on(c, n)) return 0;
  if (in == NULL || len == NULL || out_len == NULL) return prov_fail(c->prov, PROV_E_PARAMETER);
  if (out != NULL && out_cap == NULL) return prov_fail(c->prov, PROV_E_SPACE);
  uint8_t *none[PIPES_MAX] = {NULL};
  if (out == NULL) out = none;
  for (size_t i = 0; i < n; i++) {
    if (len[i] > 0 && in[i] == NULL) return prov_fail(c->prov, PROV_E_PARAMETER);
    if (out[i] != NULL && out_cap[i] < len[i]) return prov_fail(c->prov, PROV_E_SPACE);
  }
  for (size_t i = 0; i < n; i++) {
    if (!begin(c, &c->pipes->pipe[i])) return 0;
  }
  if (!texts(c, n, out, in, len)) return 0;
  memcpy(out_len, len, n * sizeof *len);
  return 1;
}

int pipeline_final(void *ctx, size_t n, unsigned char **out, size_t *out_len, const size_t *out_cap) {
  struct cipher *c = ctx;
  (void)out, (void)out_cap;
  if (!may_go_on(c, n)) return 0;
  if (out_len == NULL) return prov_fail(c->prov, PROV_E_PARAMETER);
  if (c->is_open && c->pipes->tag_len == 0) return prov_fail(c->prov, PROV_E_NO_TAG);
  int ok = 1;
  for (size_t i = 0; i < n; i++) {
    struct pipe *pipe = &c->pipes->pipe[i];
    if (!begin(c, pipe) || !text_end(c, &pipe->text, c->pipes->tag_len)) ok = 0;
    pipe->has_iv = pipe->is_begun = false;
    out_len[i] = 0;
  }
  if (!c->is_open) c->pipes->tag_len = ok ? TAG_LEN : 0;
  return ok || !c->is_open ? ok : prov_fail(c->prov, PROV_E_AUTH);
}

/* ---- tags ---------------------------------------------------------------------------------------------------- */

/* The buffers; NULL after an error was added. */
static uint8_t **tag_buffers(const struct cipher *c, const OSSL_PARAM *p) {
  uint8_t **buffers = NULL;
  if (p->data_type == OSSL_PARAM_OCTET_PTR && p->data != NULL) memcpy(&buffers, p->data, sizeof(void *));
  bool ok = buffers != NULL;
  for (size_t i = 0; ok && i < c->n_pipes; i++) ok = buffers[i] != NULL;
  if (!ok) prov_fail(c->prov, PROV_E_PARAMETER);
  return ok ? buffers : NULL;
}

int pipeline_set_tags(struct cipher *c, const OSSL_PARAM *p) {
  if (c->n_pipes == 0) return prov_fail(c->prov, PROV_E_PIPES);
  if (!c->is_open) return prov_fail(c->prov, PROV_E_TAG_NOT_NEEDED);
  if (p->data_size == 0 || p->data_size > TAG_LEN) return prov_fail(c->prov, PROV_E_TAG);
  uint8_t **buffers = tag_buffers(c, p);
  if (buffers == NULL) return 0;
  for (size_t i = 0; i < c->n_pipes; i++) copy_tag(c->pipes->pipe[i].text.tag, buffers[i], p->data_size);
  c->pipes->tag_len = p->data_size;
  return 1;
}

int pipeline_get_tags(const struct cipher *c, const OSSL_PARAM *p) {
  if (c->n_pipes == 0) return prov_fail(c->prov, PROV_E_PIPES);
  if (c->is_open || c->pipes->tag_len == 0 || p->data_size == 0 || p->data_size > TAG_LEN) {
    return prov_fail(c->prov, PROV_E_TAG);
  }
  uint8_t **buffers = tag_buffers(c, p);
  if (buffers == NULL) return 0;
  for (size_t i = 0; i < c->n_pipes; i++) copy_tag(buffers[i], c->pipes->pipe[i].text.tag, p->data_size);
  return 1;
}

/* ipsec_mb.c - Intel IPsec-MB (intel-ipsec-mb.h), in up to three ways:
 *
 *   direct   AES-GCM: one call per record; ChaCha20-Poly1305: init, update, finalize
 *   job      ChaCha20-Poly1305: get_next_job, fill, submit_job_nocheck
 *   burst    ChaCha20-Poly1305: the same for up to 128 jobs in one submission
 *
 * AES-GCM has the direct way only: its jobs end in the same function, a dispatch and some twenty stores later. For
 * ChaCha20-Poly1305 they end in a one-pass function that the direct way does not reach. Seal of 64 bytes, batch of 32,
 * ns a record, direct / job / burst: AES-128-GCM 25.1 / 32.9 / 29.9, ChaCha20-Poly1305 300 / 175 / 171; at 16 KiB
 * AES-128-GCM 684 / 720 / 721, ChaCha20-Poly1305 3125 / 3087 / 3061 (1.3.0, AMD EPYC Zen 5, 2026-11-23).
 *
 * An open compares the tag here, since the library only computes it. */
#include "../bench.h"
#include "rival.h"
#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum way { DIRECT, JOB, BURST, WAY_END };
static const char *const way_names[WAY_END] = {"direct", "job", "burst"};

/* From version 1.4 on, a job of a burst says by numbers what it is; they are the same for all of them. */
#if IMB_VERSION_NUM >= 0x10400
static void session_learn(IMB_MGR *mgr, IMB_JOB *job) {
  imb_set_session(mgr, job);
}
static void session_say(IMB_JOB *job, const IMB_JOB *like) {
  memcpy(job->suite_id, like->suite_id, sizeof job->suite_id);
  job->session_id = like->session_id;
}
#else
static void session_learn(IMB_MGR *mgr, IMB_JOB *job) {
  (void)mgr, (void)job;
}
static void session_say(IMB_JOB *job, const IMB_JOB *like) {
  (void)job, (void)like;
}
#endif

/* The library reads its keys with whole-line loads; the public header forgets the alignment outside its own build. */
struct gcm_key {
  struct gcm_key_data data;
} __attribute__((aligned(64)));

struct mb {
  IMB_MGR *mgr;
  enum sl_aead aead;
  enum way way;
  bool is_open;
  size_t secret_len;
  const uint8_t *secrets;    /* ChaCha20-Poly1305 expands nothing */
  struct gcm_key *gcm;       /* one per key */
  aes_gcm_enc_dec_t gcm_run; /* for this key size and direction */
  struct rival_texts texts;
  IMB_JOB like;      /* a job of these texts */
  uint8_t *computed; /* open: the tags the library computes */
};

static IMB_MGR *new_manager(IMB_ARCH *arch) {
  IMB_MGR *mgr = alloc_mb_mgr(0);
  if (mgr == NULL) return NULL;
  init_mb_mgr_auto(mgr, arch);
  if (imb_get_errno(mgr) == 0) return mgr;
  free_mb_mgr(mgr);
  return NULL;
}

static void version(char *out, size_t cap) {
  /* Version 1 has more, for CPUs without AVX2 or AES-NI; version 2 no longer has their names. */
  static const char *const names[IMB_ARCH_NUM] = {
      [IMB_ARCH_SSE] = "sse", [IMB_ARCH_AVX2] = "avx2", [IMB_ARCH_AVX512] = "avx512"};
  IMB_ARCH arch = IMB_ARCH_NONE;
  IMB_MGR *mgr = new_manager(&arch);
  const char *name = arch < IMB_ARCH_NUM ? names[arch] : NULL;
  if (name == NULL) name = "another architecture";
  snprintf(out, cap, "%s (%s)", imb_get_version_str(), mgr != NULL ? name : "cannot start");
  if (mgr != NULL) free_mb_mgr(mgr);
}

static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  size_t n = aead == SL_CHACHA20_POLY1305 ? WAY_END : 1;
  IMB_ARCH arch = IMB_ARCH_NONE;
  IMB_MGR *mgr = new_manager(&arch);
  for (size_t i = 0; i < n; i++) {
    out[i] = (struct rival_way){.is_default = true};
    snprintf(out[i].name, sizeof out[i].name, "%s", way_names[i]);
    if (mgr == NULL) snprintf(out[i].reason, sizeof out[i].reason, "intel-ipsec-mb does not run on this CPU");
  }
  if (mgr != NULL) free_mb_mgr(mgr);
  return n;
}

static void release(void *state) {
  struct mb *m = state;
  if (m == NULL) return;
  if (m->mgr != NULL) free_mb_mgr(m->mgr);
  free(m->gcm);
  free(m->computed);
  free(m);
}

static void expand_gcm(struct mb *m, const uint8_t *secrets, size_t n_keys) {
  bool is_256 = m->aead == SL_AES_256_GCM;
  m->gcm = bench_alloc(n_keys, sizeof m->gcm[0]);
  for (size_t i = 0; i < n_keys; i++) {
    const uint8_t *secret = secrets + i * m->secret_len;
    if (is_256) {
      IMB_AES256_GCM_PRE(m->mgr, secret, &m->gcm[i].data);
    } else {
      IMB_AES128_GCM_PRE(m->mgr, secret, &m->gcm[i].data);
    }
  }
  if (m->is_open) {
    m->gcm_run = is_256 ? m->mgr->gcm256_dec : m->mgr->gcm128_dec;
  } else {
    m->gcm_run = is_256 ? m->mgr->gcm256_enc : m->mgr->gcm128_enc;
  }
}

static void *setup(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys) {
  struct mb *m = bench_alloc(1, sizeof *m);
  IMB_ARCH arch = IMB_ARCH_NONE;
  m->mgr = new_manager(&arch);
  if (m->mgr == NULL) {
    release(m);
    return NULL;
  }
  m->aead = aead;
  m->is_open = is_open;
  m->secrets = secrets;
  m->secret_len = sl_aead_secret_len(aead);
  for (enum way w = DIRECT; w < WAY_END; w++) {
    if (strcmp(way, way_names[w]) == 0) m->way = w;
  }
  if (aead != SL_CHACHA20_POLY1305) expand_gcm(m, secrets, n_keys);
  return m;
}

static uint8_t *tag_of(const struct mb *m, size_t i) {
  return m->is_open ? m->computed + i * SL_AEAD_TAG_LEN : m->texts.text[i].tag;
}

static void run_gcm(struct mb *m, const uint32_t *keys) {
  struct gcm_context_data ctx;
  for (size_t i = 0; i < m->texts.n; i++) {
    const struct rival_text *text = &m->texts.text[i];
    m->gcm_run(&m->gcm[keys[i]].data, &ctx, text->out, text->in, m->texts.len, text->nonce, text->aad, RIVAL_AAD_LEN,
               tag_of(m, i), SL_AEAD_TAG_LEN);
  }
}

static void run_chapoly(struct mb *m, const uint32_t *keys) {
  struct chacha20_poly1305_context_data ctx;
  for (size_t i = 0; i < m->texts.n; i++) {
    const struct rival_text *text = &m->texts.text[i];
    const uint8_t *secret = m->secrets + keys[i] * m->secret_len;
    IMB_CHACHA20_POLY1305_INIT(m->mgr, secret, &ctx, text->nonce, text->aad, RIVAL_AAD_LEN);
    if (m->is_open) {
      IMB_CHACHA20_POLY1305_DEC_UPDATE(m->mgr, secret, &ctx, text->out, text->in, m->texts.len);
      IMB_CHACHA20_POLY1305_DEC_FINALIZE(m->mgr, &ctx, tag_of(m, i), SL_AEAD_TAG_LEN);
    } else {
      IMB_CHACHA20_POLY1305_ENC_UPDATE(m->mgr, secret, &ctx, text->out, text->in, m->texts.len);
      IMB_CHACHA20_POLY1305_ENC_FINALIZE(m->mgr, &ctx, tag_of(m, i), SL_AEAD_TAG_LEN);
    }
  }
}

static void fill_job(const struct mb *m, IMB_JOB *job, size_t i, uint32_t key) {
  const struct rival_text *text = &m->texts.text[i];
  job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
  job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
  job->cipher_direction = m->is_open ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT;
  job->chain_order = m->is_open ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
  job->enc_keys = job->dec_keys = m->secrets + key * m->secret_len;
  job->key_len_in_bytes = IMB_KEY_256_BYTES;
  job->src = text->in;
  job->dst = text->out;
  job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
  job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = m->texts.len;
  job->iv = text->nonce;
  job->iv_len_in_bytes = SL_AEAD_NONCE_LEN;
  job->u.CHACHA20_POLY1305.aad = text->aad;
  job->u.CHACHA20_POLY1305.aad_len_in_bytes = RIVAL_AAD_LEN;
  job->auth_tag_output = tag_of(m, i);
  job->auth_tag_output_len_in_bytes = SL_AEAD_TAG_LEN;
}

static bool prepare(void *state, const struct rival_texts *texts) {
  struct mb *m = state;
  m->texts = *texts;
  free(m->computed);
  m->computed = bench_alloc(texts->n, SL_AEAD_TAG_LEN);
  memset(&m->like, 0, sizeof m->like);
  fill_job(m, &m->like, 0, 0);
  if (m->way == BURST) session_learn(m->mgr, &m->like);
  return true;
}

static bool run_jobs(struct mb *m, const uint32_t *keys) {
  size_t n_done = 0;
  for (size_t i = 0; i < m->texts.n; i++) {
    fill_job(m, IMB_GET_NEXT_JOB(m->mgr), i, keys[i]);
    for (IMB_JOB *job = IMB_SUBMIT_JOB_NOCHECK(m->mgr); job != NULL; job = IMB_GET_COMPLETED_JOB(m->mgr))
      n_done += job->status == IMB_STATUS_COMPLETED;
  }
  for (IMB_JOB *job = IMB_FLUSH_JOB(m->mgr); job != NULL; job = IMB_FLUSH_JOB(m->mgr))
    n_done += job->status == IMB_STATUS_COMPLETED;
  return n_done == m->texts.n;
}

static size_t count_completed(IMB_JOB *const *jobs, uint32_t n) {
  size_t n_done = 0;
  for (uint32_t i = 0; i < n; i++) n_done += jobs[i]->status == IMB_STATUS_COMPLETED;
  return n_done;
}

static bool run_bursts(struct mb *m, const uint32_t *keys) {
  IMB_JOB *jobs[IMB_MAX_BURST_SIZE];
  size_t n_done = 0;
  for (size_t i = 0; i < m->texts.n;) {
    size_t left = m->texts.n - i;
    uint32_t want = left < IMB_MAX_BURST_SIZE ? (uint32_t)left : IMB_MAX_BURST_SIZE;
    uint32_t n = IMB_GET_NEXT_BURST(m->mgr, want, jobs);
    if (n == 0) return false;
    for (uint32_t k = 0; k < n; k++, i++) {
      fill_job(m, jobs[k], i, keys[i]);
      session_say(jobs[k], &m->like);
    }
    n_done += count_completed(jobs, IMB_SUBMIT_BURST_NOCHECK(m->mgr, n, jobs));
  }
  for (uint32_t n; (n = IMB_FLUSH_BURST(m->mgr, IMB_MAX_BURST_SIZE, jobs)) > 0;) n_done += count_completed(jobs, n);
  return n_done == m->texts.n;
}

static bool run(struct mb *m, const uint32_t *keys) {
  if (m->gcm != NULL) {
    run_gcm(m, keys);
    return true;
  }
  switch (m->way) {
  case DIRECT:
    run_chapoly(m, keys);
    return true;
  case JOB:
    return run_jobs(m, keys);
  case BURST:
    return run_bursts(m, keys);
  case WAY_END:
    break;
  }
  return false;
}

static bool seal(void *state, const uint32_t *keys) {
  return run(state, keys);
}

static bool open(void *state, const uint32_t *keys, const uint8_t *tags) {
  struct mb *m = state;
  if (!run(m, keys)) return false;
  uint64_t differ = 0;
  for (size_t i = 0; i < m->texts.n; i++) {
    uint64_t a[2], b[2];
    memcpy(a, m->computed + i * SL_AEAD_TAG_LEN, sizeof a);
    memcpy(b, tags + i * SL_AEAD_TAG_LEN, sizeof b);
    differ |= (a[0] ^ b[0]) | (a[1] ^ b[1]);
  }
  return differ == 0;
}

const struct rival rival_ipsec_mb = {
    .name = "ipsec-mb",
    .version = version,
    .ways = ways,
    .setup = setup,
    .prepare = prepare,
    .seal = seal,
    .open = open,
    .release = release,
};

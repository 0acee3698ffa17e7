/* chapoly_stream.h - ChaCha20-Poly1305 of texts in pieces (engine/stream.h) for x86; included behind chapoly_template.h, whose
 * passes and vectors of Poly1305 it uses.
 *
 * Between pieces the hash is a scalar struct sl_poly1305. A long piece takes it into lane 0 of its first vector, walks over
 * whole vectors as a solo does, and adds the lanes up in the end; what is under a vector is hashed in scalars, and so are
 * short pieces.
 *
 * Nothing is computed when a text starts: counter 0 says that the Poly1305 key is not there yet. The pass for the first
 * piece makes it, in the lane before the text's. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H

enum { LIMB_BITS = POLY_LIMBS == 3 ? 44 : 26 };
typedef unsigned __int128 chapoly_wide;

static struct sl_poly1305 *chapoly_poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}
_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* ---- Poly1305: scalar to lanes and back ---------------------------------------------------------------------- */

/* limbs of 44, 44, 42 bits to those of the vectors */
static inline void chapoly_split(uint64_t limb[POLY_LIMBS], const uint64_t h[3]) {
  uint64_t h1 = h[1] + (h[0] >> 44), h2 = h[2] + (h1 >> 44);
  chapoly_wide low =
      (chapoly_wide)(h[0] & SL_POLY1305_44) | (chapoly_wide)(h1 & SL_POLY1305_44) << 44 | (chapoly_wide)h2 << 88;
  const unsigned last = LIMB_BITS * (POLY_LIMBS - 1);
  for (unsigned i = 0; i + 1 < POLY_LIMBS; i++) {
    limb[i] = (uint64_t)(low >> (LIMB_BITS * i)) & ((UINT64_C(1) << LIMB_BITS) - 1);
  }
  limb[POLY_LIMBS - 1] = (uint64_t)(low >> last) | h2 >> 40 << (128 - last);
}

/* and back; limbs are under 2^60 */
static inline void chapoly_join(uint64_t h[3], const uint64_t limb[POLY_LIMBS]) {
  uint64_t part[5] = {0}; /* of 44 bits each, with room for sums */
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    chapoly_wide x = (chapoly_wide)limb[i] << (LIMB_BITS * i % 44);
    unsigned at = LIMB_BITS * i / 44;
    for (unsigned j = at; j < 5; j++, x >>= 44) part[j] += (uint64_t)x & SL_POLY1305_44;
  }
  for (unsigned j = 0; j < 4; j++) part[j + 1] += part[j] >> 44, part[j] &= SL_POLY1305_44;
  /* Parts 3 and 4 weigh 2^132, which is 20, and 2^176, which is 20 2^44; they are under 2^20. */
  h[0] = part[0] + 20 * part[3];
  h[1] = part[1] + 20 * part[4] + (h[0] >> 44), h[0] &= SL_POLY1305_44;
  h[2] = part[2] + (h[1] >> 44), h[1] &= SL_POLY1305_44;
  h[0] += 5 * (h[2] >> 42), h[2] &= SL_POLY1305_42;
  h[1] += h[0] >> 44, h[0] &= SL_POLY1305_44;
}

/* Powers of the stream's r for vectors, and its hash into the first of them, at p. */
static void chapoly_stream_begin(struct chapoly_work *w, const struct sl_stream *s, const uint8_t *p, bool is_long) {
  static const struct sl_aead_job no_aad;
  const struct sl_poly1305 *poly = (const struct sl_poly1305 *)s->hash;
  uint8_t r[32] = {0};
  sl_store64_le(r, poly->r[0] | poly->r[1] << 44);
  sl_store64_le(r + 8, poly->r[1] >> 20 | poly->r[2] << 24);
  chapoly_solo_key(w, &no_aad, r, is_long);
  sl_wipe(r, sizeof r);

  uint64_t limb[POLY_LIMBS];
  struct poly_value h;
  chapoly_split(limb, poly->h);
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES] = {limb[i]};
    h.limb[i] = q_to_run_order(q_load(lanes));
  }
  w->hash[0] = poly_add(h, poly_run_at(p));
}

/* Back from vectors, where lane i lacks r^(Q_LANES - i), and the rest at p, which they did not take. */
static void chapoly_stream_end(const struct chapoly_work *w, struct sl_stream *s, const uint8_t *p, size_t rest,
                               bool has_vectors) {
  if (has_vectors) {
    struct poly_value h = w->hash[0];
    uint64_t limb[POLY_LIMBS];
    poly_times_powers(w, &h, Q_LANES);
    poly_sum_lanes(&h);
    for (unsigned i = 0; i < POLY_LIMBS; i++) memcpy(&limb[i], &h.limb[i], sizeof limb[i]);
    chapoly_join(chapoly_poly_of(s)->h, limb);
  }
  s->n_block = (uint8_t)(rest % 16);
  chapoly_absorb(chapoly_poly_of(s), p, rest - s->n_block);
  memcpy(s->block, p + rest - s->n_block, s->n_block);
}

/* ---- the kernel's functions ---------------------------------------------------------------------------------- */

static void chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* The Poly1305 key, and the block that waits to be hashed. */
SHARED void chapoly_stream_ready(struct sl_stream *s, const struct sl_aead_key *key) {
  if (s->counter == 0) {
    struct chapoly_work w;
    uint8_t first[32];
    w.used = 0;
    chapoly_solo_start(&w, key, s->nonce, 1, 0);
    chacha_pass(&w, 1, 0, NULL);
    chacha_first_key(first, &w);
    sl_poly1305_init(chapoly_poly_of(s), first);
    sl_wipe(first, sizeof first);
    s->counter = 1;
    chapoly_work_wipe(&w);
  }
}

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), blocks, 16 * n);
}

static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  struct chapoly_work w;
  struct sl_aead_job job = {.key = key, .in = in, .out = out, .len = len};
  size_t n_blocks = (len + 63) / 64;
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), s->block, s->n_block);
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  w.used = 0;
  chapoly_solo(&w, &job, NULL, s, !is_open);
  s->counter += (uint32_t)n_blocks;
  s->n_unit = (uint8_t)(64 * n_blocks - len);
  if (s->n_unit > 0) memcpy(s->unit, w.rest[(n_blocks - 1) % PASS_BLOCKS], sizeof s->unit);
  chapoly_work_wipe(&w);
}

static void chapoly_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16]; /* in bytes */
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), s->block, s->n_block);
  sl_store64_le(lengths, s->aad_len);
  sl_store64_le(lengths + 8, s->text_len);
  chapoly_absorb(chapoly_poly_of(s), lengths, sizeof lengths);
  sl_poly1305_final(chapoly_poly_of(s), tag);
}

#define CHAPOLY_STREAM_OPS                                                                                             \
  { 64, chapoly_stream_start, chapoly_stream_absorb, chapoly_stream_crypt, chapoly_stream_tag }

#endif

/* gcm_narrow.h - records through gcm_template.h where vectors hold one or two blocks, no masks cut them, and there are 16
 * registers: one record at a time. A record's ends go through memory, vector by vector, in loops of which there is one
 * copy; what runs long is gcm_long_group(). */
#ifndef SEALANE_ENGINE_X86_64_GCM_NARROW_H
#define SEALANE_ENGINE_X86_64_GCM_NARROW_H

#include "engine/x86_64/gcm_template.h"

/* The vectors of a record's head or last group: AES, then GHASH's input. */
typedef uint8_t gcm_group[V_LAST][V_BYTES] __attribute__((aligned(64)));

INLINE void gcm_stream_vecs(struct gcm_record *r, unsigned rounds, gcm_group group, unsigned n_vecs) {
  v x[V_LAST];
  gcm_counters(r, 1, x, n_vecs, V_GROUP, false);
  gcm_rounds(r, 1, rounds, x, n_vecs, NULL);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) v_store(group[j], x[j]);
}

/* All rounds of AES but the last for n_vecs vectors, or up to two more. */
PART void gcm_stream(struct gcm_record *r, unsigned rounds, gcm_group group, size_t n_vecs) {
  if (n_vecs <= 3) {
    gcm_stream_vecs(r, rounds, group, 3);
  } else if (n_vecs <= 5) {
    gcm_stream_vecs(r, rounds, group, 5);
  } else if (n_vecs <= 7) {
    gcm_stream_vecs(r, rounds, group, 7);
  } else {
    gcm_stream_vecs(r, rounds, group, V_LAST);
  }
}
_Static_assert(V_LAST == 9, "gcm_stream() has every count");

/* The text of the vectors that gcm_stream() began; the group then holds what GHASH takes. */
PART void gcm_text(struct gcm_record *r, unsigned rounds, gcm_group group, size_t n_vecs, ptrdiff_t off, bool seal) {
  v last_key = v_load_all(r->round_keys + 16 * rounds);
  ptrdiff_t inside = (ptrdiff_t)(r->text_len - r->job->tail_len) - V_BYTES;
  ROLLED for (size_t j = 0; j < n_vecs; j++, off += V_BYTES) {
    v x = v_load(group[j]);
    if (off >= 0 && off <= inside) {
      x = gcm_vec(r, x, last_key, off, seal);
    } else {
      x = gcm_edge_vec(r, x, last_key, off, off<0, off> inside ? MAY_END : INSIDE, seal);
    }
    if (off == (V_LANES > 1 ? -LEAD_LEN : -16)) x = v_xor(x, r->aad);
    v_store(group[j], x);
  }
}

/* The products of the last group's positions with their own powers, lanes apart. */
PART void gcm_hash_last(const struct gcm_record *r, gcm_group group, size_t n_vecs, ptrdiff_t off,
                        struct gcm_done *done) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  v acc = r->acc;
  ptrdiff_t n_positions = ((ptrdiff_t)r->text_len + 15 - off) / 16, left = n_positions;
  const uint8_t *own = r->powers_end - 16 * n_positions;
  if (n_vecs > V_EXACT) { /* by one: the first has no power in the key */
    s = gcm_product(v_xor(v_load(group[0]), acc), v_load_all(r->powers_end - V_BYTES));
    acc = gcm_reduced(s);
    s = (struct gcm_sum){v_zero(), v_zero(), v_zero()};
    group++;
    n_vecs--;
    own += V_BYTES;
    left -= V_LANES;
  }
  ROLLED for (size_t j = 0; j < n_vecs; j++, own += V_BYTES, left -= V_LANES) {
    s = gcm_added(s, gcm_product(v_xor(v_load(group[j]), acc), v_load_lanes(own, left)), false);
    acc = v_zero();
  }
  done->sum = s;
  done->mask = r->mask;
  done->lengths = _mm_set_epi64x((long long)(8 * (uint64_t)r->job->aad_len), (long long)(8 * (uint64_t)r->text_len));
  done->h = r->powers_end - 16;
  done->job = r->job;
}
_Static_assert((int)V_LAST <= (int)V_EXACT + 1, "one vector at most lies beyond the key's powers");

INLINE ptrdiff_t gcm_long_groups(struct gcm_record *r, const struct gcm_long *l, unsigned rounds, size_t *n_vecs,
                                 v hash[], bool seal) {
  ptrdiff_t off = LONG_LEN - LEAD_LEN;
  ROLLED for (; *n_vecs > V_LAST; *n_vecs -= V_GROUP, off += GROUP_LEN) {
    gcm_long_group(r, l, rounds, off, hash, false, seal);
  }
  return off;
}

/* A record of more than V_LAST vectors up to its last group. Returns where that begins in the text. */
PART ptrdiff_t gcm_long_part(struct gcm_record *out, unsigned rounds, gcm_group group, size_t *n_vecs, bool seal) {
  struct gcm_long l;
  struct gcm_record r = *out;
  v hash[V_GROUP];
  ptrdiff_t off;
  gcm_stream(out, rounds, group, V_GROUP);
  gcm_text(out, rounds, group, V_GROUP, -LEAD_LEN, seal);
  r.counter = out->counter;
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) hash[j] = v_load(group[j]);
  *n_vecs -= V_GROUP;
  gcm_long_make(&l, &r, rounds);
  if (seal) {
    off = gcm_long_groups(&r, &l, rounds, n_vecs, hash, true);
  } else {
    off = gcm_long_groups(&r, &l, rounds, n_vecs, hash, false);
  }
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = V_GROUP; j > 0; j -= 2) s = gcm_long_pair(&l, s, hash, j - 1, j - 2);
  out->acc = gcm_reduced(s);
  out->counter = r.counter;
  sl_wipe(&l, sizeof l);
  return off;
}
_Static_assert((int)V_GROUP == (int)V_GROUP_LONG, "one size of group");

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_done done[V_LANES];
  struct gcm_record r;
  gcm_group group;
  unsigned n_done = 0;
  for (size_t i = 0; i < n; i++) {
    size_t n_vecs = gcm_n_vecs(jobs[i]);
    ptrdiff_t off = -LEAD_LEN;
    gcm_begin(&r, jobs[i], rounds);
    if (n_vecs > V_LAST) off = gcm_long_part(&r, rounds, group, &n_vecs, seal);
    gcm_stream(&r, rounds, group, n_vecs);
    gcm_text(&r, rounds, group, n_vecs, off, seal);
    gcm_hash_last(&r, group, n_vecs, off, &done[n_done++]);
    if (n_done < V_LANES && i + 1 < n) continue;
    gcm_finish_some(done, n_done, seal);
    n_done = 0;
  }
  sl_wipe(done, sizeof done);
  sl_wipe(group, sizeof group);
}

#endif

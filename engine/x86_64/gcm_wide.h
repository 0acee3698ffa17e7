/* gcm_wide.h - records through gcm_template.h where vectors hold four blocks, masks cut them, and 32 registers keep several
 * records in flight: short records four at a time, middling ones in pairs. */
#ifndef SEALANE_ENGINE_X86_64_GCM_WIDE_H
#define SEALANE_ENGINE_X86_64_GCM_WIDE_H

#include "engine/x86_64/gcm_template.h"

/* A full group, with or without the record's head. `hash` holds the group before on entry and this one on return, what
 * was hashed so far added to its first vector. */
INLINE void gcm_full_group(struct gcm_record r[], unsigned side, unsigned rounds, ptrdiff_t off, v hash[], bool head,
                           bool seal) {
  v x[V_SIDE_MAX * V_GROUP];
  gcm_counters(r, side, x, V_GROUP, V_GROUP, head);
  gcm_rounds(r, side, rounds, x, V_GROUP, head ? NULL : hash);
  UNROLL for (unsigned i = 0; i < side; i++) {
    v last_key = v_load_all(r[i].round_keys + 16 * rounds);
    UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      v y = x[i * V_GROUP + j];
      v h = head && j * V_BYTES < LEAD_LEN ? gcm_edge_vec(&r[i], y, last_key, at, true, INSIDE, seal)
                                           : gcm_vec(&r[i], y, last_key, at, seal);
      hash[i * V_GROUP + j] = j == 0 ? v_xor(h, head ? r[i].aad : r[i].acc) : h;
    }
  }
}

/* The products of the last group's positions with their own powers, lanes apart; the last n_edges of n_vecs vectors may
 * hold the end of the text or nothing. */
INLINE struct gcm_sum gcm_hash_last(const struct gcm_record *r, v hash[], unsigned n_vecs, unsigned n_edges,
                                    ptrdiff_t n_positions) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  const unsigned n_ahead = n_vecs > V_EXACT ? n_vecs - V_EXACT : 0; /* vectors beyond the key's powers */
  const uint8_t *own = r->powers_end - 16 * n_positions;
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    v h = j < n_ahead            ? v_load_all(r->powers_end - V_BYTES * (n_ahead - j))
          : j + n_edges < n_vecs ? v_load(own + V_BYTES * j)
                                 : v_load_lanes(own + V_BYTES * j, n_positions - (ptrdiff_t)(V_LANES * j));
    s = gcm_added(s, gcm_product(hash[j], h), j == 0 || j == n_ahead);
    if (j + 1 == n_ahead) hash[j + 1] = v_xor(hash[j + 1], gcm_reduced(s));
  }
  return s;
}
_Static_assert(V_LAST <= 2 * V_EXACT, "one step of reduction in the last group");

/* The group with the end of the record. */
INLINE void gcm_last_group(struct gcm_record r[], unsigned side, unsigned rounds, ptrdiff_t off, const v hash[],
                           unsigned n_vecs, unsigned n_edges, bool head, bool seal, struct gcm_done done[]) {
  v x[V_SIDE_MAX * V_LAST], own[V_LAST];
  gcm_counters(r, side, x, n_vecs, V_GROUP, head);
  gcm_rounds(r, side, rounds, x, n_vecs, head ? NULL : hash);
  UNROLL for (unsigned i = 0; i < side; i++) {
    v last_key = v_load_all(r[i].round_keys + 16 * rounds);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      bool is_head = head && j * V_BYTES < LEAD_LEN;
      enum gcm_tail tail = j + n_edges < n_vecs    ? INSIDE
                           : n_edges == 1          ? ENDS
                           : j + n_edges == n_vecs ? ENDS_OR_GOES_ON
                           : j + 1 == n_vecs       ? ENDS_OR_IS_OVER
                                                   : MAY_END;
      v y = x[i * n_vecs + j];
      own[j] = is_head || tail != INSIDE ? gcm_edge_vec(&r[i], y, last_key, at, is_head, tail, seal)
                                         : gcm_vec(&r[i], y, last_key, at, seal);
    }
    own[0] = v_xor(own[0], head ? r[i].aad : r[i].acc);
    done[i].sum = gcm_hash_last(&r[i], own, n_vecs, n_edges, ((ptrdiff_t)r[i].text_len + 15 - off) / 16);
    done[i].mask = r[i].mask;
    done[i].lengths =
        _mm_set_epi64x((long long)(8 * (uint64_t)r[i].job->aad_len), (long long)(8 * (uint64_t)r[i].text_len));
    done[i].h = r[i].powers_end - 16;
    done[i].job = r[i].job;
  }
}

/* Runs the head of a long record and its long groups, until 2 .. V_GROUP_LONG+1 vectors are left, and leaves things as
 * gcm_full_group() does. Returns where it stopped in the text. */
INLINE ptrdiff_t gcm_long_part(struct gcm_record *r, unsigned rounds, size_t *n_vecs, v hash[], bool seal) {
  struct gcm_long l;
  v group[V_GROUP_LONG];
  ptrdiff_t off = -LEAD_LEN;
  gcm_long_make(&l, r, rounds);
  gcm_long_group(r, &l, rounds, off, group, true, seal);
  ROLLED for (*n_vecs -= V_GROUP_LONG, off += LONG_LEN; *n_vecs >= V_GROUP_LONG + 2;
              *n_vecs -= V_GROUP_LONG, off += LONG_LEN) {
    gcm_long_group(r, &l, rounds, off, group, false, seal);
  }
  /* The last V_GROUP vectors are left to the next group; those before them are hashed here. */
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) hash[j] = group[V_GROUP_LONG - V_GROUP + j];
  if (V_GROUP_LONG > V_GROUP) {
    struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
    UNROLL for (unsigned j = 0; j + V_GROUP < V_GROUP_LONG; j++) {
      sum = gcm_added(sum, gcm_product(group[j], v_load(l.power[V_GROUP + j])), false);
    }
    hash[0] = v_xor(hash[0], gcm_reduced(sum));
  }
  sl_wipe(&l, sizeof l);
  return off;
}
_Static_assert(V_GROUP_LONG == V_GROUP || V_GROUP_LONG == 2 * V_GROUP, "powers of what is hashed early");

/* ---- the kernel's functions ---------------------------------------------------------------------------------- */

/* `side` records of n_vecs vectors each, at most V_LAST. n_edges: as for gcm_hash_last(). */
INLINE void gcm_short_records(struct sl_aead_job *const jobs[], unsigned side, unsigned rounds, unsigned n_vecs,
                              unsigned n_edges, bool seal, struct gcm_done done[]) {
  struct gcm_record r[V_SIDE_MAX];
  UNROLL for (unsigned i = 0; i < side; i++) gcm_begin(&r[i], jobs[i], rounds);
  gcm_last_group(r, side, rounds, -LEAD_LEN, NULL, n_vecs, n_edges, true, seal, done);
}

/* All full groups of records of more vectors than that. Returns where they end in the text. */
INLINE ptrdiff_t gcm_full_groups(struct gcm_record r[], unsigned side, unsigned rounds, size_t *n_vecs, v hash[],
                                 bool seal) {
  ptrdiff_t off = -LEAD_LEN;
  if (side == 1 && *n_vecs >= V_LONG_MIN) {
    off = gcm_long_part(&r[0], rounds, n_vecs, hash, seal);
  } else {
    gcm_full_group(r, side, rounds, off, hash, true, seal);
    *n_vecs -= V_GROUP;
    off += GROUP_LEN;
  }
  ROLLED for (; *n_vecs > V_LAST; *n_vecs -= V_GROUP, off += GROUP_LEN) {
    gcm_full_group(r, side, rounds, off, hash, false, seal);
  }
  return off;
}

/* `side` records of n_vecs vectors each, more than V_LAST. */
INLINE void gcm_more_records(struct sl_aead_job *const jobs[], unsigned side, unsigned rounds, size_t n_vecs, bool seal,
                             struct gcm_done done[]) {
  struct gcm_record r[V_SIDE_MAX];
  v hash[V_SIDE_MAX * V_GROUP];
  ptrdiff_t off;
  UNROLL for (unsigned i = 0; i < side; i++) gcm_begin(&r[i], jobs[i], rounds);
  if (seal) {
    off = gcm_full_groups(r, side, rounds, &n_vecs, hash, true);
  } else {
    off = gcm_full_groups(r, side, rounds, &n_vecs, hash, false);
  }
  if (n_vecs == 2) {
    gcm_last_group(r, side, rounds, off, hash, 2, 1, false, seal, done);
  } else {
    gcm_last_group(r, side, rounds, off, hash, V_LAST, 3, false, seal, done);
  }
}

/* ---- the cases, each once ------------------------------------------------------------------------------------ */

/* Four records of 2 vectors (64 bytes of text) or of 5 (256): code for each direction. */
PART void gcm_four_seal(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs) {
  struct gcm_done done[V_LANES];
  if (n_vecs == 2) {
    gcm_short_records(jobs, 4, rounds, 2, 1, true, done);
  } else {
    gcm_short_records(jobs, 4, rounds, V_LAST, 1, true, done);
  }
  gcm_finish(done, V_LANES, true);
}
PART void gcm_four_open(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs) {
  struct gcm_done done[V_LANES];
  if (n_vecs == 2) {
    gcm_short_records(jobs, 4, rounds, 2, 1, false, done);
  } else {
    gcm_short_records(jobs, 4, rounds, V_LAST, 1, false, done);
  }
  gcm_finish(done, V_LANES, false);
}
/* Two of 3 or 4 vectors. */
PART void gcm_two_short(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs, bool seal,
                        struct gcm_done done[]) {
  if (n_vecs == 3) {
    gcm_short_records(jobs, 2, rounds, 3, 1, seal, done);
  } else {
    gcm_short_records(jobs, 2, rounds, 4, 1, seal, done);
  }
}
/* One of up to V_LAST: not every number has its own code, some bring empty vectors along. */
PART void gcm_one_short(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs, bool seal,
                        struct gcm_done done[]) {
  if (n_vecs <= 2) {
    gcm_short_records(jobs, 1, rounds, 2, 2, seal, done);
  } else if (n_vecs == 3) {
    gcm_short_records(jobs, 1, rounds, 3, 1, seal, done);
  } else {
    gcm_short_records(jobs, 1, rounds, V_LAST, 2, seal, done);
  }
}
_Static_assert(V_LAST == 5 && V_LANES == 4, "every number of vectors has its case");
/* Two or one of more. */
PART void gcm_two(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs, bool seal, struct gcm_done done[]) {
  gcm_more_records(jobs, 2, rounds, n_vecs, seal, done);
}
PART void gcm_one(struct sl_aead_job *const jobs[], unsigned rounds, size_t n_vecs, bool seal, struct gcm_done done[]) {
  gcm_more_records(jobs, 1, rounds, n_vecs, seal, done);
}
/* How many records of n_vecs vectors are taken side by side. */
INLINE size_t gcm_side(size_t n_vecs) {
  if (n_vecs >= V_LONG_MIN || n_vecs < 2) return 1;
  return n_vecs == 2 || n_vecs == V_LAST ? 4 : 2;
}

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_done pending[V_LANES]; /* records that wait until there is one for each lane */
  unsigned n_pending = 0;
  for (size_t i = 0; i < n;) {
    size_t n_vecs = gcm_n_vecs(jobs[i]), side_max = gcm_side(n_vecs), side = 1;
    while (side < side_max && i + side < n && gcm_n_vecs(jobs[i + side]) == n_vecs) side++;
    bool is_short = n_vecs <= V_LAST, is_pair = side == 2 && side_max == 2;
    if (side == 4) {
      if (seal) {
        gcm_four_seal(jobs + i, rounds, n_vecs);
      } else {
        gcm_four_open(jobs + i, rounds, n_vecs);
      }
      i += 4;
      continue;
    }
    if (is_pair && n_pending + 2 > V_LANES) {
      gcm_finish_some(pending, n_pending, seal);
      n_pending = 0;
    }
    struct gcm_done *done = &pending[n_pending];
    if (is_pair) {
      (is_short ? gcm_two_short : gcm_two)(jobs + i, rounds, n_vecs, seal, done);
    } else {
      (is_short ? gcm_one_short : gcm_one)(jobs + i, rounds, n_vecs, seal, done);
    }
    side = is_pair ? 2 : 1;
    i += side;
    n_pending += (unsigned)side;
    if (n_pending == V_LANES || i == n) {
      gcm_finish_some(pending, n_pending, seal);
      n_pending = 0;
    }
  }
  if (n_pending > 0) gcm_finish_some(pending, n_pending, seal);
  sl_wipe(pending, (n < V_LANES ? n : V_LANES) * sizeof pending[0]);
}

#endif

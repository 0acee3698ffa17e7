/* stats.h - what the server counts. Each thread writes figures of its own and reads the others': relaxed atomics, no lock
 * and no shared cache line on the way. */
#ifndef SEALANE_SERVE_STATS_H
#define SEALANE_SERVE_STATS_H

#include <sealane/tls.h>
#include <stdatomic.h>

/* X(field, name in /live.json) */
#define STATS_COUNTERS(X)                                                                                              \
  X(n_accepted, "accepted")                                                                                            \
  X(n_closed, "closed")                                                                                                \
  X(n_refused, "refused_over_limit")                                                                                   \
  X(n_handshakes, "handshakes")                                                                                        \
  X(n_requests, "requests")                                                                                            \
  X(wire_in_bytes, "wire_in_bytes")                                                                                    \
  X(wire_out_bytes, "wire_out_bytes")

/* Ends of connections that are not TLS failures. X(field, name in /live.json, sentence) */
#define STATS_ENDS(X)                                                                                                  \
  X(n_handshake_timeouts, "handshake_timeout", "the handshake took too long")                                          \
  X(n_idle_timeouts, "idle_timeout", "no request came in time")                                                        \
  X(n_stalls, "stalled", "the peer took or gave data too slowly")                                                      \
  X(n_resets, "reset", "the peer reset the connection")                                                                \
  X(n_overfull, "input_over_limit", "the peers sent more ahead than may be kept for them")                             \
  X(n_shrunk, "file_shrunk", "a file ended or failed while it was sent")                                               \
  X(n_no_memory, "out_of_memory", "the system gave no memory")

#define STATS_SENTENCE(field, ...) extern const char stats_sentence_##field[];
STATS_ENDS(STATS_SENTENCE)
#undef STATS_SENTENCE

struct stats {
#define STATS_FIELD(field, ...) _Atomic uint64_t field;
  STATS_COUNTERS(STATS_FIELD)
  STATS_ENDS(STATS_FIELD)
#undef STATS_FIELD
  _Atomic uint64_t n_failed[SL_ERR_END]; /* TLS connections, by sl_failure's reason */
  _Atomic uint64_t batch[sizeof(struct sl_batch_stats) / sizeof(uint64_t)];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct sl_batch_stats) % sizeof(uint64_t) == 0, "copied in words of 64 bits");

static inline uint64_t stats_read(const _Atomic uint64_t *counter) {
  return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Only its own thread adds to a counter, so the addition need not be atomic, only the two accesses. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t n) {
  atomic_store_explicit(counter, stats_read(counter) + n, memory_order_relaxed);
}

void stats_publish_batch(struct stats *stats, const struct sl_batch_stats *batch);
/* Adds one thread's figures, as far as they are published, to a total. */
void stats_sum(struct stats *total, const struct stats *stats);
void stats_read_batch(const struct stats *stats, struct sl_batch_stats *batch);

#endif

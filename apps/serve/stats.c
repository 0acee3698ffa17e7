/* stats.c - see stats.h. */
#include "stats.h"
#include <string.h>

#define STATS_SENTENCE(field, name, sentence) const char stats_sentence_##field[] = sentence;
STATS_ENDS(STATS_SENTENCE)
#undef STATS_SENTENCE

void stats_publish_batch(struct stats *stats, const struct sl_batch_stats *batch) {
  uint64_t words[sizeof(*batch) / sizeof(uint64_t)];
  memcpy(words, batch, sizeof(words));
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    atomic_store_explicit(&stats->batch[i], words[i], memory_order_relaxed);
  }
}

void stats_sum(struct stats *total, const struct stats *stats) {
#define STATS_SUM(field, ...) stats_add(&total->field, stats_read(&stats->field));
  STATS_COUNTERS(STATS_SUM)
  STATS_ENDS(STATS_SUM)
#undef STATS_SUM
  for (size_t i = 0; i < SL_ERR_END; i++) stats_add(&total->n_failed[i], stats_read(&stats->n_failed[i]));
  for (size_t i = 0; i < sizeof(stats->batch) / sizeof(stats->batch[0]); i++) {
    stats_add(&total->batch[i], stats_read(&stats->batch[i]));
  }
}

void stats_read_batch(const struct stats *stats, struct sl_batch_stats *batch) {
  uint64_t words[sizeof(*batch) / sizeof(uint64_t)];
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) words[i] = stats_read(&stats->batch[i]);
  memcpy(batch, words, sizeof(*batch));
}

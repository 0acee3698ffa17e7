/* record_run.h - the end of a record's way, shared by sl_record_run() and sl_batch_run(). */
#ifndef SEALANE_ENGINE_RECORD_RUN_H
#define SEALANE_ENGINE_RECORD_RUN_H

#include "bytes.h"
#include <sealane/record.h>

/* The record a job is of. */
static inline struct sl_record *sl_record_of(struct sl_aead_job *job) {
  return (struct sl_record *)(void *)((uint8_t *)job - offsetof(struct sl_record, job));
}

/* What sl_record_open_finish() leaves: the job failed, or a type is to be found behind padding. */
sl_err sl_record_open_finish_rest(struct sl_record *record);

/* Turns the verdict on an opened job into the record's results, and returns it. Almost always the type is the last byte. */
static inline sl_err sl_record_open_finish(struct sl_record *record) {
  const struct sl_aead_job *job = &record->job;
  uint8_t type = job->tail;
  sl_declassify(&type, 1); /* types and lengths are public */
  if (job->err != SL_OK || type == 0 || job->len > SL_RECORD_TEXT_MAX) return sl_record_open_finish_rest(record);
  record->type = type;
  record->plain_len = job->len;
  return SL_OK;
}
#endif

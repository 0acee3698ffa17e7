/* record_run.h - the end of a record's way, shared by sl_record_run() and sl_batch_run(). */
#ifndef SEALANE_ENGINE_RECORD_RUN_H
#define SEALANE_ENGINE_RECORD_RUN_H

#include <sealane/record.h>

/* The record a job is of. */
static inline struct sl_record *sl_record_of(struct sl_aead_job *job) {
  return (struct sl_record *)(void *)((uint8_t *)job - offsetof(struct sl_record, job));
}

/* Turns the verdict on an opened job into the record's results, and returns it. */
sl_err sl_record_open_finish(struct sl_record *record);

#endif

/* record_run.h - the end of a record's way, shared by sl_record_run() and sl_batch_run(). */
#ifndef SEALANE_ENGINE_RECORD_RUN_H
#define SEALANE_ENGINE_RECORD_RUN_H

#include <sealane/record.h>

/* Turns the verdict on an opened job into the record's results, and returns it. */
sl_err sl_record_open_finish(struct sl_record *record);

/* The same for a record of either direction; sealed ones have nothing left to do. */
static inline void sl_record_finish(struct sl_record *record) {
  record->err = record->is_open ? sl_record_open_finish(record) : SL_OK;
}

#endif

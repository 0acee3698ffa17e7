/* record_run.h - the end of a record's way, shared by sl_record_run() and sl_batch_run(). */
#ifndef SEALANE_ENGINE_RECORD_RUN_H
#define SEALANE_ENGINE_RECORD_RUN_H

#include <sealane/record.h>

/* Turns the verdict on record->job into the record's results. */
void sl_record_finish(struct sl_record *record);

#endif

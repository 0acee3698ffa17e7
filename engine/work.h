/* work.h - what connections hand to a batch besides records: tasks that step, and work of any other kind.
 *
 * sl_batch_run() goes round until nothing is left:
 *     records   all that wait are sealed and opened, grouped by kernel and direction
 *     work      all that waits is done, each kind's list in one call: that is where lanes are filled
 *     tasks     each woken state machine steps on; it may add records, work, or be woken again
 * The owner of a record or of work that was done is woken; so handshakes of many connections advance together. */
#ifndef SEALANE_ENGINE_WORK_H
#define SEALANE_ENGINE_WORK_H

#include <sealane/batch.h>

/* A state machine. step() goes as far as it can without waiting. Zero is valid (asleep). */
struct sl_task {
  struct sl_task *next;
  void (*step)(struct sl_task *task, struct sl_batch *batch);
  bool is_awake; /* waits in a batch */
};

/* One piece of work. run() gets all of a round's work that has the same run, linked by `next`, and does it together.
 * Work that another party completes later says so by clearing `owner`: the batch then wakes nobody. */
struct sl_work {
  struct sl_work *next;
  void (*run)(struct sl_work *list, struct sl_batch *batch);
  struct sl_task *owner;
};

/* Puts a task in this round or the next; a task that is awake stays where it is. */
void sl_batch_wake(struct sl_batch *batch, struct sl_task *task);
/* Queues work. */
void sl_batch_submit(struct sl_batch *batch, struct sl_work *work);
/* Lends one of the batch's own records, linked to nothing, with room for it assured: describe it, then sl_batch_add_lent() it. NULL when the
 * batch is full. With an owner, the owner is woken when it is done and gives it back with sl_batch_return(); without,
 * it goes back by itself. */
struct sl_record *sl_batch_lend(struct sl_batch *batch, struct sl_task *owner);
/* errors: SL_E_ARG it is not pending; it stays lent */
SL_MUST_USE sl_err sl_batch_add_lent(struct sl_batch *batch, struct sl_record *record);
void sl_batch_return(struct sl_batch *batch, struct sl_record *record);

#endif

/* batch.c - all cryptography happens in sl_batch_run(): round after round of records, work and tasks, until nothing is
 * left but waiting for the caller. work.h says what a round is and why in this order. */
#include "aead_jobs.h"
#include "bytes.h"
#include "record_run.h"
#include "work.h"

/* A batch's memory: its own records, then an array of pointers. */
#define RECORD_MEM_LEN (sizeof(struct sl_record) + sizeof(struct sl_aead_job *))
#define MEM_ALIGN      16u

size_t sl_batch_mem_len(size_t n_records) {
  return n_records > SIZE_MAX / RECORD_MEM_LEN ? SIZE_MAX : n_records * RECORD_MEM_LEN;
}

sl_err sl_batch_init(struct sl_batch *batch, size_t n_records, void *mem, size_t mem_len) {
  if (n_records == 0 || mem == NULL || (uintptr_t)mem % MEM_ALIGN != 0) return SL_E_ARG;
  if (n_records > SIZE_MAX / RECORD_MEM_LEN || mem_len < sl_batch_mem_len(n_records)) return SL_E_SPACE;
  *batch = (struct sl_batch){.cap = n_records};
  struct sl_record *own = mem;
  batch->jobs = (struct sl_aead_job **)(own + n_records);
  batch->tasks_end = &batch->tasks;
  batch->works_end = &batch->works;
  for (size_t i = n_records; i-- > 0;) sl_batch_return(batch, &own[i]);
  return SL_OK;
}

void sl_batch_wipe(struct sl_batch *batch) {
  /* Its own records keep their last nonces, which tell IVs. They are where its memory begins. */
  if (batch->cap > 0) sl_wipe((struct sl_record *)(void *)batch->jobs - batch->cap, sl_batch_mem_len(batch->cap));
  *batch = (struct sl_batch){0};
}

size_t sl_batch_room(const struct sl_batch *batch) {
  return batch->cap - batch->n_records;
}

sl_err sl_batch_add_lent(struct sl_batch *batch, struct sl_record *record) {
  if (record->err != SL_E_PENDING) return SL_E_ARG;
  if (batch->n_records == batch->cap) return SL_E_FULL;
  size_t n_seals = batch->n_records++ - batch->n_opens;
  batch->jobs[record->is_open ? batch->cap - ++batch->n_opens : n_seals] = &record->job;
  return SL_OK;
}

sl_err sl_batch_add(struct sl_batch *batch, struct sl_record *record) {
  record->owner = NULL; /* a caller's record may come from anywhere: nothing but what it was described with is set */
  record->is_lent = false;
  return sl_batch_add_lent(batch, record);
}

struct sl_record *sl_batch_lend(struct sl_batch *batch, struct sl_task *owner) {
  struct sl_record *record = batch->lendable;
  if (record == NULL || batch->n_records == batch->cap) return NULL;
  batch->lendable = record->next;
  /* Describing it sets what else is read. This is done for each record, so no more is cleared. */
  record->err = SL_OK;
  record->next = NULL;
  record->owner = owner;
  record->is_lent = true;
  return record;
}

void sl_batch_return(struct sl_batch *batch, struct sl_record *record) {
  record->is_lent = false;
  record->next = batch->lendable;
  batch->lendable = record;
}

void sl_batch_wake(struct sl_batch *batch, struct sl_task *task) {
  if (task->is_awake) return;
  task->is_awake = true;
  task->next = NULL;
  *batch->tasks_end = task;
  batch->tasks_end = &task->next;
}

void sl_batch_submit(struct sl_batch *batch, struct sl_work *work) {
  work->next = NULL;
  *batch->works_end = work;
  batch->works_end = &work->next;
}

/* ---- one round ----------------------------------------------------------------------------------------------- */

static void stats_count_pass(struct sl_batch_stats *stats, size_t n_records) {
  const size_t n_bins = sizeof stats->n_records_log2 / sizeof stats->n_records_log2[0];
  size_t bin = (size_t)(63 - __builtin_clzll(n_records));
  stats->n_records_log2[bin < n_bins ? bin : n_bins - 1]++;
}

/* Records that are not lent have no owner (sl_batch_add()). Whoever waits for one hears that it is done. */
static inline void tell(struct sl_batch *batch, struct sl_record *record) {
  if (__builtin_expect(!record->is_lent, true)) return;
  if (record->owner != NULL) {
    sl_batch_wake(batch, record->owner);
  } else {
    sl_batch_return(batch, record);
  }
}

static void run_seals(struct sl_batch *batch, struct sl_aead_job **jobs, size_t n) {
  uint64_t bytes = 0;
  sl_aead_jobs_run(jobs, n, false);
  for (size_t i = 0; i < n; i++) {
    struct sl_record *record = sl_record_of(jobs[i]);
    record->err = SL_OK;
    bytes += record->plain_len;
    tell(batch, record);
  }
  batch->stats.n_sealed += n;
  batch->stats.sealed_bytes += bytes;
}

static void run_opens(struct sl_batch *batch, struct sl_aead_job **jobs, size_t n) {
  uint64_t bytes = 0, n_failed = 0;
  sl_aead_jobs_run(jobs, n, true);
  for (size_t i = n; i-- > 0;) { /* the first to be added is last */
    struct sl_record *record = sl_record_of(jobs[i]);
    record->err = sl_record_open_finish(record);
    bytes += record->plain_len;
    n_failed += record->err != SL_OK;
    tell(batch, record);
  }
  batch->stats.n_opened += n;
  batch->stats.opened_bytes += bytes;
  batch->stats.n_open_failed += n_failed;
}

/* Each kernel gets one call per direction. */
static void run_records(struct sl_batch *batch) {
  size_t n = batch->n_records, n_opens = batch->n_opens;
  batch->n_records = batch->n_opens = 0;
  stats_count_pass(&batch->stats, n);
  if (n > n_opens) run_seals(batch, batch->jobs, n - n_opens);
  if (n_opens > 0) run_opens(batch, batch->jobs + batch->cap - n_opens, n_opens);
}

/* Moves the works that share the first one's run from *list to a list of their own. */
static struct sl_work *take_kind(struct sl_work **list) {
  struct sl_work *kind = NULL, **kind_end = &kind, **link = list;
  void (*run)(struct sl_work *, struct sl_batch *) = (*list)->run;
  while (*link != NULL) {
    struct sl_work *work = *link;
    if (work->run != run) {
      link = &work->next;
      continue;
    }
    *link = work->next;
    work->next = NULL;
    *kind_end = work;
    kind_end = &work->next;
  }
  return kind;
}

static void run_works(struct sl_batch *batch) {
  struct sl_work *list = batch->works;
  batch->works = NULL;
  batch->works_end = &batch->works;
  while (list != NULL) {
    struct sl_work *kind = take_kind(&list);
    kind->run(kind, batch);
    for (struct sl_work *work = kind; work != NULL; work = work->next)
      if (work->owner != NULL) sl_batch_wake(batch, work->owner);
  }
}

static void run_tasks(struct sl_batch *batch) {
  struct sl_task *task = batch->tasks;
  batch->tasks = NULL;
  batch->tasks_end = &batch->tasks;
  while (task != NULL) {
    struct sl_task *next = task->next;
    task->is_awake = false;
    task->step(task, batch);
    task = next;
  }
}

void sl_batch_run(struct sl_batch *batch) {
  if (batch->n_records > 0 || batch->works != NULL || batch->tasks != NULL) batch->stats.n_runs++;
  while (batch->n_records > 0 || batch->works != NULL || batch->tasks != NULL) {
    if (batch->n_records > 0) run_records(batch);
    if (batch->works != NULL) run_works(batch);
    if (batch->tasks != NULL) run_tasks(batch);
  }
}

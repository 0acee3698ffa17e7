/* test_batch.c - many records of many keys in one run, and the rounds of work and tasks that connections live on. */
#include "unit.h"

#include "engine/work.h"
#include <stdlib.h>
#include <string.h>

#define N_RECORDS 300u
#define N_KEYS    7u
#define WIRE_CAP  2100u

static uint8_t text[4096];
static struct sl_record_key keys[N_KEYS], peers[N_KEYS];
static struct sl_record records[N_RECORDS];
static uint8_t wires[N_RECORDS][WIRE_CAP], plains[N_RECORDS][WIRE_CAP];
static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n) {
  random_state = random_state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(random_state >> 8) * n >> 24);
}

static int setup(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)random_below(256);
  for (size_t k = 0; k < N_KEYS; k++) {
    enum sl_aead aead = (enum sl_aead)(1 + k % 3);
    assert_int_equal(sl_record_key_init(&keys[k], aead, text + k, sl_aead_secret_len(aead), text + 64 + k), SL_OK);
    peers[k] = keys[k];
  }
  return 0;
}

static void new_batch(struct sl_batch *batch, size_t n) {
  void *mem = aligned_alloc(64, (sl_batch_mem_len(n) + 63) / 64 * 64);
  assert_int_equal(sl_batch_init(batch, n, mem, sl_batch_mem_len(n)), SL_OK);
}

static void free_batch(struct sl_batch *batch) {
  void *mem = NULL;
  struct sl_record *lowest = batch->lendable; /* the memory begins with the batch's own records */
  for (struct sl_record *r = lowest; r != NULL; r = r->next)
    if (mem == NULL || (void *)r < mem) mem = r;
  sl_batch_wipe(batch);
  free(mem);
}

struct plan {
  size_t key, len;
};

/* Seals n records of random lengths under random keys in one run, each wire compared with a run of its own; then
 * opens them all in one run, with the bad ones among them broken. */
static void seal_and_open(size_t n, size_t n_bad) {
  struct sl_batch batch;
  new_batch(&batch, n);
  static struct plan plan[N_RECORDS];
  static uint8_t want[WIRE_CAP];
  for (size_t i = 0; i < n; i++) {
    plan[i] = (struct plan){random_below(N_KEYS), random_below(4) == 0 ? random_below(2048) : random_below(130)};
    struct iovec piece = {text + i, plan[i].len};
    assert_int_equal(sl_record_seal(&records[i], &keys[plan[i].key], 23, &piece, 1, 0, wires[i], WIRE_CAP), SL_OK);
    assert_int_equal(sl_batch_room(&batch), n - i);
    assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
  }
  assert_int_equal(sl_batch_add(&batch, &records[0]), SL_E_FULL);
  sl_batch_run(&batch);
  assert_int_equal(batch.stats.n_sealed, n);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(records[i].err, SL_OK);
    struct sl_record alone;
    struct sl_record_key again = peers[plan[i].key];
    struct iovec piece = {text + i, plan[i].len};
    again.seq = records[i].job.nonce[11] ^ again.iv[11]; /* low byte of the sequence number it took */
    again.seq |= (uint64_t)(records[i].job.nonce[10] ^ again.iv[10]) << 8;
    assert_int_equal(sl_record_seal(&alone, &again, 23, &piece, 1, 0, want, WIRE_CAP), SL_OK);
    assert_int_equal(sl_record_run(&alone), SL_OK);
    assert_int_equal(alone.wire_len, records[i].wire_len);
    assert_memory_equal(wires[i], want, alone.wire_len);
  }

  for (size_t i = 0; i < n_bad; i++) {
    size_t k = random_below((uint32_t)n);
    wires[k][5 + random_below((uint32_t)records[k].wire_len - 5)] ^= 0x10;
  }
  for (size_t i = 0; i < n; i++) {
    size_t wire_len = records[i].wire_len;
    records[i].job.err = i % 2 ? SL_E_PENDING : SL_OK; /* of another life; to kernels it would mean something */
    assert_int_equal(sl_record_open(&records[i], &peers[plan[i].key], wires[i], wire_len, plains[i], WIRE_CAP), SL_OK);
    assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
  }
  sl_batch_run(&batch);
  size_t n_failed = 0;
  for (size_t i = 0; i < n; i++) {
    if (records[i].err == SL_OK) {
      assert_int_equal(records[i].plain_len, plan[i].len);
      assert_memory_equal(plains[i], text + i, plan[i].len);
      continue;
    }
    assert_int_equal(records[i].err, SL_E_AUTH);
    n_failed++;
    for (size_t b = 0; b < plan[i].len; b++) assert_int_equal(plains[i][b], 0);
  }
  assert_true(n_bad == 0 ? n_failed == 0 : n_failed > 0 && n_failed <= n_bad);
  assert_int_equal(batch.stats.n_open_failed, n_failed);
  free_batch(&batch);
}

static void every_batch_size_seals_and_opens(void **state) {
  (void)state;
  for (size_t n = 1; n <= N_RECORDS; n += n < 40 ? 1 : 13) seal_and_open(n, 0);
  seal_and_open(N_RECORDS, 0);
}

static void bad_records_fail_alone(void **state) {
  (void)state;
  for (size_t n = 1; n <= N_RECORDS; n += n < 20 ? 1 : 31) seal_and_open(n, 1 + n / 10);
}

static void one_bad_record_in_every_place(void **state) {
  (void)state;
  enum { N = 33 };
  struct sl_batch batch;
  new_batch(&batch, N);
  for (size_t bad = 0; bad < N; bad++) {
    for (size_t i = 0; i < N; i++) {
      struct iovec piece = {text, 1 + i * 3};
      assert_int_equal(sl_record_seal(&records[i], &keys[i % N_KEYS], 23, &piece, 1, 0, wires[i], WIRE_CAP), SL_OK);
      assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
    }
    sl_batch_run(&batch);
    wires[bad][7] ^= 1;
    for (size_t i = 0; i < N; i++) {
      size_t wire_len = records[i].wire_len;
      assert_int_equal(sl_record_open(&records[i], &peers[i % N_KEYS], wires[i], wire_len, wires[i] + 5, WIRE_CAP),
                       SL_OK);
      assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
    }
    sl_batch_run(&batch);
    for (size_t i = 0; i < N; i++) assert_int_equal(records[i].err, i == bad ? SL_E_AUTH : SL_OK);
  }
  free_batch(&batch);
}

/* Between the records of one run others are described that cannot be: nothing of theirs is written, no number is taken, and
 * the batch does not want them. */
static void refused_records_leave_the_rest(void **state) {
  (void)state;
  enum { N = 12, LEN = 100 };
  static const struct sl_record_key empty;
  static uint8_t spare[WIRE_CAP], header_only[WIRE_CAP] = {23, 3, 3, 0, 16}, sound[WIRE_CAP] = {23, 3, 3, 0, 17},
                                  longer[WIRE_CAP] = {23, 3, 3, 0, 18};
  struct sl_batch batch;
  new_batch(&batch, N);
  struct sl_record_key spent = keys[0], none = empty;
  spent.seq = spent.limit;
  memset(spare, 0xa5, sizeof spare);
  for (size_t i = 0; i < N; i++) {
    struct iovec piece = {text + i, LEN}, in_wire = {spare + 6, LEN}, missing = {NULL, LEN}, long_piece = {text, 16385};
    struct sl_record refused;
    struct sl_record_key *key = &keys[i % N_KEYS];
    uint64_t seq = key->seq;
    const struct {
      sl_err got, want;
    } refusals[] = {
        {sl_record_seal(&refused, &spent, 23, &piece, 1, 0, spare, WIRE_CAP), SL_E_SEQ},
        {sl_record_seal(&refused, &none, 23, &piece, 1, 0, spare, WIRE_CAP), SL_E_KEY},
        {sl_record_seal(&refused, key, 0, &piece, 1, 0, spare, WIRE_CAP), SL_E_ARG},
        {sl_record_seal(&refused, key, 23, &missing, 1, 0, spare, WIRE_CAP), SL_E_ARG},
        {sl_record_seal(&refused, key, 23, NULL, 1, 0, spare, WIRE_CAP), SL_E_ARG},
        {sl_record_seal(&refused, key, 23, &long_piece, 1, 0, spare, WIRE_CAP), SL_E_LENGTH},
        {sl_record_seal(&refused, key, 23, &piece, 1, 0, spare, LEN + SL_RECORD_OVERHEAD - 1), SL_E_SPACE},
        {sl_record_seal(&refused, key, 23, &in_wire, 1, 0, spare, WIRE_CAP), SL_E_OVERLAP},
        {sl_record_open(&refused, &spent, sound, 22, spare, WIRE_CAP), SL_E_SEQ},
        {sl_record_open(&refused, &none, sound, 22, spare, WIRE_CAP), SL_E_KEY},
        {sl_record_open(&refused, key, longer, 23, spare, 0), SL_E_SPACE},
        {sl_record_open(&refused, key, longer, 23, NULL, 1), SL_E_ARG},
        {sl_record_open(&refused, key, longer, 23, longer + 6, 1), SL_E_OVERLAP},
        {sl_record_open(&refused, key, header_only, 21, spare, WIRE_CAP), SL_E_LENGTH},
        {sl_record_open(&refused, key, header_only, 22, spare, WIRE_CAP), SL_E_ARG},
    };
    for (size_t r = 0; r < sizeof refusals / sizeof refusals[0]; r++)
      assert_int_equal(refusals[r].got, refusals[r].want);
    assert_int_equal(key->seq, seq);
    assert_int_equal(sl_batch_add(&batch, &refused), SL_E_ARG);
    assert_int_equal(sl_record_seal(&records[i], key, 23, &piece, 1, 0, wires[i], WIRE_CAP), SL_OK);
    assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
  }
  sl_batch_run(&batch);
  assert_int_equal(spent.seq, spent.limit);
  for (size_t i = 0; i < sizeof spare; i++) assert_int_equal(spare[i], 0xa5);
  for (size_t i = 0; i < N; i++) {
    size_t wire_len = records[i].wire_len;
    assert_int_equal(records[i].err, SL_OK);
    assert_int_equal(sl_record_open(&records[i], &peers[i % N_KEYS], wires[i], wire_len, plains[i], WIRE_CAP), SL_OK);
    assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
  }
  sl_batch_run(&batch);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(records[i].err, SL_OK);
    assert_memory_equal(plains[i], text + i, LEN);
  }
  free_batch(&batch);
}

static void seals_and_opens_mix_in_one_run(void **state) {
  (void)state;
  enum { N = 40 };
  struct sl_batch batch;
  new_batch(&batch, 2 * N);
  static struct sl_record opened[N];
  struct iovec piece = {text, 333};
  for (size_t turn = 0; turn < 3; turn++) {
    for (size_t i = 0; i < N; i++) {
      if (turn > 0) { /* what the turn before sealed */
        size_t wire_len = records[i].wire_len;
        memcpy(plains[i], wires[i], wire_len);
        assert_int_equal(sl_record_open(&opened[i], &peers[i % N_KEYS], plains[i], wire_len, plains[i] + 5, WIRE_CAP),
                         SL_OK);
        assert_int_equal(sl_batch_add(&batch, &opened[i]), SL_OK);
      }
      assert_int_equal(sl_record_seal(&records[i], &keys[i % N_KEYS], 23, &piece, 1, 0, wires[i], WIRE_CAP), SL_OK);
      assert_int_equal(sl_batch_add(&batch, &records[i]), SL_OK);
    }
    sl_batch_run(&batch);
    for (size_t i = 0; i < N && turn > 0; i++) {
      assert_int_equal(opened[i].err, SL_OK);
      assert_memory_equal(plains[i] + 5, text, 333);
    }
  }
  for (size_t i = 0; i < N; i++) peers[i % N_KEYS].seq = keys[i % N_KEYS].seq;
  free_batch(&batch);
}

/* ---- rounds -------------------------------------------------------------------------------------------------- */

static char order[64];
static size_t order_len;

static void note(char c) {
  assert_true(order_len + 1 < sizeof order);
  order[order_len++] = c;
  order[order_len] = 0;
}

/* A state machine that wants a record, then two kinds of work, then rests. */
struct machine {
  struct sl_task task;
  struct sl_work a, b;
  struct sl_record *record;
  int n_steps;
  uint8_t wire[64];
};

static void run_a(struct sl_work *list, struct sl_batch *batch) {
  (void)batch;
  for (; list != NULL; list = list->next) note('a');
  note('.');
}

static void run_b(struct sl_work *list, struct sl_batch *batch) {
  (void)batch;
  for (; list != NULL; list = list->next) note('b');
  note('.');
}

static void machine_step(struct sl_task *task, struct sl_batch *batch) {
  struct machine *m = (struct machine *)task;
  struct iovec piece = {text, 5};
  note((char)('0' + m->n_steps));
  switch (m->n_steps++) {
  case 0:
    m->record = sl_batch_lend(batch, &m->task);
    assert_non_null(m->record);
    assert_int_equal(sl_record_seal(m->record, &keys[0], 23, &piece, 1, 0, m->wire, sizeof m->wire), SL_OK);
    assert_int_equal(sl_batch_add_lent(batch, m->record), SL_OK);
    break;
  case 1:
    assert_int_equal(m->record->err, SL_OK);
    sl_batch_return(batch, m->record);
    sl_batch_submit(batch, &m->a);
    sl_batch_submit(batch, &m->b);
    break;
  default:
    break;
  }
}

static void rounds_go_on_until_all_wait(void **state) {
  (void)state;
  struct sl_batch batch;
  new_batch(&batch, 4);
  static struct machine machines[2];
  for (size_t i = 0; i < 2; i++) {
    struct machine *m = &machines[i];
    *m = (struct machine){.task.step = machine_step, .a = {.run = run_a, .owner = &m->task}, .b = {.run = run_b}};
    sl_batch_wake(&batch, &m->task);
    sl_batch_wake(&batch, &m->task); /* twice is once */
  }
  sl_batch_run(&batch);
  /* Both step; both records in one pass; both step; each kind of work in one call; the owners of a step a last time. */
  assert_string_equal(order, "0011aa.bb.22");
  assert_int_equal(batch.stats.n_records_log2[1], 1);
  assert_int_equal(batch.stats.n_runs, 1);
  sl_batch_run(&batch);
  assert_int_equal(batch.stats.n_runs, 1);
  free_batch(&batch);
}

static void callers_records_need_no_setup(void **state) {
  (void)state;
  struct sl_batch batch;
  new_batch(&batch, 2);
  struct iovec piece = {text, 5};
  struct sl_record record;
  memset(&record, 0xa5, sizeof record);
  assert_int_equal(sl_record_seal(&record, &keys[0], 23, &piece, 1, 0, wires[0], WIRE_CAP), SL_OK);
  assert_int_equal(sl_batch_add(&batch, &record), SL_OK);
  sl_batch_run(&batch);
  assert_int_equal(record.err, SL_OK);
  size_t wire_len = record.wire_len;
  memset(&record, 0xa5, sizeof record);
  peers[0].seq = keys[0].seq - 1;
  assert_int_equal(sl_record_open(&record, &peers[0], wires[0], wire_len, plains[0], WIRE_CAP), SL_OK);
  assert_int_equal(sl_batch_add(&batch, &record), SL_OK);
  sl_batch_run(&batch);
  assert_int_equal(record.err, SL_OK);
  assert_memory_equal(plains[0], text, 5);
  free_batch(&batch);
}

static void lending_stops_when_the_batch_is_full(void **state) {
  (void)state;
  struct sl_batch batch;
  new_batch(&batch, 2);
  struct iovec piece = {text, 5};
  for (size_t turn = 0; turn < 5; turn++) {
    for (size_t i = 0; i < 2; i++) {
      struct sl_record *r = sl_batch_lend(&batch, NULL); /* goes back by itself */
      assert_non_null(r);
      assert_int_equal(sl_record_seal(r, &keys[1], 23, &piece, 1, 0, wires[i], WIRE_CAP), SL_OK);
      assert_int_equal(sl_batch_add_lent(&batch, r), SL_OK);
    }
    assert_null(sl_batch_lend(&batch, NULL));
    sl_batch_run(&batch);
  }
  free_batch(&batch);
}

static void bad_arguments(void **state) {
  (void)state;
  _Alignas(16) static uint8_t mem[4096];
  struct sl_batch batch;
  assert_int_equal(sl_batch_init(&batch, 0, mem, sizeof mem), SL_E_ARG);
  assert_int_equal(sl_batch_init(&batch, 1, NULL, sizeof mem), SL_E_ARG);
  assert_int_equal(sl_batch_init(&batch, 1, mem + 1, sizeof mem - 1), SL_E_ARG);
  assert_int_equal(sl_batch_init(&batch, 4, mem, sl_batch_mem_len(4) - 1), SL_E_SPACE);
  assert_int_equal(sl_batch_init(&batch, SIZE_MAX / 2, mem, sizeof mem), SL_E_SPACE);
  assert_int_equal(sl_batch_init(&batch, 4, mem, sl_batch_mem_len(4)), SL_OK);
  struct sl_record failed = {.err = SL_E_KEY};
  assert_int_equal(sl_batch_add(&batch, &failed), SL_E_ARG);
  assert_int_equal(batch.n_records, 0);
  sl_batch_run(&batch);
  sl_batch_wipe(&batch);
  sl_batch_wipe(&batch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_batch_size_seals_and_opens),
      cmocka_unit_test(bad_records_fail_alone),
      cmocka_unit_test(one_bad_record_in_every_place),
      cmocka_unit_test(refused_records_leave_the_rest),
      cmocka_unit_test(seals_and_opens_mix_in_one_run),
      cmocka_unit_test(rounds_go_on_until_all_wait),
      cmocka_unit_test(callers_records_need_no_setup),
      cmocka_unit_test(lending_stops_when_the_batch_is_full),
      cmocka_unit_test(bad_arguments),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}

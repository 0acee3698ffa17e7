/* test_select.c - which kernel is chosen, and why not another: lists with broken kernels, forced names, features turned off,
 * the environment, threads. What makes a whole process choose runs in a process of its own. */
#define _GNU_SOURCE
#include "unit.h"

#include "engine/aead_jobs.h"
#include "engine/portable/kernels.h"
#include "engine/select.h"
#include "engine/selftest.h"
#include "engine/stream.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- broken kernels ------------------------------------------------------------------------------------------ */

static const struct sl_aead_ops *right(const struct sl_aead_job *job) {
  enum sl_aead aead = job->key->ops->aead;
  if (aead == SL_CHACHA20_POLY1305) return &sl_kernel_chapoly_portable.aead[0];
  return &sl_kernel_gcm_portable.aead[aead == SL_AES_256_GCM];
}

static void seal_wrong_tag(struct sl_aead_job *const *jobs, size_t n) {
  right(jobs[0])->seal(jobs, n);
  jobs[n - 1]->tag[15] ^= 0x80;
}
static void seal_wrong_byte(struct sl_aead_job *const *jobs, size_t n) {
  /* Wrong text under a right tag: as if GHASH had seen what was not written. */
  right(jobs[0])->seal(jobs, n);
  for (size_t i = 0; i < n; i++) {
    if (jobs[i]->len > 1000) jobs[i]->out[1000] ^= 1;
  }
}
static void seal_all_but_last(struct sl_aead_job *const *jobs, size_t n) {
  right(jobs[0])->seal(jobs, n > 1 ? n - 1 : n);
}
static void open_anything(struct sl_aead_job *const *jobs, size_t n) {
  right(jobs[0])->open(jobs, n);
  for (size_t i = 0; i < n; i++) jobs[i]->err = SL_OK;
}
static void open_nothing(struct sl_aead_job *const *jobs, size_t n) {
  right(jobs[0])->open(jobs, n);
  for (size_t i = 0; i < n; i++) {
    jobs[i]->err = SL_OK;
    sl_aead_job_failed(jobs[i], (uint8_t[SL_AEAD_TAG_LEN]){0});
  }
}
static void open_and_leave_text(struct sl_aead_job *const *jobs, size_t n) {
  right(jobs[0])->open(jobs, n);
  for (size_t i = 0; i < n; i++) {
    if (jobs[i]->err != SL_OK && jobs[i]->len > 0) jobs[i]->out[jobs[i]->len - 1] = 1;
  }
}
static void open_without_tail(struct sl_aead_job *const *jobs, size_t n) {
  uint8_t tail = jobs[1]->tail;
  right(jobs[0])->open(jobs, n);
  jobs[1]->tail = tail;
}
static void expand_wrong_key(struct sl_aead_key *key, const uint8_t *secret) {
  uint8_t wrong[32] = {0};
  memcpy(wrong, secret, 16);
  wrong[0] ^= 1;
  sl_kernel_gcm_portable.aead[0].expand(key, wrong);
}
static void absorb_one_less(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  if (n > 1) sl_kernel_gcm_portable.stream.absorb(s, key, blocks, n - 1);
}
static void crypt_wrong_counter(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                size_t len, bool is_open) {
  if (len % 64 != 0 && len > 600) s->counter++;
  sl_kernel_chapoly_portable.stream.crypt(s, key, out, in, len, is_open);
}
static void crypt_wrong_byte_when_open(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out,
                                       const uint8_t *in, size_t len, bool is_open) {
  sl_kernel_gcm_portable.stream.crypt(s, key, out, in, len, is_open);
  if (is_open) out[len - 1] ^= 1;
}
static void tag_of_zeros(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  (void)s, (void)key;
  memset(tag, 0, SL_AEAD_TAG_LEN);
}
static void compress_nothing(void *state, const uint8_t *blocks, size_t n_blocks) {
  (void)state, (void)blocks, (void)n_blocks;
}
static void compress_one_block(void *state, const uint8_t *blocks, size_t n_blocks) {
  (void)n_blocks;
  sl_kernel_sha256_portable.sha2.compress(state, blocks, 1);
}
static void run_first_job(const struct sl_x25519_job *jobs, size_t n) {
  (void)n;
  sl_kernel_x25519_portable.x25519.run(jobs, 1);
}

enum { N_BROKEN_MAX = 20 };

/* The broken kernels, each a copy of a right one with one function put wrong. */
static size_t make_broken(struct sl_kernel broken[N_BROKEN_MAX]) {
  static void (*const seals[])(struct sl_aead_job *const *, size_t) = {seal_wrong_tag, seal_wrong_byte,
                                                                       seal_all_but_last};
  static void (*const opens[])(struct sl_aead_job *const *, size_t) = {open_anything, open_nothing, open_and_leave_text,
                                                                       open_without_tail};
  size_t n = 0;
  for (size_t i = 0; i < sizeof seals / sizeof seals[0]; i++) {
    broken[n] = sl_kernel_gcm_portable;
    broken[n++].aead[i % 2].seal = seals[i]; /* in AES-128 or in AES-256 alone */
  }
  for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
    broken[n] = i % 2 == 0 ? sl_kernel_gcm_portable : sl_kernel_chapoly_portable;
    broken[n++].aead[0].open = opens[i];
  }
  broken[n] = sl_kernel_gcm_portable;
  broken[n++].aead[0].expand = expand_wrong_key;
  broken[n] = sl_kernel_gcm_portable;
  broken[n++].stream.absorb = absorb_one_less;
  broken[n] = sl_kernel_gcm_portable;
  broken[n++].stream.crypt = crypt_wrong_byte_when_open;
  broken[n] = sl_kernel_chapoly_portable;
  broken[n++].stream.crypt = crypt_wrong_counter;
  broken[n] = sl_kernel_chapoly_portable;
  broken[n++].stream.tag = tag_of_zeros;
  broken[n] = sl_kernel_sha256_portable;
  broken[n++].sha2.compress = compress_nothing;
  broken[n] = sl_kernel_sha256_portable;
  broken[n++].sha2.compress = compress_one_block;
  broken[n] = sl_kernel_sha512_portable;
  broken[n++].sha2.compress = compress_nothing;
  broken[n] = sl_kernel_x25519_portable;
  broken[n++].x25519.run = run_first_job;
  return n;
}

static void selftest_finds_what_is_broken(void **state) {
  (void)state;
  struct sl_kernel broken[N_BROKEN_MAX];
  size_t n = make_broken(broken);
  for (size_t i = 0; i < n; i++) {
    broken[i].name = "broken";
    if (sl_selftest(&broken[i])) fail_msg("broken kernel %zu passed", i);
  }
  assert_true(sl_selftest(&sl_kernel_gcm_portable));
  assert_true(sl_selftest(&sl_kernel_chapoly_portable));
  assert_true(sl_selftest(&sl_kernel_sha256_portable));
  assert_true(sl_selftest(&sl_kernel_sha512_portable));
  assert_true(sl_selftest(&sl_kernel_x25519_portable));
}

/* ---- a selection from a list of ours ------------------------------------------------------------------------- */

#define FAST SL_CPU(AVX2) /* what our fast kernel needs */
#define CPU  (SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(AVX) | SL_CPU(AVX2) | SL_CPU(AES))

static struct sl_kernel fast, broken_fast, alien, started, not_started;
static const struct sl_kernel *list[8];

static unsigned n_starts;
static const char *start_well(void) {
  n_starts++;
  return NULL;
}
static const char *start_ill(void) {
  n_starts++;
  return "its library is away";
}

static int setup(void **state) {
  (void)state;
  alien = fast = broken_fast = started = not_started = sl_kernel_gcm_portable;
  started.name = "gcm_started";
  started.start = start_well;
  started.needs = not_started.needs = FAST;
  not_started.name = "gcm_not_started";
  not_started.start = start_ill;
  alien.name = "gcm_alien";
  alien.needs = SL_CPU(AVX512F) | SL_CPU(VAES) | SL_CPU(AVX2);
  broken_fast.name = "gcm_broken";
  broken_fast.needs = FAST;
  broken_fast.aead[0].seal = seal_wrong_tag;
  fast.name = "gcm_fast";
  fast.needs = FAST;
  const struct sl_kernel *all[8] = {&alien, &broken_fast, &fast, &sl_kernel_gcm_portable, &sl_kernel_chapoly_portable};
  memcpy(list, all, sizeof all);
  return 0;
}

static struct sl_selection survey(uint64_t cpu, const char *cpu_off) {
  struct sl_selection sel;
  assert_int_equal(sl_selection_survey(&sel, list, cpu, cpu_off), SL_OK);
  return sel;
}

static void assert_info(struct sl_selection *sel, size_t i, const char *name, bool available, bool chosen,
                        const char *reason) {
  struct sl_kernel_info info;
  sl_selection_info(sel, i, &info);
  assert_string_equal(info.name, name);
  assert_int_equal(info.available, available);
  assert_int_equal(info.chosen, chosen);
  assert_string_equal(info.reason, reason);
}

static void broken_is_passed_over(void **state) {
  (void)state;
  struct sl_selection sel = survey(CPU, NULL);
  sl_selection_choose(&sel);
  assert_int_equal(sel.err, SL_OK);
  assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &fast);
  assert_ptr_equal(sel.chosen[SL_ALG_CHACHA20_POLY1305], &sl_kernel_chapoly_portable);
  assert_null(sel.chosen[SL_ALG_X25519]); /* not on this list, and no error */
  assert_int_equal(sel.n_kernels, 5);
  assert_info(&sel, 0, "gcm_alien", false, false, "CPU lacks vaes, avx512f");
  assert_info(&sel, 1, "gcm_broken", false, false, "it failed its known-answer test");
  assert_info(&sel, 2, "gcm_fast", true, true, "");
  assert_info(&sel, 3, "gcm_portable", true, false, "");
  assert_info(&sel, 4, "chapoly_portable", true, true, "");
}

static void features_turned_off(void **state) {
  (void)state;
  static const char *const offs[] = {"avx2", "avx", "ssse3", " avx2 , aes", "avx512f,,avx2,"};
  for (size_t i = 0; i < sizeof offs / sizeof offs[0]; i++) {
    struct sl_selection sel = survey(CPU, offs[i]);
    sl_selection_choose(&sel);
    assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &sl_kernel_gcm_portable);
    assert_info(&sel, 2, "gcm_fast", false, false, "SEALANE_CPU_OFF turns off avx2");
  }
  struct sl_selection sel = survey(CPU, "aes");
  sl_selection_choose(&sel);
  assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &fast);
  sel = survey(CPU, "");
  assert_int_equal(sel.features, CPU);

  assert_int_equal(sl_selection_survey(&sel, list, CPU, "avx2,avx99"), SL_E_KERNEL);
  assert_string_equal(sel.why, "SEALANE_CPU_OFF: unknown feature \"avx99\"");
  sl_selection_choose(&sel);
  assert_int_equal(sel.err, SL_E_KERNEL);
  assert_null(sel.chosen[SL_ALG_AES_GCM]);
}

static void nothing_builds_on_air(void **state) {
  (void)state;
  uint64_t all = (UINT64_C(1) << SL_CPU_BIT_END) - 1;
  assert_int_equal(sl_cpu_close(all), all);
  assert_int_equal(sl_cpu_close(0), 0);
  assert_int_equal(
      sl_cpu_close(all & ~SL_CPU(AVX)) & (SL_CPU(AVX2) | SL_CPU(VAES) | SL_CPU(AVX512VBMI) | SL_CPU(WIDE512)), 0);
  assert_int_equal(sl_cpu_close(all & ~SL_CPU(AES)), all & ~SL_CPU(AES) & ~SL_CPU(VAES));
  for (unsigned bit = 0; bit < SL_CPU_BIT_END; bit++) {
    uint64_t closed = sl_cpu_close(all & ~(UINT64_C(1) << bit));
    assert_int_equal(sl_cpu_close(closed), closed); /* one pass is enough */
  }
}

static void forced_by_name(void **state) {
  (void)state;
  char why[SL_KERNEL_WHY_MAX];
  struct sl_selection sel = survey(CPU, NULL);
  assert_int_equal(sl_selection_force(&sel, " gcm_portable ,,chapoly_portable, gcm_portable,", why), SL_OK);
  sl_selection_choose(&sel);
  assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &sl_kernel_gcm_portable);
  assert_ptr_equal(sel.chosen[SL_ALG_CHACHA20_POLY1305], &sl_kernel_chapoly_portable);
  assert_info(&sel, 2, "gcm_fast", true, false, "");
  assert_info(&sel, 3, "gcm_portable", true, true, "");

  static const struct {
    const char *names, *why;
  } bad[] = {
      {"gcm_portable,gcm_none", "unknown kernel \"gcm_none\""},
      {"gcm_portabl", "unknown kernel \"gcm_portabl\""},
      {"gcm_portable2", "unknown kernel \"gcm_portable2\""},
      {"gcm_portable gcm_fast", "unknown kernel \"gcm_portable gcm_fast\""},
      {"0123456789012345678901234567890123456789tail", "unknown kernel \"0123456789012345678901234567890123456789\""},
      {"gcm_alien", "kernel \"gcm_alien\" cannot run here: CPU lacks vaes, avx512f"},
      {"gcm_broken", "kernel \"gcm_broken\" cannot run here: it failed its known-answer test"},
      {"gcm_portable,gcm_fast", "kernels \"gcm_portable\" and \"gcm_fast\" are both for aes-gcm"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    sel = survey(CPU, NULL);
    assert_int_equal(sl_selection_force(&sel, bad[i].names, why), SL_E_KERNEL);
    assert_string_equal(why, bad[i].why);
    sl_selection_choose(&sel); /* nothing changed */
    assert_int_equal(sel.err, SL_OK);
    assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &fast);
  }
}

static void no_kernel_left(void **state) {
  (void)state;
  const struct sl_kernel *only_broken[] = {&broken_fast, &sl_kernel_chapoly_portable, NULL};
  struct sl_selection sel;
  assert_int_equal(sl_selection_survey(&sel, only_broken, CPU, NULL), SL_OK);
  sl_selection_choose(&sel);
  assert_int_equal(sel.err, SL_E_SELFTEST);
  assert_string_equal(sel.why, "no kernel for aes-gcm can be used");
  assert_null(sel.chosen[SL_ALG_AES_GCM]);
  assert_ptr_equal(sel.chosen[SL_ALG_CHACHA20_POLY1305], &sl_kernel_chapoly_portable);
}

/* What must be set up first, and what then cannot be had; nothing is set up that the CPU cannot run. */
static void kernels_that_start(void **state) {
  (void)state;
  const struct sl_kernel *starters[] = {&not_started, &started, &sl_kernel_gcm_portable, NULL};
  char why[SL_KERNEL_WHY_MAX];
  struct sl_selection sel;
  n_starts = 0;
  assert_int_equal(sl_selection_survey(&sel, starters, CPU, NULL), SL_OK);
  sl_selection_choose(&sel);
  assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &sl_kernel_gcm_portable);
  assert_int_equal(n_starts, 0); /* who does not ask for them by name does not start them */
  assert_info(&sel, 0, "gcm_not_started", false, false, "its library is away");
  assert_int_equal(n_starts, 1);
  assert_int_equal(sl_selection_force(&sel, "gcm_not_started", why), SL_E_KERNEL);
  assert_string_equal(why, "kernel \"gcm_not_started\" cannot run here: its library is away");
  assert_int_equal(sl_selection_force(&sel, "gcm_started", why), SL_OK);
  sl_selection_choose(&sel);
  assert_ptr_equal(sel.chosen[SL_ALG_AES_GCM], &started);
  assert_info(&sel, 1, "gcm_started", true, true, "");
  assert_int_equal(n_starts, 2); /* once each */
  assert_int_equal(sl_selection_survey(&sel, starters, CPU, "avx2"), SL_OK);
  assert_info(&sel, 0, "gcm_not_started", false, false, "SEALANE_CPU_OFF turns off avx2");
  assert_int_equal(n_starts, 2);
  /* The library's own. */
  assert_int_equal(sl_selection_survey(&sel, sl_kernel_list, sl_cpu_detect(), NULL), SL_OK);
  sl_selection_choose(&sel);
  for (size_t i = 0; i < sel.n_kernels; i++) {
    bool is_asleep = sel.states[i] == SL_KERNEL_ASLEEP, can_run = sel.states[i] != SL_KERNEL_CANNOT_RUN;
    assert_int_equal(is_asleep, sel.list[i]->start != NULL && can_run);
  }
}

/* ---- the library's own selection, in processes of their own -------------------------------------------------- */

#define CHECK(claim)                                                                                                   \
  do {                                                                                                                 \
    if (claim) break;                                                                                                  \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                                                \
    fflush(NULL);                                                                                                      \
    _exit(1);                                                                                                          \
  } while (0)

/* Runs body(arg) in a child with these variables (NULL: unset), and expects it to come back. */
static void in_child(const char *kernels, const char *cpu_off, void (*body)(const char *), const char *arg) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    unsetenv("SEALANE_KERNELS");
    unsetenv("SEALANE_CPU_OFF");
    if (kernels != NULL) setenv("SEALANE_KERNELS", kernels, 1);
    if (cpu_off != NULL) setenv("SEALANE_CPU_OFF", cpu_off, 1);
    body(arg);
    fflush(NULL);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static const uint8_t secret[32] = {1, 2, 3};

static sl_err init(struct sl_aead_key *key, enum sl_aead aead) {
  return sl_aead_key_init(key, aead, secret, sl_aead_secret_len(aead));
}

static const struct sl_kernel *find(const char *name) {
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    if (strcmp(sl_kernel_list[i]->name, name) == 0) return sl_kernel_list[i];
  }
  return NULL;
}

/* The default: everything is sound, the list agrees with itself. */
static void check_default(const char *arg) {
  (void)arg;
  char why[200] = "untouched", cpu[512];
  CHECK(sl_kernels_check(why, sizeof why) == SL_OK && why[0] == '\0');
  CHECK(sl_kernels_check(NULL, 0) == SL_OK);
  size_t n = sl_kernels_list(NULL, 0);
  CHECK(n > 0 && n < SL_KERNELS_MAX);
  struct sl_kernel_info infos[SL_KERNELS_MAX + 1];
  memset(infos, 0xee, sizeof infos);
  CHECK(sl_kernels_list(infos, 1) == n && ((uint8_t *)&infos[1])[0] == 0xee);
  CHECK(sl_kernels_list(infos, SL_KERNELS_MAX) == n && ((uint8_t *)&infos[n])[0] == 0xee);
  size_t n_chosen[SL_ALG_END] = {0}, n_portable[SL_ALG_END] = {0};
  for (size_t i = 0; i < n; i++) {
    const struct sl_kernel *kernel = sl_kernel_list[i];
    CHECK(strcmp(infos[i].name, kernel->name) == 0);
    CHECK(strcmp(infos[i].algorithm, sl_algorithm_name(kernel->algorithm)) == 0);
    CHECK(infos[i].available == (infos[i].reason[0] == '\0'));
    CHECK(infos[i].available == (sl_kernel_named(kernel->name) == kernel));
    CHECK(infos[i].available || !infos[i].chosen);
    bool is_others = strncmp(kernel->name, "ipsec_mb_", 9) == 0;
    CHECK(n_portable[kernel->algorithm] == is_others); /* the portable one is the last of ours, and always can run */
    CHECK(!is_others || !infos[i].chosen);
    n_chosen[kernel->algorithm] += infos[i].chosen;
    n_portable[kernel->algorithm] += kernel->needs == 0 && strstr(kernel->name, "_portable") != NULL;
  }
  for (int a = 0; a < SL_ALG_END; a++) {
    const struct sl_kernel *chosen;
    CHECK(n_chosen[a] == 1 && n_portable[a] == 1);
    CHECK(sl_kernel_chosen((enum sl_algorithm)a, &chosen) == SL_OK && chosen->algorithm == (enum sl_algorithm)a);
  }
  CHECK(sl_kernel_named("no_such_kernel") == NULL && sl_kernel_named("") == NULL);
  CHECK(sl_kernels_force("gcm_portable") == SL_E_STATE); /* too late */

  /* The description, and how it is cut. */
  sl_cpu_describe(cpu, sizeof cpu);
  size_t len = strlen(cpu);
  CHECK(len > 3 && cpu[len - 1] == ')' && strchr(cpu, '(') != NULL);
  for (size_t cap = 1; cap <= len + 1; cap++) {
    char cut[513];
    memset(cut, 0xee, sizeof cut);
    sl_cpu_describe(cut, cap);
    CHECK(strncmp(cut, cpu, cap - 1) == 0 && strlen(cut) == cap - 1 && (uint8_t)cut[cap] == 0xee);
  }
  sl_cpu_describe(NULL, 0);
}

static void the_default(void **state) {
  (void)state;
  in_child(NULL, NULL, check_default, NULL);
  in_child("", "", check_default, NULL);
}

/* Forced by the environment (arg) or by the call: the kernel serves its algorithm, the others keep their default. */
static void check_forced(const char *arg) {
  const struct sl_kernel *forced = find(arg), *chosen;
  struct sl_kernel_info infos[SL_KERNELS_MAX];
  CHECK(sl_kernels_check(NULL, 0) == SL_OK);
  CHECK(sl_kernel_chosen(forced->algorithm, &chosen) == SL_OK && chosen == forced);
  size_t n = sl_kernels_list(infos, SL_KERNELS_MAX);
  bool is_first[SL_ALG_END] = {false};
  for (size_t i = 0; i < n; i++) {
    enum sl_algorithm algorithm = sl_kernel_list[i]->algorithm;
    bool is_default = infos[i].available && !is_first[algorithm];
    is_first[algorithm] |= infos[i].available;
    CHECK(infos[i].chosen == (algorithm == forced->algorithm ? sl_kernel_list[i] == forced : is_default));
  }
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    struct sl_aead_key key;
    CHECK(init(&key, aead) == SL_OK);
    enum sl_algorithm algorithm = aead == SL_CHACHA20_POLY1305 ? SL_ALG_CHACHA20_POLY1305 : SL_ALG_AES_GCM;
    CHECK(sl_kernel_chosen(algorithm, &chosen) == SL_OK && strcmp(sl_aead_key_kernel(&key), chosen->name) == 0);
  }
}

static void call_and_check_forced(const char *arg) {
  CHECK(sl_kernels_force("no_such_kernel") == SL_E_KERNEL);
  CHECK(sl_kernels_force(NULL) == SL_E_KERNEL);
  CHECK(sl_kernels_force(arg) == SL_OK);
  CHECK(sl_kernels_force("gcm_portable,no_such_kernel") == SL_E_KERNEL); /* nothing changes */
  check_forced(arg);
  CHECK(sl_kernels_force(arg) == SL_E_STATE);
}

static void check_cannot_run(const char *arg) {
  struct sl_aead_key key;
  static const struct sl_aead_key empty;
  const struct sl_kernel *chosen = &sl_kernel_gcm_portable;
  char why[200];
  CHECK(sl_kernels_check(why, sizeof why) == SL_E_KERNEL);
  if (strstr(why, arg) == NULL) fprintf(stderr, "%s: %s\n", arg, why);
  CHECK(strstr(why, arg) != NULL);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    CHECK(init(&key, aead) == SL_E_KERNEL && memcmp(&key, &empty, sizeof key) == 0);
    CHECK(sl_aead_key_init_kernel(&key, aead, secret, sl_aead_secret_len(aead), "gcm_portable") == SL_E_KERNEL);
  }
  CHECK(sl_kernel_chosen(SL_ALG_X25519, &chosen) == SL_E_KERNEL && chosen == NULL);
  struct sl_kernel_info infos[SL_KERNELS_MAX];
  size_t n = sl_kernels_list(infos, SL_KERNELS_MAX);
  for (size_t i = 0; i < n; i++) CHECK(!infos[i].chosen);

  /* The sentence is cut where it must be. */
  char cut[9];
  memset(cut, 0xee, sizeof cut);
  CHECK(sl_kernels_check(cut, 8) == SL_E_KERNEL);
  CHECK(strlen(cut) == 7 && strncmp(cut, why, 7) == 0 && (uint8_t)cut[8] == 0xee);
}

/* Whether this CPU can run each kernel, found out in a child: this process makes no selection. */
static void exit_if_available(const char *arg) {
  if (sl_kernel_named(arg) != NULL) _exit(0);
  _exit(7);
}

static bool is_available(const char *name) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) exit_if_available(name);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7));
  return WEXITSTATUS(status) == 0;
}

static void each_kernel_forced(void **state) {
  (void)state;
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    const char *name = sl_kernel_list[i]->name;
    if (is_available(name)) {
      in_child(name, NULL, check_forced, name);
      in_child("gcm_portable", NULL, call_and_check_forced, name); /* the call overrules the environment */
    } else {
      printf("  n/a %s: cannot run here, forcing it must fail\n", name);
      in_child(name, NULL, check_cannot_run, name);
    }
  }
}

static void forced_in_vain(void **state) {
  (void)state;
  in_child("gcm_fsat", NULL, check_cannot_run, "SEALANE_KERNELS: unknown kernel \"gcm_fsat\"");
  in_child("gcm_portable,gcm_fsat", NULL, check_cannot_run, "unknown kernel \"gcm_fsat\"");
  in_child(NULL, "avx512g", check_cannot_run, "SEALANE_CPU_OFF: unknown feature \"avx512g\"");
  in_child("gcm_portable", "avx512g", check_cannot_run, "SEALANE_CPU_OFF: unknown feature \"avx512g\"");
  /* Each kernel that needs something, with that turned off. */
  static const char *const names[] = {
#define FEATURE_NAME(name, text) text,
      SL_CPU_FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
  };
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    bool lacks = (sl_kernel_list[i]->needs & ~sl_cpu_detect()) != 0; /* something of its own: then that is said */
    for (unsigned bit = 0; bit < SL_CPU_BIT_END; bit++) {
      if ((sl_kernel_list[i]->needs >> bit & 1) == 0) continue;
      in_child(sl_kernel_list[i]->name, names[bit], check_cannot_run, lacks ? "CPU lacks" : names[bit]);
    }
  }
}

/* Many threads need a kernel at once, first thing in the process: all get the same. */
static pthread_barrier_t barrier;

static void *first_use(void *arg) {
  struct sl_aead_key key;
  pthread_barrier_wait(&barrier);
  CHECK(init(&key, SL_AES_128_GCM) == SL_OK);
  *(const struct sl_kernel **)arg = key.kernel;
  return NULL;
}

static void check_threads(const char *arg) {
  (void)arg;
  enum { N = 8 };
  pthread_t threads[N];
  const struct sl_kernel *got[N];
  CHECK(pthread_barrier_init(&barrier, NULL, N) == 0);
  for (int i = 0; i < N; i++) CHECK(pthread_create(&threads[i], NULL, first_use, &got[i]) == 0);
  for (int i = 0; i < N; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < N; i++) CHECK(got[i] != NULL && got[i] == got[0]);
}

static void threads_agree(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++) in_child(NULL, NULL, check_threads, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(selftest_finds_what_is_broken),
      cmocka_unit_test(broken_is_passed_over),
      cmocka_unit_test(features_turned_off),
      cmocka_unit_test(nothing_builds_on_air),
      cmocka_unit_test(forced_by_name),
      cmocka_unit_test(no_kernel_left),
      cmocka_unit_test(kernels_that_start),
      cmocka_unit_test(the_default),
      cmocka_unit_test(each_kernel_forced),
      cmocka_unit_test(forced_in_vain),
      cmocka_unit_test(threads_agree),
  };
  unsetenv("SEALANE_KERNELS"); /* each child sets its own */
  unsetenv("SEALANE_CPU_OFF");
  return cmocka_run_group_tests(tests, setup, NULL);
}

/* ct_x25519.c - scalar multiplication of every X25519 kernel with the scalar secret, and the point, too: a kernel
 * takes care of both, though the points of TLS are public. */
#include "ct.h"
#include "x25519.h"
#include <stdio.h>
#include <string.h>

static void multiply(const struct sl_kernel *kernel) {
  enum { N = 3 };
  uint8_t out[N][SL_X25519_LEN], scalar[N][SL_X25519_LEN], point[N][SL_X25519_LEN];
  struct sl_x25519_job jobs[N];
  for (size_t i = 0; i < N; i++) {
    ct_make_secret(scalar[i], sizeof scalar[i]);
    ct_make_secret(point[i], sizeof point[i]);
    jobs[i] = (struct sl_x25519_job){.out = out[i], .scalar = scalar[i], .point = point[i]};
  }
  kernel->x25519.run(jobs, N);
}

static void kernels(void **state) {
  (void)state;
  ct_each_kernel(SL_ALG_X25519, multiply);
}

/* valgrind carries out ADCX and ADOX, but the CPU it imitates does not announce them: the machine's own list counts. */
static bool machine_has_adx(void) {
  char line[4096];
  bool has = false;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file != NULL && !has && fgets(line, sizeof line, file) != NULL)
    has = strncmp(line, "flags", 5) == 0 && strstr(line, " adx ") != NULL && strstr(line, " bmi2 ") != NULL;
  if (file != NULL) fclose(file);
  return has;
}

static void adx(void **state) {
  (void)state;
  size_t i = 0;
  while (sl_kernel_list[i] != NULL && strcmp(sl_kernel_list[i]->name, "x25519_adx") != 0) i++;
  if (sl_kernel_list[i] != NULL && machine_has_adx()) {
    multiply(sl_kernel_list[i]);
  } else {
    print_message("n/a: x25519_adx: not on this machine\n");
    skip();
  }
}

/* Both sides of one exchange; the check for small order is the one thing that becomes public. */
static void exchange(void **state) {
  (void)state;
  uint8_t scalar[2][SL_X25519_LEN], share[2][SL_X25519_LEN], secret[2][SL_X25519_LEN];
  const uint8_t small_order[SL_X25519_LEN] = {1};
  for (int i = 0; i < 2; i++) {
    ct_make_secret(scalar[i], sizeof scalar[i]);
    assert_int_equal(sl_x25519_public(share[i], scalar[i]), SL_OK);
    sl_declassify(share[i], sizeof share[i]); /* key shares go on the wire */
  }
  for (int i = 0; i < 2; i++) assert_int_equal(sl_x25519_shared(secret[i], scalar[i], share[!i]), SL_OK);
  uint32_t differs = sl_differ(secret[0], secret[1], sizeof secret[0]);
  sl_declassify(&differs, sizeof differs); /* the test's own question */
  assert_int_equal(differs, 0);
  assert_int_equal(sl_x25519_shared(secret[0], scalar[0], small_order), SL_E_KEY_SHARE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(kernels), cmocka_unit_test(adx), cmocka_unit_test(exchange)};
  return cmocka_run_group_tests_name("ct_x25519", tests, NULL, NULL);
}

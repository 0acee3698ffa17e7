/* cpu.c - what an x86-64 CPU can do and the operating system lets programs use: CPUID and XGETBV (Intel SDM volume 1
 * chapters 13 and 14, volume 2 CPUID; AMD APM volume 3 appendix E). */
#include "engine/kernel.h"

#include <cpuid.h>
#include <string.h>

struct regs {
  uint32_t eax, ebx, ecx, edx;
};

/* A leaf the CPU does not have reads as zeros. */
static struct regs cpuid(uint32_t leaf, uint32_t subleaf) {
  struct regs r = {0, 0, 0, 0};
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return (struct regs){0, 0, 0, 0};
  return r;
}

/* XCR0: the register state the operating system saves on a context switch. Needs OSXSAVE. */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

#define OSXSAVE   (1u << 27)     /* leaf 1 ecx */
#define STATE_YMM UINT64_C(0x06) /* XMM, YMM */
#define STATE_ZMM UINT64_C(0xe6) /* those, opmask, upper halves of ZMM0-15, ZMM16-31 */

/* One row a feature: where CPUID tells it, and the state that must be saved for it to be usable. */
static const struct {
  uint64_t feature, state;
  uint32_t leaf;
  enum { EBX, ECX } reg;
  unsigned bit;
} features[] = {
    {SL_CPU(PCLMUL), 0, 1, ECX, 1},
    {SL_CPU(SSSE3), 0, 1, ECX, 9},
    {SL_CPU(SSE41), 0, 1, ECX, 19},
    {SL_CPU(AES), 0, 1, ECX, 25},
    {SL_CPU(AVX), STATE_YMM, 1, ECX, 28},
    {SL_CPU(AVX2), STATE_YMM, 7, EBX, 5},
    {SL_CPU(BMI2), 0, 7, EBX, 8},
    {SL_CPU(AVX512F), STATE_ZMM, 7, EBX, 16},
    {SL_CPU(AVX512DQ), STATE_ZMM, 7, EBX, 17},
    {SL_CPU(ADX), 0, 7, EBX, 19},
    {SL_CPU(AVX512IFMA), STATE_ZMM, 7, EBX, 21},
    {SL_CPU(SHANI), 0, 7, EBX, 29},
    {SL_CPU(AVX512BW), STATE_ZMM, 7, EBX, 30},
    {SL_CPU(AVX512VL), STATE_ZMM, 7, EBX, 31},
    {SL_CPU(AVX512VBMI), STATE_ZMM, 7, ECX, 1},
    {SL_CPU(AVX512VBMI2), STATE_ZMM, 7, ECX, 6},
    {SL_CPU(VAES), STATE_YMM, 7, ECX, 9},
    {SL_CPU(VPCLMUL), STATE_YMM, 7, ECX, 10},
};

/* Intel models, family 6, whose cores lower their clock for everybody when one thread uses 512-bit vectors, by more than
 * short bursts of cryptography win. Ice Lake's drop is one step of turbo on one active core and none on more, and its
 * successors have none, so they are not here; nor is AMD, whose Zen 4 splits 512-bit work and whose Zen 5 does not. */
static const uint8_t slow_512bit_models[] = {
    0x55, /* Skylake-SP and -X, Cascade Lake, Cooper Lake */
    0x66, /* Cannon Lake */
};

static bool has_fast_512bit(void) {
  struct regs vendor = cpuid(0, 0), model = cpuid(1, 0);
  bool is_intel = vendor.ebx == signature_INTEL_ebx && vendor.ecx == signature_INTEL_ecx;
  unsigned family = model.eax >> 8 & 15, number = (model.eax >> 12 & 0xf0) | (model.eax >> 4 & 15);
  if (!is_intel || family != 6) return true;
  return memchr(slow_512bit_models, (int)number, sizeof slow_512bit_models) == NULL;
}

uint64_t sl_cpu_detect(void) {
  uint64_t found = 0, saved = (cpuid(1, 0).ecx & OSXSAVE) != 0 ? saved_state() : 0;
  for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
    struct regs r = cpuid(features[i].leaf, 0);
    uint32_t word = features[i].reg == EBX ? r.ebx : r.ecx;
    if ((word >> features[i].bit & 1) != 0 && (saved & features[i].state) == features[i].state) {
      found |= features[i].feature;
    }
  }
  if ((found & SL_CPU(AVX512F)) != 0 && has_fast_512bit()) found |= SL_CPU(WIDE512);
  return found;
}

void sl_cpu_model(char *out, size_t cap) {
  char name[49] = "x86-64";
  if (cpuid(0x80000000, 0).eax >= 0x80000004) {
    for (uint32_t i = 0; i < 3; i++) {
      struct regs r = cpuid(0x80000002 + i, 0);
      memcpy(name + 16 * i, &r, sizeof r);
    }
    name[48] = '\0';
  }
  /* Intel pads in front. */
  const char *begin = name + strspn(name, " ");
  size_t len = strlen(begin);
  while (len > 0 && begin[len - 1] == ' ') len--;
  if (cap == 0) return;
  if (len > cap - 1) len = cap - 1;
  memcpy(out, begin, len);
  out[len] = '\0';
}

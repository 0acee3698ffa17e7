/* cpu.c - what a 64-bit ARM CPU can do, as Linux tells programs (arm64 elf_hwcaps). */
#include "engine/kernel.h"

#include <asm/hwcap.h>
#include <stdio.h>
#include <sys/auxv.h>

static const struct {
  unsigned long hwcap;
  uint64_t feature;
} hwcaps[] = {
    {HWCAP_ASIMD, SL_CPU(NEON)},    {HWCAP_AES, SL_CPU(ARM_AES)},       {HWCAP_PMULL, SL_CPU(ARM_PMULL)},
    {HWCAP_SHA2, SL_CPU(ARM_SHA2)}, {HWCAP_SHA512, SL_CPU(ARM_SHA512)}, {HWCAP_SHA3, SL_CPU(ARM_EOR3)},
};

uint64_t sl_cpu_detect(void) {
  unsigned long has = getauxval(AT_HWCAP);
  uint64_t features = 0;
  for (size_t i = 0; i < sizeof hwcaps / sizeof hwcaps[0]; i++) {
    if ((has & hwcaps[i].hwcap) != 0) features |= hwcaps[i].feature;
  }
  return features;
}

/* MIDR_EL1's implementer and part, from the manuals of the cores. */
static const struct {
  unsigned implementer, part;
  const char *name;
} models[] = {
    {0x41, 0xd08, "Arm Cortex-A72"},  {0x41, 0xd0b, "Arm Cortex-A76"},  {0x41, 0xd0c, "Arm Neoverse N1"},
    {0x41, 0xd40, "Arm Neoverse V1"}, {0x41, 0xd49, "Arm Neoverse N2"}, {0x41, 0xd4f, "Arm Neoverse V2"},
    {0x41, 0xd84, "Arm Neoverse V3"}, {0x41, 0xd8e, "Arm Neoverse N3"}, {0xc0, 0xac3, "Ampere-1"},
};

void sl_cpu_model(char *out, size_t cap) {
  if ((getauxval(AT_HWCAP) & HWCAP_CPUID) == 0) {
    snprintf(out, cap, "64-bit ARM");
    return;
  }
  uint64_t midr; /* the kernel answers this read for programs when HWCAP_CPUID is set */
  __asm__("mrs %0, midr_el1" : "=r"(midr));
  unsigned implementer = (unsigned)(midr >> 24 & 0xff), part = (unsigned)(midr >> 4 & 0xfff);
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    if (models[i].implementer == implementer && models[i].part == part) {
      snprintf(out, cap, "%s", models[i].name);
      return;
    }
  }
  snprintf(out, cap, "64-bit ARM, implementer 0x%02x, part 0x%03x", implementer, part);
}

# file, its ISA flags with spaces between them. Before it gives out registers, gcc 12 moves loads as far ahead as it can, and then
# spills what it has loaded: not in the kernels whose hot loops fill the registers.
set(isa_flags
  chapoly_neon.c "-fno-schedule-insns"
  cpu.c ""
  gcm_armv8.c "-march=armv8-a+crypto -fno-schedule-insns"
  gcm_armv8_sha3.c "-march=armv8.2-a+crypto+sha3 -fno-schedule-insns"
  kernels.c ""
  sha256_armv8.c "-march=armv8-a+crypto"
  sha512_armv8.c "-march=armv8.2-a+sha3"
)

# Before it gives out registers, gcc 12 moves loads as far ahead as it can, and then spills what it has loaded: not in the kernels
# whose hot loops fill the registers.
set(in_order "$<$<C_COMPILER_ID:GNU>:-fno-schedule-insns>")

# file, its ISA flags with spaces between them
set(isa_flags
  chapoly_neon.c "${in_order}"
  chapoly_units.c ""
  cpu.c ""
  gcm_armv8.c "-march=armv8-a+crypto ${in_order}"
  gcm_armv8_sha3.c "-march=armv8.2-a+crypto+sha3 ${in_order}"
  kernels.c ""
  sha256_armv8.c "-march=armv8-a+crypto"
  sha512_armv8.c "-march=armv8.2-a+sha3"
)

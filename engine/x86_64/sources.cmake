# file, its ISA flags with spaces between them
set(isa_flags
  cpu.c ""
  kernels.c ""
  sha256_shani.c "-msha -msse4.1 -mssse3"
  x25519_adx.c ""
)

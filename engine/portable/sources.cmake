# file, its ISA flags (a list in quotes)
set(isa_flags
  cpu.c ""
  kernels.c ""
)

# file, its ISA flags with spaces between them
set(isa_flags
  cpu.c ""
  kernels.c ""
)

# file, its ISA flags with spaces between them
set(isa_flags
  chapoly_avx2.c "-mavx2"
  chapoly_avx512.c "-mbmi2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512ifma -mavx512vbmi2"
  chapoly_common.c "-mssse3 -msse4.1"
  chapoly_sse.c "-mssse3 -msse4.1"
  chapoly_units.c "-mssse3 -msse4.1"
  cpu.c ""
  gcm_aesni.c "-mssse3 -msse4.1 -maes -mpclmul"
  gcm_expand.c "-mssse3 -msse4.1 -maes -mpclmul"
  gcm_vaes256.c "-mavx2 -maes -mpclmul -mvaes -mvpclmulqdq"
  gcm_vaes512.c "-mbmi2 -maes -mpclmul -mvaes -mvpclmulqdq -mavx512f -mavx512bw -mavx512dq -mavx512vl"
  kernels.c ""
  sha256_shani.c "-msha -msse4.1 -mssse3"
  x25519_adx.c ""
)

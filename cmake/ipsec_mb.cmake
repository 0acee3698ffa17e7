# Intel IPsec-MB: SEALANE_IPSEC_MB_FOUND, with IPSEC_MB_INCLUDE_DIR and IPSEC_MB_LIBRARY, where it is installed and is a version
# that has what engine/ipsec_mb/ calls: its functions for AVX2 as part of the public header, their keys no longer than ours.
set(SEALANE_IPSEC_MB_FOUND OFF)
find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
if(SEALANE_ARCH STREQUAL x86_64 AND SEALANE_IPSEC_MB AND IPSEC_MB_INCLUDE_DIR AND IPSEC_MB_LIBRARY)
  include(CheckCSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES ${IPSEC_MB_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${IPSEC_MB_LIBRARY})
  check_c_source_compiles("
    #include <intel-ipsec-mb.h>
    _Static_assert(sizeof ((struct gcm_key_data *)0)->expanded_keys == 240, \"\");
    _Static_assert(sizeof ((struct gcm_key_data *)0)->ghash_keys.avx2_avx512 == 128, \"\");
    static aes_gcm_enc_dec_t seal = aes_gcm_enc_256_avx_gen4;
    static chacha_poly_finalize_t end;
    int main(void) { return seal != 0 && end == 0 ? 0 : 1; }" IPSEC_MB_HAS_AVX2_CALLS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
  set(SEALANE_IPSEC_MB_FOUND ${IPSEC_MB_HAS_AVX2_CALLS})
endif()
if(SEALANE_IPSEC_MB_FOUND)
  target_link_libraries(sealane_objects PUBLIC ${IPSEC_MB_LIBRARY})
endif()
if(SEALANE_IPSEC_MB STREQUAL "ON" AND NOT SEALANE_IPSEC_MB_FOUND)
  message(FATAL_ERROR "SEALANE_IPSEC_MB=ON: found no Intel IPsec-MB 1.3 or alike (Debian: libipsec-mb-dev) for ${SEALANE_ARCH}")
endif()

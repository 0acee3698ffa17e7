# What `cmake --install` puts where: libraries, public headers, sealane.pc and the CMake package
# (sealane::sealane is the shared library, sealane::static the other).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sealane)
set_target_properties(sealane_shared PROPERTIES EXPORT_NAME sealane)
set_target_properties(sealane_static PROPERTIES EXPORT_NAME static)
set_target_properties(sealane_objects PROPERTIES EXPORT_NAME static_needs)
target_include_directories(sealane_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_include_directories(sealane_static INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# Two exports, so that who links the shared library needs no OpenSSL development files. Without a destination the object
# library is exported as what it is to users of the static one: a list of libraries to link.
install(TARGETS sealane_shared EXPORT shared COMPONENT runtime LIBRARY NAMELINK_COMPONENT development)
install(TARGETS sealane_static sealane_objects EXPORT static COMPONENT development)
install(EXPORT shared NAMESPACE sealane:: DESTINATION ${package_dir} FILE sealane-shared.cmake COMPONENT development)
install(EXPORT static NAMESPACE sealane:: DESTINATION ${package_dir} FILE sealane-static.cmake COMPONENT development)
install(DIRECTORY include/sealane DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN *.h)

configure_package_config_file(cmake/sealane-config.cmake.in sealane-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the ABI.
write_basic_package_version_file(sealane-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sealane-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/sealane-config-version.cmake
        DESTINATION ${package_dir} COMPONENT development)

# Deferred to the end, when every directory has told what it links.
function(sealane_write_pc)
  get_target_property(linked sealane_objects LINK_LIBRARIES)
  set(SEALANE_PC_REQUIRES libcrypto)
  set(SEALANE_PC_LIBS -pthread)
  # Relative to where the file lies, so that an installed tree can be moved.
  file(RELATIVE_PATH SEALANE_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  foreach(library IN LISTS linked)
    if(library MATCHES "^(OpenSSL::Crypto|Threads::Threads)$")
      continue() # named above
    elseif(library MATCHES "::|\\$<" OR TARGET ${library})
      message(FATAL_ERROR "cmake/install.cmake: say how sealane.pc names the library ${library}")
    elseif(IS_ABSOLUTE ${library})
      get_filename_component(name ${library} NAME)
      string(REGEX REPLACE "^lib(.*)\\.(so|a).*$" "-l\\1" library ${name})
    elseif(NOT library MATCHES "^-")
      set(library -l${library})
    endif()
    string(APPEND SEALANE_PC_LIBS " ${library}")
  endforeach()
  configure_file(cmake/sealane.pc.in ${CMAKE_BINARY_DIR}/sealane.pc @ONLY)
endfunction()
cmake_language(DEFER CALL sealane_write_pc)

# The programs that this build has.
function(sealane_install_programs)
  foreach(program sealane-serve sealane-connect sealane-bench)
    if(TARGET ${program})
      install(TARGETS ${program} COMPONENT programs)
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL sealane_install_programs)
install(FILES ${CMAKE_BINARY_DIR}/sealane.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# What is tested besides code - the tools, the installation, README's example - and the build of ./dev ct.

# Prints the kernels of this build as JSON, for scripts/run_tests.py.
add_executable(list_kernels list_kernels.c)
target_link_libraries(list_kernels PRIVATE sealane_objects)
set_target_properties(list_kernels PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# sl_script_test(name LABELS label... COMMAND ...): a program that speaks TAP.
function(sl_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "" "LABELS;COMMAND")
  add_test(NAME ${name} COMMAND ${test_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "${test_LABELS}")
endfunction()

sl_script_test(lint_selftest LABELS once COMMAND python3 ${CMAKE_SOURCE_DIR}/scripts/lint.py --selftest)
sl_script_test(run_tests_selftest LABELS once COMMAND python3 ${CMAKE_SOURCE_DIR}/scripts/run_tests_selftest.py)
sl_script_test(install LABELS once native COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/run.sh ${CMAKE_BINARY_DIR})
sl_script_test(readme_example LABELS once native
               COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_example.sh ${CMAKE_BINARY_DIR})

# ./dev ct: every tests/ct/ct_*.c under valgrind, in builds that mark secrets as undefined memory. ct_control leaks on
# purpose and must be caught, which shows that the others would be.
if(SEALANE_CT_CHECK)
  add_custom_target(ct)
  file(GLOB ct_sources CONFIGURE_DEPENDS ct/ct_*.c)
  foreach(source IN LISTS ct_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE sealane_objects PkgConfig::CMOCKA)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    add_dependencies(ct ${name})
    add_test(NAME ${name} COMMAND valgrind --quiet --error-exitcode=99 --expensive-definedness-checks=yes
                                  --track-origins=yes $<TARGET_FILE:${name}>)
    set_tests_properties(${name} PROPERTIES LABELS ct)
  endforeach()
  set_tests_properties(ct_control PROPERTIES PASS_REGULAR_EXPRESSION
                       "Conditional jump or move depends on uninitialised value.*Use of uninitialised value")
endif()

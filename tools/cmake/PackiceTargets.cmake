# The functions that make targets. All paths are relative to the calling layer's directory.
# USES names layers ("core", or "core_testing" where tests are concerned); IMPORTS names imported
# targets ("absl::statusor"). Both are held against the table in PackiceLayers.cmake.
get_property(PACKICE_TESTS GLOBAL PROPERTY PACKICE_TESTS)

# Parses ARGN into arg_*. Fails on whatever is left over, and on what is required and missing.
macro(packice_parse required options one_value multi_value)
  cmake_parse_arguments(arg "${options}" "${one_value}" "${multi_value}" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${CMAKE_CURRENT_FUNCTION}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  foreach(argument IN ITEMS ${required})
    if(NOT arg_${argument})
      message(FATAL_ERROR "${CMAKE_CURRENT_FUNCTION}: ${argument} is missing")
    endif()
  endforeach()
endmacro()

# Notes the files as listed, and fails on one that is not there. Generated ones are nobody's to check.
function(packice_list_files layer)
  foreach(file IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH file NORMALIZE OUTPUT_VARIABLE path)
    get_source_file_property(generated "${path}" GENERATED)
    if(generated)
      continue()
    endif()
    if(NOT EXISTS "${path}")
      message(FATAL_ERROR "packice: ${layer} lists ${file}, but there is no such file in "
                          "${CMAKE_CURRENT_SOURCE_DIR}")
    endif()
    set_property(GLOBAL APPEND PROPERTY PACKICE_FILES_${layer} "${path}")
  endforeach()
endfunction()

# packice_link(<target> <scope> [USES ...] [IMPORTS ...])
function(packice_link target scope)
  cmake_parse_arguments(arg "" "" "USES;IMPORTS" ${ARGN})
  list(TRANSFORM arg_USES PREPEND "packice::")
  target_link_libraries(${target} ${scope} ${arg_USES})
  foreach(import IN LISTS arg_IMPORTS)
    if(NOT import MATCHES "::")
      message(FATAL_ERROR "packice: IMPORTS takes targets such as absl::statusor, not ${import}")
    endif()
    # Abseil is part of Packice's own headers; any other package is a matter of the sources.
    if(scope STREQUAL "PUBLIC" AND NOT import MATCHES "^absl::")
      target_link_libraries(${target} PRIVATE ${import})
    else()
      target_link_libraries(${target} ${scope} ${import})
    endif()
  endforeach()
endfunction()

# A static library; an interface library if it has no source to compile.
function(packice_library target layer kind include headers sources)
  packice_list_files(${layer} ${headers} ${sources})
  set(public_headers ${headers})
  list(FILTER public_headers INCLUDE REGEX "^${include}/")
  set(private ${headers} ${sources})
  list(FILTER private EXCLUDE REGEX "^${include}/")
  if(sources MATCHES "\\.(cc|c|S)(;|$)")
    add_library(${target} STATIC ${private})
    set(scope PUBLIC)
    cmake_path(GET include PARENT_PATH root)  # include -> src, testing/include -> testing/src
    cmake_path(APPEND root src)
    target_include_directories(${target} PRIVATE ${root})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:packice_compile_options>)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${include} FILES ${public_headers})
  target_compile_features(${target} ${scope} cxx_std_20)
  set_target_properties(${target} PROPERTIES PACKICE_LAYER ${layer} PACKICE_KIND ${kind})
  set(scope ${scope} PARENT_SCOPE)
endfunction()

# packice_layer(NAME core HEADERS include/packice/core/x.h ... SOURCES src/x.cc ...
#               [USES layer ...] [IMPORTS target ...]
#               [TESTING_HEADERS testing/include/packice/core/testing/x.h ...]
#               [TESTING_SOURCES testing/src/x.cc ...]
#               [TESTING_USES layer|layer_testing ...] [TESTING_IMPORTS target ...])
# makes packice::core and, for tests only, packice::core_testing. Headers in src/ are private.
function(packice_layer)
  packice_parse(NAME "" "NAME" "HEADERS;SOURCES;USES;IMPORTS;TESTING_HEADERS;TESTING_SOURCES;\
TESTING_USES;TESTING_IMPORTS" ${ARGN})
  set(target packice_${arg_NAME})
  packice_layer_names(layers)
  if(NOT arg_NAME IN_LIST layers)
    message(FATAL_ERROR "packice layering: ${arg_NAME} is not in the table of layers")
  endif()

  packice_library(${target} ${arg_NAME} library include "${arg_HEADERS}" "${arg_SOURCES}")
  add_library(packice::${arg_NAME} ALIAS ${target})
  packice_link(${target} ${scope} USES ${arg_USES} IMPORTS ${arg_IMPORTS})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_NAME})
  packice_install_layer(${target})

  # `--target core` builds all of the layer, as `ctest -L ^core$` runs all of its tests.
  add_custom_target(${arg_NAME})
  add_dependencies(${arg_NAME} ${target})

  packice_list_files(${arg_NAME} ${arg_TESTING_HEADERS} ${arg_TESTING_SOURCES})
  if(PACKICE_TESTS AND (arg_TESTING_HEADERS OR arg_TESTING_SOURCES))
    packice_library(${target}_testing ${arg_NAME} testing testing/include
                    "${arg_TESTING_HEADERS}" "${arg_TESTING_SOURCES}")
    add_library(packice::${arg_NAME}_testing ALIAS ${target}_testing)
    packice_link(${target}_testing ${scope} USES ${arg_NAME} ${arg_TESTING_USES}
                 IMPORTS ${arg_TESTING_IMPORTS})
    target_link_libraries(${target}_testing ${scope} GTest::gmock)
    add_dependencies(${arg_NAME} ${target}_testing)
  endif()
endfunction()

# An executable of a layer, linked to the layer itself.
function(packice_executable target layer kind)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;IMPORTS" ${ARGN})
  packice_list_files(${layer} ${arg_SOURCES})
  if(kind STREQUAL "test" AND NOT PACKICE_TESTS)
    return()
  endif()
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PACKICE_LAYER ${layer} PACKICE_KIND ${kind})
  target_link_libraries(${target} PRIVATE packice_compile_options)
  if(TARGET packice_${layer})
    packice_link(${target} PRIVATE USES ${layer})
    add_dependencies(${layer} ${target})
  endif()
  packice_link(${target} PRIVATE USES ${arg_USES} IMPORTS ${arg_IMPORTS})
  if(kind STREQUAL "test" AND TARGET packice_${layer}_testing)
    packice_link(${target} PRIVATE USES ${layer}_testing)
  endif()
  # Tests and binaries may look at the private headers of their own layer.
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
endfunction()

# packice_ctest(<name> <layer> <seconds> <labels> <command>...): the one form of a ctest test.
# Sanitizers are slow, so there a test has four times its time.
function(packice_ctest name layer seconds labels)
  set(name "${layer}.${name}${PACKICE_TEST_SUFFIX}")
  if(NOT seconds)
    set(seconds 60)
  endif()
  if(PACKICE_SANITIZE)
    math(EXPR seconds "${seconds} * 4")
  endif()
  add_test(NAME "${name}" COMMAND ${ARGN})
  set_tests_properties("${name}" PROPERTIES TIMEOUT ${seconds} LABELS "${layer};${labels}"
    ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1:suppressions=${PROJECT_SOURCE_DIR}/third_party/tsan.supp")
endfunction()

# packice_test(LAYER core NAME object_id_test [SOURCES tests/object_id_test.cc ...]
#              [USES layer|layer_testing ...] [IMPORTS target ...] [ARGS ...] [LABELS ...]
#              [ENVIRONMENT name=value ...] [TIMEOUT seconds] [LONG] [NO_ASAN] [NO_TSAN])
# makes the GoogleTest binary core_object_id_test and registers it as one ctest test,
# core.object_id_test. LONG: it computes for so long that it is optimized itself. NO_ASAN and NO_TSAN leave it out where that sanitizer proves nothing.
function(packice_test)
  packice_parse("LAYER;NAME" "LONG;NO_ASAN;NO_TSAN" "LAYER;NAME;TIMEOUT"
                "SOURCES;USES;IMPORTS;ARGS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT arg_SOURCES)
    set(arg_SOURCES tests/${arg_NAME}.cc)
  endif()
  set(target ${arg_LAYER}_${arg_NAME})
  if((arg_NO_ASAN AND PACKICE_SANITIZE MATCHES "address") OR
     (arg_NO_TSAN AND PACKICE_SANITIZE MATCHES "thread"))
    packice_list_files(${arg_LAYER} ${arg_SOURCES})
    return()
  endif()
  packice_executable(${target} ${arg_LAYER} test SOURCES ${arg_SOURCES} USES ${arg_USES}
                     IMPORTS GTest::gmock_main ${arg_IMPORTS})
  if(TARGET ${target})
    if(NOT arg_LONG)
      # To optimize a test that runs for seconds costs far more than it saves. What it tests is
      # optimized all the same.
      target_compile_options(${target} PRIVATE -O0)
    endif()
    packice_ctest(${arg_NAME} ${arg_LAYER} "${arg_TIMEOUT}" "${arg_LABELS}" ${target} ${arg_ARGS})
    set_property(TEST "${arg_LAYER}.${arg_NAME}${PACKICE_TEST_SUFFIX}" APPEND
                 PROPERTY ENVIRONMENT "${arg_ENVIRONMENT}")
  endif()
endfunction()

# packice_test_library([OBJECTS] NAME tests_nodes LAYER tests SOURCES ... [USES layer ...]
#                      [IMPORTS target ...])
# makes packice::tests_nodes: what several tests share, compiled once. OBJECTS: all of it is linked,
# whether it is called or not.
function(packice_test_library)
  packice_parse("LAYER;NAME" "OBJECTS" "LAYER;NAME" "SOURCES;USES;IMPORTS" ${ARGN})
  packice_list_files(${arg_LAYER} ${arg_SOURCES})
  if(NOT PACKICE_TESTS)
    return()
  endif()
  set(type STATIC)
  if(arg_OBJECTS)
    set(type OBJECT)
  endif()
  add_library(${arg_NAME} ${type} EXCLUDE_FROM_ALL ${arg_SOURCES})
  add_library(packice::${arg_NAME} ALIAS ${arg_NAME})
  set_target_properties(${arg_NAME} PROPERTIES PACKICE_LAYER ${arg_LAYER} PACKICE_KIND test)
  target_compile_options(${arg_NAME} PRIVATE -O0)
  target_link_libraries(${arg_NAME} PRIVATE packice_compile_options PUBLIC GTest::gmock)
  packice_link(${arg_NAME} PUBLIC USES ${arg_USES} IMPORTS ${arg_IMPORTS})
endfunction()

# packice_binary(NAME packice LAYER interface SOURCES ... [USES layer ...] [IMPORTS target ...])
# makes and installs bin/packice; `--target run-packice` runs it.
function(packice_binary)
  packice_parse("LAYER;NAME" "" "LAYER;NAME" "SOURCES;USES;IMPORTS" ${ARGN})
  packice_executable(${arg_NAME} ${arg_LAYER} binary SOURCES ${arg_SOURCES} USES ${arg_USES}
                     IMPORTS ${arg_IMPORTS})
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  add_custom_target(run-${arg_NAME} COMMAND ${arg_NAME} USES_TERMINAL)
  install(TARGETS ${arg_NAME} RUNTIME)
endfunction()

# packice_benchmark(LAYER core NAME lease_bench [SOURCES bench/lease_bench.cc ...]
#                   [USES ...] [IMPORTS ...])
# makes the Google Benchmark binary core_lease_bench (main() included) and a short ctest run of
# it, labelled bench-smoke. Not under sanitizers: their numbers mean nothing.
function(packice_benchmark)
  packice_parse("LAYER;NAME" "" "LAYER;NAME;TIMEOUT" "SOURCES;USES;IMPORTS" ${ARGN})
  if(NOT arg_SOURCES)
    set(arg_SOURCES bench/${arg_NAME}.cc)
  endif()
  if(PACKICE_SANITIZE)
    packice_list_files(${arg_LAYER} ${arg_SOURCES})
    return()
  endif()
  set(target ${arg_LAYER}_${arg_NAME})
  packice_executable(${target} ${arg_LAYER} test SOURCES ${arg_SOURCES} USES ${arg_USES}
                     IMPORTS benchmark::benchmark_main ${arg_IMPORTS})
  if(TARGET ${target})
    packice_ctest(${arg_NAME} ${arg_LAYER} "${arg_TIMEOUT}" bench-smoke
                  ${target} --benchmark_min_time=0.001)
  endif()
endfunction()

# packice_fuzzer(LAYER transport NAME request_fuzz [SOURCES fuzz/request_fuzz.cc ...] [USES ...]
#                [IMPORTS ...] [SECONDS 60] [CORPUS dir])
# makes a libFuzzer binary where PACKICE_FUZZ is on (preset asan), and a ctest run of SECONDS,
# labelled fuzz. CORPUS holds the seeds; what is found beyond them stays in the build tree.
function(packice_fuzzer)
  packice_parse("LAYER;NAME" "" "LAYER;NAME;SECONDS;CORPUS" "SOURCES;USES;IMPORTS" ${ARGN})
  if(NOT arg_SOURCES)
    set(arg_SOURCES fuzz/${arg_NAME}.cc)
  endif()
  if(NOT PACKICE_FUZZ OR NOT PACKICE_TESTS)
    packice_list_files(${arg_LAYER} ${arg_SOURCES})
    return()
  endif()
  if(NOT arg_SECONDS)
    set(arg_SECONDS 60)
  endif()
  set(target ${arg_LAYER}_${arg_NAME})
  packice_executable(${target} ${arg_LAYER} test SOURCES ${arg_SOURCES} USES ${arg_USES}
                     IMPORTS ${arg_IMPORTS})
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  set(found "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}.corpus")
  file(MAKE_DIRECTORY "${found}")
  if(arg_CORPUS)
    cmake_path(ABSOLUTE_PATH arg_CORPUS)
  endif()
  packice_ctest(${arg_NAME} ${arg_LAYER} ${arg_SECONDS} fuzz ${target}
                -max_total_time=${arg_SECONDS} -timeout=10 -print_final_stats=1
                "-artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/" "${found}" ${arg_CORPUS})
endfunction()

# How Packice itself is compiled. Nothing here reaches a consumer of the installed libraries.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
endif()

find_program(PACKICE_CCACHE ccache)
if(PACKICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${PACKICE_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PACKICE_CCACHE}")
endif()

add_library(packice_compile_options INTERFACE)
target_compile_definitions(packice_compile_options INTERFACE
  PACKICE_VERSION="${PROJECT_VERSION}"
  $<$<NOT:$<CONFIG:Release>>:_GLIBCXX_ASSERTIONS>)
target_compile_options(packice_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wcast-align -Wextra-semi -Wformat=2
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  $<$<BOOL:${PACKICE_WARNINGS_AS_ERRORS}>:-Werror>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of gcc 12 in optimized std::string and std::optional, and in the frames of Asio's
  # coroutines, where one of two operators is inlined and the other is not.
  target_compile_options(packice_compile_options INTERFACE
    -Wno-restrict -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(packice_compile_options INTERFACE
    -Wthread-safety -Werror=thread-safety)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
    # clang 14 has coroutines, but not the macro that libstdc++ looks for.
    target_compile_definitions(packice_compile_options INTERFACE
      $<$<COMPILE_LANGUAGE:CXX>:__cpp_impl_coroutine=201902L>)
  endif()
endif()

if(PACKICE_SANITIZE)
  set(sanitize -fsanitize=${PACKICE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND PACKICE_SANITIZE MATCHES "undefined")
    # clang 14 cannot assemble coroutines with the first check. The second needs a descriptor for
    # each look at memory, and takes an object for a broken one where there is none left.
    list(APPEND sanitize -fno-sanitize=function,vptr)
  endif()
  target_compile_options(packice_compile_options INTERFACE ${sanitize})
  target_link_options(packice_compile_options INTERFACE ${sanitize})
  # Looked for in what is tested, not in the tests: those would take half as long again to compile.
  set(of_test "$<STREQUAL:$<TARGET_PROPERTY:PACKICE_KIND>,test>")
  if(PACKICE_SANITIZE MATCHES "undefined")
    target_compile_options(packice_compile_options INTERFACE
      "$<${of_test}:-fno-sanitize=undefined>")
  endif()
  if(PACKICE_FUZZ)
    target_compile_options(packice_compile_options INTERFACE
      "$<$<NOT:${of_test}>:-fsanitize=fuzzer-no-link>")
  endif()
endif()

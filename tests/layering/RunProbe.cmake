# Lays the probe over the base tree, configures and builds it, and compares how that ends.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${SCRATCH}")
# Not file(COPY): that leaves a file alone whose time is the same, as in a fresh clone.
foreach(part IN ITEMS base probes/${PROBE})
  if(EXISTS "${SOURCES}/${part}")
    execute_process(COMMAND ${CMAKE_COMMAND} -E copy_directory "${SOURCES}/${part}"
      "${SCRATCH}/tree" COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()

execute_process(
  COMMAND ${CMAKE_COMMAND} -S "${SCRATCH}/tree" -B "${SCRATCH}/build" -G Ninja
          -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_MODULE_PATH=${TOOLS}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  execute_process(COMMAND ${CMAKE_COMMAND} --build "${SCRATCH}/build"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
endif()

if(EXPECTED STREQUAL "")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${PROBE} should build, but:\n${output}")
  endif()
  return()
endif()
# CMake wraps the lines of a fatal error.
string(REGEX REPLACE "[ \n]+" " " unwrapped "${output}")
string(FIND "${unwrapped}" "${EXPECTED}" at)
if(result EQUAL 0 OR at EQUAL -1)
  message(FATAL_ERROR "${PROBE} should fail with\n  ${EXPECTED}\nbut ended with ${result}:\n${output}")
endif()

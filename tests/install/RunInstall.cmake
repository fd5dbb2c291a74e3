cmake_minimum_required(VERSION 3.25)

# run(<variable for stdout> <command>...): a command that must succeed.
function(run out)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
    ERROR_VARIABLE errors OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}\n${errors}")
  endif()
  set(${out} "${output}" PARENT_SCOPE)
endfunction()

function(expect actual expected)
  if(NOT actual STREQUAL expected)
    message(FATAL_ERROR "expected \"${expected}\", got \"${actual}\"")
  endif()
endfunction()

set(prefix "${SCRATCH}/prefix")
file(REMOVE_RECURSE "${SCRATCH}")
run(ignored ${CMAKE_COMMAND} --install "${BUILD}" --prefix "${prefix}")

run(ignored ${CMAKE_COMMAND} -S "${CONSUMER}" -B "${SCRATCH}/build" -G Ninja
  -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix})
run(ignored ${CMAKE_COMMAND} --build "${SCRATCH}/build")
run(output "${SCRATCH}/build/consumer")
expect("${output}" "hello from packice")

set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
run(flags pkg-config --cflags --libs packice)
separate_arguments(flags UNIX_COMMAND "${flags}")
run(ignored ${COMPILER} -std=c++20 "${CONSUMER}/consumer.cc" -o "${SCRATCH}/consumer" ${flags})
run(output "${SCRATCH}/consumer")
expect("${output}" "hello from packice")

run(output pkg-config --modversion packice)
expect("${output}" "${VERSION}")
run(output "${prefix}/bin/packice" version)
if(NOT output MATCHES "${VERSION}")
  message(FATAL_ERROR "packice version does not say ${VERSION}: ${output}")
endif()

# The one table of layers, and what to make of it. Plain data: the build, the check of the link
# graph (PackiceCheck.cmake) and the check of includes (CheckIncludes.cmake) all read it here.
#
# Abseil comes with core and is allowed in every layer. Tests and benchmarks of a layer may also
# import GTest and benchmark, and what the last column says. "*" is everything in these tables.
set(PACKICE_LAYER_TABLE
  # layer      | may use        | may import              | its tests may also import
  "core        |                | absl                    |"
  "backends    | core           | SQLite hiredis xxHash   |"
  "peers       | core backends  |                         |"
  "transport   | core           | Boost OpenSSL prometheus |"
  "proto       |                | gRPC protobuf           |"
  "p2p         | core proto     | gRPC protobuf Boost OpenSSL xxHash |"
  "interface   | *              | glog CLI11 tomlplusplus ZLIB | hiredis"
  "tests       | *              | *                       | *"
)

set(PACKICE_PACKAGE_TABLE
  # package    | its targets          | its headers
  "absl        | absl::               | absl/"
  "Boost       | Boost::              | boost/"
  "OpenSSL     | OpenSSL::            | openssl/"
  "SQLite      | SQLite::             | sqlite3.h sqlite3ext.h"
  "xxHash      | xxHash:: xxhash::    | xxhash.h xxh3.h xxh_x86dispatch.h"
  "hiredis     | hiredis:: PkgConfig::hiredis | hiredis/"
  "gRPC        | gRPC::               | grpc/ grpcpp/ grpc++/"
  "protobuf    | protobuf::           | google/protobuf/"
  "glog        | glog::               | glog/"
  "CLI11       | CLI11::              | CLI/"
  "tomlplusplus | tomlplusplus::       | toml++/"
  "prometheus  | prometheus-cpp::     | prometheus/"
  "ZLIB        | ZLIB::               | zlib.h zconf.h"
  "GTest       | GTest::              | gtest/ gmock/"
  "benchmark   | benchmark::          | benchmark/"
)

# Headers with a slash that belong to the system, and link items that do.
set(PACKICE_SYSTEM_HEADERS sys/ linux/ netinet/ arpa/ net/ asm/)
set(PACKICE_SYSTEM_TARGETS Threads::Threads dl m pthread rt)

# packice_cell(<table> <row> <column> <out>): the words of one cell; NOTFOUND for an unknown row.
function(packice_cell table row column out)
  set(${out} NOTFOUND PARENT_SCOPE)
  foreach(line IN LISTS ${table})
    string(REPLACE "|" ";" cells "${line}")
    list(TRANSFORM cells STRIP)
    list(GET cells 0 name)
    if(name STREQUAL row)
      list(GET cells ${column} cell)
      string(REGEX REPLACE " +" ";" cell "${cell}")
      set(${out} "${cell}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(packice_column table out)
  list(TRANSFORM ${table} REPLACE " *\\|.*" "" OUTPUT_VARIABLE names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

function(packice_layer_names out)
  packice_column(PACKICE_LAYER_TABLE names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# packice_may_use(<layer> <other layer> <out>)
function(packice_may_use layer other out)
  packice_cell(PACKICE_LAYER_TABLE ${layer} 1 allowed)
  if(other STREQUAL layer OR other IN_LIST allowed OR "*" IN_LIST allowed)
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

# packice_may_import(<layer> <package> <for tests: TRUE|FALSE> <out>)
function(packice_may_import layer package for_tests out)
  packice_cell(PACKICE_LAYER_TABLE ${layer} 2 allowed)
  list(APPEND allowed absl)
  if(for_tests)
    packice_cell(PACKICE_LAYER_TABLE ${layer} 3 more)
    list(APPEND allowed GTest benchmark ${more})
  endif()
  if(package AND (package IN_LIST allowed OR "*" IN_LIST allowed))
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

# packice_rule(<layer> uses|imports <out>): the rule in words, e.g. "peers uses core, backends".
function(packice_rule layer verb out)
  if(verb STREQUAL "uses")
    packice_cell(PACKICE_LAYER_TABLE ${layer} 1 allowed)
    set(none "nothing")
  else()
    packice_cell(PACKICE_LAYER_TABLE ${layer} 2 allowed)
    set(none "only absl")
  endif()
  string(REPLACE ";" ", " allowed "${allowed}")
  if(allowed STREQUAL "")
    set(allowed "${none}")
  endif()
  set(${out} "${layer} ${verb} ${allowed}" PARENT_SCOPE)
endfunction()

# packice_package_of(<targets|headers> <name> <out>): the package a target or header belongs to.
function(packice_package_of kind name out)
  set(${out} "" PARENT_SCOPE)
  set(column 1)
  if(kind STREQUAL "headers")
    set(column 2)
  endif()
  packice_column(PACKICE_PACKAGE_TABLE packages)
  foreach(package IN LISTS packages)
    packice_cell(PACKICE_PACKAGE_TABLE ${package} ${column} prefixes)
    foreach(prefix IN LISTS prefixes)
      string(FIND "${name}" "${prefix}" at)
      if(at EQUAL 0)
        set(${out} ${package} PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

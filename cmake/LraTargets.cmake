# Helpers shared by every folder: warnings, sanitizers, one target per folder, tests.

add_library(lra_warnings INTERFACE)
# In a batch, a local variable may shadow a name from another file.
target_compile_options(lra_warnings INTERFACE -Wall -Wextra -Wpedantic $<$<NOT:$<BOOL:${LRA_UNITY}>>:-Wshadow>
                                              -Wconversion -Wnon-virtual-dtor)
# GCC 12 gives false warnings about string concatenation (gcc.gnu.org/PR105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(lra_warnings INTERFACE -Wno-restrict)
endif()
if(LRA_WERROR)
  target_compile_options(lra_warnings INTERFACE -Werror)
endif()

if(LRA_SANITIZE)
  add_compile_options(-fsanitize=${LRA_SANITIZE} -fno-omit-frame-pointer)
  # GCC's analysis of data flow misreads instrumented code.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(lra_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=${LRA_SANITIZE})
  if(LRA_SANITIZE MATCHES thread)
    include_directories(BEFORE ${PROJECT_SOURCE_DIR}/cmake/tsan)  # in place of TBB's headers
  endif()
endif()

# lra_compile(<target> [OPTIMISE <level>])
# How the sources of a target are compiled: with LRA_UNITY in batches of files that do not conflict
# (batches.awk). OPTIMISE: the level of a release build of a target with nothing hot.
find_program(LRA_AWK NAMES awk REQUIRED)
# The tests whose own code computes much: definitions in double precision, generated data.
set(lra_computing_tests "^(engine|attention|models|tasks|study)_test$")
function(lra_compile target)
  cmake_parse_arguments(ARG "" "OPTIMISE" "" ${ARGN})
  if(NOT "${ARG_OPTIMISE}" STREQUAL "")
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O${ARG_OPTIMISE}>)
    # Compiles in half the time; not where the tests compute much.
    if(LRA_SANITIZE AND ARG_OPTIMISE LESS 2 AND NOT target MATCHES "${lra_computing_tests}")
      target_compile_options(${target} PRIVATE -O0)
    endif()
  endif()
  if(NOT LRA_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "^[^$<>]*\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "^${PROJECT_BINARY_DIR}/")
  execute_process(COMMAND ${LRA_AWK} -v size=24 -f ${PROJECT_SOURCE_DIR}/cmake/batches.awk ${sources}
                  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
                  OUTPUT_VARIABLE lines OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" lines "${lines}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([0-9]+)\\|(.*)$" line "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} PROPERTIES UNITY_GROUP ${target}_${CMAKE_MATCH_1})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # GCC takes a source that is included for a header, where such a member would be a fault.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# lra_library(NAME <name> [SELF_REGISTERING] SOURCES ... [PUBLIC ...] [PRIVATE ...])
# Defines the static library lra_<name> with the alias lra::<name>; its headers, the .h files of the
# folder, are installed with it. SELF_REGISTERING: its files fill a registry before main() and are
# not referenced by name, so the linker would drop them from an archive; executables that use the
# library, directly or not, get its object files.
function(lra_library)
  cmake_parse_arguments(ARG "SELF_REGISTERING" "NAME;OPTIMISE" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lra_library ${ARG_NAME}: unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  add_library(lra_${ARG_NAME} STATIC ${ARG_SOURCES})
  add_library(lra::${ARG_NAME} ALIAS lra_${ARG_NAME})
  lra_compile(lra_${ARG_NAME} OPTIMISE ${ARG_OPTIMISE})
  set_target_properties(lra_${ARG_NAME} PROPERTIES EXPORT_NAME ${ARG_NAME})
  target_compile_features(lra_${ARG_NAME} PUBLIC cxx_std_20)
  target_include_directories(lra_${ARG_NAME} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lra>)
  target_link_libraries(lra_${ARG_NAME} PUBLIC ${ARG_PUBLIC}
                        PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:lra_warnings>)
  set_property(GLOBAL APPEND PROPERTY LRA_LIBRARIES lra_${ARG_NAME})
  if(ARG_SELF_REGISTERING)
    set(in_executable $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)
    target_sources(lra_${ARG_NAME} INTERFACE
      $<BUILD_INTERFACE:$<${in_executable}:$<TARGET_OBJECTS:lra_${ARG_NAME}>>>)
    set_property(GLOBAL APPEND PROPERTY LRA_SELF_REGISTERING lra_${ARG_NAME})
  endif()
endfunction()

# lra_program(<name> SOURCES ... LIBRARIES ...)
# An installed program, <build>/bin/<name>. It contains all object files of every library
# (LraInstall adds them) and exports their symbols, so that a plugin is built from the headers
# alone.
function(lra_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} lra_warnings)
  set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON
                        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  set_property(GLOBAL APPEND PROPERTY LRA_PROGRAMS ${name})
endfunction()

# lra_add_test(<name> SOURCES ... LIBRARIES ...)
# One executable; each test case becomes a CTest test, labelled with its kind (the Catch2 tag).
function(lra_add_test name)
  if(NOT LRA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:lra_catch_main>)
  if(name MATCHES "${lra_computing_tests}")
    lra_compile(${name} OPTIMISE 1)
  else()
    lra_compile(${name} OPTIMISE 0)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} Catch2::Catch2 lra_warnings)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARG_SOURCES})
  # CTest's lists would split the title, and no test has its parts as a name.
  foreach(source IN LISTS ARG_SOURCES)
    file(STRINGS ${source} cut LIMIT_COUNT 1 REGEX "TEST_CASE\\(\"[^\"]*[][;]")
    if(cut)
      message(FATAL_ERROR "${source}: a title with a semicolon or a bracket: ${cut}")
    endif()
  endforeach()
  # Catch2 3 fails by itself when no test has the title.
  set(strict "")
  if(Catch2_VERSION VERSION_LESS 3)
    set(strict EXTRA_ARGS --warn NoTests)
  endif()
  foreach(kind unit grad golden run perf slow)
    set(tagged "")
    foreach(source IN LISTS ARG_SOURCES)
      file(STRINGS ${source} tagged LIMIT_COUNT 1 REGEX "\\[${kind}\\]")
      if(tagged)
        break()
      endif()
    endforeach()
    if(NOT tagged)
      continue()
    endif()
    set(spec "[${kind}]~[slow]~[perf]")
    if(kind MATCHES "perf|slow")
      set(spec "[${kind}]")
    endif()
    catch_discover_tests(${name} TEST_SPEC "${spec}" ${strict} TEST_PREFIX "${name}/" TEST_SUFFIX " (${kind})"
                         PROPERTIES LABELS ${kind} TIMEOUT 1500)
  endforeach()
endfunction()

# lra_add_fuzz(<name> SOURCE <file> LIBRARIES ...)
# A libFuzzer program, with LRA_FUZZ (tools/fuzz.sh builds and runs them).
function(lra_add_fuzz name)
  if(NOT LRA_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SOURCE" "LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCE})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} lra_warnings)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
endfunction()

# lra_embed(<target> <name> FILES ...)
# Compiles data files into <target>, so that the installed program needs no data folder:
# `#include "embedded/<name>.h"` in a source of the target gives lra::embedded::<name>(), a table of
# EmbeddedFile {name, content} sorted by file name (see engine/base/embed.h). A file may be given as
# `path` (its name without the folder counts) or `alias=path`.
set(LRA_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/LraEmbed.cmake)
function(lra_embed target name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(entries "")
  set(paths "")
  foreach(file IN LISTS ARG_FILES)
    if(file MATCHES "^([^=/]+)=(.+)$")
      set(alias "${CMAKE_MATCH_1}")
      set(path "${CMAKE_MATCH_2}")
    else()
      get_filename_component(alias "${file}" NAME)
      set(path "${file}")
    endif()
    get_filename_component(path "${path}" ABSOLUTE)
    list(APPEND entries "${alias}|${path}")
    list(APPEND paths "${path}")
  endforeach()
  list(SORT entries)
  list(JOIN entries "\n" lines)
  file(CONFIGURE OUTPUT ${folder}/${name}.list CONTENT "${lines}\n" @ONLY)
  file(CONFIGURE OUTPUT ${folder}/${name}.h @ONLY CONTENT "#pragma once
// Generated by lra_embed.
#include \"engine/base/embed.h\"
namespace lra::embedded {
[[nodiscard]] std::span<const EmbeddedFile> ${name}();
}
")
  add_custom_command(
    OUTPUT ${folder}/${name}.cpp
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DLIST=${folder}/${name}.list
            -DOUTPUT=${folder}/${name}.cpp -P ${LRA_EMBED_SCRIPT}
    DEPENDS ${paths} ${folder}/${name}.list ${LRA_EMBED_SCRIPT}
    COMMENT "Embedding ${name}" VERBATIM)
  # Clang's -Wpedantic limits literals to 64 KiB; the compilers themselves do not.
  set_source_files_properties(${folder}/${name}.cpp PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${target} PRIVATE ${folder}/${name}.cpp)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# Helpers shared by every folder: warnings, sanitizers, one target per folder, tests.

add_library(lra_warnings INTERFACE)
target_compile_options(lra_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                              -Wnon-virtual-dtor)
# GCC 12 warns wrongly about string concatenation (gcc.gnu.org/PR105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(lra_warnings INTERFACE -Wno-restrict)
endif()
if(LRA_WERROR)
  target_compile_options(lra_warnings INTERFACE -Werror)
endif()

if(LRA_SANITIZE)
  add_compile_options(-fsanitize=${LRA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LRA_SANITIZE})
endif()

# lra_library(NAME <name> [OBJECT] SOURCES ... [PUBLIC ...] [PRIVATE ...])
# Defines lra_<name> with the alias lra::<name>. OBJECT keeps self-registering files that nobody
# names: a plain static library would drop them.
function(lra_library)
  cmake_parse_arguments(ARG "OBJECT" "NAME" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(kind STATIC)
  if(ARG_OBJECT)
    set(kind OBJECT)
  endif()
  add_library(lra_${ARG_NAME} ${kind} ${ARG_SOURCES})
  add_library(lra::${ARG_NAME} ALIAS lra_${ARG_NAME})
  set_target_properties(lra_${ARG_NAME} PROPERTIES EXPORT_NAME ${ARG_NAME})
  target_compile_features(lra_${ARG_NAME} PUBLIC cxx_std_20)
  target_include_directories(lra_${ARG_NAME} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lra>)
  target_link_libraries(lra_${ARG_NAME} PUBLIC ${ARG_PUBLIC}
                        PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:lra_warnings>)
endfunction()

# lra_add_test(<name> SOURCES ... LIBRARIES ...)
# One executable; each test case becomes a CTest test, labelled with its kind (the Catch2 tag).
function(lra_add_test name)
  if(NOT LRA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:lra_catch_main>)
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} Catch2::Catch2 lra_warnings)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE LRA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  foreach(kind unit grad golden run perf slow)
    set(spec "[${kind}]~[slow]~[perf]")
    if(kind MATCHES "perf|slow")
      set(spec "[${kind}]")
    endif()
    catch_discover_tests(${name} TEST_SPEC "${spec}" TEST_PREFIX "${name}/" TEST_SUFFIX " (${kind})"
                         PROPERTIES LABELS ${kind} TIMEOUT 600)
  endforeach()
endfunction()

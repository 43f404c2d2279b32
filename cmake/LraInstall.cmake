# Installation: programs, library targets, headers and a package config for find_package(lra).
# Included last: installs the targets defined by lra_library and lra_program, without a separate
# list.

include(CMakePackageConfigHelpers)
get_property(libraries GLOBAL PROPERTY LRA_LIBRARIES)
get_property(programs GLOBAL PROPERTY LRA_PROGRAMS)
get_property(modules GLOBAL PROPERTY LRA_MODULES)  # that another program loads; installed by themselves

foreach(program IN LISTS programs modules)
  foreach(library IN LISTS libraries)
    if(program IN_LIST modules AND library STREQUAL lra_base)
      continue()  # modules have one of their own
    endif()
    target_sources(${program} PRIVATE $<TARGET_OBJECTS:${library}>)
    target_link_libraries(${program} PRIVATE ${library})
  endforeach()
endforeach()

# Target for compiling plugins: headers and header-level dependencies; none of our libraries.
add_library(lra_plugin INTERFACE)
set_target_properties(lra_plugin PROPERTIES EXPORT_NAME plugin)
target_compile_features(lra_plugin INTERFACE cxx_std_20)
target_include_directories(lra_plugin INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lra>)
target_link_libraries(lra_plugin INTERFACE fmt::fmt nlohmann_json::nlohmann_json)

install(TARGETS ${libraries} ${programs} lra_plugin EXPORT lraTargets)
# Headers for plugins only: those of the engine, of attention, and of tasks without the folders of one
# task each; none that is for tests, for its folder alone (internal*.h), or says that it is not installed.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     ${PROJECT_SOURCE_DIR}/engine/*.h ${PROJECT_SOURCE_DIR}/attention/*.h)
file(GLOB found CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     ${PROJECT_SOURCE_DIR}/tasks/*.h ${PROJECT_SOURCE_DIR}/tasks/io/*.h ${PROJECT_SOURCE_DIR}/tasks/baselines/*.h)
list(APPEND headers ${found})
list(FILTER headers EXCLUDE REGEX "/(test_|internal|fuzz\\.h|testing\\.h|onednn\\.h)|/testing/|/check/|_support\\.h$")
foreach(header IN LISTS headers)
  file(STRINGS ${PROJECT_SOURCE_DIR}/${header} private LIMIT_COUNT 1 REGEX "^//.* Not installed\\.")
  if(private)
    list(REMOVE_ITEM headers ${header})
  endif()
endforeach()
foreach(header IN LISTS headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lra/${folder})
endforeach()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lra)
install(EXPORT lraTargets NAMESPACE lra:: DESTINATION ${package_folder})
# Consumers link in reverse order of definition, dependents first: no archive is named twice.
set(LRA_IMPORTED_LIBRARIES ${libraries})
list(REVERSE LRA_IMPORTED_LIBRARIES)
list(TRANSFORM LRA_IMPORTED_LIBRARIES REPLACE "^lra_" "lra::")
list(JOIN LRA_IMPORTED_LIBRARIES " " LRA_IMPORTED_LIBRARIES)
get_property(LRA_WHOLE_LIBRARIES GLOBAL PROPERTY LRA_SELF_REGISTERING)
list(TRANSFORM LRA_WHOLE_LIBRARIES REPLACE "^lra_" ",lra::")
list(JOIN LRA_WHOLE_LIBRARIES "" LRA_WHOLE_LIBRARIES)
configure_package_config_file(cmake/lraConfig.cmake.in ${PROJECT_BINARY_DIR}/lraConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lraConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lraConfig.cmake ${PROJECT_BINARY_DIR}/lraConfigVersion.cmake
        DESTINATION ${package_folder})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

# `cpack -G DEB` makes a package for the Debian release that it is built on (tools/package.sh).
set(CPACK_PACKAGE_NAME lra)
set(CPACK_PACKAGE_VENDOR "The lra maintainers")
set(CPACK_PACKAGE_CONTACT "The lra maintainers <lra@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Long-Range Arena on a CPU: attention variants trained and compared")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# One package per component: the program, and the Python module where it is built.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL lra)
set(CPACK_DEBIAN_LRA_PACKAGE_NAME lra)
# Build settings for plugins and programs on the libraries.
set(CPACK_DEBIAN_LRA_PACKAGE_RECOMMENDS "g++, cmake, ninja-build, libfmt-dev, nlohmann-json3-dev")
set(CPACK_DEBIAN_LRA_PACKAGE_SUGGESTS "libdnnl-dev, libtbb-dev, libssl-dev, libarchive-dev, libcurl4-openssl-dev, libpng-dev, libcli11-dev")
if(LRA_PYTHON)
  list(APPEND CPACK_COMPONENTS_ALL python)
  set(CPACK_COMPONENT_PYTHON_DESCRIPTION "Attention variants and trained runs of lra from Python, with and without PyTorch")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-lra)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
  # The module is for the interpreter version that it was built for.
  get_property(minor GLOBAL PROPERTY LRA_PYTHON_MINOR)
  math(EXPR next "${minor} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
      "python3 (>= 3.${minor}), python3 (<< 3.${next}), python3-numpy")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS lra)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS "python3-torch, python3-pandas")
endif()
include(CPack)

# Script of every build (cmake -P): writes OUTPUT from TEMPLATE with the commit of the sources in
# SOURCE, and whether they differ from it: a tracked file that was changed, or an untracked one in a
# folder whose sources are compiled by pattern. OUTPUT is not touched if nothing has changed.
# Sources that are not the top of a Git repository of their own (an unpacked archive) have no
# commit.
#   cmake -DSOURCE=... -DTEMPLATE=... -DOUTPUT=... [-DPROJECT_VERSION=... -DCOMPILER=...] -P LraVersion.cmake

set(LRA_COMMIT "")
set(LRA_COMMIT_DIRTY false)
find_program(GIT NAMES git)
function(git output)
  execute_process(COMMAND ${GIT} -C ${SOURCE} ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE code
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT code EQUAL 0)
    set(text "failed")
  endif()
  set(${output} "${text}" PARENT_SCOPE)
endfunction()
if(GIT)
  git(prefix rev-parse --show-prefix)
  git(commit rev-parse --verify HEAD)
  if(prefix STREQUAL "" AND commit MATCHES "^[0-9a-f]+$")
    set(LRA_COMMIT ${commit})
    git(changed status --porcelain --untracked-files=no)
    git(added ls-files --others --exclude-standard -- engine attention models tasks results harness)
    if(NOT "${changed}${added}" STREQUAL "")
      set(LRA_COMMIT_DIRTY true)
    endif()
  endif()
endif()
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)

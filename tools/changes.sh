# shellcheck shell=bash
# change_base: prints the commit that changes are compared with: where this branch left the main
# branch; on the main branch itself the first parent of HEAD, which is what a merge was made into.
# Nothing where that is unknown: no repository, a first commit, a history that was cut there.
# changed_files PATTERN...: prints the files that differ from change_base and still exist, committed or not.
# Sourced, from the root of the tree.

change_base() {
  local branch base
  for branch in origin/main origin/HEAD main; do
    if base=$(git merge-base HEAD "$branch" 2>/dev/null); then
      if [ "$base" = "$(git rev-parse HEAD)" ]; then
        base=$(git rev-parse --quiet --verify HEAD^1 || true)
      fi
      echo "$base"
      return
    fi
  done
}

changed_files() {
  local base
  base=$(change_base)
  if [ -n "$base" ]; then
    { git diff --name-only --diff-filter=d "$base" -- "$@"
      git ls-files --others --exclude-standard -- "$@"; } | sort -u
  fi
}

# shellcheck shell=bash
# configure_preset PRESET: configures build/PRESET; a failure prints its log. ccache is used where it
# is installed, and LRA_WERROR=ON in the environment makes warnings errors.
# build_preset PRESET [TARGET...]: configures and builds the targets (default: all), with as many
# compilers at a time as there are cores and gigabytes of free memory: a batch of sources takes up to one.
# Sourced, from the root of the tree.

configure_preset() {
  local preset=$1 log options=()
  if command -v ccache >/dev/null; then
    # Relative to the tree: another checkout of the same sources finds the objects, too.
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  if [ -n "${LRA_WERROR-}" ]; then
    options+=(-DLRA_WERROR="$LRA_WERROR")
  fi
  log=$(mktemp)
  if ! cmake --preset "$preset" "${options[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

build_preset() {
  local preset=$1 jobs memory
  shift
  configure_preset "$preset"
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  if [ "$memory" -lt "$jobs" ]; then
    jobs=$((memory > 1 ? memory : 1))
  fi
  cmake --build --preset "$preset" ${1+--target "$@"} --parallel "$jobs"
}

#!/usr/bin/env bash
# Builds the program, the Python module and a Debian package of each for the release that this runs on:
# build/package/lra_VERSION_ARCH.deb and python3-lra_VERSION_ARCH.deb.
#   tools/package.sh
#   tools/package.sh --check [BUILD_DIR]   builds nothing: packs BUILD_DIR (default build/release) as it
#       is into a scratch folder and checks what the packages hold and depend on, that apt would install
#       them here, and that their program runs; about 10 s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh
source tools/build.sh

if [ $# -eq 0 ]; then
  need_packages "${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}" "${python_packages[@]}"
  build_preset python lra lra_pages lra_python
  cpack -G DEB --config build/release/CPackConfig.cmake -B build/package
  exit
elif [ "$1" != --check ] || [ $# -gt 2 ]; then
  echo "usage: tools/package.sh [--check [BUILD_DIR]]" >&2
  exit 2
fi

need_packages "${package_packages[@]}"
build=${2:-build/release}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cpack -G DEB --config "$build/CPackConfig.cmake" -B "$scratch" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

failed=0
complain() {
  echo "package: $1" >&2
  failed=1
}
# check_package FILE DEPENDS... -- PATH...: the package names these packages as dependencies (a
# pattern each) and holds these files.
check_package() {
  local file=$1 name=${1##*/} depends contents
  shift
  depends=$(dpkg-deb --field "$file" Depends | tr ',' '\n' | sed 's/^ *//')
  contents=$(dpkg-deb --contents "$file" | awk '{ print $6 }')
  while [ "$1" != -- ]; do
    grep -qE "^$1( |$)" <<<"$depends" || complain "$name does not depend on $1"
    shift
  done
  shift
  for path; do
    grep -qxE "[.]/usr/$path" <<<"$contents" || complain "$name lacks /usr/$path"
  done
  if grep -E '_test|/testing|/test_|internal[^/]*[.]h' <<<"$contents"; then
    complain "$name holds what is for tests or not installed"
  fi
  # What it depends on is here, for it was built here: apt must find nothing missing.
  apt-get -s install --no-install-recommends "$file" >"$scratch/log" 2>&1 ||
    complain "$name cannot be installed here: $(tail -n 5 "$scratch/log")"
  dpkg-deb --extract "$file" "$scratch/unpacked"
  echo "package: $name, $(grep -vc '/$' <<<"$contents") files, $(stat -c %s "$file") bytes"
}

packages=("$scratch"/lra_*.deb)
check_package "${packages[0]}" 'lib'{archive,curl,dnnl,fmt,png,ssl,stdc\\+\\+,tbb}'[0-9a-z.-]*' libc6 -- \
  bin/lra share/bash-completion/completions/lra share/man/man1/lra.1 share/doc/lra/copyright \
  'lib/.*/?cmake/lra/lraConfig.cmake' 'lib/.*/?liblra_attention.a' \
  include/lra/{attention/{attention,plugin,version}.h,engine/ops.h,tasks/task.h}
lra=$scratch/unpacked/usr/bin/lra
"$lra" --version
# Into a file: the program would end with an error when grep stops reading.
"$lra" list attention >"$scratch/list"
grep -q '^ *softmax ' "$scratch/list" || complain "its program does not list softmax"

packages=("$scratch"/python3-lra_*.deb)
if [ -e "${packages[0]}" ]; then
  check_package "${packages[0]}" python3 python3-numpy 'lib'{dnnl,tbb}'[0-9a-z.-]*' -- \
    'lib/python3/dist-packages/lra/_core[.].*[.]so' lib/python3/dist-packages/lra/__init__.py \
    share/doc/python3-lra/copyright
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$scratch/unpacked/usr/lib/python3/dist-packages /usr/bin/python3 -c \
    'import lra; assert "softmax" in lra.variants(); print("package: import lra", lra.__version__)' ||
    complain "the Python module cannot be imported"
fi
[ $failed = 0 ] && echo "package: ok"
exit $failed

#!/usr/bin/env bash
# Builds the program, the Python module and a Debian package of each for the release that this runs on:
# build/package/lra_VERSION_ARCH.deb and python3-lra_VERSION_ARCH.deb.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh
source tools/build.sh

need_packages "${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}" "${python_packages[@]}"
build_preset python lra lra_pages lra_python
cpack -G DEB --config build/release/CPackConfig.cmake -B build/package

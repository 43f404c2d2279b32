#!/usr/bin/env bash
# Builds the program and a Debian package of it for the release that this runs on:
# build/package/lra_VERSION_ARCH.deb.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh
source tools/build.sh

need_packages "${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}"
build_preset release lra lra_pages
cpack -G DEB --config build/release/CPackConfig.cmake -B build/package

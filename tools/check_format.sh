#!/usr/bin/env bash
# Checks the formatting of every source file against .clang-format; --fix rewrites them instead.
# Versions of clang-format differ in details: 14 (Debian 12) decides, others are not asked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
required=14

mode=(--dry-run --Werror)
case "${1-}" in
  '') ;;
  --fix) mode=(-i) ;;
  *) echo "usage: tools/check_format.sh [--fix]" >&2; exit 2 ;;
esac

tool=$(command -v "clang-format-$required" || command -v clang-format || true)
if [ -z "$tool" ] || ! [[ $("$tool" --version) =~ version\ $required\. ]]; then
  echo "format: skipped, there is no clang-format $required here (it comes with Debian 12)"
  exit 0
fi
find engine attention models tasks results harness tools tests \( -name '*.h' -o -name '*.cpp' \) \
  -print0 | xargs -0 -r -n 16 -P "$(nproc)" "$tool" --style=file "${mode[@]}"

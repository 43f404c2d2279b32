# shellcheck shell=bash
# The Debian packages the project needs, each with its reason, and a function that installs what is
# missing. Sourced by quickstart.sh, test.sh and .ci/run; Debian 12 and 13 have all of them.

build_packages=(
  ca-certificates       # HTTPS of the data downloads
  g++                   # the C++20 compiler: GCC 12 (Debian 12) or 14 (Debian 13)
  cmake                 # the build: 3.25 or later
  ninja-build           # what the CMake presets generate
  libdnnl-dev           # oneDNN: every product, softmax, normalisation and element-wise step
  ocl-icd-opencl-dev    # the CMake config of Debian 12's libdnnl-dev asks for OpenCL; not used
  libtbb-dev            # oneTBB: all parallelism
  libfmt-dev            # formatted messages and tables
  nlohmann-json3-dev    # every JSON file that is read or written
  libcli11-dev          # the command line
  libssl-dev            # SHA-256 of data, caches and run identifiers
  libarchive-dev        # reads the official archives without unpacking them
  libcurl4-openssl-dev  # resumable data downloads
  libpng-dev            # images of the image and Pathfinder tasks
  node-d3               # D3 in one file, for the pictures of lra report (no Node.js comes with it)
)
test_packages=(
  catch2                # the test framework: 2.13 (Debian 12) or 3 (Debian 13)
)
# Only the Python module needs these (preset python, tools/package.sh, .ci/run).
python_packages=(
  pybind11-dev          # the bindings: 2.10 (Debian 12) or 2.13 (Debian 13); header-only
  python3-dev           # the interpreter's headers
  python3-numpy         # arrays; PyTorch and pandas are optional, and tested where they are
)
# Only .ci/run needs these.
check_packages=(
  git                   # which files a change touches
  python3               # tools/*.py; which libraries a source includes
  clang-format          # the formatting check
  clang-tidy            # the linter
  chromium              # opens the report: sorting, filtering, pictures, no error in its console
  munge                 # what Slurm's daemons trust each other by
  slurmctld             # a Slurm of one machine, on which tools/slurm_test submits a suite
  slurmd
  slurm-client
)
# Only tools/package.sh needs these.
package_packages=(
  dpkg-dev              # finds the libraries that the package depends on
  file                  # tells CPack which files are programs
  git                   # the commit that records name
)
# Only tools/fuzz.sh needs these.
fuzz_packages=(
  clang                 # libFuzzer's compiler
)

# need_packages NAME...: installs those that are missing with apt-get, through sudo unless root.
# Prints what it does; touches neither apt nor sudo when nothing is missing.
need_packages() {
  local missing=() package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done
  if [ ${#missing[@]} -eq 0 ]; then
    return 0
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "error: neither root nor sudo; ask an administrator to run:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "== installing: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  "${apt[@]}" update </dev/null
  # A line per package: several minutes of silence look like a hang.
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null |
    sed -n 's/^Setting up \([^ ]*\).*/   \1/p'
}

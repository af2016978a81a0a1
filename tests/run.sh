#!/bin/bash
# Builds libima and runs every test; the last line says "N passed, N failed".
#
#   tests/run.sh          everything but the long runs
#   tests/run.sh --full   the long runs too
#
# What is missing of packages.debian.txt is installed first. Builds go to build/ in the tree.
set -u
cd "$(dirname "$0")/.." || exit 70
full=false
case "${1-}" in
  '') ;;
  --full) full=true ;;
  *) echo "usage: tests/run.sh [--full]" >&2; exit 64 ;;
esac
export IMA_FULL=$full
sh tests/packages.sh || exit 69

passed=0
failed=0

# check NAME COMMAND...: one test that is a command.
check() {
  local name=$1
  shift
  if "$@" >build/check.log 2>&1; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name"
    tail -n 40 build/check.log
  fi
}

# configure DIR OPTIONS...: sets a build up, or again with other options.
configure() {
  local dir=$1
  shift
  if [ -e "$dir/build.ninja" ]; then
    meson setup --reconfigure "$dir" --wrap-mode=nodownload -Dwerror=true "$@"
  else
    meson setup "$dir" --wrap-mode=nodownload -Dwerror=true "$@"
  fi
}

# run_suite NAME DIR: runs the Meson tests of a build and adds up their results.
run_suite() {
  local name=$1 dir=$2 results ok bad patience
  # A long run may take as long as it needs; what hangs is for whoever waits for it.
  $full && patience=0
  meson test -C "$dir" --print-errorlogs --no-rebuild -t "${patience:-1}" "${@:3}" || true
  results=$dir/meson-logs/testlog.json
  ok=$(grep -c '"result": "OK"' "$results")
  bad=$(grep -c '"result": "' "$results")
  bad=$((bad - ok))
  if [ "$((ok + bad))" -eq 0 ]; then
    echo "FAIL  $name: no test was run"
    bad=1
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
}

# tidy: clang-tidy over the library, two files at a time; what is slow to read waits for --full.
tidy() {
  local slow=':!libima/src/net'
  local where=('libima/src/*.cpp' "$slow")
  $full && where=('libima/src/*.cpp' 'tools/*.cpp')
  # What clang-tidy says on standard error is how many warnings it did not show.
  git ls-files "${where[@]}" | xargs -P 2 -n 4 clang-tidy-14 -p build/clang --quiet 2>build/tidy.log
}

# The compiler that a build directory was made with stays with it.
sanitizers='-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=0'
asio_clang='-D__cpp_impl_coroutine=201902L -DASIO_HAS_CO_AWAIT=1 -DASIO_HAS_STD_COROUTINE=1'

mkdir -p build
check 'gcc: configure' configure build/gcc -Dbuildtype=debug
check 'gcc: build without warnings' ninja -C build/gcc
run_suite gcc build/gcc
check 'clang with sanitizers: configure' env CC=clang-14 CXX=clang++-14 bash -c "
  $(declare -f configure); configure build/clang $sanitizers \
    '-Dcpp_args=-g1 -fno-sanitize=function,vptr $asio_clang' \
    -Dpython=disabled -Dexamples=disabled -Dman=disabled"
check 'clang with sanitizers: build without warnings' ninja -C build/clang
run_suite clang build/clang --suite unit
check 'format' bash -c "git ls-files '*.cpp' '*.hpp' | xargs clang-format-14 --dry-run -Werror"
check 'clang-tidy' tidy
check 'rules of the tree' bash tests/checks/tree.sh
check 'every public name is explained' bash tests/checks/reference.sh
check 'every public header compiles alone' bash tests/checks/headers.sh
check 'each part can be left out' bash tests/checks/options.sh
check 'install' bash tests/checks/install.sh build/gcc
if $full; then
  check 'pip' bash tests/checks/pip.sh
  check 'subproject, and each part left out' bash tests/checks/subproject.sh
fi
check 'shell scripts parse' bash -c "git ls-files '*.sh' .ci/run | xargs -n 1 bash -n"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

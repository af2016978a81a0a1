#!/bin/bash
# subproject.sh: builds libima as a Meson subproject of an outside program, and each optional part left
# out by itself, with the unit tests of what is left. Long, as all of it is compiled; one build
# directory serves for all parts, so that only what a part's absence changes is compiled and run again.
set -eu
cd "$(dirname "$0")/../.."
tree=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# quietly NAME COMMAND...: shows what it printed only if it failed.
quietly() {
  local name=$1
  shift
  "$@" >"$work/log" 2>&1 && { echo "ok    $name"; return; }
  echo "FAIL  $name" >&2
  tail -n 40 "$work/log" >&2
  exit 1
}

mkdir -p "$work/outside/subprojects"
ln -s "$tree" "$work/outside/subprojects/libima"
cp examples/embedding/read_mailbox.cpp "$work/outside/program.cpp"
cat >"$work/outside/meson.build" <<'END_OF_FILE'
project('outside', 'cpp', default_options: 'cpp_std=c++20')
libima = dependency('libima', fallback: 'libima',
  default_options: ['tools=disabled', 'tests=disabled', 'python=disabled', 'examples=disabled'])
executable('program', 'program.cpp', dependencies: libima)
END_OF_FILE
quietly 'subproject: configure' meson setup "$work/build" "$work/outside" --wrap-mode=nodownload \
  -Doptimization=0 -Ddebug=false
quietly 'subproject: build' ninja -C "$work/build" program
output=$("$work/build/program" "$work/none" 2>&1) && exit 1
[[ $output == *']' ]] || { echo "the program said: $output" >&2; exit 1; }
echo 'ok    subproject: run'

build=$work/parts
touch "$work/passed"

# unit_tests: runs the unit tests that have not passed already as the same program, octet for octet;
# most are, as they link no more than they use of what a part's absence changes.
unit_tests() {
  local program left=() sums=()
  for program in "$build"/tests/unit/unit-* "$build"/tests/unit/tools/unit-*; do
    [ -f "$program" ] || continue
    sums+=("$(sum_of "$program")")
    grep -qxF "${sums[-1]}" "$work/passed" || left+=("${program##*/unit-}")
  done
  [ ${#sums[@]} -gt 0 ] || { echo 'no unit test was built'; return 1; }
  [ ${#left[@]} -eq 0 ] || meson test -C "$build" --no-rebuild -t 5 --suite unit "${left[@]}" || return
  printf '%s\n' "${sums[@]}" >>"$work/passed"
}

# sum_of PROGRAM: its digest, with that of the libima that it loads, if it does.
sum_of() {
  ldd "$1" | sed -n 's/.*libima\.so.* => \(.*\) (.*/\1/p' | xargs sha256sum "$1" | sha256sum
}

quietly 'all parts: configure' meson setup "$build" --wrap-mode=nodownload -Dwerror=true \
  -Doptimization=0 -Ddebug=false
for option in $(sed -n "s/^option('\([a-z]*\)', type: 'feature'.*/\1/p" meson_options.txt); do
  quietly "without $option: configure" meson configure "$build" "-D$option=disabled"
  quietly "without $option: build" ninja -C "$build"
  [ "$option" = tests ] || quietly "without $option: unit tests" unit_tests
  quietly "with $option again" meson configure "$build" "-D$option=auto"
done

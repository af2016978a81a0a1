#!/bin/bash
# install.sh BUILD: installs a build below a temporary directory, and builds and runs outside programs
# with what pkg-config says, and one with what CMake finds.
set -eu
build=$(cd "$1" && pwd)
tree=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
DESTDIR=$place meson install -C "$build" --no-rebuild --quiet

pc=$(find "$place" -name libima.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$place
LD_LIBRARY_PATH=$(dirname "$(find "$place" -name 'libima.so.0')")
export LD_LIBRARY_PATH
mkdir "$place/outside"
cd "$place/outside"
cp "$tree/examples/embedding/read_mailbox.cpp" program.cpp

# works PROGRAM: it runs, and libima answers it.
works() {
  local output
  output=$("$1" "$place/none" 2>&1) && return 1
  [[ $output == *'[mailbox-format]'* || $output == *'[file-missing]'* ]] && return
  echo "$1 said: $output" >&2
  return 1
}

# shellcheck disable=SC2046  # a list of words on purpose
g++ -std=c++20 program.cpp -o by-pkg-config $(pkg-config --cflags --libs libima)
works ./by-pkg-config

# The headers of net/ and tls/ are installed whole, also the one for a program's own Asio loop.
for name in send_message send_with_asio; do
  # shellcheck disable=SC2046
  g++ -std=c++20 -DASIO_STANDALONE "$tree/examples/embedding/$name.cpp" -o "$name" -pthread \
    $(pkg-config --cflags --libs libima)
  output=$("./$name" 2>&1) && exit 1
  [[ $output == "usage: $name "* ]] || { echo "$name said: $output" >&2; exit 1; }
done

cat >CMakeLists.txt <<'END_OF_FILE'
cmake_minimum_required(VERSION 3.20)
project(outside CXX)
find_package(libima 0.1 REQUIRED)
add_executable(by-cmake program.cpp)
target_link_libraries(by-cmake PRIVATE libima::ima)
END_OF_FILE
cmake -S . -B by-cmake -DCMAKE_PREFIX_PATH="$place$prefix" >cmake.log 2>&1 &&
  cmake --build by-cmake >>cmake.log 2>&1 || { cat cmake.log >&2; exit 1; }
works by-cmake/by-cmake

for program in $(sed -n "s/^    '\([a-z-]*\)': .*/\1/p" "$tree/tools/meson.build"); do
  [ -x "$place$prefix/bin/$program" ] || { echo "$program is not installed" >&2; exit 1; }
done

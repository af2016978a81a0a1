#!/bin/bash
# install.sh BUILD: installs a build below a temporary directory and builds an outside program with
# what pkg-config says.
set -eu
build=$(cd "$1" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
DESTDIR=$place meson install -C "$build" --no-rebuild --quiet

pc=$(find "$place" -name libima.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$place
cat >"$place/program.cpp" <<'END'
#include <ima/address.hpp>
int main() { return ima::address::parse("bob@b.example") ? 0 : 1; }
END
# shellcheck disable=SC2046  # a list of words on purpose
g++ -std=c++20 "$place/program.cpp" -o "$place/program" $(pkg-config --cflags --libs libima)
LD_LIBRARY_PATH=$(dirname "$(find "$place" -name 'libima.so.0')") "$place/program"
for program in $(sed -n "s/^    '\([a-z-]*\)': .*/\1/p" "$(dirname "$0")/../../tools/meson.build"); do
  [ -x "$place$prefix/bin/$program" ] || { echo "$program is not installed" >&2; exit 1; }
done

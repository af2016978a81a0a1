#!/bin/bash
# headers.sh [COMPILER]: each public header compiles by itself, and without a warning.
set -u
cd "$(dirname "$0")/../.." || exit 70
compiler=${1-g++}
options=(-std=c++20 -DASIO_STANDALONE -Ilibima/include -fsyntax-only -Wall -Wextra -Wpedantic -Werror)

git ls-files 'libima/include/*.hpp' |
  xargs -P 2 -I '{}' "$compiler" "${options[@]}" -x c++ -include '{}' /dev/null

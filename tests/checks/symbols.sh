#!/bin/bash
# symbols.sh LIBRARY [--optimised] [--without NAMESPACE]...
# symbols.sh LIBRARY --update
#
# What the shared library exports is libima's own, and nothing that was promised is missing, but for
# the namespaces of parts left out. symbols.txt beside this script is the promise, as demangled names;
# --update writes it, from a build of all parts without optimisation. Functions that a header defines
# are marked `inline`: programs have them of their own, and an optimised library leaves out those that
# it does not call itself. What is exported and not promised yet fails in the long run alone, as before
# a release.
set -eu
list=$(dirname "$0")/symbols.txt
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$1" | c++filt |
  sed -E -e 's/^([0-9a-f]+) [WV] (ima::.*)/\1 W \2  inline/' -e 's/^[0-9a-f]+ [A-Za-z] //' |
  sort -u >"$work/all"
[ -s "$work/all" ] || { echo "$1 exports nothing" >&2; exit 1; }

if grep -vE '^((non-virtual thunk to|vtable for|VTT for|typeinfo for|typeinfo name for) )?ima::' \
  "$work/all" >"$work/foreign"; then
  echo 'exported, and not of libima:' >&2
  cat "$work/foreign" >&2
  exit 1
fi

# Functions that headers declare: not what is made of them, nor the insides of a class.
grep '^ima::' "$work/all" | grep -vE '::(state|content)(::|\b)|\{lambda|<|\[clone' >"$work/now"
if [ "${2-}" = --update ]; then
  cp "$work/now" "$list"
  exit 0
fi
cp "$list" "$work/promised"
shift
while [ $# -gt 0 ]; do
  case $1 in
    --optimised) sed -i '/  inline$/d' "$work/now" "$work/promised" ;;
    --without) sed -i "/^ima::$2::/d" "$work/promised"; shift ;;
    *) echo "$1: unknown option" >&2; exit 64 ;;
  esac
  shift
done
comm -13 "$work/now" "$work/promised" >"$work/gone"
if [ -s "$work/gone" ]; then
  echo "promised in $list, and not exported any more:" >&2
  cat "$work/gone" >&2
  exit 1
fi
comm -23 "$work/now" "$work/promised" >"$work/new"
if [ "${IMA_FULL:-false}" = true ] && [ -s "$work/new" ]; then
  echo "exported, and not in $list (--update adds it):" >&2
  cat "$work/new" >&2
  exit 1
fi

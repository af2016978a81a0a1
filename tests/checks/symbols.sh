#!/bin/bash
# symbols.sh LIBRARY [--update]: what the shared library exports is libima's own, and nothing that was
# promised is missing. symbols.txt beside this script is the promise, as demangled names; --update
# writes it. What is exported and not promised yet fails in the long run alone, as before a release.
set -eu
list=$(dirname "$0")/symbols.txt
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$1" | c++filt | sed -E 's/^[0-9a-f]+ [A-Za-z] //' | sort -u >"$work/all"
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
comm -13 "$work/now" "$list" >"$work/gone"
if [ -s "$work/gone" ]; then
  echo "promised in $list, and not exported any more:" >&2
  cat "$work/gone" >&2
  exit 1
fi
comm -23 "$work/now" "$list" >"$work/new"
if [ "${IMA_FULL:-false}" = true ] && [ -s "$work/new" ]; then
  echo "exported, and not in $list (--update adds it):" >&2
  cat "$work/new" >&2
  exit 1
fi

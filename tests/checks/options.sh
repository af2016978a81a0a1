#!/bin/bash
# options.sh: sets a build up without each optional part, and as the quick start does; builds nothing,
# which subproject.sh does.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# set_up OPTION...: shows what Meson said only if it failed.
set_up() {
  rm -rf "$work/build"
  meson setup "$work/build" --wrap-mode=nodownload "$@" >"$work/log" 2>&1 && return
  echo "meson setup $*" >&2
  tail -n 20 "$work/log" >&2
  exit 1
}

for option in $(sed -n "s/^option('\([a-z]*\)', type: 'feature'.*/\1/p" meson_options.txt); do
  set_up "-D$option=disabled"
done
set_up -Dtests=disabled -Dpython=disabled -Dexamples=disabled -Dtranslation=disabled

#!/bin/bash
# options.sh: sets a build up without each optional part, as the quick start does, and with a part but not
# what it needs, and sees that no header of a part left out is installed; builds nothing, which
# subproject.sh does.
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

# refused TEXT OPTION...: a part that is asked for without what it needs is an error with this text.
refused() {
  local text=$1
  shift
  rm -rf "$work/build"
  if meson setup "$work/build" --wrap-mode=nodownload "$@" >"$work/log" 2>&1 ||
    ! grep -qF "$text" "$work/log"; then
    echo "meson setup $* does not say: $text" >&2
    exit 1
  fi
}

for option in $(sed -n "s/^option('\([a-z]*\)', type: 'feature'.*/\1/p" meson_options.txt); do
  set_up "-D$option=disabled"
done
set_up -Dtests=disabled -Dpython=disabled -Dexamples=disabled -Dtranslation=disabled
if grep -q 'ima-sendmail' "$work/build/build.ninja"; then
  echo 'without translation there is still something of ima-sendmail' >&2
  exit 1
fi
set_up -Dnet=disabled -Dtranslation=disabled -Dtools=disabled -Dpython=disabled
meson install -C "$work/build" --no-rebuild --tags devel --destdir "$work/installed" >"$work/log"
installed=$(find "$work/installed" -name '*.hpp' -printf '%h\n' | sed 's|.*/include/||' | sort -u | xargs)
if [ "$installed" != 'ima ima/delivery ima/mailbox ima/retrieval ima/service ima/tls' ]; then
  echo "without net and translation there are headers in: $installed" >&2
  exit 1
fi
refused 'the programs need net' -Dnet=disabled -Dtools=enabled
refused 'the Python package needs net' -Dnet=disabled -Dpython=enabled

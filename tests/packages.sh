#!/bin/sh
# Installs the Debian packages of packages.debian.txt that are missing; says nothing if none is.
set -eu
list=$(sed 's/#.*//' "$(dirname "$0")/../packages.debian.txt")
missing=''
for package in $list; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=''
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "These Debian packages are missing; install them as root:$missing" >&2
    exit 69
  }
  as_root=sudo
fi
echo "Installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq >&2
# shellcheck disable=SC2086  # a list of words on purpose
$as_root apt-get install -y -qq --no-install-recommends $missing >&2

#!/bin/sh
# Installs the Debian packages of packages.debian.txt that are missing; says nothing if none is.
#
#   tests/packages.sh build   what is needed to build and run
#   tests/packages.sh         all of it
set -eu
file=$(dirname "$0")/../packages.debian.txt
case "${1-all}" in
  build) list=$(sed '/^## to test/,$d; s/#.*//' "$file") ;;
  all) list=$(sed 's/#.*//' "$file") ;;
  *) echo 'usage: tests/packages.sh [build]' >&2; exit 64 ;;
esac
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
$as_root apt-get update -qq >&2
# No package asks questions, and none starts a service: the tests start what they need themselves.
# shellcheck disable=SC2086  # a list of words on purpose
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install -y -qq --no-install-recommends $missing >&2

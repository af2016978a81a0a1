#!/bin/bash
# pip.sh: installs the Python package into fresh virtual environments as docs/python.md says: from a
# source archive of the tree, and from a wheel. Long, as libima is compiled for it, once: both keep
# their build in the same place.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=/usr/bin/python3
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
how=(-q --no-build-isolation --no-index "--config-settings=builddir=$work/build")

# check PLACE: the package in this environment works without anything of the tree.
check() {
  (cd / && "$1/bin/python" -c "
import ima, ima.aio, ima.net, sys
assert ima.__version__ == '$version', ima.__version__
assert ima.__file__.startswith('$1'), ima.__file__
message = ima.Message.build([('from', 'a@a.example')], [ima.Part(b'hello', 'text/plain')])
assert ima.Message.parse(bytes(message)).header == message.header
")
  ldd "$1"/lib/python3*/site-packages/ima/_ima.*.so | { ! grep libima; }
}

environment() {
  $python -m venv --system-site-packages "$1"
}

# What is committed, as an archive holds nothing else.
git clone -q . "$work/tree"
cd "$work/tree"
mkdir "$work/dist" "$work/unpacked"
$python -c "import mesonpy; mesonpy.build_sdist('$work/dist')"
tar -xf "$work"/dist/*.tar.gz -C "$work/unpacked" --strip-components=1
cd "$work/unpacked"

environment "$work/one"
"$work/one/bin/pip" install "${how[@]}" .
check "$work/one"

environment "$work/two"
"$work/two/bin/pip" wheel "${how[@]}" --no-deps -w "$work/dist" .
"$work/two/bin/pip" install -q --no-index "$work"/dist/ima-"$version"-*.whl
check "$work/two"

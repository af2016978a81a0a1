#!/bin/bash
# pip.sh: installs the Python package into a fresh virtual environment as docs/python.md says, from
# the source tree, from a wheel and from a source archive. Long, as libima is compiled for each.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=/usr/bin/python3
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)

git clone -q . "$work/tree"
cd "$work/tree"

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

environment "$work/one"
"$work/one/bin/pip" install -q --no-build-isolation --no-index .
check "$work/one"

$python -c "import mesonpy, os; os.makedirs('$work/dist'); print(mesonpy.build_sdist('$work/dist'))"
mkdir "$work/unpacked"
tar -xf "$work"/dist/*.tar.gz -C "$work/unpacked" --strip-components=1
cd "$work/unpacked"
"$work/one/bin/pip" wheel -q --no-build-isolation --no-index --no-deps -w "$work/dist" .
environment "$work/two"
"$work/two/bin/pip" install -q --no-index "$work"/dist/ima-"$version"-*.whl
check "$work/two"

#!/bin/bash
# make-ima-message PROGRAM: what it writes is exactly what was asked for, and what it refuses.
set -u
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 70
failures=0

# expect NAME WANTED GOT
expect() {
  [ "$2" = "$3" ] && return
  echo "$1: expected '$2', got '$3'" >&2
  failures=$((failures + 1))
}

printf 'Hello\n' >hello.txt
head -c 3000000 /dev/urandom >'holiday in Kyōto.jpg'
: >empty

"$program" --from 'Alice <alice@A.example>' --to bob@b.example --cc carol@c.example \
  --bcc dan@b.example --subject Photos --text - --attach 'holiday in Kyōto.jpg' --attach empty \
  --header 'id: 1@a.example' --header 'date: 2026-11-23T09:30:00Z' <hello.txt >message.ima
expect 'exit code' 0 $?

{
  cat <<END
ima: 1
from: Alice <alice@a.example>
to: bob@b.example
cc: carol@c.example
bcc: dan@b.example
subject: Photos
id: 1@a.example
date: 2026-11-23T09:30:00Z
part: 6 text/plain sha256=$(sha256sum <hello.txt | cut -d' ' -f1)
part: 3000000 image/jpeg sha256=$(sha256sum <'holiday in Kyōto.jpg' | cut -d' ' -f1) role=attachment name=holiday in Kyōto.jpg
part: 0 application/octet-stream sha256=$(sha256sum <empty | cut -d' ' -f1) role=attachment name=empty

END
  cat hello.txt 'holiday in Kyōto.jpg'
} >wanted.ima
cmp message.ima wanted.ima || failures=$((failures + 1))

"$program" --from a@b.example >generated.ima
expect 'an id is made' 1 "$(grep -c '^id: [0-9A-Z]*@b\.example$' generated.ima)"
expect 'a date is made' 1 "$(grep -c '^date: 20..-..-..T..:..:..Z$' generated.ima)"

# name_of FILE: what the message calls it.
name_of() {
  printf x >"$1"
  "$program" --from a@b.example --attach "$1" | sed -n 's/^part: .* role=attachment *//p'
}
expect 'a space at the end' 'name=end' "$(name_of 'end ')"
expect 'a name of spaces' '' "$(name_of '  ')"
expect 'control characters' 'name=a�[31m�b' "$(name_of $'a\e[31m\nb')"
expect 'octets that are not UTF-8' 'name=��.x' "$(name_of $'\xff\xfe.x')"
expect 'a dash first' 'name=-a' "$(name_of -a)"
expect 'a long name' "name=$(printf 'x%.0s' {1..255})" "$(name_of "$(printf 'x%.0s' {1..255})")"

# refuse CODE ARGUMENTS...: one line of complaint and nothing on standard output.
refuse() {
  local code=$1 output
  shift
  output=$("$program" "$@" 2>complaint </dev/null)
  expect "exit code of $*" "$code" $?
  expect "output of $*" '' "$output"
}
refuse 64 --to bob@b.example
refuse 64 --from nobody
refuse 64 --from alice@a.example --text ''
refuse 64 --from alice@a.example --attach ''
refuse 64 --from alice@a.example --header nonsense
refuse 65 --from alice@a.example --header 'Upper: case'
refuse 65 --from alice@a.example --header $'subject: two\nlines'
refuse 66 --from alice@a.example --attach missing
"$program" --from alice@a.example --attach hello.txt >/dev/full 2>complaint
expect 'exit code with a full disk' 75 $?

[ "$failures" -eq 0 ]

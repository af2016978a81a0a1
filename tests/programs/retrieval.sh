#!/bin/bash
# retrieval.sh ADMIN MAKE GIVE OFFICE FETCH: a user proves himself and copies his mail, once; what
# he may not do is refused.
set -u
admin=$(realpath "$1") make=$(realpath "$2") give=$(realpath "$3") office=$(realpath "$4") fetch=$(realpath "$5")
work=$(mktemp -d)
server=''
cleanup() {
  [ -n "$server" ] && kill "$server" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 70
failures=0

# expect NAME WANTED GOT
expect() {
  [ "$2" = "$3" ] && return
  echo "$1: expected '$2', got '$3'" >&2
  failures=$((failures + 1))
}

{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Test CA' \
    -keyout ca.key -out ca.pem
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=b.example \
    -keyout b.key -out b.csr
  printf 'subjectAltName=DNS:b.example\nextendedKeyUsage=serverAuth\n' >b.ext
  openssl x509 -req -in b.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile b.ext -days 2 \
    -out b.pem
} 2>openssl.log || exit 70

umask 077
printf 'correct horse\n' >right
printf 'wrong horse\n' >wrong
"$admin" mailbox create bob || exit 1
"$admin" user add bob --mailbox bob --password-file right
expect 'add a user' 0 $?
"$admin" user add bob --mailbox bob --password-file right 2>/dev/null
expect 'add him again' 1 $?
expect 'no password in clear' 0 "$(grep -c horse users.toml)"

printf '[tls]\nsystem-store = false\nca-file = "ca.pem"\n' >tls
{
  printf 'listen = ["127.0.0.1:0"]\nusers = "users.toml"\n'
  cat tls
  printf '[[tls.certificate]]\nchain = "b.pem"\nkey = "b.key"\n'
} >office.toml
"$office" --config office.toml 2>office.log &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/.*listening address=127.0.0.1:\([0-9]*\).*/\1/p' office.log)
  [ -n "$port" ] && break
  sleep 0.1
done
for word in right wrong; do
  {
    printf 'host = "b.example"\nuser = "bob"\npassword-file = "%s"\n' "$word"
    printf '[hosts]\n"b.example" = "127.0.0.1:%s"\n' "$port"
    cat tls
  } >"$word.toml"
done

head -c 300000 /dev/urandom >photo.jpg
: >empty
printf 'hello\n' >text
message() {
  "$make" --from alice@a.example --to bob@b.example --subject "$1" --text text --attach photo.jpg \
    --attach empty
}
message One >one.ima
"$give" bob one.ima bob@b.example || exit 1

"$fetch" --config wrong.toml copy 2>/dev/null
expect 'a wrong password' 1 $?
output=$("$fetch" --config right.toml copy)
expect 'fetch' 0 $?
expect 'one line' 1 "$(printf '%s\n' "$output" | grep -c '^inbox .* One$')"
expect 'the part as it was sent' 1 \
  "$(find copy/msg -type f -name '2-photo.jpg' -exec cmp {} photo.jpg \; -print | wc -l)"
expect 'nothing new' '' "$("$fetch" --config right.toml copy)"
message Two >two.ima
"$give" bob two.ima bob@b.example || exit 1
expect 'only the new one' 1 "$("$fetch" --config right.toml copy | grep -c ' Two$')"
expect 'no password in the log' 0 "$(grep -c horse office.log)"

kill "$server"
wait "$server"
expect 'an orderly end' 0 $?
server=''
[ "$failures" -gt 0 ] && cat office.log >&2
exit $((failures > 0))

#!/bin/bash
# delivery.sh MAKE RECEIVE SEND: a message with an attachment goes over real TLS into a mailbox, once;
# what is not allowed is refused with its reason.
set -u
make=$(realpath "$1") receive=$(realpath "$2") send=$(realpath "$3")
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

# certificate NAME: NAME.pem and NAME.key, signed by ca.pem.
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$1" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -extfile "$1.ext" \
    -days 2 -out "$1.pem"
}
{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Test CA' \
    -keyout ca.key -out ca.pem
  certificate a.example
  certificate b.example
  certificate evil.example
} 2>openssl.log || exit 70

tls() {
  printf '[tls]\nsystem-store = false\nca-file = "ca.pem"\n'
  printf '[[tls.certificate]]\nchain = "%s.pem"\nkey = "%s.key"\n' "$1" "$1"
}
{
  echo 'listen = ["127.0.0.1:0"]'
  echo 'hostparts = ["b.example"]'
  echo '[routes]'
  echo '"bob@b.example" = { mailbox = "bob" }'
  echo '"cat@b.example" = { command = ["/bin/sh", "-c", "cat >taken; echo thanks", "{address}"] }'
  echo '"no@b.example" = { command = ["/bin/false"] }'
  tls b.example
} >receive.toml
# What a mailbox is made of; the format file marks it as one.
mkdir -p bob/tmp bob/new bob/msg bob/gone

"$receive" --config receive.toml 2>receive.log &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/.*listening address=127.0.0.1:\([0-9]*\).*/\1/p' receive.log)
  [ -n "$port" ] && break
  sleep 0.1
done
for domain in a.example evil.example; do
  { printf '[hosts]\n"b.example" = "127.0.0.1:%s"\n' "$port"; tls $domain; } >"$domain.toml"
done

head -c 300000 /dev/urandom >photo.jpg
printf 'hello\n' >text
message() { "$make" --from alice@a.example "$@" --subject Photos --text text --attach photo.jpg; }

message --to bob@b.example >one.ima
expect 'delivered' 'OK bob@b.example' "$("$send" --config a.example.toml one.ima)"
expect 'the part is stored as it was sent' 1 \
  "$(find bob/new -type f -name '2-photo.jpg' -exec cmp {} photo.jpg \; -print | wc -l)"
expect 'delivered again' 'OK bob@b.example' "$("$send" --config a.example.toml one.ima)"
expect 'one copy' 1 "$(find bob/new -mindepth 1 -maxdepth 1 | wc -l)"
expect 'nothing is left in tmp' 0 "$(find bob/tmp -mindepth 1 | wc -l)"

message --to nobody@b.example --to bob@b.example >two.ima
output=$("$send" --config a.example.toml two.ima)
expect 'unknown recipient: exit' 1 $?
expect 'unknown recipient' 1 "$(grep -c '^NORECIPIENT nobody@b.example' <<<"$output")"
expect 'nothing was delivered' 1 "$(find bob/new -mindepth 1 -maxdepth 1 | wc -l)"

message --to cat@b.example --to no@b.example >three.ima
output=$("$send" --config a.example.toml three.ima)
expect 'commands: exit' 2 $?
expect 'a command that took it' 1 "$(grep -c '^OK cat@b.example' <<<"$output")"
expect 'a command that did not' 1 "$(grep -c '^FAIL no@b.example' <<<"$output")"
expect 'a command got the whole message' "$(tail -c 300006 three.ima | sha256sum)" \
  "$(tail -c 300006 taken | sha256sum)"

"$make" --from alice@evil.example --to bob@b.example --subject x --text text >four.ima
sed 's/alice@evil/alice@a/' four.ima >forged.ima
"$send" --config evil.example.toml forged.ima 2>errors
expect 'a sender without the certificate: exit' 64 $?
expect 'a sender without the certificate' 1 "$(grep -c no-certificate errors)"

kill -TERM "$server"
wait "$server"
expect 'the server ends by itself' 0 $?
expect 'the server says so' 1 "$(grep -c ' stopped' receive.log)"
server=''
[ "$failures" -eq 0 ] || cat receive.log >&2
exit "$failures"

#!/bin/bash
# Two mail domains on this machine, from nothing, in one command.
#
#   examples/quickstart.sh              sends a message from a.example to b.example, fetches it there,
#                                       shows all of it and cleans up
#   examples/quickstart.sh --serve DIR  leaves both domains running until interrupted, everything
#                                       under DIR, and says how to send and fetch
#                                       by hand
#
# Installs the Debian packages that are missing and builds into build/quickstart; IMA_BUILD=DIR uses
# the programs of another build as they are.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

serve=''
case "${1-}" in
  '') work=$(mktemp -d) ;;
  --serve)
    [ $# -eq 2 ] || { echo 'usage: examples/quickstart.sh [--serve DIR]' >&2; exit 64; }
    serve=yes
    mkdir -p "$2"
    work=$(cd "$2" && pwd)
    ;;
  *) echo 'usage: examples/quickstart.sh [--serve DIR]' >&2; exit 64 ;;
esac

servers=''
clean_up() {
  for server in $servers; do kill "$server" 2>/dev/null || true; done
  wait
  [ -n "$serve" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 0' INT TERM

say() { printf '\n== %s\n' "$*"; }

build() {
  sh tests/packages.sh build
  if [ -n "${IMA_BUILD-}" ]; then
    programs=$(cd "$IMA_BUILD" && pwd)/tools
    export PATH=$programs:$PATH
    return
  fi
  [ -e build/quickstart/build.ninja ] ||
    meson setup build/quickstart --wrap-mode=nodownload -Dbuildtype=release -Dtests=disabled \
      -Dpython=disabled -Dexamples=disabled -Dtranslation=disabled \
      >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 70; }
  ninja -C build/quickstart >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 70; }
  programs=$root/build/quickstart/tools
  export PATH=$programs:$PATH
}

# make_authority: a certificate authority that only these two domains trust.
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj '/CN=Quick start authority' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
}

# make_certificate DOMAIN: a certificate that proves the domain, in both directions.
make_certificate() {
  local directory=$work/$1
  mkdir -p "$directory"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$directory/domain.key" -out "$directory/domain.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:false\n' "$1" \
    >"$directory/extensions"
  openssl x509 -req -in "$directory/domain.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 30 \
    -extfile "$directory/extensions" -out "$directory/domain.pem" 2>/dev/null
  rm "$directory/domain.csr" "$directory/extensions"
}

# tls_settings: the part of a configuration that is the same for every program of a domain.
tls_settings() {
  cat <<END

[tls]
system-store = false
ca-file = "../ca.pem"

[[tls.certificate]]
chain = "domain.pem"
key = "domain.key"
END
}

# make_user DOMAIN USER: a mailbox, and an entry among the users of the post office.
make_user() {
  local directory=$work/$1
  (umask 077 && openssl rand -hex 16 >"$directory/$2.password")
  [ -d "$directory/$2" ] || ima-admin mailbox create "$directory/$2"
  rm -f "$directory/users.toml"
  ima-admin user add "$2" --users "$directory/users.toml" --mailbox "$2" \
    --password-file "$directory/$2.password"
}

# start PROGRAM DOMAIN: runs it on a free port, which it logs; leaves its address in a file.
start() {
  local program=$1 directory=$work/$2
  "$program" --config "$directory/$program.toml" 2>"$directory/$program.log" &
  servers="$servers $!"
  for _ in $(seq 100); do
    sed -n 's/.* listening address=\([^ ]*\)$/\1/p' "$directory/$program.log" |
      head -n 1 >"$directory/$program.address"
    [ -s "$directory/$program.address" ] && return
    sleep 0.1
  done
  echo "$program for $2 did not start:" >&2
  cat "$directory/$program.log" >&2
  exit 70
}

# start_domain DOMAIN USER: both of its servers.
start_domain() {
  local directory=$work/$1
  {
    cat <<END
listen = ["127.0.0.1:0"]
hostparts = ["$1"]

[routes]
"$2@$1" = { mailbox = "$2" }
END
    tls_settings
  } >"$directory/server-receive.toml"
  {
    cat <<END
listen = ["127.0.0.1:0"]
users = "users.toml"
index-path = "index"
END
    tls_settings
  } >"$directory/server-post-office.toml"
  start server-receive "$1"
  start server-post-office "$1"
}

# write_fetcher DOMAIN USER: how the user's fetch-mail reaches his post office.
write_fetcher() {
  cat >"$work/$1/fetch-mail.toml" <<END
host = "$1"
user = "$2"
password-file = "$2.password"

[hosts]
"$1" = "$(cat "$work/$1/server-post-office.address")"

[tls]
system-store = false
ca-file = "../ca.pem"
END
}

# write_sender DOMAIN: how its server-send-mail reaches both domains.
write_sender() {
  {
    cat <<END
[hosts]
"a.example" = "$(cat "$work/a.example/server-receive.address")"
"b.example" = "$(cat "$work/b.example/server-receive.address")"
END
    tls_settings
  } >"$work/$1/server-send-mail.toml"
}

send_fetch_and_show() {
  cd "$work"
  printf 'Hello Bob,\n\nhere is the picture.\n' >text
  head -c 200000 /dev/urandom >'holiday in Kyōto.jpg'

  say 'The message'
  make-ima-message --from 'Alice <alice@a.example>' --to 'Bob <bob@b.example>' --subject Photos \
    --text text --attach 'holiday in Kyōto.jpg' >message.ima
  sed '/^$/q' message.ima

  say 'The exchange, and what the sender says'
  server-send-mail --config a.example/server-send-mail.toml --trace message.ima

  say "Bob's mailbox at b.example"
  find b.example/bob -type f | sort

  say 'What Bob fetches'
  fetch-mail --config b.example/fetch-mail.toml fetched
  find fetched -type f | sort
  cmp "$(find fetched -type f -name '*.jpg')" 'holiday in Kyōto.jpg'
  echo 'The picture is the one that was sent.'

  say 'What the receiving server logged'
  cat b.example/server-receive.log
}

explain() {
  say 'Both domains run until you press Ctrl-C. In another terminal:'
  cat <<END
export PATH=$programs:\$PATH
cd $work
echo 'Hello' | make-ima-message --from alice@a.example --to bob@b.example --subject Hi --text - |
  server-send-mail --config a.example/server-send-mail.toml
fetch-mail --config b.example/fetch-mail.toml fetched
ima-read fetched inbox
END
  wait
}

say 'Building'
build
say 'A throw-away certificate authority, and a certificate for each domain'
make_authority
make_certificate a.example
make_certificate b.example
say 'Starting both domains'
make_user a.example alice
make_user b.example bob
start_domain a.example alice
start_domain b.example bob
write_sender a.example
write_sender b.example
write_fetcher a.example alice
write_fetcher b.example bob
if [ -n "$serve" ]; then explain; else send_fetch_and_show; fi

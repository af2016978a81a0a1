#!/bin/bash
# Checks what the compiler does not: that modules depend one way, that public headers stand alone,
# that every error's rule and every event of the log is documented, and that every program has a man
# page.
set -u
cd "$(dirname "$0")/../.." || exit 70
failures=0

complain() {
  echo "$*" >&2
  failures=$((failures + 1))
}

# The modules that each one may include beside itself. The mailbox knows no protocol.
declare -A below=(
  [support]=''
  [wire]='support message'
  [message]='support wire'
  [delivery]='support wire message'
  [retrieval]='support wire message delivery'
  [mailbox]='support wire message'
  [tls]='support wire message'
  [service]='support wire message delivery retrieval mailbox tls'
  [translate]='support wire message mailbox service'
  [net]='support wire message delivery retrieval mailbox tls service'
  [mirror]='support wire message retrieval mailbox tls net'
)

# module_of INCLUDED: the module that a header belongs to, or nothing for a foreign one.
module_of() {
  local path=${1#ima/}
  local first=${path%%/*}
  if [ "$path" = "$1" ]; then
    [ -n "${below[$first]+known}" ] && [ "$first" != "$path" ] && echo "$first"
  elif [ "$first" != "$path" ]; then
    echo "$first"
  elif [[ " error.hpp export.hpp small_file.hpp " == *" $path "* ]]; then
    echo support
  else
    echo message # the other headers directly under ima/
  fi
}

included_by() { sed -n 's/^ *#include [<"]\([^>"]*\)[>"].*/\1/p' "$1"; }

for module in "${!below[@]}"; do
  for file in libima/src/"$module"/*.?pp libima/include/ima/"$module"/*.hpp; do
    [ -e "$file" ] || continue
    for header in $(included_by "$file"); do
      other=$(module_of "$header")
      [ -z "$other" ] || [ "$other" = "$module" ] && continue
      [[ " ${below[$module]} " == *" $other "* ]] ||
        complain "$file: includes $header, but $module does not stand above $other"
    done
  done
done

while read -r file; do
  for header in $(included_by "$file"); do
    case $header in
      ima/*) [ -e "libima/include/$header" ] || complain "$file: $header does not exist" ;;
      asio.hpp) [[ $file == */net/asio_link.hpp ]] || complain "$file: includes Asio" ;;
      */* | *.*) complain "$file: a public header includes $header" ;;
    esac
  done
  grep -q '^#pragma once' "$file" || complain "$file: no #pragma once"
done < <(git ls-files 'libima/include/*.hpp')

# A rule is the literal after the fault where an error is made.
rules=$(git ls-files 'libima/*.cpp' 'libima/*.hpp' 'tools/*.cpp' 'bindings/*.cpp' | xargs cat | tr -d '\n' |
  grep -oE 'fault::[a-z]+, *"[a-z0-9-]+"' | sed 's/.*"\(.*\)"/\1/' | sort -u)
for rule in $rules; do
  grep -rqF --include='*.md' "\`$rule\`" docs || complain "no page of docs/ explains the rule $rule"
done

# An operator finds every event of the log in the guide, with its keys; debug events are for
# developers. What a helper adds to each of its events is seen where the programs run, by harness.py.
code=$(git ls-files 'libima/*.cpp' 'libima/*.hpp' 'tools/*.cpp' 'tools/*.hpp' | xargs cat | tr -d '\n')
table=$(sed -n '/^| event | level | keys |/,/^$/p' docs/operating.md)
while read -r call; do
  event=$(sed -E 's/^[^"]*"([a-z-]+)".*/\1/' <<<"$call")
  row=$(grep -E "^\|[^|]*\`$event\`" <<<"$table" | cut -d'|' -f4)
  [ -n "$row" ] || complain "the table of docs/operating.md does not explain the event $event"
  for key in $(grep -oE '\{"[a-z]+", ' <<<"$call" | tr -dc 'a-z\n'); do
    grep -qw "$key" <<<"$row" || complain "docs/operating.md does not name the key $key of $event"
  done
done < <(grep -oE '(log_level::(info|warning|error)[,}]? *|[^a-z_]log\()"[a-z]+(-[a-z]+)*"[^;]*;' <<<"$code")
for key in $(tail -n +3 <<<"$table" | cut -d'|' -f4 | grep -oE '[a-z]+' | sort -u); do
  grep -qE "(\{|emplace_back\()\"$key\", " <<<"$code" || complain "no event has the key $key of docs/operating.md"
done

# fmt::print throws where a stream fails.
while read -r file; do
  complain "$file: prints otherwise than by tools/common/output.hpp"
done < <(git grep -l 'fmt::print' -- 'tools/*.cpp')

for program in $(sed -n "s/^ *'\([a-z-]*\)': .*/\1/p" tools/meson.build); do
  ls docs/man/"$program".[18].scd >/dev/null 2>&1 || complain "$program has no man page"
done

# Scripts are found before the standard library's modules by whatever is run beside them.
shadows=$(git ls-files 'tests/programs/*.py' 'tests/crash/*.py' 'benchmarks/*.py' | python3 -c '
import pathlib, sys
for line in sys.stdin:
    if pathlib.Path(line.strip()).stem in sys.stdlib_module_names: print(line.strip())')
for script in $shadows; do
  complain "$script has the name of a module of the standard library"
done

[ "$failures" -eq 0 ]

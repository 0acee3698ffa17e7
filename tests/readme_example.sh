#!/usr/bin/env bash
# readme_example.sh BUILD - compiles README's first C example against BUILD, warnings being errors, and runs it. TAP.
set -euo pipefail
build=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# verdict NUMBER WHAT COMMAND...
failed=0
verdict() {
  local number=$1 what=$2
  shift 2
  if "$@" >"$scratch/log" 2>&1; then
    echo "ok $number - $what"
  else
    failed=1
    echo "not ok $number - $what"
    sed 's/^/# /' "$scratch/log"
  fi
}
is_complete() { grep -q 'int main' "$scratch/example.c"; }

echo 1..3
awk '/^```c$/ { inside = 1; next } /^```/ && inside { exit } inside' "$root/README.md" >"$scratch/example.c"
verdict 1 "README.md holds a complete C program" is_complete
verdict 2 "it compiles" cc -std=gnu11 -O1 -Wall -Wextra -Werror -I"$root/include" "$scratch/example.c" \
  -o "$scratch/example" -L"$build" -lsealane -Wl,-rpath,"$build"
verdict 3 "it runs and ends well" timeout 20 "$scratch/example"
((failed == 0))

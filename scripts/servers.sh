#!/bin/sh
# servers.sh DIR - unpacks Debian's nginx, HAProxy, Apache and wrk into DIR, for the tests and the bench of the OpenSSL provider.
# They are downloaded with package lists of their own and never installed: installing them would start them as
# services of this machine. What is installed already is left out: DIR/usr is for beside /usr, not instead of it.
set -eu

programs="nginx haproxy apache2-bin wrk"
stamp="$1/.unpacked"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$programs" ]; then
  exit 0
fi

mkdir -p "$1"
dir=$(cd "$1" && pwd)
state="$dir.apt"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"

own_apt() {
  apt-get -q -o APT::Sandbox::User="$(id -un)" -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" "$@"
}

own_apt update -o APT::Update::Error-Mode=any >&2 || {
  echo "servers.sh: cannot fetch the package lists (offline?)" >&2
  exit 1
}
# What apt would install for them, libraries included; it is asked for each alone, so that one which this release lacks
# does not cost the others.
packages=$(for program in $programs; do
  own_apt install --simulate --no-install-recommends "$program" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
done | sort -u)
# shellcheck disable=SC2086 # a list of names
[ -z "$packages" ] || (cd "$state/debs" && own_apt download $packages >&2) || {
  echo "servers.sh: cannot download:" $packages >&2
  exit 1
}
for deb in "$state"/debs/*.deb; do
  [ ! -e "$deb" ] || dpkg-deb -x "$deb" "$dir"
done
rm -r "$state"
printf '%s' "$programs" >"$stamp"

#!/bin/sh
# cross_sysroot.sh DIR - unpacks the arm64 libraries that ./dev cross links into DIR.
# They are downloaded with an apt state of their own, so the system's packages, architectures and lists stay as they are.
set -eu

packages="libssl3 libssl-dev libcmocka0 libcmocka-dev liburing2 liburing-dev libhttp-parser2.9 libhttp-parser-dev"
stamp="$1/.unpacked"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$packages" ]; then
  exit 0
fi

mkdir -p "$1"
dir=$(cd "$1" && pwd)
state="$dir.apt"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
: >"$state/status"

own_apt() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User="$(id -un)" \
    -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" "$@" >&2
}

own_apt update || {
  echo "cross_sysroot.sh: cannot fetch the arm64 package lists (offline?)" >&2
  exit 1
}
# shellcheck disable=SC2086 # a list of names
(cd "$state/debs" && own_apt download $packages) || {
  echo "cross_sysroot.sh: cannot download: $packages" >&2
  exit 1
}
for deb in "$state"/debs/*.deb; do
  dpkg-deb -x "$deb" "$dir"
done
rm -r "$state"
printf '%s' "$packages" >"$stamp"

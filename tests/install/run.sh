#!/usr/bin/env bash
# run.sh BUILD - installs BUILD into a scratch directory and uses it as strangers do: by pkg-config, by find_package,
# shared and static, each header alone, from C and from C++. TAP.
set -euo pipefail
build=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/moved
count=0 failed=0

# try WHAT COMMAND...: one case; what the command printed is shown when it fails.
try() {
  local what=$1
  shift
  count=$((count + 1))
  if "$@" >"$scratch/log" 2>&1; then
    echo "ok $count - $what"
  else
    failed=$((failed + 1))
    echo "not ok $count - $what"
    sed 's/^/# /' "$scratch/log"
  fi
}

install_and_move() { # a package must not remember where it was built or first installed
  cmake --install "$build" --prefix "$scratch/first" && mv "$scratch/first" "$prefix"
}
flags() { pkg-config "$@" sealane; }
soname() { readelf -d "$prefix/lib/libsealane.so" | grep -F 'SONAME' | grep -F '[libsealane.so.0]'; }
# but for OpenSSL's configuration, which has to name where the module is
names_nothing_here() {
  ! grep -rlIF --exclude='*sealane*.cnf' -e "$scratch" "$prefix" && ! grep -rlIF -e "$build" "$prefix"
}
by_pkg_config() {
  # shellcheck disable=SC2046 # a list of flags
  cc -Wall -Wextra -Werror "$here/consumer.c" -o "$scratch/pc" $(flags --cflags --libs)
  ldd "$scratch/pc" | grep -F "$prefix/lib/libsealane.so.0"
  "$scratch/pc"
}
by_pkg_config_static() {
  local libs
  libs=$(flags --static --libs)
  # shellcheck disable=SC2046,SC2086 # lists of flags
  cc -Wall -Wextra -Werror "$here/consumer.c" -o "$scratch/pcs" $(flags --cflags) ${libs/-lsealane/-l:libsealane.a}
  if ldd "$scratch/pcs" | grep -F libsealane; then return 1; fi
  "$scratch/pcs"
}
by_find_package() {
  cmake -G Ninja -S "$here" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix"
  ninja -C "$scratch/cmake"
  "$scratch/cmake/with_shared"
  "$scratch/cmake/with_static"
  if ldd "$scratch/cmake/with_static" | grep -F libsealane; then return 1; fi
}
version_agrees() {
  local version
  version=$(sed -n 's/.*SEALANE_VERSION "\(.*\)"/\1/p' "$prefix/include/sealane/version.h")
  [[ -n $version && $(flags --modversion) == "$version" && -e $prefix/lib/libsealane.so.$version ]]
}
# With the warnings that strangers have turned on, to whose compilers these are headers like their own.
warnings=(-Werror -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual -Wredundant-decls)
header_alone() { # HEADER COMPILER...
  printf '#include <sealane/%s>\nextern int nothing;\n' "$1" |
    "${@:2}" "${warnings[@]}" -fsyntax-only -I"$prefix/include" -
}
header_alone_c() { # HEADER
  local standard
  for standard in c11 c17 c2x; do
    header_alone "$1" cc -x c -std=$standard -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
  done
}
header_alone_cc() { # HEADER
  local standard
  for standard in c++11 c++17 c++20; do
    header_alone "$1" c++ -x c++ -std=$standard -Wold-style-cast -Wzero-as-null-pointer-constant
  done
}

# The provider, as provider/README.md installs it: not moved afterwards.
install_runtime() { cmake --install "$build" --prefix "$scratch/runtime" --component runtime; }
is_sealane() { # CONFIGURATION [PROVIDER]
  OPENSSL_CONF=$1 openssl list -providers | tee /dev/stderr | grep -F "Sealane provider" &&
    OPENSSL_CONF=$1 openssl list -providers -verbose | grep -F "OpenSSL Default Provider" &&
    OPENSSL_CONF=$1 openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=x -out /dev/null
}
provider_by_environment() { is_sealane "$scratch/runtime/etc/sealane/openssl-sealane.cnf"; }
provider_by_include() { # in a copy of the system's configuration
  cp "$(openssl version -d | cut -d'"' -f2)/openssl.cnf" "$scratch/system.cnf"
  echo ".include $scratch/runtime/etc/sealane/sealane-provider.cnf" >>"$scratch/system.cnf"
  is_sealane "$scratch/system.cnf"
}
keeps_the_systems_settings() { # what the system's configuration says of TLS holds on, whether the module is there or not
  local etc=$scratch/runtime/etc/sealane
  cat >"$scratch/system.cnf" <<'END'
openssl_conf = openssl_init
[openssl_init]
providers = provider_sect
ssl_conf = ssl_sect
[provider_sect]
default = default_sect
[default_sect]
activate = 1
[ssl_sect]
system_default = system_default_sect
[system_default_sect]
CipherString = AES128-GCM-SHA256
END
  for module in "$scratch/runtime/lib/ossl-modules/sealane.so" "$scratch/missing.so"; do
    sed "s,^module = .*,module = $module," "$etc/sealane-provider.cnf" >"$scratch/part.cnf"
    printf '.include %s\n' "$scratch/system.cnf" "$scratch/part.cnf" >"$scratch/ours.cnf"
    OPENSSL_CONF=$scratch/ours.cnf openssl ciphers -s -tls1_2 >"$scratch/ciphers" &&
      [[ $(<"$scratch/ciphers") == AES128-GCM-SHA256 ]] || return 1
  done
}

mapfile -t headers < <(cd "$here/../../include/sealane" && ls -- *.h)
has_provider=4
[[ -e $build/sealane.so ]] || has_provider=0
echo "1..$((7 + has_provider + 2 * ${#headers[@]}))"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

try "cmake --install" install_and_move
try "the library's SONAME is libsealane.so.0" soname
try "header, library and sealane.pc are of one version" version_agrees
try "what is installed names no directory of the build" names_nothing_here
try "a C program, by pkg-config" by_pkg_config
try "a C program, by pkg-config --static" by_pkg_config_static
try "a C and a C++ program, by find_package, shared and static" by_find_package
if ((has_provider)); then
  try "cmake --install --component runtime" install_runtime
  try "the provider, by OPENSSL_CONF" provider_by_environment
  try "the provider, by .include in the system's openssl.cnf" provider_by_include
  try "what the system's openssl.cnf says of TLS holds, with the module and without" keeps_the_systems_settings
fi
for header in "${headers[@]}"; do
  try "$header alone, C" header_alone_c "$header"
  try "$header alone, C++" header_alone_cc "$header"
done
((failed == 0))

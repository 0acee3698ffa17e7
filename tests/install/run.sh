#!/usr/bin/env bash
# run.sh BUILD - installs BUILD into a scratch directory and uses it as strangers do: by pkg-config, by find_package,
# shared and static, each header alone, from C and from C++; then builds and installs as packagers do. TAP.
set -euo pipefail
build=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
prefix=$scratch/moved
count=0 failed=0

# try WHAT COMMAND...: one case; what the command printed is shown when it fails.
try() {
  local what=$1
  shift
  count=$((count + 1))
  "$@" >"$scratch/log" 2>&1 & # in the condition itself, a function would go on after a command that failed
  if wait $!; then
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
static_names() { # hidden or not: in a static link they could be somebody else's, too
  nm --extern-only --defined-only "$prefix/lib/libsealane.a" | grep ' [A-Z] ' >"$scratch/names"
  grep ' T sl_batch_run$' "$scratch/names"
  ! grep -v ' sl_[a-z0-9_]*$' "$scratch/names"
}
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
by_find_package() { # PREFIX
  rm -rf "$scratch/cmake"
  cmake -G Ninja -S "$here" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$1"
  ninja -C "$scratch/cmake"
  "$scratch/cmake/with_shared"
  "$scratch/cmake/with_static"
  if ldd "$scratch/cmake/with_static" | grep -F libsealane; then return 1; fi
}
within_another_project() { # which says nothing of optimisation; the library has it all the same
  cmake -G Ninja -S "$here" -B "$scratch/within" -DSEALANE_SOURCE="$source"
  grep -A5 '^build sealane/.*/engine/batch.c.o:' "$scratch/within/build.ninja" | grep '^  FLAGS = -O2'
  cmake -DCMAKE_BUILD_TYPE=Debug "$scratch/within" # to be quick
  ninja -C "$scratch/within" -j 2
  "$scratch/within/with_shared"
  "$scratch/within/with_static"
  ! ninja -C "$scratch/within" -t targets all | grep -e sealane-serve -e sealane-bench -e test_aead
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
provider_by_path() {
  openssl list -providers -provider-path "$scratch/runtime/lib/ossl-modules" -provider sealane | grep -F "Sealane provider"
}
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

# As packagers do: from sources that only others may write, in directories whose names need quoting, to a place where the files
# do not stay, here the root of a later system.
sources=$scratch/sources\ \(1\) later=$scratch/build\ \(2\)/root\ \(3\)
state_of_sources() { (cd "$sources" && find . -printf '%p %s %T@\n' | sort); }
build_there() {
  local apps=OFF
  [[ ! -e $build/sealane-serve ]] || apps=ON
  mkdir "$sources"
  tar -C "$source" --exclude='./build*' --exclude=./.git -c . | tar -C "$sources" -x
  chmod -R a-w "$sources"
  state_of_sources >"$scratch/state"
  cmake -G Ninja -S "$sources" -B "$scratch/build (2)" -DCMAKE_INSTALL_PREFIX=/opt/sealane -DCMAKE_BUILD_TYPE=Debug \
    -DSEALANE_APPS=$apps -DSEALANE_TESTS=OFF -DSEALANE_BENCH=OFF
  ninja -C "$scratch/build (2)" -j 2
  DESTDIR=$later cmake --install "$scratch/build (2)"
  state_of_sources | cmp - "$scratch/state"
}
find_there() { LD_LIBRARY_PATH=$later/opt/sealane/lib by_find_package "$later/opt/sealane"; }
names_the_prefix() { # and not the place on the way to it
  grep -Fx "module = /opt/sealane/lib/ossl-modules/sealane.so" "$later/opt/sealane/etc/sealane/sealane-provider.cnf"
  grep -Fx ".include /opt/sealane/etc/sealane/sealane-provider.cnf" "$later/opt/sealane/etc/sealane/openssl-sealane.cnf"
  ! grep -rIF "$scratch" "$later"
}
provider_there() {
  local etc=$later/opt/sealane/etc/sealane
  sed -i "s,/opt/sealane,$later/opt/sealane," "$etc"/*.cnf
  is_sealane "$etc/openssl-sealane.cnf"
}
# CMake's own look at the compiler must not need a C library for that machine.
refuses_32_bits() {
  if CFLAGS=-m32 cmake -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY -S "$source" -B "$scratch/narrow" 2>&1 |
    tee "$scratch/said"; then return 1; fi
  grep -F "Sealane is for 64-bit little-endian machines" "$scratch/said"
}

mapfile -t headers < <(cd "$here/../../include/sealane" && ls -- *.h)
n_of_provider=7
[[ -e $build/sealane.so ]] || n_of_provider=0
echo "1..$((12 + n_of_provider + 2 * ${#headers[@]}))"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

try "cmake --install" install_and_move
try "the library's SONAME is libsealane.so.0" soname
try "header, library and sealane.pc are of one version" version_agrees
try "the static library's global names begin with sl_" static_names
try "what is installed names no directory of the build" names_nothing_here
try "a C program, by pkg-config" by_pkg_config
try "a C program, by pkg-config --static" by_pkg_config_static
try "a C and a C++ program, by find_package, shared and static" by_find_package "$prefix"
if ((n_of_provider)); then
  try "cmake --install --component runtime" install_runtime
  try "the provider, by -provider-path" provider_by_path
  try "the provider, by OPENSSL_CONF" provider_by_environment
  try "the provider, by .include in the system's openssl.cnf" provider_by_include
  try "what the system's openssl.cnf says of TLS holds, with the module and without" keeps_the_systems_settings
fi
for header in "${headers[@]}"; do
  try "$header alone, C" header_alone_c "$header"
  try "$header alone, C++" header_alone_cc "$header"
done
try "a build and an install with DESTDIR, sources only read, blanks in all paths" build_there
try "a C and a C++ program of that, by find_package" find_there
if ((n_of_provider)); then
  try "DESTDIR stands in no installed file" names_the_prefix
  try "the provider, from a path with blanks" provider_there
fi
try "a C and a C++ program that have the sources within theirs" within_another_project
if echo 'int nothing;' | cc -m32 -xc -c -o /dev/null - 2>/dev/null; then
  try "a 32-bit build is refused" refuses_32_bits
else
  count=$((count + 1))
  echo "ok $count - a 32-bit build is refused # SKIP n/a: this compiler has no -m32"
fi
((failed == 0))

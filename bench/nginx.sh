#!/usr/bin/env bash
# nginx.sh - what TLS 1.3 costs an unmodified nginx, with OpenSSL's own provider and with Sealane's: CPU time of its worker
# per request, per gigabyte and per handshake, by turns.
#
#   bench/nginx.sh [--rounds N] [--seconds S] [--load small,large,handshake] [--suite NAME] [--build DIR] [--json FILE]
#
# Two nginx of one worker each run on one CPU, the client on another, over loopback; one of the two is idle at a time, and
# which goes first changes from round to round. What counts is the time that the worker was on its CPU, user and system, as
# /proc/PID/stat has it: throughput would be the client's as often as the server's. No sendfile, no kernel TLS, no
# compression, no log; records of 16 KiB (ssl_buffer_size's default); whole handshakes, none resumed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=5 seconds=2 loads=small,large,handshake build=build json=
suite=TLS_AES_256_GCM_SHA384 # what nginx and an OpenSSL client agree on when nobody chooses
small_len=1024 large_len=1048576

die() {
  echo "nginx.sh: $*" >&2
  exit 1
}

while (($#)); do
  case $1 in
  --help | -h)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' bench/nginx.sh
    exit
    ;;
  --rounds | --seconds | --load | --suite | --build | --json)
    (($# > 1)) || die "$1 wants a value"
    name=${1#--}
    [[ $name != load ]] || name=loads
    printf -v "$name" %s "$2"
    shift
    ;;
  *) die "unknown option $1 (--help lists them)" ;;
  esac
  shift
done
[[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || die "--rounds takes a number from 1 to 999, not $rounds"
[[ $seconds =~ ^[1-9][0-9]?$ ]] || die "--seconds takes a number from 1 to 99, not $seconds"
IFS=, read -ra loads <<<"$loads"
for load in "${loads[@]}"; do
  [[ $load == small || $load == large || $load == handshake ]] || die "--load takes small, large and handshake, not $load"
done

# ---- what is needed --------------------------------------------------------------------------------------------------

# Lines from standard input: those that begin with a brace go where --json says, the others are for people.
publish() {
  local lines
  lines=$(cat)
  case $json in
  "") grep -v '^{' <<<"$lines" ;;
  -)
    grep -v '^{' <<<"$lines" >&2
    grep '^{' <<<"$lines"
    ;;
  *)
    grep -v '^{' <<<"$lines"
    grep '^{' <<<"$lines" >"$json"
    ;;
  esac
}

# Rows that cannot be had say so; they do not vanish.
not_here() {
  {
    echo "n/a nginx: $*"
    for load in "${loads[@]}"; do
      printf '{"bench":"nginx","impl":"sealane","load":"%s","cpu_us":null,"na":"%s"}\n' "$load" "$*"
    done
  } | publish
  exit 0
}

# Installed, or unpacked by scripts/servers.sh.
find_program() {
  local folder
  for folder in build-servers/usr/sbin build-servers/usr/bin /usr/sbin; do
    [[ ! -x $folder/$1 ]] || {
      echo "$PWD/$folder/$1"
      return
    }
  done
  command -v "$1" || true
}

nginx=$(find_program nginx) wrk=$(find_program wrk)
[[ $build == /* ]] || build=$PWD/$build
conf=$build/openssl-sealane.cnf
[[ -f $build/sealane.so ]] || not_here "$build/sealane.so is not built"
[[ -n $nginx && -n $wrk ]] || not_here "nginx or wrk is missing; scripts/servers.sh build-servers unpacks them"
mapfile -t cpus < <(taskset -pc $$ | sed 's/.*: //' | tr , '\n' |
  awk -F- '{for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i}')
((${#cpus[@]} > 1)) || not_here "it takes two CPUs, one for the server and one for its client"
server_cpu=${cpus[0]} client_cpu=${cpus[1]}
OPENSSL_CONF=$conf openssl list -cipher-algorithms | grep -qi 'aes-128-gcm.* @ sealane' ||
  not_here "the provider does not offer AES-GCM here; sealane-bench provider --doctor says why"
for folder in build-servers/usr/lib/*-linux-gnu*; do
  [[ ! -d $folder ]] || export LD_LIBRARY_PATH=$PWD/$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done

# ---- servers ---------------------------------------------------------------------------------------------------------

scratch=$(mktemp -d)
declare -A master worker port
finish() {
  local pid
  for pid in "${master[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || true
  done
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$scratch/key.pem" \
  -out "$scratch/cert.pem" 2>"$scratch/log" || die "openssl req: $(tail -1 "$scratch/log")"
mkdir "$scratch/root"
chmod 755 "$scratch" "$scratch/root"
head -c "$small_len" /dev/urandom >"$scratch/root/small"
head -c "$large_len" /dev/urandom >"$scratch/root/large"
cat >"$scratch/report.lua" <<'END_LUA'
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("SUMMARY %d %d %d\n", summary.requests, summary.bytes,
                         e.connect + e.read + e.write + e.status + e.timeout))
end
END_LUA

# serve IMPL OPENSSL_CONF: starts one and waits until it answers.
serve() {
  local impl=$1 user='' try temp=''
  (($(id -u) != 0)) || user='user root;'
  for try in client_body proxy fastcgi uwsgi scgi; do temp+="${try}_temp_path $scratch/$impl.$try; "; done
  for try in 1 2 3 4 5; do
    port[$impl]=$((20000 + RANDOM % 12000))
    cat >"$scratch/$impl.conf" <<END_CONF
daemon off; $user pid $scratch/$impl.pid; error_log $scratch/$impl.log; worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off; $temp root $scratch/root; sendfile off; keepalive_requests 1000000000; open_file_cache max=10;
  server {
    listen 127.0.0.1:${port[$impl]} ssl; ssl_certificate $scratch/cert.pem; ssl_certificate_key $scratch/key.pem;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites $suite; ssl_session_cache off; ssl_session_tickets off;
  }
}
END_CONF
    OPENSSL_CONF=$2 taskset -c "$server_cpu" "$nginx" -e "$scratch/$impl.log" -c "$scratch/$impl.conf" 2>/dev/null &
    master[$impl]=$!
    for _ in {1..100}; do
      if curl -sfk --max-time 5 -o /dev/null "https://127.0.0.1:${port[$impl]}/small"; then
        worker[$impl]=$(pgrep -P "${master[$impl]}")
        return
      fi
      kill -0 "${master[$impl]}" 2>/dev/null || break
      sleep 0.05
    done
    kill -TERM "${master[$impl]}" 2>/dev/null || true
  done
  die "nginx with $impl's provider does not start: $(tail -1 "$scratch/$impl.log")"
}

serve default /dev/null
serve sealane "$conf"
grep -qF "$build/sealane.so" "/proc/${worker[sealane]}/maps" || die "nginx has not loaded $build/sealane.so"
! grep -qF sealane.so "/proc/${worker[default]}/maps" || die "the nginx that should not have loaded sealane.so has"

# ---- samples ---------------------------------------------------------------------------------------------------------

ticks_per_second=$(getconf CLK_TCK)
# user and system ticks of a process; its name, in parentheses, may hold blanks
ticks_of() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12, $13}'; }

# load_with IMPL LOAD SECONDS: prints how many requests or handshakes, and how many bytes of answers.
load_with() {
  local url=https://127.0.0.1:${port[$1]} said
  if [[ $2 == handshake ]]; then
    said=$(taskset -c "$client_cpu" openssl s_time -connect "127.0.0.1:${port[$1]}" -new -time "$3" -tls1_3 2>&1) ||
      die "s_time: $said"
    awk '/ connections in .* real seconds/ {print $1, 0; found = 1} END {exit !found}' <<<"$said" || die "s_time: $said"
  else
    said=$(taskset -c "$client_cpu" "$wrk" -t1 -c16 -d"$3s" -s "$scratch/report.lua" "$url/$2" 2>&1) || die "wrk: $said"
    awk '/^SUMMARY/ {print $2, $3; found = 1; bad = $4} END {exit !found || bad}' <<<"$said" || die "wrk: $said"
  fi
}

# sample IMPL LOAD: appends "LOAD IMPL user system count bytes", times in ticks
sample() {
  local before after counted
  read -ra before < <(ticks_of "${worker[$1]}")
  counted=$(load_with "$1" "$2" "$seconds")
  read -ra after < <(ticks_of "${worker[$1]}")
  echo "$2 $1 $((after[0] - before[0])) $((after[1] - before[1])) $counted" >>"$scratch/samples"
}

for load in "${loads[@]}"; do
  for impl in default sealane; do load_with "$impl" "$load" 1 >"$scratch/log"; done # warm
  for ((round = 0; round < rounds; round++)); do
    order=(default sealane)
    ((round % 2 == 0)) || order=(sealane default)
    for impl in "${order[@]}"; do sample "$impl" "$load"; done
    [[ ! -t 2 ]] || printf '\r%s: round %d of %d ' "$load" $((round + 1)) "$rounds" >&2
  done
done
[[ ! -t 2 ]] || printf '\r%40s\r' '' >&2

# ---- results ---------------------------------------------------------------------------------------------------------

cpu_name=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
versions="$("$nginx" -v 2>&1 | sed "s,.*: ,,"), $(openssl version | cut -d" " -f1-2)"
awk -v ticks="$ticks_per_second" -v rounds="$rounds" -v suite="$suite" -v versions="$versions" -v cpu="$cpu_name" \
  -v loads="${loads[*]}" '
function sort(a, n,  i, j, x) {
  for (i = 2; i <= n; i++) {
    x = a[i]
    for (j = i - 1; j > 0 && a[j] > x; j--) a[j + 1] = a[j]
    a[j + 1] = x
  }
}
function quantile(a, n, q,  at, low) {
  at = 1 + (n - 1) * q
  low = int(at)
  return low == n ? a[n] : a[low] + (at - low) * (a[low + 1] - a[low])
}
BEGIN {
  unit["small"] = "request of 1 KiB"; unit["large"] = "GB of 1 MiB bodies"; unit["handshake"] = "handshake"
  print versions ", " suite ", " cpu
  printf "%-20s %-8s %12s %12s %8s %8s\n", "CPU, us per", "provider", "best", "median", "spread", "system"
}
{
  # a microsecond of the worker per unit
  units = $1 == "large" ? $6 / 1e9 : $5
  n = ++count[$1, $2]
  us[$1, $2, n] = ($3 + $4) / ticks * 1e6 / units
  user[$1, $2] += $3; system_[$1, $2] += $4
}
END {
  n_loads = split(loads, load, " ")
  for (l = 1; l <= n_loads; l++) {
    for (i = 1; i <= 2; i++) {
      impl = i == 1 ? "default" : "sealane"; key = load[l] SUBSEP impl; n = count[key]
      for (r = 1; r <= n; r++) a[r] = us[key, r]
      sort(a, n)
      best[i] = a[1]; median[i] = quantile(a, n, 0.5)
      spread = (quantile(a, n, 0.75) - quantile(a, n, 0.25)) / median[i]
      share = system_[key] / (user[key] + system_[key])
      printf "%-20s %-8s %12.2f %12.2f %7.1f%% %7.0f%%\n", unit[load[l]], impl, best[i], median[i], 100 * spread, 100 * share
      printf "{\"bench\":\"nginx\",\"impl\":\"%s\",\"load\":\"%s\",\"suite\":\"%s\",", impl, load[l], suite
      printf "\"cpu_us\":%.3f,\"median_us\":%.3f,\"spread\":%.4f,", best[i], median[i], spread
      printf "\"system_share\":%.3f,\"rounds\":%d,\"versions\":\"%s\",\"cpu\":\"%s\"}\n", share, n, versions, cpu
    }
    for (r = 1; r <= n; r++) a[r] = us[load[l], "sealane", r] / us[load[l], "default", r]
    sort(a, n)
    pairs = quantile(a, n, 0.5)
    printf "%-20s sealane / default: %.3f of the best, %.3f the median of the rounds\n", "", best[2] / best[1], pairs
    printf "{\"bench\":\"nginx\",\"load\":\"%s\",\"suite\":\"%s\",", load[l], suite
    printf "\"ratio_of_best\":%.4f,\"median_ratio\":%.4f}\n", best[2] / best[1], pairs
  }
}' "$scratch/samples" | publish

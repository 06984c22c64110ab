#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# thousand-ues.sh: a thousand UEs, or as many as you like, made by one process
#
# One link at the gNB's side carries the sessions of all UEs, one at the UPF's side as well. Their commands go to `gtp -batch -`,
# one a line, which writes them in one process. All UEs live in one namespace, whose local addresses are a whole prefix.
#
#   phones 10.45.0.1 ... 10.45.255.254 == gnb0 127.0.0.2 ---- a TEID each way for each ---- 127.0.0.3 upf0 == core 10.46.0.1
#
# Usage: thousand-ues.sh [ -n NUMBER ] [ -p PINGS ] [ -h ]
#   -n NUMBER   of UEs, up to 65000 (default 1000)
#   -p PINGS    of so many of them, spread over all (default 20)
# Needs root and jq. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"

number=1000 pings=20
while getopts :hn:p: option; do
  case $option in
    h) print_help && exit 0 ;;
    n) number=$OPTARG ;;
    p) pings=$OPTARG ;;
    *) print_help >&2 && exit 1 ;;
  esac
done
if ! [ "$number" -ge 1 ] || [ "$number" -gt 65000 ] || ! [ "$pings" -ge 1 ]; then die 'how many? -h tells'; fi
begin
command -v jq > /dev/null || die 'jq is not there'

machine=${prefix}machine phones=${prefix}phones core=${prefix}core

main() {
  local lines began
  say 'A machine, and a namespace at either side of its tunnels:'
  make_namespaces "$machine" "$phones" "$core"
  ip -n "$phones" route add local 10.45.0.0/16 dev lo

  lines=$(commands)
  say "$(wc -l <<< "$lines") commands, of which these are the first and the last:"
  sed -n '1,4p;$p' <<< "$lines"

  say 'In one process:'
  began=$EPOCHREALTIME
  gtp "$machine" -batch - <<< "$lines"
  took "$began" "$((2 * number))"

  say "How many of $pings pings come back, and of how many UEs the core has heard:"
  chosen | xargs -P 8 -I UE ip netns exec "$phones" ping -q -c 1 -W 5 -I UE 10.46.0.1 | grep -c '^1 packets transmitted, 1 received' ||
    die 'no ping came back'
  "$GTP" -n "$machine" -s -j session show dev upf0 |
    jq -r 'map(select(.stats.decap.packets > 0)) | "\(length) sessions with packets, \(map(.stats.decap.packets) | add) packets"'

  say 'And away with them, one command:'
  began=$EPOCHREALTIME
  gtp "$machine" session flush
  took "$began" "$((2 * number))"
}

# The commands that make links and sessions, without `gtp`.
commands() {
  local i ue
  echo "link add gnb0 role gnb netns $phones route default local 127.0.0.2"
  echo "link add upf0 role upf netns $core address 10.46.0.1/32 route 10.45.0.0/16 local 127.0.0.3"
  for ((i = 1; i <= number; i++)); do
    ue=10.45.$((i / 254)).$((i % 254 + 1))
    echo "session add dev gnb0 local-teid $i remote-teid $((i + 100000)) remote 127.0.0.3 ue $ue"
    echo "session add dev upf0 local-teid $((i + 100000)) remote-teid $i remote 127.0.0.2 ue $ue"
  done
}

# Addresses of UEs, spread over all.
chosen() {
  local i k
  for ((i = 0; i < pings; i++)); do
    k=$((1 + i * number / pings))
    echo "10.45.$((k / 254)).$((k % 254 + 1))"
  done
}

# took BEGAN COUNT
took() {
  jq -nr --arg began "$1" --arg ended "$EPOCHREALTIME" --argjson count "$2" \
    '($ended | tonumber) - ($began | tonumber) | "\(. * 100 | round / 100) s for \($count) sessions"'
}

main

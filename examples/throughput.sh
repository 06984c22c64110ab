#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# throughput.sh: TCP through GTP-U beside a bare veth pair
#
# Three ways for the same iperf3 (one stream): over the wire between two machines, which is a veth pair; through a tunnel over this wire;
# through a tunnel between two namespaces of one machine. The second is cut into packets with headers of their own, as on a real
# network; the third is not, for no outer header is built there.
#
#   user1 ==gtp0== m1 192.0.2.1 ====wire==== 192.0.2.2 m2 ==gtp0== user2       user3 ==gtp3== m3 ==gtp4== user4
#   10.45.0.1                                                  10.45.0.2       10.45.0.3             10.45.0.4
#
# Figures of one second on a busy machine say little: `npm run bench` in the sources measures with rounds and medians.
#
# Usage: throughput.sh [ -t SECONDS ] [ -h ]
#   -t SECONDS   for each of them (default 1)
# Needs root, iperf3 and jq. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=1
while getopts :ht: option; do
  case $option in
    h) print_help && exit 0 ;;
    t) seconds=$OPTARG ;;
    *) print_help >&2 && exit 1 ;;
  esac
done
begin
for program in iperf3 jq; do
  command -v "$program" > /dev/null || die "$program is not there"
done

m1=${prefix}m1 m2=${prefix}m2 m3=${prefix}m3
user1=${prefix}user1 user2=${prefix}user2 user3=${prefix}user3 user4=${prefix}user4
results=()

main() {
  say 'Two machines with a wire, one without, and users:'
  make_namespaces "$m1" "$m2" "$m3" "$user1" "$user2" "$user3" "$user4"
  wire "$m1" wire 192.0.2.1/24 "$m2" wire 192.0.2.2/24
  measure 'veth pair' "$m1" "$m2" 192.0.2.2

  say 'A tunnel over the wire:'
  gtp "$m1" link add gtp0 netns "$user1" address 10.45.0.1/24 local-teid 1 remote-teid 2 remote 192.0.2.2
  gtp "$m2" link add gtp0 netns "$user2" address 10.45.0.2/24 local-teid 2 remote-teid 1 remote 192.0.2.1
  measure 'GTP-U over a veth pair' "$user1" "$user2" 10.45.0.2
  gtp "$m2" -s link show

  say 'A tunnel inside of one machine:'
  gtp "$m3" link add gtp3 netns "$user3" address 10.45.0.3/24 local 127.0.0.2 local-teid 3 remote-teid 4 remote 127.0.0.3
  gtp "$m3" link add gtp4 netns "$user4" address 10.45.0.4/24 local 127.0.0.3 local-teid 4 remote-teid 3 remote 127.0.0.2
  measure 'GTP-U on one machine' "$user3" "$user4" 10.45.0.4

  say "TCP, one stream, $seconds s each:"
  printf '%s\n' "${results[@]}"
}

# measure NAME FROM TO ADDRESS
measure() {
  local answer
  ip netns exec "$3" iperf3 -s -1 -D
  wait_for listens "$3" 5201
  printf '  $ ip netns exec %s iperf3 -J -c %s -t %s\n' "$2" "$4" "$seconds"
  answer=$(ip netns exec "$2" iperf3 -J -c "$4" -t "$seconds")
  results+=("$(jq -r --arg name "$1" '"\($name): \(.end.sum_received.bits_per_second / 1e7 | round / 100) Gb/s, \(.end.sum_sent.retransmits) retransmitted"' <<< "$answer")")
}

main

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# handover.sh: a UE goes from one gNB to another, and no packet is lost
#
# The session of the UPF changes its far end in place: every packet goes to the old gNB or to the new one. The UPF takes what comes
# with its TEID from whichever gNB it comes (peer any, as 3GPP wants it), so its own TEID stays.
#
#                      +-- gnb1 192.0.2.11 --+
#   ue 10.45.0.1 ==nr1=+   0x11              +-- n3 -- 192.0.2.2 upf == dn 10.45.255.254
#                ==nr2=+   0x12              |         0x201
#                      +-- gnb2 192.0.2.12 --+
#
# The End Marker to the old gNB is a command of its own, right before the switch. A program that is the UPF sends it right after;
# here some packets can still follow it.
#
# Usage: handover.sh [ -h ]
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin

gnb1=${prefix}gnb1 gnb2=${prefix}gnb2 upf=${prefix}upf ue=${prefix}ue dn=${prefix}dn
session='dev upf0 local-teid 0x201'

main() {
  local pings pinger answer
  say 'A UPF, two gNBs on its N3, a UE and a data network:'
  make_namespaces "$gnb1" "$gnb2" "$upf" "$ue" "$dn"
  n3

  say 'The UE is at the first gNB:'
  gtp "$upf" link add upf0 role upf local 192.0.2.2 netns "$dn" address 10.45.255.254/16 \
    local-teid 0x201 remote-teid 0x11 remote 192.0.2.11 ue 10.45.0.1 qfi 9 name ue
  gtp "$gnb1" link add nr1 role gnb netns "$ue" inner nr1 address 10.45.0.1/32 route default \
    local-teid 0x11 remote-teid 0x201 remote 192.0.2.2 qfi 9
  in_ns "$dn" ping -q -c 3 -i 0.1 10.45.0.1

  say 'From now on the data network pings it, a hundred times a second.'
  exec {pings}< <(exec ip netns exec "$dn" ping -q -i 0.01 -w 300 10.45.0.1)
  pinger=$!

  say 'The second gNB gets ready, and the UE uses it for what it sends:'
  gtp "$gnb2" link add nr2 role gnb netns "$ue" inner nr2 address 10.45.0.1/32 \
    local-teid 0x12 remote-teid 0x201 remote 192.0.2.2 qfi 9
  run ip -n "$ue" route replace default dev nr2

  say 'The switch: End Marker to the old gNB, and the session leads to the new one.'
  # shellcheck disable=SC2086 # they are words
  gtp "$upf" session endmarker $session
  # shellcheck disable=SC2086
  gtp "$upf" session change $session remote-teid 0x12 remote 192.0.2.12

  say 'The old gNB has been told, the new one carries, and the old one lets go:'
  gtp "$gnb1" -s session show
  wait_for carries "$gnb2"
  gtp "$gnb2" -s session show
  gtp "$gnb1" link del nr1

  say 'The pings:'
  kill -INT "$pinger"
  answer=$(cat <&"$pings")
  echo "$answer"
  [[ $answer = *' 0% packet loss'* ]] || die 'packets were lost'
  gtp "$upf" -s session show
}

# A bridge in the UPF's namespace, and a port of it for each gNB.
n3() {
  ip -n "$upf" link add n3 type bridge
  set_up "$upf" n3 192.0.2.2/24
  wire "$gnb1" n3 192.0.2.11/24 "$upf" port1 ''
  wire "$gnb2" n3 192.0.2.12/24 "$upf" port2 ''
  ip -n "$upf" link set port1 master n3
  ip -n "$upf" link set port2 master n3
}

# carries NETNS: packets have come out of its session.
carries() {
  "$GTP" -n "$1" -s session show | grep -q 'decap packets [1-9]'
}

main

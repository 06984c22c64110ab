#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# n6.sh: a gateway between fake phones and a data network
#
# All phones share one GRE key; the gateway tells them by their transport address, and the sessions of its one link are
# what a multipoint GRE device has neighbour entries for. The addresses are those of fake-gateway.
#
#   ue128 [ue0 100.64.0.128] 10.211.1.128 --+          +------------------ gw ------------------+
#                                           |          |  key 1234           VRF n6, table 6    |
#   ue129 [ue0 100.64.0.129] 10.211.1.129 --+== ran ===| 10.211.1.1 = gre0 = up0           eth2 |--- dn
#                                           |   GRE    |              100.64.255.255  10.211.    |    10.211.100.100
#   ue130 [ue0 100.64.0.130] 10.211.1.130 --+          |              100.64.0.0/24    100.1    |    10.211.211.211
#                                                      +----------------------------------------+
#
#   fake-gateway                                       here
#   ip tunnel add up0 mode gre local A key 1234        gtp link add gre0 type gre local A inner up0
#   ip neighbor add UE lladdr TRANSPORT dev up0        gtp session add dev gre0 key 1234 remote TRANSPORT ue UE
#   ip tunnel add ue0 mode gre remote A ... key 1234   gtp link add gre0 type gre key 1234 remote A inner ue0
#
# A session lets a phone send from its own address only. Where the kernel has no VRF, `vrf 6` makes rules that lead to table 6,
# and the script says so. (`netns n6` in the link would keep them apart as well.)
#
# Usage: n6.sh [ -h ]
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin

gw=${prefix}gw dn=${prefix}dn ue=${prefix}ue
ids=(128 129 130)

main() {
  say 'A gateway, a data network, and phones on one transport network:'
  make_namespaces "$gw" "$dn" "${ids[@]/#/$ue}"
  transport
  data_network
  phones
  traffic
  disconnect
}

transport() {
  local id
  ip -n "$gw" link add ran type bridge
  set_up "$gw" ran 10.211.1.1/24
  for id in "${ids[@]}"; do
    wire "$ue$id" eth0 "10.211.1.$id/24" "$gw" "port$id" ''
    ip -n "$gw" link set "port$id" master ran
  done
}

data_network() {
  wire "$gw" eth2 '' "$dn" eth0 10.211.100.100/24
  set_up "$dn" lo 10.211.211.211/32
  ip -n "$dn" route add 100.64.0.0/24 via 10.211.100.1
  ip netns exec "$gw" sysctl -qw net.ipv4.ip_forward=1

  say 'N6: table 6, and no way out of it.'
  if run ip -n "$gw" link add n6 type vrf table 6; then
    n6=n6
    run ip -n "$gw" link set n6 up
    run ip -n "$gw" link set eth2 master n6
  else
    say 'This kernel has no VRF: rules stand for it.'
    n6=6
    run ip -n "$gw" rule add iif eth2 lookup 6
  fi
  run ip -n "$gw" route add table 6 unreachable default metric 4278198272
  run ip -n "$gw" address add 10.211.100.1/24 dev eth2
  run ip -n "$gw" route add table 6 10.211.211.0/24 via 10.211.100.100 dev eth2

  say 'The gateway: one link for all phones. What comes out of its inner end up0 belongs to N6.'
  gtp "$gw" link add gre0 type gre local 10.211.1.1 inner up0 address 100.64.255.255/32 route 100.64.0.0/24 vrf "$n6"
}

phones() {
  local id
  say 'Each phone connects: a session at the gateway, a link of its own.'
  for id in "${ids[@]}"; do
    gtp "$gw" session add dev gre0 key 1234 remote "10.211.1.$id" ue "100.64.0.$id" name "UE-$id"
    gtp "$ue$id" link add gre0 type gre key 1234 local "10.211.1.$id" remote 10.211.1.1 \
      inner ue0 address "100.64.0.$id/32" route 10.211.211.0/24
  done
}

traffic() {
  local id
  say 'Their tasks: ping, and TCP to port 5000 and the number of the phone.'
  for id in "${ids[@]}"; do in_ns "$ue$id" ping -q -c 3 -i 0.1 -s 1200 10.211.211.211; done
  transfer "${ue}128" "$dn" 10.211.211.211 5128
  in_ns "$dn" ping -q -c 3 -i 0.1 -I 10.211.211.211 100.64.0.130

  say 'One key, three sessions:'
  gtp "$gw" -s session show dev gre0
}

disconnect() {
  say 'One phone disconnects. What it still sends is dropped, and the others do not notice.'
  gtp "$gw" session del dev gre0 key 1234 remote 10.211.1.129
  if in_ns "${ue}129" ping -q -c 2 -i 0.1 -W 1 10.211.211.211; then die 'a phone without a session gets through'; fi
  in_ns "${ue}128" ping -q -c 3 -i 0.1 10.211.211.211
  gtp "$gw" -s path show local 10.211.1.1
}

main

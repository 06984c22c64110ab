#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mptm.sh: a multi-protocol tunnel multiplexer
#
# One link of node1 carries two sessions of two kinds. The inner source and destination address choose: what goes from
# .100 to .101 goes by Geneve, what goes from .100 to .102 by VLAN. It is the two-node set-up of MPTM (Multi Protocol
# Tunnel Multiplexer), with the parameters of its README.
#
#            node1                                        node2
#           +-----------------------+                    +------------------------+
#   vns1    |              ens4f0   |    MTU 3000        |   ens4f0               |    vns2
#  veth-ns1 = veth-node1            |--------------------|             veth-node2 = veth-ns2
#  10.250.  |              10.30.   | Geneve, VNI 0,     |   10.30.               | 10.250.1.101
#    1.100  |                30.1   |   port 51234       |     30.2               |
#           |                       |                    |                        |    vns3
#           |                       | VLAN 30            |             veth-node3 = veth-ns3
#           +-----------------------+                    +------------------------+ 10.250.1.102
#
#   mptm_user                          gtp
#   --tunnel GENEVE, --vlid 0          type geneve, vni 0
#   --tunnel VLAN, --vlid 30           type vlan, id 30 (and the tag is taken off at the other end)
#   --source_ip, --dest_ip             local, remote
#   --source_port 51234                srcport 51234 (without it: a hash of the inner flow, which spreads load)
#   --inner_src_ip, --inner_dst_ip     from, to
#   --eth0_iface, --veth_iface         dev, and the name of the link: names, not numbers
#   --source_mac, --dest_mac           nothing: the kernel asks its neighbours
#   --inner_dest_mac                   nothing: ARP goes through the tunnels
#   bpftool prog load, net attach,     nothing: gtp link add does it
#     map pin; checksums, MTU by hand
#
# Usage: mptm.sh [ -h ]
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin

node1=${prefix}node1 node2=${prefix}node2
vns1=${prefix}vns1 vns2=${prefix}vns2 vns3=${prefix}vns3

main() {
  say 'Two nodes with a wire, three containers:'
  make_namespaces "$node1" "$node2" "$vns1" "$vns2" "$vns3"
  wire "$node1" ens4f0 10.30.30.1/24 "$node2" ens4f0 10.30.30.2/24
  run ip -n "$node1" link set ens4f0 mtu 3000
  run ip -n "$node2" link set ens4f0 mtu 3000

  say 'The multiplexer: a link, and two sessions of two kinds on it.'
  gtp "$node1" link add veth-node1 type geneve local 10.30.30.1 dev ens4f0 \
    netns "$vns1" inner veth-ns1 address 10.250.1.100/24
  gtp "$node1" session add dev veth-node1 type geneve vni 0 local 10.30.30.1 remote 10.30.30.2 \
    srcport 51234 from 10.250.1.100 to 10.250.1.101
  gtp "$node1" session add dev veth-node1 type vlan id 30 from 10.250.1.100 to 10.250.1.102

  say 'The other node has a link for each container, with its session in the same command.'
  gtp "$node2" link add veth-node2 type geneve vni 0 local 10.30.30.2 remote 10.30.30.1 srcport 51234 \
    from 10.250.1.101 to 10.250.1.100 netns "$vns2" inner veth-ns2 address 10.250.1.101/24
  gtp "$node2" link add veth-node3 type vlan dev ens4f0 id 30 \
    from 10.250.1.102 to 10.250.1.100 netns "$vns3" inner veth-ns3 address 10.250.1.102/24

  say 'Through Geneve, and through the VLAN:'
  in_ns "$vns1" ping -q -c 3 -i 0.1 10.250.1.101
  in_ns "$vns1" ping -q -c 5 -i 0.1 10.250.1.102
  in_ns "$vns3" ping -q -c 3 -i 0.1 10.250.1.100
  transfer "$vns1" "$vns2" 10.250.1.101
  transfer "$vns3" "$vns1" 10.250.1.100

  say 'The wire, as somebody else sees it:'
  look_at "$node1" ens4f0 'udp port 6081 and greater 145' "$vns1" 10.250.1.101
  look_at "$node1" ens4f0 'vlan 30 and icmp' "$vns1" 10.250.1.102

  say 'What went through which session. The inner MTU is that of the wire less the longer header:'
  gtp "$node1" -s link show
  gtp "$node1" -s session show
}

main

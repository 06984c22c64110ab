#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# nat.sh: a small gateway between UEs and the outside, which knows nothing of them
#
# The inner end of the UPF's link stays in the UPF's namespace, where it is a device as any: the kernel routes between it and the outside,
# and nftables rewrites the source (masquerade) and keeps UEs from talking to each other.
#
#   ue1 10.45.0.1 --+                                  +----------- upf -----------+
#                   +-- gnb 192.0.2.1 ------- n3 ------| 192.0.2.2 = upf0          |
#   ue2 10.45.0.2 --+                                  |      up0 10.45.255.254    |      outside
#                                                      |    nftables               |--n6-- 198.51.100.10
#                                                      |      n6  198.51.100.1     |
#                                                      +---------------------------+
#
# Usage: nat.sh [ -h ]
# Needs root and nft. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin
command -v nft > /dev/null || die 'nft is not there (Debian: nftables)'

gnb=${prefix}gnb upf=${prefix}upf ue1=${prefix}ue1 ue2=${prefix}ue2 outside=${prefix}outside
RULES='table inet gateway {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "up0" oifname "n6" accept
    iifname "up0" oifname "up0" counter drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "n6" masquerade
  }
}'

main() {
  say 'A gNB with two UEs, a UPF, and somebody outside without a route to them:'
  make_namespaces "$gnb" "$upf" "$ue1" "$ue2" "$outside"
  wire "$gnb" n3 192.0.2.1/24 "$upf" n3 192.0.2.2/24
  wire "$upf" n6 198.51.100.1/24 "$outside" eth0 198.51.100.10/24

  say 'The UPF routes, and rewrites:'
  in_ns "$upf" sysctl -qw net.ipv4.ip_forward=1
  printf "  $ ip netns exec %s nft -f - << 'END'\n%s\n  END\n" "$upf" "$RULES"
  ip netns exec "$upf" nft -f - <<< "$RULES"

  say 'The tunnels:'
  gtp "$upf" link add upf0 role upf local 192.0.2.2 inner up0 address 10.45.255.254/16
  phone 1 "$ue1"
  phone 2 "$ue2"

  say 'Out, and the answer comes back to whom it is for:'
  in_ns "$ue1" ping -q -c 3 -i 0.1 198.51.100.10
  in_ns "$ue2" ping -q -c 3 -i 0.1 198.51.100.10
  transfer "$ue1" "$outside" 198.51.100.10

  say 'Who it is that pings, as seen outside:'
  look_at "$outside" eth0 icmp "$ue2" 198.51.100.10

  say 'From UE to UE, which a rule forbids:'
  if in_ns "$ue1" ping -q -c 2 -i 0.1 -W 1 10.45.0.2; then die 'UEs reach each other'; fi
  in_ns "$upf" nft list chain inet gateway forward
  gtp "$upf" -s session show
}

# phone NUMBER NETNS: a UE at the gNB, and its session at the UPF.
phone() {
  gtp "$gnb" link add "ue$1" role gnb netns "$2" address "10.45.0.$1/32" route default \
    local-teid "0x10$1" remote-teid "0x20$1" remote 192.0.2.2
  gtp "$upf" session add dev upf0 local-teid "0x20$1" remote-teid "0x10$1" remote 192.0.2.1 ue "10.45.0.$1" name "ue$1"
}

main

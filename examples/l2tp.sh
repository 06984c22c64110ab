#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# l2tp.sh: Ethernet between two hosts through L2TPv3, with gtp or the kernel on either side
#
# A chain of four namespaces. ns1 and ns2 have a pseudowire between them; ns0 and ns3 see each other as if they had a
# wire. The set-up, and the matrix it runs through, are those of ebpf-l2tp-example.
#
#      ns0                  ns1                                    ns2                  ns3
#    +--------+   +-----------------------+             +-----------------------+   +--------+
#    | veth01 |===| l2tp12         veth12 |-------------| veth21         l2tp21 |===| veth32 |
#    +--------+   +-----------------------+             +-----------------------+   +--------+
#    192.0.1.100      session 1012   192.0.2.21    192.0.2.22   session 1021       192.0.1.103
#    2001:db8::100             2001:db8::21        2001:db8::22                  2001:db8::103
#
# gtp:     l2tp12 and veth01 are the two ends of one link.
# kernel:  l2tp12 is an l2tp_eth device, in a bridge with veth10, whose other end is veth01.
#
# The matrix: the outer addresses IPv4 or IPv6, L2TP over UDP or IP, gtp or kernel in ns1, gtp or kernel in ns2. Where
# the kernel has no L2TP, what needs it is skipped and says so. In each cell: IPv4, IPv6, and the largest packets.
#
# Usage: l2tp.sh [ -o { v4 | v6 } ] [ -e { udp | ip } ] [ -1 { gtp | kernel } ] [ -2 { gtp | kernel } ] [ -h ]
#   -o, -e, -1, -2   run only through cells with these outer addresses, this encapsulation, this in ns1, this in ns2
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"

outers=(v4 v6) encaps=(udp ip) sides1=(gtp kernel) sides2=(gtp kernel)
while getopts :ho:e:1:2: option; do
  case $option in
    h) print_help && exit 0 ;;
    o) outers=("$OPTARG") ;;
    e) encaps=("$OPTARG") ;;
    1) sides1=("$OPTARG") ;;
    2) sides2=("$OPTARG") ;;
    *) print_help >&2 && exit 1 ;;
  esac
done
for word in "${outers[@]}" "${encaps[@]}" "${sides1[@]}" "${sides2[@]}"; do
  case $word in
    v4 | v6 | udp | ip | gtp | kernel) ;;
    *) die "what is $word? -h tells" ;;
  esac
done
begin

ns0=${prefix}ns0 ns1=${prefix}ns1 ns2=${prefix}ns2 ns3=${prefix}ns3
results=()

main() {
  local outer encap side1 side2
  say 'A chain of four namespaces:'
  make_namespaces "$ns0" "$ns1" "$ns2" "$ns3"
  wire "$ns1" veth12 '192.0.2.21/24 2001:db8::21/64' "$ns2" veth21 '192.0.2.22/24 2001:db8::22/64'
  for outer in "${outers[@]}"; do
    for encap in "${encaps[@]}"; do
      for side1 in "${sides1[@]}"; do
        for side2 in "${sides2[@]}"; do
          cell "$outer" "$encap" "$side1" "$side2"
        done
      done
    done
  done
  say 'outer encap ns1    ns2'
  printf '%s\n' "${results[@]}"
}

# cell OUTER ENCAP SIDE1 SIDE2
cell() {
  local name size
  name=$(printf '%-5s %-5s %-6s %-6s' "$@")
  say "$name"
  if [[ $3$4 = *kernel* ]] && ! kernel_has_l2tp; then
    echo 'skipped: the kernel has no L2TP'
    results+=("$name skipped: the kernel has no L2TP")
    return
  fi
  "up_$3" 1 "$1" "$2"
  "up_$4" 2 "$1" "$2"
  in_ns "$ns0" ping -q -c 2 -i 0.1 192.0.1.103
  in_ns "$ns0" ping -q -c 2 -i 0.1 2001:db8::103
  size=$(($(mtu_of "$ns0" veth01) - 28))
  in_ns "$ns0" ping -q -c 2 -i 0.1 -M "do" -s "$size" 192.0.1.103
  "down_$3" 1
  "down_$4" 2
  results+=("$name ok, $((size + 28)) octets")
}

# about SIDE OUTER: what belongs to a side.
about() {
  case $1 in
    1) node=$ns1 host=$ns0 inner=veth01 port=veth10 link=l2tp12 id=1012 peer_id=1021 tunnel=12 peer_tunnel=21 last=100 ;;
    2) node=$ns2 host=$ns3 inner=veth32 port=veth23 link=l2tp21 id=1021 peer_id=1012 tunnel=21 peer_tunnel=12 last=103 ;;
  esac
  case $1${2-} in
    1v4) here=192.0.2.21 there=192.0.2.22 ;;
    2v4) here=192.0.2.22 there=192.0.2.21 ;;
    1v6) here=2001:db8::21 there=2001:db8::22 ;;
    2v6) here=2001:db8::22 there=2001:db8::21 ;;
  esac
}

# up_gtp SIDE OUTER ENCAP
up_gtp() {
  local node host inner port link id peer_id tunnel peer_tunnel last here there
  about "$@"
  gtp "$node" link add "$link" type l2tp local "$here" remote "$there" encap "$3" \
    session_id "$id" peer_session_id "$peer_id" \
    netns "$host" inner "$inner" address "192.0.1.$last/24" address "2001:db8::$last/64"
}

down_gtp() {
  local node host inner port link id peer_id tunnel peer_tunnel last
  about "$1"
  gtp "$node" link del "$link"
}

# up_kernel SIDE OUTER ENCAP
up_kernel() {
  local node host inner port link id peer_id tunnel peer_tunnel last here there mtu ports=()
  about "$@"
  [ "$3" = ip ] || ports=(udp_sport 1701 udp_dport 1701)
  run ip -n "$node" l2tp add tunnel tunnel_id "$tunnel" peer_tunnel_id "$peer_tunnel" \
    local "$here" remote "$there" encap "$3" "${ports[@]}"
  run ip -n "$node" l2tp add session name "$link" tunnel_id "$tunnel" session_id "$id" peer_session_id "$peer_id"
  wire "$node" "$port" '' "$host" "$inner" "192.0.1.$last/24 2001:db8::$last/64"
  mtu=$(mtu_of "$node" "$link")
  run ip -n "$host" link set "$inner" mtu "$mtu"
  run ip -n "$node" link add bridge0 type bridge
  run ip -n "$node" link set bridge0 up
  run ip -n "$node" link set "$port" master bridge0
  run ip -n "$node" link set "$link" master bridge0 up
}

down_kernel() {
  local node host inner port link id peer_id tunnel peer_tunnel last
  about "$1"
  run ip -n "$node" l2tp del session tunnel_id "$tunnel" session_id "$id"
  run ip -n "$node" l2tp del tunnel tunnel_id "$tunnel"
  ip -n "$node" link del "$port"
  ip -n "$node" link del bridge0
}

kernel_has_l2tp() {
  ip -n "$ns1" l2tp show tunnel > /dev/null 2>&1
}

mtu_of() {
  ip netns exec "$1" cat "/sys/class/net/$2/mtu"
}

main

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# overlapping.sh: two operators with the same UE addresses, client and server on one machine
#
# Both have given out 10.45.0.1, both have their server at 10.45.0.254, and all outer addresses are the same two. Each link is a
# world of its own: the namespaces keep the users apart, the TEIDs their packets.
#
#              a-ue  10.45.0.1 ==+    127.0.0.2     127.0.0.3   +== 10.45.0.254  a-server
#                                +== gNBs ---- TEIDs --- UPFs ==+
#              b-ue  10.45.0.1 ==+                              +== 10.45.0.254  b-server
#
# Nothing is bound to UDP port 2152, and no outer header is built: packets go straight from one namespace into the other.
#
# Usage: overlapping.sh [ -h ]
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin

machine=${prefix}machine
operators=(a b)

main() {
  local each
  say 'One machine without any network, and two operators on it:'
  make_namespaces "$machine"
  for each in "${operators[@]}"; do operator "$each"; done

  say 'Each reaches its own server, and nobody the other one:'
  in_ns "${prefix}a-ue" ping -q -c 3 -i 0.1 10.45.0.254
  in_ns "${prefix}b-ue" ping -q -c 5 -i 0.1 10.45.0.254
  gtp "$machine" -s session show ue 10.45.0.1
  transfer "${prefix}b-ue" "${prefix}b-server" 10.45.0.254

  say 'On one link an address belongs to one session. Two of them with it would be a mistake:'
  if gtp "$machine" session add dev upf-a local-teid 9 remote-teid 9 remote 127.0.0.2 ue 10.45.0.1; then
    die 'two sessions of a link have one address'
  fi

  say 'One operator closes. The other does not notice:'
  gtp "$machine" link del upf-a
  if in_ns "${prefix}a-ue" ping -q -c 1 -W 1 10.45.0.254; then die 'somebody answers for a server that is gone'; fi
  in_ns "${prefix}b-ue" ping -q -c 3 -i 0.1 10.45.0.254
  gtp "$machine" -s session show
}

# operator NAME: its gNB with a UE, its UPF with a server.
operator() {
  local ue=${prefix}$1-ue server=${prefix}$1-server
  local gnb upf
  case $1 in
    a) gnb=0xa1 upf=0xa2 ;;
    b) gnb=0xb1 upf=0xb2 ;;
  esac
  make_namespaces "$ue" "$server"
  gtp "$machine" link add "gnb-$1" role gnb netns "$ue" address 10.45.0.1/24 \
    local 127.0.0.2 local-teid "$gnb" remote-teid "$upf" remote 127.0.0.3
  gtp "$machine" link add "upf-$1" role upf netns "$server" address 10.45.0.254/24 \
    local 127.0.0.3 local-teid "$upf" remote-teid "$gnb" remote 127.0.0.2 ue 10.45.0.1
}

main

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gnb-upf.sh: a gNB and a UPF with 5G QoS flows
#
# Two UEs behind a gNB, a data network behind a UPF, and N3 between them. A PDU session is one command at each end, and its
# packets have a PDU Session Container with the QoS flow (QFI): of the uplink from the gNB, of the downlink from the UPF. One
# UE has IPv4 alone, the other IPv6 as well, and its session goes over IPv6.
#
#   ue1 10.45.0.1 ----- 0x101 -+                                            +- 0x201 --+
#                              +- gnb 192.0.2.1 -------- n3 --- 192.0.2.2 upf           +-- dn 10.45.255.254
#   ue2 10.45.0.2 ----- 0x102 -+      2001:db8::1         2001:db8::2       +- 0x202 --+      fd45::ffff
#       fd45:0:0:2::1
#
# Put the addresses of a real N3 and the TEIDs that a core has told in their places, and leave out `-n`: either half is a gNB or a UPF.
#
# Usage: gnb-upf.sh [ -h ]
# Needs root. GTP names the command (default: gtp), EXAMPLE_PREFIX starts the names of all namespaces (default: exPID-).

set -eu
# shellcheck source=examples/lib.sh
. "$(dirname "$0")/lib.sh"
only_help "$@"
begin

gnb=${prefix}gnb upf=${prefix}upf ue1=${prefix}ue1 ue2=${prefix}ue2 dn=${prefix}dn

main() {
  say 'A gNB, a UPF and N3 between them; two UEs and a data network:'
  make_namespaces "$gnb" "$upf" "$ue1" "$ue2" "$dn"
  wire "$gnb" n3 '192.0.2.1/24 2001:db8::1/64' "$upf" n3 '192.0.2.2/24 2001:db8::2/64'

  say 'The gNB: a link for each UE, whose only session it has.'
  gtp "$gnb" link add ue1 role gnb netns "$ue1" address 10.45.0.1/32 route default \
    local-teid 0x101 remote-teid 0x201 remote 192.0.2.2 qfi 9
  gtp "$gnb" link add ue2 role gnb netns "$ue2" address 10.45.0.2/32 address fd45:0:0:2::1/64 route default \
    local-teid 0x102 remote-teid 0x202 remote 2001:db8::2 qfi 5

  say 'The UPF: one link, a session for each UE. What comes out of a session has to come from its ue.'
  gtp "$upf" link add upf0 role upf local 192.0.2.2 netns "$dn" address 10.45.255.254/16 address fd45::ffff/48
  gtp "$upf" session add dev upf0 local-teid 0x201 remote-teid 0x101 remote 192.0.2.1 ue 10.45.0.1 qfi 9 name ue1
  gtp "$upf" session add dev upf0 local-teid 0x202 remote-teid 0x102 local 2001:db8::2 remote 2001:db8::1 \
    ue 10.45.0.2 ue fd45:0:0:2::/64 qfi 5 rqi name ue2

  say 'Does the gNB answer? Then from UE to data network, and back:'
  gtp "$upf" ping dev upf0 local-teid 0x201 count 1
  in_ns "$ue1" ping -q -c 3 -i 0.1 10.45.255.254
  in_ns "$ue2" ping -q -c 3 -i 0.1 fd45::ffff
  in_ns "$dn" ping -q -c 3 -i 0.1 10.45.0.2

  say 'The wire: source, TEID, PDU type (1 is uplink, 0 downlink), QFI. QFI 1 from now on:'
  gtp "$gnb" session change dev ue1 local-teid 0x101 qfi 1
  dissect "$gnb" n3 4 "$ue1" 10.45.255.254 \
    ip.src gtp.teid gtp.ext_hdr.pdu_ses_con.pdu_type gtp.ext_hdr.pdu_ses_con.qos_flow_id

  say 'What the UPF has seen of each session, and what the MTU is made of:'
  gtp "$upf" -s -d session show
}

main

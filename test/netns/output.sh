# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# One machine with a link of each type, and sessions in several states. Its uplink leads nowhere; neighbours are there by hand.
for name in alice bob carol; do
  ip netns add $name
done
ip link add ul type veth peer name far
ip address add 192.0.2.1/24 dev ul
ip address add 2001:db8:2::1/64 dev ul nodad
ip link set far up
ip link set ul up
ip route add 198.51.100.0/24 via 192.0.2.254
ip neighbour add 192.0.2.254 lladdr 02:00:00:00:00:fe dev ul nud permanent
for host in 2 3 4 6 7; do
  ip neighbour add 192.0.2.$host lladdr 02:00:00:00:00:0$host dev ul nud permanent
done
gtp link add upf0 role upf local 192.0.2.1 netns alice address 10.45.255.254/16 lladdr 02:00:00:00:00:01 2>/dev/null
gtp session add dev upf0 local-teid 1 remote-teid 0x1001 remote 192.0.2.2 ue 10.45.0.2 qfi 9 name phone1
gtp session add dev upf0 local-teid 2 remote-teid 0x1002 remote 198.51.100.5 ue 10.45.0.3 ue fd45:3::/64
gtp session add dev upf0 local-teid 3 remote-teid 0x1003 remote 203.0.113.9 ue 10.45.0.4
gtp link add gtp6 local 2001:db8:2::1 netns bob address fd46::1/64 mtu 1400 lladdr 02:00:00:00:00:06 local-teid 7 remote-teid 8 \
  remote 2001:db8:2::2
gtp link add v0 local 192.0.2.1 netns carol inner v0i version 0 tid 0xfedcba9876543210 remote 192.0.2.3
gtp link add gre0 type gre local 192.0.2.1 netns carol inner gre0i key 5 remote 192.0.2.4
gtp link add tap0 type gretap local 192.0.2.1 netns carol inner tap0i ikey 5 okey 6 remote 192.0.2.6 \
  lladdr 02:00:00:00:10:01
gtp link add gnv0 type geneve local 192.0.2.1 netns carol inner gnv0i vni 5000 remote 192.0.2.6 opt 0102:80:00112233
gtp link add vx0 type vxlan local 192.0.2.1 netns carol inner vx0i vni 5000 remote 192.0.2.6
gtp link add l2 type l2tp local 192.0.2.1 netns carol inner l2i session_id 10 peer_session_id 20 remote 192.0.2.7 \
  cookie 0011223344556677
gtp link add vl type vlan dev ul netns carol inner vli id 7
gtp link set v0 down
ip netns exec alice ping -q -n -c 10 -i 0.01 -W 0.01 -s 1000 10.45.0.2 >/dev/null || true
ip netns exec alice ping -q -n -c 1 -W 0.01 10.45.0.9 >/dev/null || true

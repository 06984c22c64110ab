// SPDX-License-Identifier: MIT

/** Two users, the tunnel between them, a ping, and away with it: lines of bash for a machine where nothing else is. */
export const FIRST_TUNNEL = `
  for name in alice bob; do ip netns add $name; done
  gtp link add gtp1 netns alice address 10.45.0.1/24 local 127.0.0.2 local-teid 1 remote-teid 2 remote 127.0.0.3
  gtp link add gtp2 netns bob address 10.45.0.2/24 local 127.0.0.3 local-teid 2 remote-teid 1 remote 127.0.0.2
  nsenter --net=/run/netns/alice ping -c 3 -i 0.1 10.45.0.2
  gtp -s -br -c=always session show
  gtp link flush
  for name in alice bob; do ip netns del $name; done
`;

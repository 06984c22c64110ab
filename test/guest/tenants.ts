// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { gtpIn, namespace, sessions } from '../fixture';
import { dropped } from '../records';
import { type Ping, pings, placeIn, unanswered } from './joints';
import { addressLines, addressWords, openSite, siteOf, userOf } from './sites';
import type { Beside } from './topology';

const site = siteOf(1);
const [ours, theirs] = site.ends[4];

/** Each tenant has a network of each kind. The numbers are those of networks, and the same for all tenants. */
const NETWORKS = [
  { n: 1, session: 'type gre key', device: `type gre local ${theirs} key` },
  { n: 2, session: 'type geneve vni', device: 'type geneve id' },
] as const;
const FAMILIES = [4, 6] as const;

/** Two tenants with equal addresses, in namespaces here and VRFs there. */
export async function tenants(t: ExecutionContext, world: Beside): Promise<void> {
  const { m1, guest } = world;
  await openSite(world, site);
  const places = [world.ue1, await namespace('ue2', 'net.ipv6.conf.default.accept_dad=0')] as const;
  for (const [index, place] of places.entries())
    for (const { n, session } of NETWORKS) {
      const user = `netns ${place} inner n${n} ${addressWords(userOf(site, n, 1))}`;
      await gtpIn(m1, `link add ten${index}n${n} local ${ours} remote ${theirs} ${session} ${index + 1} ${user}`);
    }
  await guest.ip(places.flatMap((_, index) => theirLines(index)));

  const requests = NETWORKS.flatMap(({ n }) =>
    FAMILIES.map((family) => [userOf(site, n, 1)[family], userOf(site, n, 2)[family]] as const),
  );
  const out = requests.map(([here, there]): Ping => [here, there, 1400]);
  for (const [index, place] of places.entries()) {
    t.deepEqual(await unanswered(placeIn(place), out), [], `from tenant ${index} here`);
    const back = requests.map(([here, there]): Ping => [there, here, 1400, `ten${index}`]);
    t.deepEqual(await unanswered(guest.must, back), [], `from tenant ${index} there`);
    for (const [, there] of requests)
      t.true((await mirrored(place, there, 5003, 1_000_000)).equal, `TCP of tenant ${index} to ${there}`);
  }
  for (const { dev, stats } of await sessions(m1)) if (dev.startsWith('ten')) t.deepEqual(dropped(stats), {}, dev);

  await guest.ip(NETWORKS.map(({ n }) => `link set ten1n${n} down`));
  t.deepEqual(await unanswered(placeIn(places[0]), out), [], 'tenant 0 is there');
  t.deepEqual(new Set(await pings(placeIn(places[1]), out, 0.3)), new Set([0]), 'tenant 1 is not, and nobody else');
}

const theirLines = (index: number): string[] => [
  `link add ten${index} type vrf table ${100 + index}`,
  `link set ten${index} up`,
  ...NETWORKS.flatMap(({ n, device }) => [
    `link add ten${index}n${n} ${device} ${index + 1} remote ${ours}`,
    `link set ten${index}n${n} master ten${index} up`,
    ...addressLines(userOf(site, n, 2), `ten${index}n${n}`),
  ]),
];

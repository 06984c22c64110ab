// SPDX-License-Identifier: MIT
import type { ExecutionContext } from 'ava';
import { mirrored } from '../agent';
import { gtpIn } from '../fixture';
import { must, within } from '../run';
import { type Ping, placeIn, unanswered } from './joints';
import type { Kernel } from './kernels';
import { addressLines, addressWords, openSite, type Site, siteOf, userOf } from './sites';
import type { Beside } from './topology';

/** One of several sessions of a link, and lines that make the device DEV at its far end. */
interface Member {
  readonly session: string;
  readonly theirs: readonly string[];
  /** It carries packets; else Ethernet frames. */
  readonly packets?: true;
}

/** The members at a site; the site's number makes their IDs differ where the guest has one space for all addresses. */
function membersAt({ ends, number }: Site, isL2tp: boolean) {
  const [[our4, their4], [our6, their6]] = [ends[4], ends[6]];
  const [v4, v6] = [`local ${their4} remote ${our4}`, `local ${their6} remote ${our6}`];
  const toV6 = `local ${our6} remote ${their6}`;
  const geneve = {
    session: `type geneve vni 1 remote ${their4}`,
    theirs: [`link add DEV type geneve id 1 remote ${our4}`],
  };
  const gretap = { session: `type gretap key 2 ${toV6}`, theirs: [`link add DEV type ip6gretap key 2 ${v6}`] };
  const gre: Member = {
    session: `type gre key 3 ${toV6}`,
    theirs: [`link add DEV type ip6gre key 3 ${v6}`],
    packets: true,
  };
  const vxlan = {
    session: `type vxlan vni ${number}0 remote ${their4}`,
    theirs: [`link add DEV type vxlan id ${number}0 dstport 4789 ${v4}`],
  };
  const vlan = { session: `type vlan id ${number}0`, theirs: [`link add link ul name DEV type vlan id ${number}0`] };
  const ids = (ours: string, theirs: string) => `session_id ${ours} peer_session_id ${theirs}`;
  const l2tp = {
    session: `type l2tp ${ids('9', `${number}00`)} encap ip cookie 00112233 ${toV6}`,
    theirs: [
      `l2tp add tunnel tunnel_id ${number}0 peer_tunnel_id 1 encap ip ${v6}`,
      `l2tp add session name DEV tunnel_id ${number}0 ${ids(`${number}00`, '9')} peer_cookie 00112233`,
    ],
  };
  return { geneve, gre, others: [gretap, vxlan, vlan, ...(isL2tp ? [l2tp] : [])] satisfies Member[] };
}

const FAMILIES = [4, 6] as const;
const mac = (host: number): string => `02:00:00:00:00:${host}`;
const NOBODY = mac(99);

/** Our user is host 1; the member with index n is host 10 + n of the same network, and has a VRF of its own. */
const NETWORK = 1;
const hostOf = (index: number): number => 10 + index;

/** One link of frames with sessions of many kinds, chosen by MAC address, but for one of packets. */
export async function mixedFrames(t: ExecutionContext, world: Beside, kernel: Kernel): Promise<void> {
  const site = siteOf(2);
  const { geneve, gre, others } = membersAt(site, kernel.l2tp);
  const members = [geneve, gre, ...others];
  await join(world, site, 'geneve', members, (member, host) => {
    if (member === geneve) return '';
    return member === gre ? ues(site, host) : `lladdr ${mac(host)}`;
  });
  // Behind a session of packets nobody answers for an address.
  const told = FAMILIES.map(
    (family) => `neigh add ${userOf(site, NETWORK, hostOf(1))[family]} lladdr ${NOBODY} dev mix2`,
  );
  await must(within(world.ue1, 'ip', '-b', '-'), { input: `${told.join('\n')}\n` });
  await exchange(t, world, site, members);
}

/** One link of packets with sessions of many kinds, chosen by inner address. */
export async function mixedPackets(t: ExecutionContext, world: Beside, kernel: Kernel): Promise<void> {
  const site = siteOf(3);
  const { geneve, gre, others } = membersAt(site, kernel.l2tp);
  const members = [gre, geneve, ...others];
  await join(world, site, 'gre', members, (member, host) =>
    member === gre ? ues(site, host) : `${ues(site, host)} lladdr ${mac(host)}`,
  );
  // Here nobody answers for our address.
  const told = members
    .slice(1)
    .flatMap((_, index) =>
      FAMILIES.map(
        (family) => `neigh add ${userOf(site, NETWORK, 1)[family]} lladdr ${NOBODY} dev d3m${hostOf(index + 1)}`,
      ),
    );
  await world.guest.ip(told);
  await exchange(t, world, site, members);
}

const ues = (site: Site, host: number): string =>
  FAMILIES.map((family) => `ue ${userOf(site, NETWORK, host)[family]}`).join(' ');

/** Makes a link with its members, each with the words that choose it, and their devices. */
async function join(
  world: Beside,
  site: Site,
  type: string,
  members: readonly Member[],
  wordsOf: (member: Member, host: number) => string,
): Promise<void> {
  const { m1, ue1, guest } = world;
  await openSite(world, site);
  const link = `mix${site.number}`;
  const words = `type ${type} dev ul local ${site.ends[4][0]} netns ${ue1} inner ${link}`;
  await gtpIn(m1, `link add ${link} ${words} ${addressWords(userOf(site, NETWORK, 1))}`);
  for (const [index, member] of members.entries())
    await gtpIn(m1, `session add dev ${link} ${member.session} ${wordsOf(member, hostOf(index))}`.trim());
  await guest.ip(members.flatMap((member, index) => theirLines(site, member, hostOf(index))));
}

function theirLines(site: Site, { theirs, packets }: Member, host: number): string[] {
  const tail = `${site.number}m${host}`;
  const [device, vrf] = [`d${tail}`, `v${tail}`];
  return [
    `link add ${vrf} type vrf table ${100 * site.number + host}`,
    `link set ${vrf} up`,
    ...theirs.map((line) => line.replace('DEV', device)),
    ...(packets ? [] : [`link set ${device} address ${mac(host)}`]),
    `link set ${device} master ${vrf} up`,
    ...addressLines(userOf(site, NETWORK, host), device),
  ];
}

/** Pings from both sides, and TCP there and back. */
async function exchange(t: ExecutionContext, world: Beside, site: Site, members: readonly Member[]): Promise<void> {
  const ours = userOf(site, NETWORK, 1);
  const hosts = members.flatMap((_, index) =>
    FAMILIES.map((family) => ({ family, host: hostOf(index), theirs: userOf(site, NETWORK, hostOf(index))[family] })),
  );
  const out = hosts.map(({ family, theirs }): Ping => [ours[family], theirs, 1300]);
  const back = hosts.map(({ family, theirs, host }): Ping => [theirs, ours[family], 1300, `v${site.number}m${host}`]);
  t.deepEqual(await unanswered(placeIn(world.ue1), out), [], 'from here');
  t.deepEqual(await unanswered(world.guest.must, back), [], 'from there');
  for (const { theirs } of hosts)
    t.true((await mirrored(world.ue1, theirs, 5003, 1_000_000)).equal, `TCP to ${theirs}`);
}

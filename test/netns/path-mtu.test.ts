// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { buildOne, packetSocket, transfer, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, namespace, using } from '../fixture';
import { dropped, type PathRecord } from '../records';
import { must, waitFor, within } from '../run';
import {
  ends,
  type Family,
  inner,
  innerMtu,
  join,
  macOf,
  mtuOf,
  outer,
  ping,
  type Routed,
  routed,
  type TwoMachines,
  twoMachines,
  user,
} from '../topology';

test.after.always(closeFixture);

const far = { 4: ['192.0.2.1', '198.51.100.2'], 6: ['2001:db8:2::1', '2001:db8:198::2'] } as const;
const headers = { 4: 28, 6: 48 } as const;
const doNotFragment = { 4: [0, 10, 2], 6: [41, 23, 2] } as const;
const families = [4, 6] as const;

for (const family of families) {
  test.serial(
    `IPv${family} outer: a route with an unlocked mtu is honoured, in the user's MTU and to one who has a larger one`,
    using(twoMachines)(async (t, m) => {
      const length = family === 4 ? 32 : 128;
      await must(['ip', '-n', m.m1, 'route', 'add', `${outer[family][1]}/${length}`, 'dev', 'ul', 'mtu', '1400']);
      await join(m, family);
      const fits = innerMtu[family] - 100;
      t.is(await mtuOf(m.ue1), fits);
      await must(['ip', '-n', m.ue1, 'link', 'set', 'eth0', 'mtu', '1500']);
      for (const version of families) await isTold(t, m.ue1, m.ue2, version, fits);
      t.true((dropped(await linkStats(m.m1)).too_big ?? 0) >= 2);
    }),
  );

  test.serial(
    `IPv${family} outer: a router behind which packets are smaller is believed, and TCP completes`,
    using(routed)(async (t, m) => {
      await must(['ip', '-n', m.r1, 'link', 'set', 'sw2', 'mtu', '1380']);
      await joinFar(m, family);
      const fits = innerMtu[family] - 120;
      for (const version of families) {
        const { equal } = await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size: 2_000_000 });
        t.true(equal, `TCP over IPv${version}`);
        await isTold(t, m.ue1, m.ue2, version, fits);
      }
      t.is(await learned(m), 1380);
    }),
  );

  test.serial(
    `IPv${family} outer: a sender of IPv6 is never told less than 1280, and its packets of 1280 arrive`,
    using(routed)(async (t, m) => {
      await must(['ip', '-n', m.r1, 'link', 'set', 'sw2', 'mtu', '1300']);
      await joinFar(m, family);
      await isTold(t, m.ue1, m.ue2, 6, 1280);
      t.is(await learned(m), 1300);
      const { equal } = await transfer({ from: m.ue1, to: m.ue2, address: inner[6][1], size: 500_000 });
      t.true(equal);
    }),
  );

  test.serial(
    `IPv${family} outer: forged ICMP changes nothing; what quotes a packet of a session does`,
    using(twoMachines)(async (t, m) => {
      await join(m, family);
      t.is(await ping(m.ue1, inner[4][1]), 3);
      const { send } = await forger(m);
      for (const [name, each] of Object.entries(forgeries(family))) {
        await send(each);
        t.is(await learned(m), null, name);
      }
      await send(tooBig(family, {}));
      t.is(await learned(m), 1380);
      await isTold(t, m.ue1, m.ue2, 4, innerMtu[family] - 120);
    }),
  );
}

test.serial(
  'IPv4: an MTU below 552 is taken for 552',
  using(twoMachines)(async (t, m) => {
    await join(m, 4);
    await (await forger(m)).send(tooBig(4, { mtu: 68 }));
    t.is(await learned(m), 552);
  }),
);

test.serial(
  'a sender whose packets come out of one tunnel and do not fit into the next is told',
  using(twoMachines)(async (t, m) => {
    // ue1 == gtp0 == ue2, which forwards == gtp1 == ue3
    const ue3 = await namespace('ue3');
    await must(within(m.ue2, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'));
    await must(['ip', '-n', m.m2, 'route', 'add', '192.0.2.1/32', 'dev', 'ul', 'mtu', '1400']);
    await join(m, 4, { m1: 'route 10.50.0.0/24 route fd50::/64' });
    const next = 'inner eth1 address 10.50.0.1/24 address fd50::1/64';
    await gtpIn(m.m2, `link add gtp1 local 192.0.2.2 netns ${m.ue2} ${next} ${ends(0x303, 0x404, '192.0.2.1')}`);
    const last = 'address 10.50.0.2/24 address fd50::2/64 route 10.45.0.0/24 route fd45::/64';
    await gtpIn(m.m1, `link add gtp1 local 192.0.2.1 netns ${ue3} ${last} ${ends(0x404, 0x303, '192.0.2.2')}`);
    await must(['ip', '-n', m.ue2, 'link', 'set', 'eth1', 'mtu', '1500']);
    for (const [version, there] of [
      [4, '10.50.0.2'],
      [6, 'fd50::2'],
    ] as const) {
      const { equal } = await transfer({ from: m.ue1, to: ue3, address: there, size: 1_000_000 });
      t.true(equal, there);
      await isTold(t, m.ue1, ue3, version, innerMtu[4] - 100, there);
    }
    t.true((dropped(await linkStats(m.m2, 'gtp1')).too_big ?? 0) >= 2, 'by the second link');
  }),
);

/** A sender of unfragmented datagrams is told what fits; that much arrives, and an octet more does not. */
async function isTold(
  t: ExecutionContext,
  from: string,
  to: string,
  version: Family,
  fits: number,
  there: string = inner[version][1],
): Promise<void> {
  const [near] = inner[version];
  const sender = await udpSocket(from, near, 7001);
  const receiver = await udpSocket(to, there, 7000);
  const [level, name, value] = doNotFragment[version];
  await sender.setOption(level, name, value);
  await sender.connect(there, 7000);
  const most = fits - headers[version];
  const send = (size: number): Promise<string | undefined> => sender.send(Buffer.alloc(size, 'x'));
  const refused = await waitFor(
    () => send(most + 1),
    (failure) => failure === 'EMSGSIZE',
  );
  t.is(refused, 'EMSGSIZE', `IPv${version}: one octet more than ${fits}`);
  const [got] = await waitFor(
    async () => {
      await send(most);
      return receiver.receive({ timeout: 0.2 });
    },
    (list) => list.length > 0,
  );
  t.is(got?.data.length, most, `IPv${version}: ${fits}`);
  await Promise.all([sender.close(), receiver.close()]);
}

/** The MTU of the path that m1 has learned. */
async function learned({ m1 }: { m1: string }): Promise<number | null | undefined> {
  const records = JSON.parse(await gtpIn(m1, '-j path show')) as (PathRecord & { mtu: number | null })[];
  return records.find(({ remote }) => remote !== null)?.mtu;
}

async function joinFar(m: Routed, family: Family): Promise<void> {
  const [a, b] = far[family];
  await gtpIn(m.m1, `link add gtp0 local ${a} netns ${m.ue1} ${user(0)} ${ends(0x101, 0x202, b)}`);
  await gtpIn(m.m2, `link add gtp0 local ${b} netns ${m.ue2} ${user(1)} ${ends(0x202, 0x101, a)}`);
}

/** What a "too big" says, and which packet it quotes. */
interface Quote {
  readonly mtu?: number;
  readonly teid?: number;
  readonly port?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly length?: number;
  /** Fields of the ICMP header that are set by hand. */
  readonly icmp?: string;
  /** Nothing behind the UDP header. */
  readonly isShort?: boolean;
}

/** An ICMP error to m1 as scapy text. */
function tooBig(family: Family, quote: Quote): string {
  const { mtu = 1380, teid = 0x202, port = 2152, length = 1480, icmp = '', isShort = false } = quote;
  const { source = outer[family][0], destination = outer[family][1] } = quote;
  const gtp = isShort ? '' : `/GTP_U_Header(teid=${teid},gtp_type=255,length=1400)`;
  const udp = `UDP(sport=2152,dport=${port},len=1460,chksum=0)${gtp}`;
  if (family === 4)
    return `IP(src='192.0.2.77',dst='192.0.2.1')/ICMP(type=3,code=4,nexthopmtu=${mtu}${icmp})/IP(src='${source}',dst='${destination}',len=${length})/${udp}`;
  return `IPv6(src='2001:db8:2::77',dst='2001:db8:2::1')/ICMPv6PacketTooBig(mtu=${mtu}${icmp})/IPv6(src='${source}',dst='${destination}',plen=${length - 40})/${udp}`;
}

/** Errors that are about no packet of ours, or not to be believed. */
function forgeries(family: Family): Record<string, string> {
  const stranger = family === 4 ? '192.0.2.66' : '2001:db8:2::66';
  const bad: Record<string, Quote> = {
    'another TEID': { teid: 0x203 },
    'our own TEID': { teid: 0x101 },
    'another port': { port: 2153 },
    'another peer': { destination: stranger },
    'a packet of somebody else': { source: stranger },
    'another peer, without TEID': { isShort: true, destination: stranger },
    'a packet that was not too long': { length: 1380 },
    'a wrong checksum': { icmp: family === 4 ? ',chksum=1' : ',cksum=1' },
    'an MTU that cannot be': { mtu: family === 4 ? 0 : 1279 },
  };
  return Object.fromEntries(Object.entries(bad).map(([name, quote]) => [name, tooBig(family, quote)]));
}

/** Sends IP packets of scapy to m1 over the wire. */
async function forger(m: TwoMachines) {
  const wire = await packetSocket(m.m2, 'ul');
  const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
  return { send: async (packet: string) => wire.send(await buildOne(`${ether}/${packet}`)) };
}

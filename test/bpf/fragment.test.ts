// SPDX-License-Identifier: MIT
// Outer fragments on send (X6): programs on devices, since pieces are sent by the program and not by its verdict.
import { closeSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { BPF_TCX_INGRESS, linkCreate } from '../../src/bindings/bpf-fd';
import { zero } from '../../src/datapath/codec';
import { link_flag, tx_flag } from '../../src/datapath/layout.gen';
import { inNetns } from '../../src/netns';
import { packetSocket, type Received, type Socket } from '../agent';
import { closeFixture, namespace, using, wire } from '../fixture';
import { must, waitFor, within } from '../run';
import { macOf } from '../topology';
import { internetSum } from './checksum';
import { sameFrame } from './harness';
import { etherType } from './inners';
import { A, A6, B, B6, bare, eth, mapped, octets, pattern, SERVER, SERVER6, UE, UE6 } from './packet';
import { dropName, PORT, portBits, REMOTE_TEID, type TxWords, txSession } from './session';
import { makeWorld, type World } from './world';

test.after.always(closeFixture);
const closing: (() => void)[] = [];
test.afterEach.always(() => {
  for (const close of closing.splice(0)) close();
});

type Family = 4 | 6;
const families = [4, 6] as const;
const DEVICES = ['ul', 'gtp0', 'shim0', 'shim1'] as const;

interface Machine {
  readonly ns: string;
  readonly farNs: string;
  readonly world: World;
  readonly user: Socket;
  readonly gsoUser: Socket;
  readonly far: Socket;
  readonly macs: { readonly ul: string; readonly far: string };
  /** Makes the link's session send by a path that takes so many octets. */
  path(family: Family, mtu: number, words?: TxWords): void;
  /** Packets that the session has sent. */
  sent(): bigint;
}

/** B and B6 on `ul`, a link gtp0 whose inner end is eth0 in another namespace, and a shim. */
async function machine(): Promise<Machine> {
  const quiet = ['net.ipv6.conf.default.disable_ipv6=1'];
  const [ns, user, far] = [await namespace('cut'), await namespace('cut-ue', ...quiet), await namespace('cut-far')];
  await wire({ ns, dev: 'ul', addresses: [`${B}/24`, `${B6}/64`] }, { ns: far, dev: 'far', addresses: [] });
  await wire({ ns, dev: 'gtp0', addresses: [] }, { ns: user, dev: 'eth0', addresses: [] });
  const lines = [
    'link add shim0 mtu 65535 type veth peer name shim1 mtu 65535',
    'link set shim0 up',
    'link set shim1 up',
  ];
  await must(['ip', '-n', ns, '-b', '-'], { input: `${lines.join('\n')}\n` });
  await must(within(ns, 'ethtool', '-K', 'shim0', 'tso', 'off', 'tx-udp-segmentation', 'off', 'tx', 'off'));
  await must(within(ns, 'sysctl', '-qw', 'net.ipv4.conf.shim1.forwarding=1', 'net.ipv6.conf.shim1.forwarding=1'));
  const macs = { ul: await macOf(ns, 'ul'), far: await macOf(far, 'far') };
  for (const address of [A, A6]) await must(['ip', '-n', ns, 'neigh', 'add', address, 'lladdr', macs.far, 'dev', 'ul']);
  const index = Object.fromEntries(
    await Promise.all(DEVICES.map(async (dev) => [dev, await indexOf(ns, dev)] as const)),
  ) as Record<(typeof DEVICES)[number], number>;
  const world = inNetns(`/run/netns/${ns}`, makeWorld);
  const { gtp0, shim0, shim1, ul } = index;
  world.maps.config.put(0, { ...zero('config'), shim_out: shim0, shim_in: shim1, ports: portBits(PORT) });
  world.maps.underlays.put(ul, zero('underlay'));
  const hooks = inNetns(`/run/netns/${ns}`, () => [
    linkCreate(world.fd('link'), gtp0, BPF_TCX_INGRESS),
    linkCreate(world.fd('shim'), shim1, BPF_TCX_INGRESS),
  ]);
  closing.push(() => {
    for (const hook of hooks) if (hook !== undefined) closeSync(hook);
    world.close();
  });
  return {
    ns,
    farNs: far,
    world,
    macs,
    user: await packetSocket(user, 'eth0'),
    gsoUser: await packetSocket(user, 'eth0', true),
    far: await packetSocket(far, 'far'),
    path: (family, mtu, words) => {
      const over = family === 4 ? { local: B, remote: A } : { local: B6, remote: A6, flags: tx_flag.csum };
      const fallback = txSession({ ...over, ...words }, { oif: ul, mtu, gateway: mapped(over.remote) });
      world.maps.links.put(gtp0, {
        ...zero('link_state'),
        config: { flags: link_flag.default, mtu: 1500, slots: 0n },
        fallback,
      });
    },
    sent: () => world.maps.links.get(gtp0)?.fallback.packets ?? 0n,
  };
}

async function indexOf(ns: string, dev: string): Promise<number> {
  const [link] = JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', dev])) as { ifindex: number }[];
  return link?.ifindex ?? 0;
}

/** An inner packet of that many octets. */
function packet(family: Family, length: number, df = false): Buffer {
  const ip = family === 4 ? bare().ip4(UE, SERVER, { df, id: 5 }) : bare().ip6(UE6, SERVER6);
  return ip
    .udp(1000, 53)
    .payload(length - (family === 4 ? 28 : 48))
    .bytes();
}

const framed = (inner: Buffer): Buffer =>
  eth({ type: (inner[0] ?? 0) >> 4 === 6 ? etherType[6] : etherType[4] })
    .payload(inner)
    .bytes();

/** A piece as it was received. */
interface Piece {
  readonly family: Family;
  readonly id: number;
  readonly start: number;
  readonly more: boolean;
  readonly length: number;
  readonly octets: Buffer;
  readonly head: Buffer;
}

function pieceOf({ data }: Received): Piece {
  const packet = data.subarray(14);
  if (packet[0] === 0x45) {
    const field = packet.readUInt16BE(6);
    return {
      family: 4,
      id: packet.readUInt16BE(4),
      start: (field & 0x1fff) * 8,
      more: (field & 0x2000) !== 0,
      length: packet.length,
      octets: packet.subarray(20),
      head: packet.subarray(0, 20),
    };
  }
  const field = packet.readUInt16BE(42);
  return {
    family: 6,
    id: packet.readUInt32BE(44),
    start: field & 0xfff8,
    more: (field & 1) === 1,
    length: packet.length,
    octets: packet.subarray(48),
    head: packet.subarray(0, 48),
  };
}

/** Tells what is sent to the far end from what the kernel says to everybody (router solicitations, MLD). */
const toFar = (m: Machine): Buffer => Buffer.from(m.macs.far.replaceAll(':', ''), 'hex');

/** Wants so many pieces that are right each for itself, and together the outer packet; gives their identification. */
async function arrives(t: ExecutionContext, m: Machine, family: Family, inner: Buffer, mtu: number): Promise<number> {
  const outer = 16 + inner.length;
  const size = (mtu - (family === 4 ? 20 : 48)) & ~7;
  const count = Math.ceil(outer / size);
  const got = (await m.far.receive({ count, contains: toFar(m) })).map(pieceOf);
  t.is(got.length, count);
  const id = got[0]?.id ?? 0;
  for (const [i, piece] of got.entries()) {
    t.deepEqual([piece.family, piece.id, piece.start, piece.more], [family, id, i * size, i < count - 1], `piece ${i}`);
    t.true(piece.length <= mtu && (!piece.more || piece.octets.length % 8 === 0));
    if (family === 4) {
      t.is(internetSum(piece.head), 0, 'header checksum');
      t.is(piece.head.readUInt16BE(2), piece.length);
      t.is((piece.head[6] ?? 0) & 0x40, 0, 'DF is clear');
    } else {
      t.deepEqual([piece.head[6], piece.head[40], piece.head.readUInt16BE(4)], [44, 17, piece.length - 40]);
    }
  }
  const whole = Buffer.concat(got.map(({ octets }) => octets));
  const start = eth({ source: m.macs.ul, destination: m.macs.far });
  const ip = family === 4 ? start.ip4(B, A, { id }) : start.ip6(B6, A6);
  const wanted = ip
    .udp(PORT, PORT, family === 4 ? { checksum: 0 } : {})
    .gtpu({ teid: REMOTE_TEID })
    .payload(inner);
  const ends =
    family === 4
      ? eth({ source: m.macs.ul, destination: m.macs.far }).ip4(B, A, { id, protocol: 17 })
      : start.ip6(B6, A6, { next: 17 });
  sameFrame(t, ends.payload(whole).bytes(), wanted);
  return id;
}

const drops = (m: Machine): string[] => [...m.world.maps.drops.entries()].map(([key]) => dropName(key));

for (const family of families)
  test.serial(
    `IPv${family}: an IPv4 packet without DF and an IPv6 packet of 1280 octets are sent in fragments that fit (X6)`,
    using(machine)(async (t, m) => {
      const ids = new Set<number>();
      const cases: readonly (readonly [number, Buffer])[] = [
        [1300, packet(6, 1280)],
        [1280, packet(6, 1280)],
        [1299, packet(4, 1280)],
        [700, packet(4, 1400)],
        [576, packet(4, 1500)],
        [256, packet(6, 1001)],
        [128, packet(4, 1001)],
      ];
      for (const [mtu, inner] of cases) {
        m.path(family, mtu);
        await m.user.send(framed(inner));
        ids.add(await arrives(t, m, family, inner, mtu));
        t.is(m.sent(), 1n, 'one packet, however many pieces');
      }
      t.is(ids.size, cases.length, 'every datagram has its own identification (X9)');
      t.deepEqual(drops(m), []);
    }),
  );

for (const family of families)
  test.serial(
    `IPv${family}: what fits to the octet goes whole, one octet more in two fragments`,
    using(machine)(async (t, m) => {
      const header = family === 4 ? 36 : 56;
      m.path(family, 1000 + header);
      await m.user.send(framed(packet(4, 1000)));
      const [whole] = await m.far.receive({ contains: toFar(m) });
      t.is(whole?.data.length, 14 + header + 1000);
      const inner = packet(4, 1001);
      await m.user.send(framed(inner));
      await arrives(t, m, family, inner, 1000 + header);
    }),
  );

test.serial(
  'the UDP checksum is that of the whole datagram, whatever the inner checksums are',
  using(machine)(async (t, m) => {
    const ip = bare().ip4(UE, SERVER, { id: 5 });
    for (const inner of [
      ip.udp(1000, 53, { checksum: 0 }).payload(1201).bytes(),
      bare().ip4(UE, SERVER, { more: true }).udp(1000, 53).payload(1200).bytes(),
      bare().ip4(UE, SERVER, { offset: 800, protocol: 17 }).payload(1203).bytes(),
    ]) {
      m.path(6, 1000);
      await m.user.send(framed(inner));
      await arrives(t, m, 6, inner, 1000);
    }
  }),
);

test.serial(
  'DF, and IPv6 above 1280 octets, are still answered (X6)',
  using(machine)(async (t, m) => {
    for (const inner of [packet(4, 1400, true), packet(6, 1281)]) {
      m.path(4, 1300);
      await m.user.send(framed(inner));
      const [answer] = await m.user.receive({ contains: octets(inner[0] === 0x45 ? UE : UE6) });
      const type = inner[0] === 0x45 ? answer?.data[34] : answer?.data[54];
      t.is(type, inner[0] === 0x45 ? 3 : 2);
    }
    t.deepEqual(new Set(drops(m).map((name) => name.split(' ')[0])), new Set(['too_big']));
    t.is(m.sent(), 0n);
  }),
);

test.serial(
  'what would need more than 32 fragments is dropped for want of room',
  using(machine)(async (t, m) => {
    m.path(4, 40);
    await m.user.send(framed(packet(4, 1500)));
    const found = await waitFor(
      async () => drops(m),
      (names) => names.length > 0,
    );
    t.deepEqual(
      found.map((name) => name.split(' ')[0]),
      ['no_room'],
    );
    t.is(m.sent(), 0n);
  }),
);

test.serial(
  'the segments of a super-packet without DF are sent in fragments each, their checksums complete',
  using(machine)(async (t, m) => {
    m.path(4, 800);
    const content = pattern(2500);
    const train = bare().ip4(UE, SERVER).tcp(1, 2, { checksum: 'pseudo' }).payload(content).bytes();
    const header = Buffer.from('01010000e80322001000', 'hex'); // NEEDS_CSUM, TCPv4, 1000 octets, sum from 34 at 16
    header.writeUInt16LE(54, 2);
    await m.gsoUser.send(Buffer.concat([header, eth({ type: etherType[4] }).payload(train).bytes()]));
    for (const [i, length] of [1000, 1000, 500].entries()) {
      const part = content.subarray(i * 1000, i * 1000 + length);
      const inner = bare()
        .ip4(UE, SERVER, { id: i })
        .tcp(1, 2, { seq: 1 + i * 1000 })
        .payload(part)
        .bytes();
      if (inner.length + 36 > 800) await arrives(t, m, 4, inner, 800);
      else t.is((await m.far.receive({ contains: toFar(m) }))[0]?.data.length, 14 + 36 + inner.length);
    }
    t.is(m.sent(), 3n);
  }),
);

test.serial(
  'while the neighbour is not known all pieces wait for it',
  using(machine)(async (t, m) => {
    const words = ['-n', m.farNs, 'addr', 'add'];
    await must(['ip', ...words, `${A}/24`, 'dev', 'far']);
    await must(['ip', ...words, `${A6}/64`, 'dev', 'far', 'nodad']);
    for (const [family, address] of [
      [4, A],
      [6, A6],
    ] as const) {
      await must(['ip', '-n', m.ns, 'neigh', 'del', address, 'dev', 'ul']);
      m.path(family, 700);
      const far = await packetSocket(m.farNs, 'far');
      await m.user.send(framed(packet(4, 1400)));
      // what tells a piece from an ARP request: our addresses behind each other
      const both =
        family === 4
          ? Buffer.concat([octets(B), octets(A)])
          : Buffer.concat([octets(B6), octets(A6), Buffer.from([17])]);
      const got = await far.receive({ count: 3, contains: both });
      t.deepEqual(
        got.map(({ data }) => pieceOf({ data, from: ['', 0] }).start),
        family === 4 ? [0, 680, 1360] : [0, 648, 1296],
      );
    }
  }),
);

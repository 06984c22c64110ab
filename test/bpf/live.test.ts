// SPDX-License-Identifier: MIT
// What BPF_PROG_TEST_RUN cannot show: super-packets with a kind, frames shorter than an IP header, VLAN tags that the
// stack has taken out, frames without link header. The programs are on devices here, with the maps of the other tests.
import { closeSync } from 'node:fs';
import test from 'ava';
import { BPF_TCX_INGRESS, linkCreate } from '../../src/bindings/bpf-fd';
import { zero } from '../../src/datapath/codec';
import { link_flag, tx_flag } from '../../src/datapath/layout.gen';
import { inNetns } from '../../src/netns';
import { packetSocket, type Socket } from '../agent';
import { closeFixture, namespace, using, wire } from '../fixture';
import { must, waitFor, within } from '../run';
import { macOf } from '../topology';
import { datagramOf, fragments } from './fragments';
import { arriving, delivered, gtp, ours } from './gtp';
import { sameFrame } from './harness';
import { plain } from './inners';
import { A, B, bare, eth, MAC_B, mapped, pattern, readdressed, SERVER, SERVER6, UE, UE6 } from './packet';
import { PORT, portBits, REMOTE_TEID, rxKey, type TxWords, txSession } from './session';
import { makeWorld, type World } from './world';

test.after.always(closeFixture);

interface Machine {
  readonly ns: string;
  readonly world: World;
  /** Sends what comes to the underlay: frames, or super-packets with their virtio_net_hdr. */
  readonly wire: Socket;
  readonly gsoWire: Socket;
  /** Gets what leaves by the underlay. */
  readonly far: Socket;
  /** Sends super-packets of the user, and gets what is delivered. */
  readonly gsoUser: Socket;
  readonly user: Socket;
  readonly macs: { readonly ul: string; readonly far: string };
  /** Packets that the session at a local address has got. */
  count(local?: string): Promise<bigint>;
  /** Makes the link send by `ul`, or by `back`, whose other end `front` is an underlay of the machine itself. */
  sendBy(dev: 'ul' | 'back', words?: TxWords): void;
}

const silent = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
const OTHERS = [
  'link add back type veth peer name front',
  'link add shim0 type veth peer name shim1',
  'tuntap add dev tun0 mode tun',
  ...['back', 'front', 'shim0', 'shim1', 'tun0'].map((dev) => `link set ${dev} up`),
];
const CUT_HERE = ['tso', 'off', 'tx-udp-segmentation', 'off', 'tx', 'off'];

/** Sends what the packets of tests are for to an Ethernet address. */
function toMachine(socket: Socket, address: string): Socket {
  return { ...socket, send: (frame) => socket.send(readdressed(frame as Buffer, MAC_B, address)) };
}

/** A machine with B on `ul`, a link gtp0 whose inner end is eth0 in another namespace, and a shim. */
async function machine(): Promise<Machine> {
  const [ns, user, far] = [
    await namespace('bpf', ...silent),
    await namespace('bpf-ue', ...silent),
    await namespace('bpf-far', ...silent),
  ];
  await wire({ ns, dev: 'ul', addresses: [`${B}/24`] }, { ns: far, dev: 'far', addresses: [] });
  await wire({ ns, dev: 'gtp0', addresses: [] }, { ns: user, dev: 'eth0', addresses: [] });
  await must(['ip', '-n', ns, '-b', '-'], { input: `${OTHERS.join('\n')}\n` });
  await must(within(ns, 'ethtool', '-K', 'shim0', ...CUT_HERE));
  const macs = { ul: await macOf(ns, 'ul'), far: await macOf(far, 'far') };
  await must(['ip', '-n', ns, 'neigh', 'add', A, 'lladdr', macs.far, 'dev', 'ul']);
  await must(['ip', '-n', ns, 'neigh', 'add', A, 'lladdr', await macOf(ns, 'front'), 'dev', 'back']);
  const world = inNetns(`/run/netns/${ns}`, makeWorld);
  const index = Object.fromEntries(await Promise.all(DEVICES.map(async (dev) => [dev, await indexOf(ns, dev)])));
  configure(world, index);
  const hooks = inNetns(`/run/netns/${ns}`, () =>
    HOOKS.map(([program, dev]) => linkCreate(world.fd(program), index[dev], BPF_TCX_INGRESS)),
  );
  closing.push(() => {
    for (const hook of hooks) if (hook !== undefined) closeSync(hook);
    world.close();
  });
  return {
    ns,
    world,
    macs,
    wire: toMachine(await packetSocket(far, 'far'), macs.ul),
    gsoWire: await packetSocket(far, 'far', true),
    far: await packetSocket(far, 'far'),
    gsoUser: await packetSocket(user, 'eth0', true),
    user: await packetSocket(user, 'eth0'),
    count: async (local = B) =>
      world.maps.rx.get(local === B ? rxKey() : rxKey({ local, teid: REMOTE_TEID }))?.packets ?? 0n,
    sendBy: (dev, words) => sendBy(world, index, dev, words),
  };
}

const DEVICES = ['ul', 'back', 'front', 'gtp0', 'shim0', 'shim1', 'tun0'];
const HOOKS = [
  ['underlay', 'ul'],
  ['underlay', 'front'],
  ['link', 'gtp0'],
  ['shim', 'shim1'],
  ['underlay_l3', 'tun0'],
] as const;
const closing: (() => void)[] = [];
test.afterEach.always(() => {
  for (const close of closing.splice(0)) close();
});

function configure(world: World, index: Record<string, number>): void {
  const { gtp0 = 0, shim0 = 0, shim1 = 0 } = index;
  world.maps.config.put(0, { ...zero('config'), shim_out: shim0, shim_in: shim1, ports: portBits(PORT) });
  world.maps.devices.put(gtp0, gtp0);
  world.rx({ ifindex: gtp0 });
  world.rx({ ifindex: gtp0 }, { local: A, teid: REMOTE_TEID });
  sendBy(world, index, 'ul');
}

function sendBy(world: World, { gtp0 = 0, ...index }: Record<string, number>, dev: string, words?: TxWords): void {
  const fallback = txSession({ local: B, remote: A, ...words }, { oif: index[dev] ?? 0, gateway: mapped(A) });
  world.maps.links.put(gtp0, {
    ...zero('link_state'),
    config: { flags: link_flag.default, mtu: 1464, slots: 0n },
    fallback,
  });
}

async function indexOf(ns: string, dev: string): Promise<number> {
  const [link] = JSON.parse(await must(['ip', '-n', ns, '-j', 'link', 'show', dev])) as { ifindex: number }[];
  return link?.ifindex ?? 0;
}

/** A super-packet as a packet socket takes it: struct virtio_net_hdr in front. L4 checksums have to be pseudo sums. */
function gso(kind: 'tcp4' | 'tcp6' | 'udp', size: number, start: number, frame: Buffer): Buffer {
  const header = Buffer.alloc(10);
  header[0] = 1; // VIRTIO_NET_HDR_F_NEEDS_CSUM
  header[1] = { tcp4: 1, tcp6: 4, udp: 5 }[kind];
  header.writeUInt16LE(start + (kind === 'udp' ? 8 : 20), 2);
  header.writeUInt16LE(size, 4);
  header.writeUInt16LE(start, 6);
  header.writeUInt16LE(kind === 'udp' ? 6 : 16, 8);
  return Buffer.concat([header, frame]);
}

const SIZE = 1000;
const marker = 'a super-packet of ours';
const content = (length: number): Buffer => Buffer.concat([Buffer.from(marker), pattern(length)]).subarray(0, length);
const tcp4 = (length: number) =>
  bare().ip4(UE, SERVER, { df: true }).tcp(1, 2, { checksum: 'pseudo' }).payload(content(length)).bytes();
const tcp6 = (length: number) =>
  bare().ip6(UE6, SERVER6).tcp(1, 2, { checksum: 'pseudo' }).payload(content(length)).bytes();

for (const [kind, make, header] of [
  ['tcp4', tcp4, 20],
  ['tcp6', tcp6, 40],
] as const) {
  const type = kind === 'tcp4' ? 0x0800 : 0x86dd;

  test.serial(
    `${kind}: a super-packet goes out whole with the GTP length of one segment (late cut, C1)`,
    using(machine)(async (t, m) => {
      const inner = make(5 * SIZE);
      await m.gsoUser.send(gso(kind, SIZE, 14 + header, eth({ type }).payload(inner).bytes()));
      const [got] = await m.far.receive({ contains: marker });
      if (got === undefined) return t.fail('nothing came');
      const length = header + 20 + SIZE;
      const ip = eth({ source: m.macs.ul, destination: m.macs.far }).ip4(B, A, { id: got.data.readUInt16BE(18) });
      const wanted = ip.udp(PORT, PORT, { checksum: 0 }).gtpu({ teid: REMOTE_TEID, length }).payload(inner);
      return sameFrame(t, got.data, wanted);
    }),
  );

  test.serial(
    `${kind}: a super-packet with a remainder is cut in the shim into packets that are right (late cut, C1)`,
    using(machine)(async (t, m) => {
      await m.gsoUser.send(
        gso(
          kind,
          SIZE,
          14 + header,
          eth({ type })
            .payload(make(2 * SIZE + 77))
            .bytes(),
        ),
      );
      const got = await m.far.receive({ count: 3, contains: Buffer.from('30ff', 'hex') });
      t.is(got.length, 3);
      for (const [i, { data }] of got.entries()) {
        const part = content(2 * SIZE + 77).subarray(i * SIZE, (i + 1) * SIZE);
        const fields = { seq: 1 + i * SIZE };
        const inner =
          kind === 'tcp4'
            ? bare().ip4(UE, SERVER, { df: true, id: i }).tcp(1, 2, fields).payload(part)
            : bare().ip6(UE6, SERVER6).tcp(1, 2, fields).payload(part);
        const ip = eth({ source: m.macs.ul, destination: m.macs.far }).ip4(B, A, { id: data.readUInt16BE(18) });
        sameFrame(t, data, ip.udp(PORT, PORT, { checksum: 0 }).gtpu({ teid: REMOTE_TEID }).payload(inner.bytes()));
      }
    }),
  );

  test.serial(
    `${kind}: a super-packet that nobody has cut on its way is delivered whole, counted by its segments (late cut, C2)`,
    using(machine)(async (t, m) => {
      for (const words of [{}, { ext: Buffer.from('01000900', 'hex') }, { flags: tx_flag.csum }]) {
        m.sendBy('back', words);
        const inner = make(4 * SIZE);
        const before = await m.count(A);
        await m.gsoUser.send(gso(kind, SIZE, 14 + header, eth({ type }).payload(inner).bytes()));
        const [got] = await m.user.receive({ contains: marker });
        sameFrame(t, got?.data ?? Buffer.alloc(0), delivered(inner));
        t.is((await m.count(A)) - before, 4n);
        t.deepEqual([...m.world.maps.drops.entries()], []);
      }
    }),
  );
}

test.serial(
  'a train of whole GTP packets is cut in the shim and delivered one by one (late cut, C2)',
  using(machine)(async (t, m) => {
    const inners = [0, 1, 2, 3].map((id) => bare().ip4(UE, SERVER, { id }).udp(1, 2).payload(content(500)).bytes());
    const packets = inners.map((inner) => gtp(inner));
    const train = arriving(4, Buffer.concat(packets), { udp: { checksum: 'pseudo' } }).bytes();
    await m.gsoWire.send(gso('udp', packets[0]?.length ?? 0, 34, readdressed(train, MAC_B, m.macs.ul)));
    const got = await m.user.receive({ count: 4, contains: marker });
    t.is(got.length, 4);
    for (const [i, { data }] of got.entries()) sameFrame(t, data, delivered(inners[i] ?? Buffer.alloc(0)));
    t.is(await m.count(), 4n);
  }),
);

test.serial(
  'frames of a VLAN are left to its own device',
  using(machine)(async (t, m) => {
    const tagged = eth({ vlan: 5 }).ip4(A, B).udp(PORT, PORT).payload(gtp(plain[4]));
    for (let i = 0; i < 3; i++) await m.wire.send(tagged.bytes());
    await m.wire.send(arriving(4, gtp(plain[4])).bytes());
    t.is(await waitFor(m.count, (count) => count >= 1n), 1n);
    t.deepEqual([...m.world.maps.drops.entries()], []);
  }),
);

test.serial(
  'a frame with VLAN id 0, which is a priority alone, is ours',
  using(machine)(async (t, m) => {
    for (const vlan of [0, 0xe000, 0x1000]) {
      await m.wire.send(eth({ vlan }).ip4(A, B).udp(PORT, PORT).payload(gtp(plain[4])).bytes());
      const [got] = await m.user.receive({ contains: plain[4].subarray(20) });
      sameFrame(t, got?.data ?? Buffer.alloc(0), delivered(plain[4]));
    }
    t.is(await m.count(), 3n);
    t.deepEqual([...m.world.maps.drops.entries()], []);
  }),
);

test.serial(
  "frames that are shorter than an IP header do no harm, and are nobody's",
  using(machine)(async (t, m) => {
    for (const family of [4, 6] as const) {
      const frame = arriving(family, gtp(plain[4])).bytes();
      for (let length = 15; length < 14 + (family === 4 ? 20 : 40); length++)
        await m.wire.send(frame.subarray(0, length));
    }
    await m.wire.send(arriving(4, gtp(plain[4])).bytes());
    t.is(await waitFor(m.count, (count) => count >= 1n), 1n);
    t.deepEqual([...m.world.maps.drops.entries()], []);
  }),
);

const TUN = `import fcntl, os, struct, sys
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
for packet in sys.argv[1:]:
    os.write(tun, bytes.fromhex(packet))
`;

test.serial(
  'an underlay without link header delivers packets of both families, and leaves others alone',
  using(machine)(async (t, m) => {
    m.world.rx({ ifindex: await indexOf(m.ns, 'gtp0') }, { local: '2001:db8::b' });
    const inners = [4, 6].map((family) => {
      const ip = family === 4 ? bare().ip4(UE, SERVER) : bare().ip6(UE6, SERVER6);
      return ip.udp(1, 2).payload(marker).bytes();
    });
    const outers = [4, 6] as const;
    const sent = outers.flatMap((outer) => inners.map((inner) => arriving(outer, gtp(inner)).bytes().subarray(14)));
    const other = arriving(4, gtp(plain[4]), { dport: 53 }).bytes().subarray(14);
    const packets = [other, ...sent].map((each) => each.toString('hex'));
    await must(within(m.ns, '/usr/bin/python3', '-c', TUN, ...packets));
    const got = await m.user.receive({ count: 4, contains: marker });
    t.is(got.length, 4);
    for (const [i, { data }] of got.entries()) sameFrame(t, data, delivered(inners[i % 2] ?? Buffer.alloc(0)));
    t.deepEqual([...m.world.maps.drops.entries()], []);
  }),
);

test.serial(
  'fragments that come by an underlay without link header become packets',
  using(machine)(async (t, m) => {
    m.world.rx({ ifindex: await indexOf(m.ns, 'gtp0') }, { local: ours[6] });
    for (const family of [4, 6] as const) m.world.endpoint(ours[family]);
    const inner = bare().ip4(UE, SERVER).udp(1, 2).payload(content(2000)).bytes();
    const pieces = ([4, 6] as const).flatMap((family) => fragments(family, datagramOf(family, inner), [800, 1600]));
    const packets = pieces.map((each) => each.bytes().subarray(14).toString('hex'));
    await must(within(m.ns, '/usr/bin/python3', '-c', TUN, ...packets, ...packets.toReversed()));
    const got = await m.user.receive({ count: 4, contains: marker });
    t.is(got.length, 4);
    for (const { data } of got) sameFrame(t, data, delivered(inner));
    t.deepEqual([...m.world.maps.drops.entries()], []);
  }),
);

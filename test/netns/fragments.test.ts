// SPDX-License-Identifier: MIT
// Outer fragments with real packets: those we send, those that a kernel makes for us, and those of other programs (G27, X6).
import test from 'ava';
import { build, packetSocket, type Socket, transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, gtpIn, linkStats, linkStatsWhen, machineStats, scratch, using } from '../fixture';
import { gpdu, gtp } from '../gtp-frame';
import { dropped, packets } from '../records';
import { must, within } from '../run';
import {
  ends,
  type Family,
  inner,
  join,
  macOf,
  mtuOf,
  outer,
  ping,
  type TwoMachines,
  twoMachines,
  user,
} from '../topology';
import { complaints, dissect, dissectWhole } from '../tshark';

test.after.always(closeFixture);

const families = [4, 6] as const;
const WIRE = 1300;

/** Two machines whose wire takes 1300 octets, and users whose MTU is 1280. */
const narrow = (family: Family) =>
  using(async () => {
    const m = await twoMachines();
    await narrowWire(m);
    await join(m, family, { m1: 'mtu 1280', m2: 'mtu 1280' });
    return m;
  });

async function narrowWire(m: TwoMachines, mtu = WIRE): Promise<void> {
  for (const ns of [m.m1, m.m2]) await must(['ip', '-n', ns, 'link', 'set', 'ul', 'mtu', `${mtu}`]);
}

/** Octets that tell where they belong. */
const content = (length: number, seed = 0): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 0xff));

/** A UDP socket of a user that asks for no path MTU, and leaves DF clear. */
async function carefree(ns: string, version: Family, which: 0 | 1, port = 7000): Promise<Socket> {
  const socket = await udpSocket(ns, inner[version][which], port);
  if (version === 4) await socket.setOption(0, 10, 0); // IP_MTU_DISCOVER = IP_PMTUDISC_DONT
  return socket;
}

/** Wants datagrams of many lengths to get from one socket to the other; gives how many. */
async function exchange(from: Socket, to: Socket, address: string, lengths: readonly number[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const [i, length] of lengths.entries()) {
    const sent = content(length, i);
    await from.send(sent, [address, 7000]);
    const [got] = await to.receive();
    if (!got?.data.equals(sent)) wrong.push(`${length} octets: ${got?.data.length ?? 'nothing'}`);
  }
  return wrong;
}

for (const family of families)
  test.serial(
    `IPv${family} outer: users with an MTU of 1280 over a wire of ${WIRE} octets, both ways (X6, RFC 2473 7)`,
    narrow(family)(async (t, m) => {
      const lengths = [1200, 1229, 1230, 1231, 1232];
      for (const version of families) {
        const [one, two] = [await carefree(m.ue1, version, 0), await carefree(m.ue2, version, 1)];
        t.deepEqual(await exchange(one, two, inner[version][1], lengths), []);
        t.deepEqual(await exchange(two, one, inner[version][0], lengths), []);
        t.is(await ping(m.ue1, inner[version][1], 3, '-s', version === 4 ? '1252' : '1232', '-M', 'dont'), 3);
        const size = 300_000;
        const whole = { equal: true, received: size };
        t.deepEqual(await transfer({ from: m.ue1, to: m.ue2, address: inner[version][1], size }), whole);
        await Promise.all([one.close(), two.close()]);
      }
      const [a, b] = [await linkStats(m.m1), await linkStats(m.m2)];
      // TCP over IPv4 learns its path; nothing else is refused, and nothing is lost
      t.deepEqual(
        Object.keys({ ...dropped(a), ...dropped(b) }).filter((reason) => reason !== 'too_big'),
        [],
      );
      t.deepEqual([b.decap.packets, a.decap.packets], [a.encap.packets, b.encap.packets]);
      t.deepEqual([b.decap.bytes, a.decap.bytes], [a.encap.bytes, b.encap.bytes]);
    }),
  );

for (const family of families)
  test.serial(
    `IPv${family} outer: Wireshark has nothing to complain about in our fragments, and reads the packets in them`,
    narrow(family)(async (t, m) => {
      const file = `${scratch}/fragments.pcap`;
      const [one, two] = [await carefree(m.ue1, 6, 0), await carefree(m.ue2, 6, 1)];
      const wire = await capture(m.m2, 'ul', file, 'udp or (ip[6:2] & 0x3fff != 0) or ip6 proto 44');
      t.deepEqual(await exchange(one, two, inner[6][1], [1232, 1232, 1232]), []);
      await wire.stop();
      t.deepEqual(await complaints(file, dissectWhole), []);
      const more = family === 4 ? 'ip.flags.mf' : 'ipv6.fraghdr.more';
      const pieces = await dissect(file, 'frame.len', 'ip.flags.df', more);
      t.deepEqual(
        pieces.map((each) => ['1', 'True'].includes(each[more][0] ?? '')),
        [true, false, true, false, true, false],
      );
      for (const each of pieces) {
        t.true(Number(each['frame.len'][0]) <= WIRE + 14);
        if (family === 4) t.true(['0', 'False'].includes(each['ip.flags.df'][0] ?? ''), 'DF is clear');
      }
      const whole = await dissectWhole(file, 'gtp.teid', 'data.len');
      const packets = whole.filter((each) => each['gtp.teid'].length > 0);
      t.deepEqual(
        packets.map((each) => [Number(each['gtp.teid'][0]), each['data.len'][0]]),
        Array.from({ length: 3 }, () => [0x202, '1232']),
      );
    }),
  );

for (const family of families)
  test.serial(
    `IPv${family} outer: a plain UDP socket is a peer in fragments, both ways`,
    using(twoMachines)(async (t, m) => {
      await narrowWire(m);
      const [a, b] = outer[family];
      await gtpIn(m.m1, `link add gtp0 local ${a} netns ${m.ue1} ${user(0)} mtu 1280 ${ends(0x11, 0x22, b)}`);
      const peer = await udpSocket(m.m2, b, 2152);
      if (family === 4) await peer.setOption(0, 10, 0);
      const socket = await udpSocket(m.ue1, inner[6][0], 7000);
      await socket.send(content(1232), [inner[6][1], 53]);
      const [up] = await peer.receive();
      t.is(up === undefined ? undefined : gtp(up.data).inner.length, 1280);
      for (const length of [1220, 1232, 3000, 9000, 15_000]) {
        const sent = content(length, length);
        const hex = sent.toString('hex');
        const [down] = await build(
          `IPv6(src='${inner[6][1]}',dst='${inner[6][0]}')/UDP(sport=53,dport=7000)/bytes.fromhex('${hex}')`,
        );
        await peer.send(gpdu(0x11, down as Buffer), [a, 2152]);
        const [got] = await socket.receive();
        t.true(got?.data.equals(sent), `${length} octets`);
      }
      const stats = await linkStats(m.m1);
      t.deepEqual([stats.decap.packets, dropped(stats)], [5, {}]);
    }),
  );

for (const family of families)
  test.serial(
    `IPv${family} outer: programs at other ports of the address get their fragments while ours run`,
    narrow(family)(async (t, m) => {
      const [a, b] = outer[family];
      const [ours, theirs] = [await carefree(m.ue1, 6, 0), await carefree(m.ue2, 6, 1)];
      const [one, two] = [await udpSocket(m.m1, a, 9999), await udpSocket(m.m2, b, 9999)];
      for (const socket of [one, two]) if (family === 4) await socket.setOption(0, 10, 0);
      const wrong: string[] = [];
      for (const [i, length] of [1300, 2000, 9000, 20_000, 60_000, 1300, 1301].entries()) {
        const sent = content(length, i);
        for (const [from, to, address] of [
          [one, two, b],
          [two, one, a],
        ] as const) {
          await from.send(sent, [address, 9999]);
          wrong.push(...(await exchange(ours, theirs, inner[6][1], [1232])));
          const [got] = await to.receive();
          if (!got?.data.equals(sent)) wrong.push(`foreign, ${length} octets: ${got?.data.length ?? 'nothing'}`);
        }
      }
      t.deepEqual(wrong, []);
      t.deepEqual(dropped(await machineStats(m.m1)), {});
      t.deepEqual(dropped(await machineStats(m.m2)), {});
    }),
  );

test.serial(
  'a program at the port of our endpoint gets a datagram in fragments whole',
  using(twoMachines)(async (t, m) => {
    await narrowWire(m);
    const v4 = 'address 10.45.0.1/24';
    const program = await udpSocket(m.m1, '192.0.2.1', 2152);
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${v4} ${ends(0x11, 0x22, '192.0.2.2')}`);
    const sender = await udpSocket(m.m2, '192.0.2.2', 4000);
    await sender.setOption(0, 10, 0);
    const sent = content(5000);
    await sender.send(sent, ['192.0.2.1', 2152]);
    const [got] = await program.receive();
    t.true(got?.data.equals(sent));
    t.is(packets((await machineStats(m.m1)).passed), 1);
  }),
);

test.serial(
  "fragments of scapy's in reverse, mixed and twice are one packet each; what lacks a piece is none",
  using(twoMachines)(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${user(0)} ${ends(0x11, 0x22, '192.0.2.2')}`);
    const socket = await udpSocket(m.ue1, '10.45.0.1', 7000);
    const wire = await packetSocket(m.m2, 'ul');
    const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
    const datagram = (id: number, text: string): string =>
      `[${ether}/p for p in fragment(IP(src='192.0.2.2',dst='192.0.2.1',id=${id})/UDP(sport=2152,dport=2152)` +
      `/GTP_U_Header(teid=0x11)/IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=53,dport=7000)/(b'${text}'*300),fragsize=400)]`;
    const [one, two, three] = [
      await build(datagram(1, 'one,')),
      await build(datagram(2, 'two,')),
      await build(datagram(3, 'none')),
    ];
    const mixed = one.toReversed().flatMap((frame, i) => [frame, two[(i + 1) % two.length] as Buffer]);
    await wire.send([...three.slice(1), ...mixed, one[0] as Buffer]);
    const got = await socket.receive({ count: 3, timeout: 1 });
    t.deepEqual(new Set(got.map(({ data }) => data.toString())), new Set(['one,'.repeat(300), 'two,'.repeat(300)]));
    t.is(got.length, 2);
    const { decap, drops } = await linkStatsWhen(m.m1, (stats) => stats.decap.packets === 2);
    t.deepEqual([decap.packets, decap.bytes], [2, 2 * (28 + 1200)]);
    t.is(drops.fragment ?? 0, 0, 'what waits is no drop yet');
  }),
);

// Two processes, each on a CPU of its own where there are two, send one piece each of the same datagrams, neither more than three ahead:
// what comes to a veth is received on the CPU that sent it. The identification stands at both ends of the content.
const RACE = `import mmap, os, socket, struct, sys
dev, count, header, tail = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4])
cpus = sorted(os.sched_getaffinity(0))
sent = memoryview(mmap.mmap(-1, 16)).cast('Q')
for side, piece in enumerate((header, tail)):
    if os.fork():
        continue
    os.sched_setaffinity(0, {cpus[side % len(cpus)]})
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((dev, 0))
    for number in range(count):
        frame = bytearray(piece)
        struct.pack_into('!H', frame, 18, number)
        struct.pack_into('!H', frame, 24, 0)
        total = sum(struct.unpack('!10H', frame[14:34]))
        total = (total & 0xffff) + (total >> 16)
        struct.pack_into('!H', frame, 24, ~(total + (total >> 16)) & 0xffff)
        struct.pack_into('!I', frame, len(frame) - 4 if side else 14 + 20 + 8 + 8 + 28, number)
        while number > sent[1 - side] + 3:
            os.sched_yield()
        out.send(frame)
        sent[side] = number + 1
    os._exit(0)
for _ in range(2):
    os.wait()
`;

test.serial(
  'pieces of one datagram on two CPUs at once: none is lost, none mix',
  using(twoMachines)(async (t, m) => {
    const count = 10_000;
    await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 netns ${m.ue1} ${user(0)} ${ends(0x11, 0x22, '192.0.2.2')}`);
    const socket = await udpSocket(m.ue1, '10.45.0.1', 7000);
    const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
    const pieces = await build(
      `[${ether}/p for p in fragment(IP(src='192.0.2.2',dst='192.0.2.1')/UDP(sport=2152,dport=2152,chksum=0)` +
        `/GTP_U_Header(teid=0x11)/IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=53,dport=7000,chksum=0)/Raw(bytes(600)),fragsize=328)]`,
    );
    t.is(pieces.length, 2);
    const texts = pieces.map((piece) => piece.toString('hex'));
    await must(within(m.m2, '/usr/bin/python3', '-c', RACE, 'ul', `${count}`, ...texts));
    const { decap } = await linkStatsWhen(m.m1, (stats) => stats.decap.packets === count);
    const got = await socket.receive({ count, timeout: 5 });
    const mixed = got.filter(({ data }) => data.readUInt32BE(0) !== data.readUInt32BE(596));
    t.deepEqual([decap.packets, got.length, mixed.length], [count, count, 0]);
    t.is(new Set(got.map(({ data }) => data.readUInt32BE(0))).size, count, 'none twice');
    t.deepEqual(dropped(await machineStats(m.m1)), {});
  }),
);

test.serial(
  'a link that carries IPv6 gets an MTU of 1280 over a narrower path, one of IPv4 alone what fits (RFC 8200 5)',
  using(twoMachines)(async (t, m) => {
    await narrowWire(m);
    const session = ends(1, 2, outer[4][1]);
    await gtpIn(m.m1, `link add gtp0 local ${outer[4][0]} netns ${m.ue1} address ${inner[4][0]}/24 ${session}`);
    t.is(await mtuOf(m.ue1), WIRE - 36);
    await gtpIn(m.m1, `link set gtp0 address ${inner[6][0]}/64`);
    t.is(await mtuOf(m.ue1), 1280);
    await gtpIn(m.m1, 'session change dev gtp0 local-teid 1 qfi 9');
    t.is(await mtuOf(m.ue1), 1280, 'it stays');
    t.regex(
      await gtpIn(m.m1, '-d link show'),
      /1300 - 20 IPv4 - 8 UDP - 16 GTP-U with QFI = 1256, raised to 1280 for IPv6/,
    );
    await gtpIn(m.m2, `link add gtp0 local ${outer[4][1]} netns ${m.ue2} ${user(1)} ${ends(2, 1, outer[4][0])}`);
    t.is(await mtuOf(m.ue2), 1280);
    t.is(await ping(m.ue1, inner[6][1], 3, '-s', '1232', '-M', 'do'), 3);
  }),
);

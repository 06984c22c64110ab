// SPDX-License-Identifier: MIT
import test from 'ava';
import { buildOne, packetSocket, type Socket, udpSocket } from '../agent';
import { faultless, faults, judge } from '../capture';
import { closeFixture, gtpIn, linkStats, linkStatsWhen, sharing } from '../fixture';
import { gpdu, gtp, packet, sum16 } from '../gtp-frame';
import { dropped } from '../records';
import { ends, type Family, keptMachines, outer, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

/** virtio_net_hdr.gso_type */
const kinds = { 'TCP over IPv4': 1, 'TCP over IPv6': 4, 'UDP over IPv4': 5, 'UDP over IPv6': 5 } as const;

/** Payload octets of one super-packet, and of one segment. */
const shapes = {
  'an exact multiple': [20 * 1200, 1200],
  'a remainder of one octet': [20 * 1200 + 1, 1200],
  'an odd segment size': [11 * 1111, 1111],
  'two segments': [2 * 1000, 1000],
  'two segments, the second short': [1001, 1000],
  'more than fits into an outer packet': [65_480, 1200],
} as const;

for (const family of [4, 6] as const) {
  for (const [kind, type] of Object.entries(kinds)) {
    test.serial(
      `IPv${family} outer: super-packets of ${kind} reach a plain UDP socket as whole, right messages`,
      inMachines(async (t, m) => {
        const { peer, tap } = await linked(m, family);
        let sent = 0;
        for (const [name, [length, size]] of Object.entries(shapes)) {
          const segments = Math.ceil(length / size);
          for (let i = 0; i < 10; i++) await tap.send(await superPacket(kind, type, length, size, i));
          const got = await peer.receive({ count: 10 * segments, timeout: 3 });
          const report = judge(got.map(({ data }) => gtp(data)));
          t.deepEqual(faults(report), faultless, name);
          t.is(report.gpdus, 10 * segments, name);
          if (kind.startsWith('TCP')) t.is(report.octets, 10 * length, name);
          else t.is(payloads(got.map(({ data }) => gtp(data).inner)), 10 * length, name);
          sent += 10 * segments;
        }
        const stats = await linkStatsWhen(m.m1, ({ encap }) => encap.packets >= sent);
        t.is(stats.encap.packets, sent, 'a super-packet counts as its segments');
        t.deepEqual(dropped(stats), {});
      }),
    );
  }

  test.serial(
    `IPv${family} outer: a train of whole G-PDUs from a peer that uses UDP_SEGMENT is taken apart`,
    inMachines(async (t, m) => {
      const { peer } = await linked(m, family);
      const receiver = await udpSocket(m.ue1, '10.45.0.1', 7000);
      const messages = await Promise.all(
        Array.from({ length: 12 }, async (_, i) =>
          gpdu(
            1,
            await buildOne(
              `IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=53,dport=7000)/b'car ${String(i).padStart(4)}'`,
            ),
          ),
        ),
      );
      await peer.setOption(17, 103, messages[0]?.length ?? 0); // SOL_UDP, UDP_SEGMENT
      t.is(await peer.send(Buffer.concat(messages), [outer[family][0], 2152]), undefined);
      const got = await receiver.receive({ count: 12 });
      t.deepEqual(
        got.map(({ data }) => data.toString()),
        messages.map((_, i) => `car ${String(i).padStart(4)}`),
      );
      t.is((await linkStats(m.m1)).decap.packets, 12);
    }),
  );
}

/** A session towards a socket on m2, and a packet socket in the user's namespace that takes super-packets. */
async function linked(m: TwoMachines, family: Family): Promise<{ peer: Socket; tap: Socket }> {
  const [local, remote] = outer[family];
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)}`);
  const peer = await udpSocket(m.m2, remote, 2152);
  await (await udpSocket(m.m1, local, 0)).send(Buffer.from('neighbour'), [remote, 2152]);
  await peer.receive({ contains: 'neighbour' });
  return { peer, tap: await packetSocket(m.ue1, 'eth0', true) };
}

/** A frame with a virtio_net_hdr: a super-packet whose checksum the device is to fill in, as a socket hands it out. */
async function superPacket(kind: string, type: number, length: number, size: number, index: number): Promise<Buffer> {
  const v6 = kind.endsWith('IPv6');
  const ip = v6
    ? `IPv6(src='fd45::1',dst='fd45::2')`
    : `IP(src='10.45.0.1',dst='10.45.0.2',flags='DF',id=${index * Math.ceil(length / size)})`;
  const ports = `sport=${7000 + (length % 100)},dport=9`;
  const l4 = kind.startsWith('TCP') ? `TCP(${ports},flags='A',seq=${1 + index * length})` : `UDP(${ports})`;
  const octets = await buildOne(`${ip}/${l4}/(b'0123456789'*${Math.ceil(length / 10)})[:${length}]`);
  const [start, offset, header] = [v6 ? 40 : 20, kind.startsWith('TCP') ? 16 : 6, kind.startsWith('TCP') ? 20 : 8];
  const { payload } = packet(octets);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(payload.length, 0);
  pseudo.writeUInt32BE(kind.startsWith('TCP') ? 6 : 17, 4);
  octets.writeUInt16BE(sum16(v6 ? octets.subarray(8, 40) : octets.subarray(12, 20), pseudo), start + offset);
  const ethernet = Buffer.from(`020000000002020000000001${v6 ? '86dd' : '0800'}`, 'hex');
  return Buffer.concat([virtioHeader(type, 14 + start + header, size, 14 + start, offset), ethernet, octets]);
}

function virtioHeader(type: number, headers: number, size: number, start: number, offset: number): Buffer {
  const header = Buffer.alloc(10);
  header[0] = 1; // VIRTIO_NET_HDR_F_NEEDS_CSUM
  header[1] = type;
  for (const [i, value] of [headers, size, start, offset].entries()) header.writeUInt16LE(value, 2 + 2 * i);
  return header;
}

const payloads = (list: readonly Buffer[]): number =>
  list.reduce((sum, each) => sum + packet(each).payload.length - 8, 0);

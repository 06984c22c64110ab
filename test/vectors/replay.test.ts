// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'ava';
import { packetSocket } from '../agent';
import { frames } from '../capture';
import { closeFixture, gtpIn, machineStats, scratch, using } from '../fixture';
import { sum16 } from '../gtp-frame';
import { dropped, handled } from '../records';
import { must, waitFor } from '../run';
import { ends, macOf, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const folder = resolve('test/vectors');

/** What a link that knows all the TEIDs of a capture does with it. */
const captures: Record<string, { readonly teids: readonly number[]; readonly delivered: number }> = {
  'gtp-u.pcap': { teids: [1], delivered: 102 },
  'gtp1_gn_normal_incl_fragmentation.pcap': { teids: [0xb2b7, 0x8c61be36], delivered: 32 },
  'gtp7_ipv6.pcap': { teids: [0x91364467], delivered: 2 },
  'ipv6_in_gtp.pcap': { teids: [0x12808fb8, 0x074c15b0], delivered: 2 },
  'gtp_ext_header.pcap': { teids: [0x00100657], delivered: 0 },
  'gtp10_not_0xff.pcap': { teids: [1], delivered: 0 },
  'gtp_false_positive.pcapng': { teids: [0x42000000], delivered: 0 },
  'gtp_prime.pcapng': { teids: [1], delivered: 0 },
};

for (const [file, { teids, delivered }] of Object.entries(captures)) {
  test.serial(
    `${file}: ${delivered} G-PDUs are delivered octet by octet, the rest is left or dropped with a name`,
    inMachines(async (t, m) => {
      const { replay } = await receiver(m, teids);
      const sent = (await captured(file)).map(fitted);
      t.true(sent.length > 0);
      const inside = sent.map(tPdu).filter((each) => each !== undefined);
      t.is(inside.length, delivered, 'the expectation fits the capture');
      t.deepEqual(
        await replay(sent, delivered),
        inside.map((each) => each.toString('hex')),
      );
      const stats = await machineStats(m.m1);
      t.is(stats.decap.packets, delivered);
      const { fragment = 0, unknown_message: messages = 0, ...others } = dropped(stats);
      t.deepEqual(others, {}, `fragments ${fragment}, other messages ${messages}`);
    }),
  );
}

/** go-gtp and gopacket: the reason a G-PDU is dropped for, `delivered`, or `message` for what is no G-PDU. */
const single: Record<string, string> = {
  'gogtp-gtp1-t-pdu-Normal': 'bad_inner',
  'gogtp-gtp1-t-pdu-With-Sequence': 'bad_inner',
  'gogtp-gtp1-t-pdu-With-ExtensionHeader': 'bad_inner',
  'gogtp-gtp1-header-NoOptionals': 'bad_inner',
  'gopacket-testGTPPacket': 'delivered',
  'gopacket-testGTPPacketWithEH': 'bad_length bad_inner unknown_extension',
};

test.serial(
  'the G-PDUs of go-gtp and gopacket are delivered, or dropped for the right reason; no other message is delivered',
  inMachines(async (t, m) => {
    const { replay } = await receiver(m, [0xdeadbeef, 1, 0x00100657, 0x11223344]);
    for (const { id, octets } of [...payloads('go-gtp.json'), ...payloads('gopacket.json')]) {
      const outcome = single[id] ?? 'message';
      const before = await machineStats(m.m1);
      const frame = datagram(octets, 2152);
      const inside = tPdu(frame)?.toString('hex');
      t.deepEqual(await replay([frame], outcome === 'delivered' ? 1 : 0), outcome === 'delivered' ? [inside] : [], id);
      if (outcome === 'message') continue;
      const after = await waitFor(
        () => machineStats(m.m1),
        (stats) => handled(stats) > handled(before),
      );
      const reasons = Object.keys(dropped(after)).filter((reason) => after.drops[reason] !== before.drops[reason]);
      if (outcome === 'delivered') t.deepEqual(reasons, [], id);
      else t.true(reasons.length === 1 && outcome.split(' ').includes(`${reasons[0]}`), `${id}: ${reasons}`);
      t.is(handled(after), handled(before) + 1, id);
    }
  }),
);

/** A link on m1 that has a session for each TEID, and what its user gets of frames that m2 sends. */
async function receiver(m: TwoMachines, teids: readonly number[]) {
  await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 mtu 1500 netns ${m.ue1}`);
  for (const [i, teid] of teids.entries()) {
    await gtpIn(m.m1, `session add dev gtp0 ${ends(teid, 2, '192.0.2.2')} ue 10.45.0.${i + 1} noantispoof`);
  }
  const [wire, user] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  const macs = Buffer.from(`${await macOf(m.m1, 'ul')}${await macOf(m.m2, 'ul')}0800`.replaceAll(':', ''), 'hex');
  const replay = async (packets: readonly Buffer[], expected: number): Promise<string[]> => {
    await wire.send(packets.map((each) => Buffer.concat([macs, each])));
    const got = await user.receive({ count: expected + 1, timeout: 0.3 });
    return got.map(({ data }) => data.subarray(14).toString('hex'));
  };
  return { replay };
}

/** The IPv4 packets of a capture, link headers and VLAN tags taken off. */
async function captured(file: string): Promise<Buffer[]> {
  const converted = `${scratch}/${file}.le.pcap`;
  await must(['tshark', '-n', '-r', `${folder}/${file}`, '-F', 'pcap', '-w', converted]);
  return frames(converted).flatMap((frame) => {
    let at = 12;
    while (frame.readUInt16BE(at) === 0x8100 || frame.readUInt16BE(at) === 0x88a8) at += 4;
    return frame.readUInt16BE(at) === 0x0800 ? [frame.subarray(at + 2)] : [];
  });
}

/** The same IPv4 packet from m2 to m1; a UDP checksum becomes "none", for the addresses are part of it. */
function fitted(original: Buffer): Buffer {
  const octets = Buffer.from(original.subarray(0, original.readUInt16BE(2)));
  const header = 4 * ((octets[0] ?? 0) & 15);
  Buffer.from([192, 0, 2, 2, 192, 0, 2, 1]).copy(octets, 12);
  octets.writeUInt16BE(0, 10);
  octets.writeUInt16BE(0xffff - sum16(octets.subarray(0, header)), 10);
  const first = (octets.readUInt16BE(6) & 0x1fff) === 0;
  if (octets[9] === 17 && first) octets.writeUInt16BE(0, header + 6);
  return octets;
}

/** The T-PDU of an unfragmented G-PDU on port 2152, by its announced Length and with the optional octets skipped. */
function tPdu(octets: Buffer): Buffer | undefined {
  const udp = octets.subarray(4 * ((octets[0] ?? 0) & 15));
  if (octets[9] !== 17 || (octets.readUInt16BE(6) & 0x3fff) !== 0 || udp.readUInt16BE(2) !== 2152) return undefined;
  const message = udp.subarray(8);
  if (message[0] === undefined || message[0] >> 4 !== 3 || message[1] !== 255) return undefined;
  return message.subarray(message[0] & 7 ? 12 : 8, 8 + message.readUInt16BE(2));
}

/** An IPv4 datagram from m2 to m1 around a UDP payload. */
function datagram(payload: Buffer, port: number): Buffer {
  const octets = Buffer.alloc(28 + payload.length);
  octets[0] = 0x45;
  octets.writeUInt16BE(octets.length, 2);
  octets[8] = 64;
  octets[9] = 17;
  octets.writeUInt16BE(port, 20);
  octets.writeUInt16BE(port, 22);
  octets.writeUInt16BE(8 + payload.length, 24);
  payload.copy(octets, 28);
  return fitted(octets);
}

/** The GTPv1-U payloads of a JSON collection. */
function payloads(file: string): { id: string; octets: Buffer }[] {
  const { vectors } = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as {
    vectors: { id: string; link: string; hex: string }[];
  };
  return vectors.flatMap(({ id, link, hex }) => {
    if (link === 'udp-payload-gtp1') return [{ id, octets: Buffer.from(hex, 'hex') }];
    return id.includes('GTP') ? [{ id, octets: Buffer.from(hex, 'hex').subarray(14 + 28) }] : [];
  });
}

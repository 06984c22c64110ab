// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'ava';
import { packetSocket } from '../agent';
import { frames } from '../capture';
import { closeFixture, gtpIn, machineStats, scratch, using } from '../fixture';
import { gtp, sum16 } from '../gtp-frame';
import { echoResponse } from '../messages';
import { dropped, handled, packets } from '../records';
import { must } from '../run';
import { ends, macOf, type TwoMachines, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const folder = resolve('test/vectors');

/** What happens to the frames of a capture at an endpoint that has a session for each TEID; `left` are the stack's. */
interface Outcome {
  readonly teids?: readonly number[];
  readonly delivered: number;
  readonly answers?: readonly Buffer[];
  readonly drops?: Readonly<Record<string, number>>;
  readonly left?: number;
}

const captures: Record<string, Outcome> = {
  'gtp-u.pcap': { teids: [1], delivered: 102 },
  'gtp1_gn_normal_incl_fragmentation.pcap': { teids: [0xb2b7, 0x8c61be36], delivered: 32 + 36, left: 4 },
  'gtp7_ipv6.pcap': { teids: [0x91364467], delivered: 2 },
  'ipv6_in_gtp.pcap': { teids: [0x12808fb8, 0x074c15b0], delivered: 2 },
  'gtp_ext_header.pcap': { teids: [0x00100657], delivered: 1 },
  // an Error Indication without a session of that peer, an Echo Request, an Echo Response that nobody waits for
  'gtp10_not_0xff.pcap': {
    delivered: 0,
    answers: [echoResponse(0xfe69)],
    drops: { unknown_session: 1, unexpected: 1 },
  },
  // not GTP, to port 3386, and GTP-C
  'gtp_false_positive.pcapng': { delivered: 0, drops: { bad_version: 5 }, left: 2 },
  'gtp_prime.pcapng': { delivered: 0, drops: { bad_version: 1 } },
};

for (const [file, { teids = [], delivered, answers = [], drops = {}, left = 0 }] of Object.entries(captures)) {
  test.serial(
    `${file}: ${delivered} G-PDUs are delivered octet by octet, and every other frame is what it should be`,
    inMachines(async (t, m) => {
      const { replay } = await receiver(m, teids);
      const sent = (await captured(file)).map(fitted);
      const datagrams = whole(sent);
      t.is(datagrams.length, delivered + answers.length + Object.values(drops).reduce((a, b) => a + b, 0) + left);
      const inside = datagrams.flatMap((each) => tPdu(each) ?? []);
      t.is(inside.length, delivered, 'the expectation fits the capture');
      t.deepEqual(await replay(sent), { delivered: inside, answers });
      const stats = await machineStats(m.m1);
      t.is(stats.decap.packets, delivered);
      t.deepEqual([packets(stats.answered), packets(stats.passed), dropped(stats)], [answers.length, 0, drops]);
    }),
  );
}

/** go-gtp and gopacket: the reason why a message is dropped, `delivered` or `answered`. */
const single: Record<string, string> = {
  'gogtp-gtp1-t-pdu-Normal': 'bad_inner',
  'gogtp-gtp1-t-pdu-With-Sequence': 'bad_inner',
  'gogtp-gtp1-t-pdu-With-ExtensionHeader': 'bad_inner',
  'gogtp-gtp1-header-NoOptionals': 'bad_inner',
  'gogtp-gtp1-header-WithSequenceNumber': 'bad_message',
  'gogtp-gtp1-header-WithNPDUNumber': 'bad_message',
  'gogtp-gtp1-header-WithExtensionHeaders': 'bad_message',
  'gogtp-gtp1-header-WithSequenceAndNPDUNumber': 'bad_message',
  'gogtp-gtp1-header-WithSequenceAndExtensionHeaders': 'bad_message',
  'gogtp-gtp1-header-WithSequenceAndNPDUAndExtensionHeaders': 'bad_message',
  'gogtp-gtp1-header-ExtFlagSetButMissingExt': 'unknown_message',
  'gogtp-gtp1-header-IncorrectLength': 'bad_length',
  'gogtp-gtp1-echo-req-Normal': 'answered',
  'gogtp-gtp1-echo-res-Normal': 'unexpected',
  'gogtp-gtp1-error-indication-Normal': 'bad_message',
  'gogtp-gtp1-end-marker-Normal': 'unknown_teid',
  'gogtp-gtp1-supported-extension-header-notification-Normal': 'bad_message',
  'gogtp-gtp1-version-not-supported-Normal': 'unknown_message',
  'gogtp-gtp0-t-pdu-normal': 'bad_inner',
  'gogtp-gtp0-echo-req-normal': 'bad_message',
  'gogtp-gtp0-echo-res-with-recovery': 'unexpected',
  'gogtp-gtp0-header-normal': 'unknown_message',
  'gopacket-testGTPPacket': 'delivered',
  'gopacket-testGTPPacketWithEH': 'bad_inner',
};

test.serial(
  'every message of go-gtp and gopacket is delivered, answered, or dropped for the right reason, and counted once',
  inMachines(async (t, m) => {
    const { replay } = await receiver(m, [0xdeadbeef, 1, 0x00100657, 0x11223344]);
    let before = await machineStats(m.m1);
    const vectors = [...payloads('go-gtp.json'), ...payloads('gopacket.json')];
    t.deepEqual(
      vectors.map(({ id }) => id),
      Object.keys(single),
    );
    for (const { id, octets, port } of vectors) {
      const outcome = single[id] ?? '';
      const frame = datagram(octets, port);
      const inside = outcome === 'delivered' ? [tPdu(frame)] : [];
      t.deepEqual(
        await replay([frame]),
        { delivered: inside, answers: outcome === 'answered' ? [echoResponse(0)] : [] },
        id,
      );
      const after = await machineStats(m.m1);
      const reasons = Object.keys(dropped(after)).filter((reason) => after.drops[reason] !== before.drops[reason]);
      if (packets(after.answered) > packets(before.answered)) reasons.push('answered');
      if (after.decap.packets > before.decap.packets) reasons.push('delivered');
      t.deepEqual(reasons, [outcome], id);
      t.is(handled(after), handled(before) + 1, id);
      before = after;
    }
    t.deepEqual(before.sent, { echo: 1, errind: 0, extnotify: 0, icmp: 0 });
  }),
);

/** What became of frames: the T-PDUs that the user got, and the messages that came back to m2. */
interface Seen {
  readonly delivered: readonly (Buffer | undefined)[];
  readonly answers: readonly Buffer[];
}

/** A link on m1 that has a session for each TEID and one of version 0, and what comes of frames that m2 sends. */
async function receiver(m: TwoMachines, teids: readonly number[]) {
  await gtpIn(m.m1, `link add gtp0 local 192.0.2.1 mtu 1500 netns ${m.ue1}`);
  for (const [i, teid] of teids.entries())
    await gtpIn(m.m1, `session add dev gtp0 ${ends(teid, 2, '192.0.2.2')} ue 10.45.0.${i + 1} noantispoof`);
  const tid = 'version 0 tid 0x2143658709214355 remote 192.0.2.2';
  await gtpIn(m.m1, `session add dev gtp0 ${tid} ue 10.45.0.99 noantispoof`);
  const [wire, user] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  const macs = Buffer.from(`${await macOf(m.m1, 'ul')}${await macOf(m.m2, 'ul')}0800`.replaceAll(':', ''), 'hex');
  const replay = async (packets: readonly Buffer[]): Promise<Seen> => {
    await wire.send(packets.map((each) => Buffer.concat([macs, each])));
    const got = await user.receive({ count: 1000, timeout: 0.2 });
    const back = (await wire.receive({ count: 1000, timeout: 0.05 })).map(({ data }) => data.subarray(14));
    return {
      delivered: got.map(({ data }) => data.subarray(14)),
      answers: back.filter((each) => each[9] === 17).map((each) => each.subarray(28)),
    };
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

/** The T-PDU of an unfragmented G-PDU on port 2152, by its announced Length and with optional octets and extension headers skipped. */
function tPdu(octets: Buffer): Buffer | undefined {
  const udp = octets.subarray(4 * ((octets[0] ?? 0) & 15));
  if (octets[9] !== 17 || isFragment(octets) || udp.readUInt16BE(2) !== 2152) return undefined;
  const message = udp.subarray(8);
  if (message[0] === undefined || message[0] >> 4 !== 3 || message[1] !== 255) return undefined;
  return gtp(message.subarray(0, 8 + message.readUInt16BE(2))).inner;
}

/** IPv4 packets with those that came in two fragments as one; what has no second one is as it was. */
function whole(packets: readonly Buffer[]): Buffer[] {
  const found: Buffer[] = [];
  for (const each of packets) {
    const first = found.findIndex((other) => other.readUInt16BE(4) === each.readUInt16BE(4) && isFragment(other));
    const start = found[first];
    if (start === undefined || !isFragment(each)) found.push(each);
    else {
      const joined = Buffer.concat([start, each.subarray(20)]);
      joined.writeUInt16BE(joined.length, 2);
      joined.writeUInt16BE(0, 6);
      found.splice(first, 1);
      found.push(joined);
    }
  }
  return found;
}

const isFragment = (octets: Buffer): boolean => (octets.readUInt16BE(6) & 0x3fff) !== 0;

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

/** The GTP-U payloads of a JSON collection, and the port of their version. */
function payloads(file: string): { id: string; octets: Buffer; port: number }[] {
  const { vectors } = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as {
    vectors: { id: string; link: string; hex: string }[];
  };
  return vectors.flatMap(({ id, link, hex }) => {
    const octets = Buffer.from(hex, 'hex');
    if (link === 'udp-payload-gtp1') return [{ id, octets, port: 2152 }];
    if (link === 'udp-payload-gtp0') return [{ id, octets, port: 3386 }];
    return id.includes('GTP') ? [{ id, octets: octets.subarray(14 + 28), port: 2152 }] : [];
  });
}

// SPDX-License-Identifier: MIT
// The outer header by words and by the inner packet: TTL, TOS, ECN, DF, source port.
import test, { type ExecutionContext } from 'ava';
import { closeFixture, gtpIn, linkStatsWhen, sessions, sharing } from '../fixture';
import type { Packet } from '../gtp-frame';
import { dropped } from '../records';
import { type Family, keptMachines, outer, twoMachines } from '../topology';
import { familiesOf, type Kind, kindOf, LINK, plainKinds, titleOf } from '../tunnel-kinds';
import { frameOut, MAC, payloadOf, type Raw, rawPeer } from '../tunnel-raw';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);
const tunnels = plainKinds.filter(({ type }) => type !== 'vlan');

/** A packet of the user, by what its own header says; gives the outer one. */
function sent(raw: Raw, version: Family, ttl: number, tos: number, more = ''): Promise<Packet> {
  const mark = `<${version} ${ttl} ${tos} ${Math.random()}>`;
  const words = version === 4 ? `ttl=${ttl},tos=${tos}` : `hlim=${ttl},tc=${tos}`;
  return raw.out(frameOut(mark, { version, ip: `${words}${more}` }), mark);
}

for (const kind of tunnels)
  for (const family of familiesOf(kind)) {
    test.serial(
      `${titleOf(kind, family)}: TTL, TOS and DF by default, and the inner ECN copied (X1)`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, kind.type, family, kind.words[0]);
        for (const version of [4, 6] as const)
          for (const ecn of [0, 1, 2, 3]) {
            const got = await sent(raw, version, 9, 0xb8 | ecn);
            t.deepEqual([got.ttl, got.tos, got.dontFragment], [64, ecn, true], `IPv${version} inside, ECN ${ecn}`);
          }
      }),
    );

    test.serial(
      `${titleOf(kind, family)}: ttl, tos and df as words say, and inherited`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, kind.type, family, `${kind.words[0]} ttl 9 tos 0x20 df unset`);
        const first = await sent(raw, 4, 33, 0xb9);
        t.deepEqual([first.ttl, first.tos, first.dontFragment], [9, 0x21, family === 6]);
        await gtpIn(m.m1, `link set ${LINK} ttl inherit tos inherit df inherit`);
        for (const version of [4, 6] as const) {
          const got = await sent(raw, version, 33, 0xb9);
          t.deepEqual([got.ttl, got.tos, got.dontFragment], [33, 0xb9, family === 6 || version === 6], `${version}`);
        }
        const marked = await sent(raw, 4, 34, 0, ",flags='DF'");
        t.deepEqual([marked.ttl, marked.tos, marked.dontFragment], [34, 0, true]);
      }),
    );

    test.serial(
      `${titleOf(kind, family)}: congestion that was marked on the way reaches the inner packet (X2)`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, kind.type, family, kind.words[0]);
        await congested(t, raw, kind, family);
        const stats = await linkStatsWhen(m.m1, ({ drops }) => drops['ecn'] === 2, LINK);
        t.deepEqual(dropped(stats), { ecn: 2 });
      }),
    );
  }

/** Rows: inner; columns: outer; the inner field afterwards (RFC 6040), undefined: dropped. */
const AFTERWARDS = [
  [0, 0, 0, undefined],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
] as const;

/** Every pair of fields, IPv4 and IPv6 inside. */
const CONGESTIONS = ([4, 6] as const).flatMap((version) =>
  AFTERWARDS.flatMap((row, own) => row.map((after, outside) => ({ version, own, outside, after }))),
);

async function congested(t: ExecutionContext, raw: Raw, kind: Kind, family: Family): Promise<void> {
  const field = { 4: 'tos', 6: 'tc' } as const;
  const protocol = kind.title === '' ? '' : `,${family === 4 ? 'proto' : 'nh'}=115`;
  for (const { version, own, outside, after } of CONGESTIONS) {
    const mark = `<${version} ${own} ${outside}>`;
    const inside = payloadOf(kind.type, mark, { version, ip: `${field[version]}=${own}` });
    await raw.send(header(kind)(inside, version), { ip: `${field[family]}=${outside}${protocol}` });
    const got = await raw.tap.receive({ contains: mark, timeout: after === undefined ? 0.2 : 2 });
    const wanted = after === undefined ? [] : [[after, true]];
    t.deepEqual<unknown, unknown>(
      got.map(({ data }) => ecnOf(data)),
      wanted,
      `IPv${version} inside: inner ${own}, outer ${outside}`,
    );
  }
}

function header({ type, title }: Kind): (inner: string, version: Family) => string {
  const found = HEADERS[title === '' ? type : `${type} ${title}`];
  if (found === undefined) throw new Error(`${type} ${title}`);
  return found;
}

const HEADERS: Readonly<Record<string, (inner: string, version: Family) => string>> = {
  gre: (inner, version) => `GRE(proto=${version === 4 ? '0x800' : '0x86dd'})/${inner}`,
  gretap: (inner) => `GRE(proto=0x6558)/${inner}`,
  geneve: (inner) => `UDP(sport=1,dport=6081)/GENEVE(vni=100)/${inner}`,
  vxlan: (inner) => `UDP(sport=1,dport=4789)/VXLAN(vni=0xabcdef,flags=8)/${inner}`,
  l2tp: (inner) => `UDP(sport=1701,dport=1701)/plain('00030000 00000101 00000000')/${inner}`,
  'l2tp by IP': (inner) => `plain('00000101 00000000')/${inner}`,
};

/** ECN of a frame's packet, and whether its header's checksum is right. */
function ecnOf(frame: Buffer): readonly [number, boolean] {
  if (frame.readUInt16BE(12) === 0x86dd) return [(frame.readUInt8(15) >> 4) & 3, true];
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at);
  return [frame.readUInt8(15) & 3, (sum & 0xffff) + (sum >> 16) === 0xffff];
}

for (const type of ['geneve', 'vxlan'] as const)
  for (const family of [4, 6] as const)
    test.serial(
      `${type} over IPv${family}: a flow keeps its source port, flows have several, from 49152 on (N6)`,
      inMachines(async (t, m) => {
        const raw = await rawPeer(m, type, family, 'vni 100');
        const used = new Map<number, Set<number>>();
        for (let i = 0; i < 60; i++) {
          const flow = i % 20;
          const mark = `<flow ${flow} number ${i}>`;
          const port = (await raw.out(frameOut(mark, { port: 2000 + flow }), mark)).payload.readUInt16BE(0);
          used.set(flow, (used.get(flow) ?? new Set()).add(port));
        }
        t.true([...used.values()].every((ports) => ports.size === 1));
        const ports = new Set([...used.values()].flatMap((each) => [...each]));
        t.true(ports.size > 10, `${ports.size} ports`);
        t.true([...ports].every((port) => port >= 49152));
        const frames = ['0x88b5', '0x0806'].map(
          (ether) => `Ether(src='${MAC.near}',dst='${MAC.far}',type=${ether})/b'<no IP>'`,
        );
        for (const frame of frames) t.true((await raw.out(frame, '<no IP>')).payload.readUInt16BE(0) >= 49152);
      }),
    );

for (const type of ['geneve', 'vxlan'] as const)
  test.serial(
    `${type}: srcport is what the words say, and udpcsum comes and goes`,
    inMachines(async (t, m) => {
      const raw = await rawPeer(m, type, 4, `${kindOf(type).words[0]} srcport 5555 udpcsum`);
      const first = await sent(raw, 4, 64, 0);
      t.is(first.payload.readUInt16BE(0), 5555);
      t.is(first.payloadSum, 'right');
      await gtpIn(m.m1, `link set ${LINK} noudpcsum`);
      t.is((await sent(raw, 4, 64, 0)).payloadSum, 'absent');
      t.is((await sessions(m.m1))[0]?.remote, outer[4][1]);
    }),
  );

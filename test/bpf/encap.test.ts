// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { tx_flag } from '../../src/datapath/layout.gen';
import { sameFrame } from './harness';
import { etherType, type Inner, inners, plain } from './inners';
import { A, A6, B, B6, bare, eth, type Gtpu, type Ip4, type Ip6, SERVER, SERVER6, UE, UE6 } from './packet';
import { hex, LINK, PORT, REMOTE_TEID, type TxWords } from './session';
import { makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

type Family = 4 | 6;

interface Outer {
  readonly ip4?: Ip4;
  readonly ip6?: Ip6;
  readonly sport?: number;
  readonly dport?: number;
  readonly checksum?: number;
  readonly gtpu?: Partial<Gtpu>;
}

const remote = { 4: {}, 6: { local: A6, remote: B6, flags: tx_flag.csum } } as const;

/** The frame that is wanted, made from scratch: its UDP checksum is summed over everything. */
function wrapped(inner: Buffer, family: Family, outer: Outer = {}): Buffer {
  const start = eth({ destination: '00:00:00:00:00:00' });
  const ip = family === 4 ? start.ip4(A, B, outer.ip4) : start.ip6(A6, B6, outer.ip6);
  const checksum = outer.checksum === undefined ? {} : { checksum: outer.checksum };
  const udp = ip.udp(outer.sport ?? PORT, outer.dport ?? PORT, checksum);
  return udp
    .gtpu({ teid: REMOTE_TEID, ...outer.gtpu })
    .payload(inner)
    .bytes();
}

function framed(inner: Buffer, family: Family): Buffer {
  return eth({ type: etherType[family] }).payload(inner).bytes();
}

/** Sends an inner packet by the link's only session and wants it out in an outer header that is as told. */
function encapsulates(
  t: ExecutionContext,
  inner: Pick<Inner, 'bytes' | 'family'>,
  family: Family,
  words: TxWords = {},
  outer: Outer = {},
  program: 'link' | 'shim' = 'link',
): void {
  const flags = (words.flags ?? 0) | (family === 6 ? tx_flag.csum : 0);
  world.fallback({ ...remote[family], ...words, flags });
  const run = world.send(t, program, framed(inner.bytes, inner.family), { mark: program === 'shim' ? LINK : 0 });
  t.is(run.verdict, 'redirect');
  t.is(run.skb.mark, 0);
  t.deepEqual(run.counted, [`tx ${hex(REMOTE_TEID)}: 1 ${inner.bytes.length}`]);
  const checksum = (flags & tx_flag.csum) === 0 ? { checksum: 0 } : {};
  const ip4 = { id: isDf(run.frame) ? 0 : run.frame.readUInt16BE(18), ...outer.ip4 };
  sameFrame(t, run.frame, wrapped(inner.bytes, family, { ...checksum, ...outer, ip4 }));
}

function isDf(frame: Buffer): boolean {
  return ((frame[20] ?? 0) & 0x40) !== 0;
}

for (const family of [4, 6] as const) {
  for (const inner of inners) {
    if (inner.lco || family === 4) test.serial(`${inner.name} goes out in IPv${family}`, encapsulates, inner, family);
    test.serial(
      `${inner.name} comes out of the shim in IPv${family} with a checksum (X10)`,
      encapsulates,
      inner,
      family,
      { flags: tx_flag.csum },
      {},
      'shim',
    );
    if (inner.lco)
      test.serial(`${inner.name} goes out in IPv${family} with a checksum (X10)`, encapsulates, inner, family, {
        flags: tx_flag.csum,
      });
    else test.serial(`${inner.name} is sent to the shim to be summed for IPv${family}`, goesToShim, inner, family);
  }
}

/** Sends an inner packet whose outer checksum costs a look at all of it: not here. */
function goesToShim(t: ExecutionContext, inner: Inner, family: Family): void {
  world.fallback({ ...remote[family], flags: tx_flag.csum });
  const frame = framed(inner.bytes, inner.family);
  const run = world.send(t, 'link', frame, {}, 0);
  t.is(run.verdict, 'redirect');
  t.is(run.skb.mark, LINK);
  sameFrame(t, run.frame, frame);
}

type Row = readonly [title: string, words: TxWords, outer: Outer, inner?: Buffer];

const inner4 = (fields: Ip4): Buffer => bare().ip4(UE, SERVER, fields).udp(1000, 53).payload(20).bytes();
const inner6 = (fields: Ip6): Buffer => bare().ip6(UE6, SERVER6, fields).udp(1000, 53).payload(20).bytes();
const psc = (content: string) => ({ ext: [{ type: 0x85, content: Buffer.from(content, 'hex') }] });

const rows: Readonly<Record<Family, readonly Row[]>> = {
  4: [
    ["ttl is the session's (X5)", { ttl: 7 }, { ip4: { ttl: 7 } }],
    ['ttl 255 (X5)', { ttl: 255 }, { ip4: { ttl: 255 } }],
    [
      'ttl inherit is that of the inner IPv4 header',
      { flags: tx_flag.ttl_inherit },
      { ip4: { ttl: 33 } },
      inner4({ ttl: 33 }),
    ],
    [
      'ttl inherit is that of the inner IPv6 header',
      { flags: tx_flag.ttl_inherit },
      { ip4: { ttl: 9 } },
      inner6({ hops: 9 }),
    ],
    ["tos is the session's (X4, G30)", { tos: 0xb8 }, { ip4: { tos: 0xb8 } }],
    [
      'tos inherit is that of the inner IPv4 header (X4)',
      { flags: tx_flag.tos_inherit },
      { ip4: { tos: 0xb9 } },
      inner4({ tos: 0xb9 }),
    ],
    [
      'tos inherit is that of the inner IPv6 header (X4)',
      { flags: tx_flag.tos_inherit },
      { ip4: { tos: 0x4e } },
      inner6({ tos: 0x4e }),
    ],
    ['df set (X6, X9)', { flags: tx_flag.df }, { ip4: { df: true, id: 0 } }],
    [
      'df inherit with an inner DF (X6)',
      { flags: tx_flag.df_inherit },
      { ip4: { df: true, id: 0 } },
      inner4({ df: true }),
    ],
    [
      'df inherit without an inner DF (X6)',
      { flags: tx_flag.df_inherit },
      { ip4: { df: false } },
      inner4({ df: false }),
    ],
    [
      'df inherit with IPv6 inside, which is never fragmented (X6)',
      { flags: tx_flag.df_inherit },
      { ip4: { df: true, id: 0 } },
      inner6({}),
    ],
    ['df unset stays unset though the inner DF is set', {}, { ip4: { df: false } }, inner4({ df: true })],
    [
      'a PDU Session Container of 4 octets, downlink (G6, G7)',
      { ext: Buffer.from('01000900', 'hex') },
      { gtpu: psc('0009') },
    ],
    [
      'a PDU Session Container of 4 octets, uplink (G7)',
      { ext: Buffer.from('01103f00', 'hex') },
      { gtpu: psc('103f') },
    ],
    ['a PDU Session Container with RQI', { ext: Buffer.from('01004900', 'hex') }, { gtpu: { qfi: 9, rqi: true } }],
    [
      'a PDU Session Container of 8 octets with PPI',
      { ext: Buffer.from('020089a000000000', 'hex') },
      { gtpu: psc('0089a0000000') },
    ],
    ['TEID 0 of a peer (G20)', { teid: 0 }, { gtpu: { teid: 0 } }],
    ['TEID ffffffff', { teid: 0xffffffff }, { gtpu: { teid: 0xffffffff } }],
    ['another source port', { sport: 40001 }, { sport: 40001 }],
    ['another destination port', { dport: 9999 }, { dport: 9999 }],
  ],
  6: [
    ["hop limit is the session's (X5)", { ttl: 7 }, { ip6: { hops: 7 } }],
    [
      'hop limit inherit is that of the inner IPv4 header',
      { flags: tx_flag.ttl_inherit },
      { ip6: { hops: 33 } },
      inner4({ ttl: 33 }),
    ],
    [
      'hop limit inherit is that of the inner IPv6 header',
      { flags: tx_flag.ttl_inherit },
      { ip6: { hops: 9 } },
      inner6({ hops: 9 }),
    ],
    ["traffic class is the session's (X4, G30)", { tos: 0xb8 }, { ip6: { tos: 0xb8 } }],
    [
      'traffic class inherit is that of the inner IPv4 header (X4)',
      { flags: tx_flag.tos_inherit },
      { ip6: { tos: 0xb9 } },
      inner4({ tos: 0xb9 }),
    ],
    [
      'traffic class inherit is that of the inner IPv6 header (X4)',
      { flags: tx_flag.tos_inherit },
      { ip6: { tos: 0x4e } },
      inner6({ tos: 0x4e }),
    ],
    [
      'a PDU Session Container of 4 octets, downlink (G6, G7)',
      { ext: Buffer.from('01000900', 'hex') },
      { gtpu: psc('0009') },
    ],
    [
      'a PDU Session Container of 8 octets with PPI',
      { ext: Buffer.from('020089a000000000', 'hex') },
      { gtpu: psc('0089a0000000') },
    ],
    ['other ports', { sport: 1, dport: 65535 }, { sport: 1, dport: 65535 }],
  ],
};

for (const family of [4, 6] as const)
  for (const [title, words, outer, inner = plain[family]] of rows[family]) {
    const packet = { bytes: inner, family: (inner[0] ?? 0) >> 4 === 4 ? 4 : 6 } as const;
    test.serial(`IPv${family}: ${title}`, (t) => {
      const teid = words.teid ?? REMOTE_TEID;
      world.fallback({ ...remote[family], ...words, flags: (words.flags ?? 0) | tx_flag.csum });
      const run = world.send(t, 'link', framed(packet.bytes, packet.family));
      t.deepEqual(run.counted, [`tx ${hex(teid)}: 1 ${inner.length}`]);
      const ip4 = { id: isDf(run.frame) ? 0 : run.frame.readUInt16BE(18), ...outer.ip4 };
      sameFrame(t, run.frame, wrapped(inner, family, { ...outer, ip4 }));
    });
  }

for (const family of [4, 6] as const)
  for (const insideFamily of [4, 6] as const)
    test.serial(
      `IPv${insideFamily} in IPv${family}: every ECN field is copied outside, and the tos keeps its own six bits (X1)`,
      (t) => {
        for (const ecn of [0, 1, 2, 3]) {
          const inner = insideFamily === 4 ? inner4({ tos: 0x20 | ecn }) : inner6({ tos: 0x20 | ecn });
          world.reset();
          const tos = { tos: 0xb8 | ecn };
          encapsulates(
            t,
            { bytes: inner, family: insideFamily },
            family,
            { tos: 0xbb, flags: tx_flag.df },
            { ip4: { ...tos, df: true }, ip6: tos },
          );
        }
      },
    );

test.serial('with DF the identification is 0 (X9)', (t) => {
  world.fallback({ flags: tx_flag.df });
  for (let i = 0; i < 8; i++) {
    const { frame } = world.send(t, 'link', framed(plain[4], 4));
    t.deepEqual([frame.readUInt16BE(18), frame.readUInt16BE(20)], [0, 0x4000]);
  }
});

test.serial('without DF the identification differs from packet to packet (X9)', (t) => {
  world.fallback();
  const ids = new Set(
    Array.from({ length: 32 }, () => world.send(t, 'link', framed(plain[4], 4)).frame.readUInt16BE(18)),
  );
  t.true(ids.size > 24, `${ids.size} of 32`);
});

test.serial('srcport hash is 49152 or more, the same for one flow, and differs between flows (G23)', (t) => {
  world.fallback({ flags: tx_flag.sport_hash });
  const ports = Array.from({ length: 40 }, (_, i) => {
    const frame = framed(
      bare()
        .ip4(UE, SERVER)
        .udp(1000 + (i >> 1), 53)
        .payload(i)
        .bytes(),
      4,
    );
    return world.send(t, 'link', frame).frame.readUInt16BE(34);
  });
  t.true(ports.every((port) => port >= 49152));
  for (let i = 0; i < 40; i += 2) t.is(ports[i], ports[i + 1]);
  t.true(new Set(ports).size > 15);
});

test.serial('a checksum that comes out as 0 is sent as ffff (X10)', (t) => {
  for (const family of [4, 6] as const)
    for (const program of ['link', 'shim'] as const) {
      const udpAt = 14 + (family === 4 ? 20 : 40);
      const sum = wrapped(plain[4], family, { sport: 1 }).readUInt16BE(udpAt + 6);
      const sport = (sum + 1) % 0xffff;
      world.reset();
      world.fallback({ ...remote[family], sport, flags: tx_flag.csum });
      const { frame } = world.send(t, program, framed(plain[4], 4), { mark: program === 'shim' ? LINK : 0 });
      t.is(frame.readUInt16BE(udpAt), sport);
      t.is(frame.readUInt16BE(udpAt + 6), 0xffff);
    }
});

test.serial('an L4 checksum that is still to be filled in counts as filled in (LCO)', (t) => {
  const kinds = [
    {
      make: (checksum?: 'pseudo') =>
        bare()
          .ip4(UE, SERVER)
          .tcp(1, 2, checksum ? { checksum } : {})
          .payload(55),
      family: 4,
    },
    {
      make: (checksum?: 'pseudo') =>
        bare()
          .ip4(UE, SERVER)
          .udp(1, 2, checksum ? { checksum } : {})
          .payload(56),
      family: 4,
    },
    {
      make: (checksum?: 'pseudo') =>
        bare()
          .ip6(UE6, SERVER6)
          .tcp(1, 2, checksum ? { checksum } : {})
          .payload(56),
      family: 6,
    },
    {
      make: (checksum?: 'pseudo') =>
        bare()
          .ip6(UE6, SERVER6)
          .udp(1, 2, checksum ? { checksum } : {})
          .payload(55),
      family: 6,
    },
  ] as const;
  for (const { make, family } of kinds) {
    const checksum = wrapped(make().bytes(), 6).readUInt16BE(60);
    world.reset();
    encapsulates(t, { bytes: make('pseudo').bytes(), family }, 6, {}, { checksum });
  }
});

test.serial('octets behind the inner packet go along and into the checksum (LCO)', (t) => {
  for (const family of [4, 6] as const) {
    world.reset();
    const padded = Buffer.concat([plain[family], Buffer.from('abcdef', 'hex')]);
    encapsulates(t, { bytes: padded, family }, 6, {}, {}, 'shim');
  }
});

test.serial('octets behind an inner UDP datagram, UDP options, go into the checksum (RFC 9868)', (t) => {
  const datagram = bare()
    .ip4(UE, SERVER, { length: 20 + 8 + 20 + 6 })
    .udp(1000, 53)
    .payload(20)
    .bytes();
  const inner = Buffer.concat([datagram, Buffer.from('010101010203', 'hex')]);
  encapsulates(t, { bytes: inner, family: 4 }, 6, {}, {}, 'shim');
});

test.serial('a packet that came out of a tunnel goes into the next one, whatever the families', (t) => {
  const ways = [
    [4, 6],
    [6, 4],
    [4, 4],
    [6, 6],
  ] as const;
  for (const [first, second] of ways) {
    world.reset();
    const words = (family: Family): TxWords => ({ ...remote[family], flags: tx_flag.csum | tx_flag.df });
    world.exact(SERVER, words(first));
    world.exact(first === 4 ? B : B6, { ...words(second), teid: 2 });
    const inner = wrapped(plain[4], first, { ip4: { df: true } }).subarray(14);
    const { verdict, frame } = world.repeat('link', framed(plain[4], 4), 2);
    t.is(verdict, 'redirect');
    sameFrame(t, frame, wrapped(inner, second, { ip4: { df: true }, gtpu: { teid: 2 } }));
  }
});

test.serial('the container does not disturb the checksum of any inner packet', (t) => {
  for (const inner of inners) {
    world.reset();
    const words = { ext: Buffer.from('020089a000000000', 'hex') };
    encapsulates(t, inner, 6, words, { gtpu: psc('0089a0000000') }, 'shim');
  }
});

// SPDX-License-Identifier: MIT
import test from 'ava';
import { rx_flag } from '../../src/datapath/layout.gen';
import { arriving, chain, delivered, type Family, gtp, ours } from './gtp';
import { sameFrame } from './harness';
import { inners, plain } from './inners';
import { pattern } from './packet';
import { receiver } from './receive';
import { PORT, rxKey } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { delivers, drops, dropsAtEndpoint } = receiver(world);
test.beforeEach(() => {
  world.reset();
  for (const family of [4, 6] as const) {
    world.rx({}, { local: ours[family] });
    world.endpoint(ours[family], PORT, { flags: 0 });
  }
});
test.after.always(() => world.close());

const families = [4, 6] as const;
const E = 0x34;

for (const family of families)
  for (const inner of inners)
    test.serial(`${inner.name} in IPv${family} is delivered`, (t) => {
      delivers(t, arriving(family, gtp(inner.bytes)), inner.bytes);
    });

for (const family of families)
  test.serial(
    `IPv${family}: any of E, S and PN brings four octets, and their offsets do not depend on which (G2)`,
    (t) => {
      for (let bits = 1; bits < 8; bits++)
        for (const inside of families)
          delivers(t, arriving(family, gtp(plain[inside], { flags: 0x30 | bits, more: '12345600' })), plain[inside]);
    },
  );

test.serial('without E the last of the four octets means nothing (G2)', (t) => {
  for (const bits of [1, 2, 3])
    for (const next of ['85', 'c1', 'ff', '01'])
      delivers(t, arriving(4, gtp(plain[4], { flags: 0x30 | bits, more: `000000${next}` })), plain[4]);
});

test.serial('the spare bit is not evaluated', (t) => {
  delivers(t, arriving(4, gtp(plain[4], { flags: 0x38 })), plain[4]);
});

test.serial('sequence and N-PDU number, all there is before the T-PDU, may be anything (G2, G10)', (t) => {
  delivers(t, arriving(4, gtp(plain[4], { flags: 0x33, more: 'ffffff00' })), plain[4]);
});

const known = [0x03, 0x82, 0x04, 0x86, 0x20, 0x40, 0x81, 0x83, 0x84, 0x85, 0xc0] as const;

for (const family of families) {
  test.serial(`IPv${family}: every extension header of GTP-U is understood, in every length (G5)`, (t) => {
    for (const type of known)
      for (const units of [1, 2, 3, 4, 8])
        delivers(t, arriving(family, gtp(plain[4], { flags: E, more: chain([type, units]) })), plain[4]);
  });

  test.serial(`IPv${family}: extension headers come in any order, one to eight of them (G6)`, (t) => {
    for (let count = 1; count <= 8; count++)
      for (let turn = 0; turn < known.length; turn++) {
        const types = Array.from(
          { length: count },
          (_, i) => [known[(i + turn) % known.length] ?? 0, (i % 3) + 1] as const,
        );
        delivers(t, arriving(family, gtp(plain[6], { flags: E, more: chain(...types) })), plain[6]);
      }
  });
}

test.serial('an extension header of 255 units is passed over (G4)', (t) => {
  delivers(t, arriving(4, gtp(plain[4], { flags: E, more: chain([0x20, 255]) })), plain[4]);
});

test.serial('nine extension headers are more than are walked (G4)', (t) => {
  const nine = Array.from({ length: 9 }, () => [0x20, 1] as const);
  drops(t, arriving(4, gtp(plain[4], { flags: E, more: chain(...nine) })), 'bad_extension');
});

test.serial(
  'an unknown type is skipped when its upper bits are 00 or 01, and refused when they are 10 or 11 (G5)',
  (t) => {
    for (let type = 1; type < 256; type++) {
      const frame = arriving(4, gtp(plain[4], { flags: E, more: chain([type, 1]) }));
      const behind = arriving(4, gtp(plain[4], { flags: E, more: chain([0x85, 1], [type, 2]) }));
      const isKnown = (known as readonly number[]).includes(type);
      for (const each of [frame, behind])
        if (isKnown || type < 0x80) delivers(t, each, plain[4]);
        else drops(t, each, 'unknown_extension');
    }
  },
);

test.serial('types of the control plane are not known here (G5)', (t) => {
  for (const type of [0xc1, 0xc2])
    drops(t, arriving(6, gtp(plain[4], { flags: E, more: chain([type, 1]) })), 'unknown_extension');
});

test.serial('an extension header of length 0 is refused, in every place of a chain (G4)', (t) => {
  drops(t, arriving(4, gtp(plain[4], { flags: E, more: '0000008500000000' })), 'bad_extension');
  drops(t, arriving(4, gtp(plain[4], { flags: E, more: '00000085011009c000000000' })), 'bad_extension');
});

test.serial('a chain that crosses the announced length is refused at every octet (G4)', (t) => {
  const more = chain([0x85, 2], [0x20, 1], [0x03, 2]);
  const whole = gtp(Buffer.alloc(0), { flags: E, more });
  const length = more.length / 2;
  for (let cut = 1; cut <= length; cut++) {
    const short = Buffer.from(whole.subarray(0, whole.length - cut));
    short.writeUInt16BE(length - cut, 2);
    const why = length - cut < 4 ? 'bad_length' : 'bad_extension';
    drops(t, arriving(4, short), why);
    const told = Buffer.concat([whole, plain[4]]);
    told.writeUInt16BE(length - cut, 2);
    drops(t, arriving(4, told), why);
  }
});

test.serial('an extension header that says it is longer than the packet is refused (G4)', (t) => {
  for (const units of ['03', '20', 'ff'])
    drops(t, arriving(4, gtp(Buffer.from('10090000', 'hex'), { flags: E, more: `00000085${units}` })), 'bad_extension');
});

test.serial('a length of less than four octets with E, S or PN is refused (G4)', (t) => {
  for (let bits = 1; bits < 8; bits++)
    for (let length = 0; length < 4; length++)
      drops(t, arriving(4, gtp(Buffer.alloc(length), { flags: 0x30 | bits })), 'bad_length');
});

test.serial('nothing behind the header is nothing to deliver: a drop of its own name (G8)', (t) => {
  const empty = [
    {},
    { flags: 0x32, more: '00010000' },
    { flags: 0x31, more: '00000100' },
    { flags: E, more: chain([0x85, '1009']) },
    { flags: E, more: chain([0x81, 4]) },
    { flags: E, more: chain([0x84, 2], [0x85, 1]) },
  ];
  for (const words of empty)
    for (const family of families) drops(t, arriving(family, gtp(Buffer.alloc(0), words)), 'empty');
});

test.serial('a length longer than the datagram is refused (G3)', (t) => {
  for (const family of families)
    for (const surplus of [1, 2, 8, 100, 0xffff - plain[4].length])
      drops(t, arriving(family, gtp(plain[4], { surplus })), 'bad_length');
});

test.serial('what the length does not cover is not delivered (G3)', (t) => {
  for (const family of families)
    for (const inside of families)
      for (const count of [1, 2, 7, 64]) {
        const behind = Buffer.concat([plain[inside], pattern(count)]);
        delivers(t, arriving(family, gtp(behind, { surplus: -count })), plain[inside]);
      }
});

test.serial('a length that cuts the inner packet makes a bad inner packet (G3, X13)', (t) => {
  for (const inside of families)
    for (let cut = 1; cut < plain[inside].length; cut++)
      drops(t, arriving(4, gtp(plain[inside], { surplus: -cut })), 'bad_inner');
});

test.serial('padding inside the announced length is not delivered (X13)', (t) => {
  for (const inside of families)
    for (const count of [1, 4, 33])
      delivers(t, arriving(4, gtp(Buffer.concat([plain[inside], pattern(count)]))), plain[inside]);
});

test.serial('octets between the ends of the datagram and of the IP packet belong to neither (G3)', (t) => {
  for (const family of families) {
    const datagram = gtp(plain[4]);
    const frame = arriving(family, Buffer.concat([datagram, pattern(9)]), { udp: { length: 8 + datagram.length } });
    delivers(t, frame, plain[4]);
    const longer = arriving(family, Buffer.concat([gtp(plain[4], { surplus: 1 }), pattern(9)]), {
      udp: { length: 8 + datagram.length },
    });
    drops(t, longer, 'bad_length');
  }
});

test.serial('a UDP length beyond the IP packet is refused', (t) => {
  const datagram = gtp(plain[4]);
  for (const family of families)
    for (const more of [1, 4, 1000])
      dropsAtEndpoint(t, arriving(family, datagram, { udp: { length: 8 + datagram.length + more } }), 'bad_length');
});

test.serial('a UDP length that leaves no room for a GTP header is refused', (t) => {
  for (const family of families)
    for (let length = 0; length < 16; length++)
      dropsAtEndpoint(t, arriving(family, gtp(plain[4]), { udp: { length } }), 'bad_length');
});

test.serial('an IP length beyond the frame is refused', (t) => {
  dropsAtEndpoint(t, arriving(4, gtp(plain[4]), { ip4: { length: 1000 } }), 'bad_length');
  dropsAtEndpoint(t, arriving(6, gtp(plain[4]), { ip6: { length: 1000 } }), 'bad_length');
});

test.serial('an IP length that ends before the datagram does is refused', (t) => {
  for (const length of [0, 20, 28, 35, 36, 100])
    dropsAtEndpoint(t, arriving(4, gtp(plain[4]), { ip4: { length } }), 'bad_length');
  for (const length of [0, 8, 15, 16, 80])
    dropsAtEndpoint(t, arriving(6, gtp(plain[4]), { ip6: { length } }), 'bad_length');
});

test.serial('Ethernet padding is not delivered', (t) => {
  for (const family of families)
    for (const inner of inners)
      for (const count of [1, 18]) {
        const padded = Buffer.concat([arriving(family, gtp(inner.bytes)).bytes(), Buffer.alloc(count)]);
        delivers(t, padded, inner.bytes);
      }
});

test.serial('padding of the frame cannot stand in for octets that the datagram lacks (G3)', (t) => {
  const frame = Buffer.concat([arriving(4, gtp(plain[4], { surplus: 4 })).bytes(), Buffer.alloc(4)]);
  drops(t, frame, 'bad_length');
});

const containers: readonly (readonly [title: string, content: string, qfi: number, rqi: number, ppi: number])[] = [
  ['downlink', '0009', 9, 0, 255],
  ['downlink with RQI', '0049', 9, 1, 255],
  ['downlink, largest QFI', '003f', 63, 0, 255],
  ['downlink with PPP', '0089a0000000', 9, 0, 5],
  ['downlink with PPP and RQI', '00c9e0000000', 9, 1, 7],
  ['downlink whose PPP has no room', '0089', 9, 0, 255],
  ['uplink', '1009', 9, 0, 255],
  ['uplink, where the bit of RQI says something else', '1049', 9, 0, 255],
  ['uplink, where the bit of PPP says something else', '1089a0000000', 9, 0, 255],
];

for (const [title, content, ...seen] of containers)
  test.serial(`a PDU Session Container is read: ${title} (G7)`, (t) => {
    for (const more of [chain([0x85, content]), chain([0x20, 1], [0x85, content]), chain([0x85, content], [0x03, 2])]) {
      delivers(t, arriving(4, gtp(plain[4], { flags: E, more })), plain[4]);
      const { qfi, rqi, ppi } = world.maps.rx.get(rxKey()) ?? {};
      t.deepEqual([qfi, rqi, ppi], seen);
    }
  });

test.serial('a packet without a container leaves what was seen last', (t) => {
  delivers(t, arriving(4, gtp(plain[4], { flags: E, more: chain([0x85, '0049']) })), plain[4]);
  delivers(t, arriving(4, gtp(plain[4])), plain[4]);
  t.is(world.maps.rx.get(rxKey())?.qfi, 9);
});

test.serial('a packet that is dropped leaves what was seen last', (t) => {
  drops(t, arriving(4, gtp(Buffer.alloc(0), { flags: E, more: chain([0x85, '0049']) })), 'empty');
  t.is(world.maps.rx.get(rxKey())?.qfi, 255);
});

test.serial('a session whose link is gone drops, and says so', (t) => {
  for (const family of families) {
    world.maps.devices.delete(1);
    const frame = arriving(family, gtp(plain[4]));
    drops(t, frame, 'no_link');
  }
});

test.serial('deliver bulk and deliver small deliver the same', (t) => {
  for (const flags of [rx_flag.bulk, rx_flag.small]) {
    world.rx({ flags });
    for (const inner of inners) {
      const run = world.send(t, 'underlay', arriving(4, gtp(inner.bytes)));
      sameFrame(t, run.frame, delivered(inner.bytes));
    }
  }
});

test.serial('the second configuration is in force when it is the active one', (t) => {
  const session = world.maps.rx.get(rxKey());
  if (session === undefined) return t.fail();
  const [first, second] = session.config;
  world.maps.rx.put(rxKey(), { ...session, active: 1, config: [second, first] });
  return delivers(t, arriving(4, gtp(plain[4])), plain[4]);
});

const ports = [2152, 1, 3386, 65535, 0] as const satisfies readonly number[];

test.serial('any source port is accepted (G23)', (t) => {
  for (const sport of ports)
    for (const family of families as readonly Family[])
      delivers(t, arriving(family, gtp(plain[4]), { sport }), plain[4]);
});

// SPDX-License-Identifier: MIT
// What XDP takes, and what it leaves to tc. That both come to the same is asserted wherever a test sends to `underlay` (world.ts).
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { rx_flag, type underlay } from '../../src/datapath/layout.gen';
import { arriving, chain, type Family, gtp, ours } from './gtp';
import { inners, plain } from './inners';
import { bare, type Packet, pattern, SERVER, UE } from './packet';
import { receiver } from './receive';
import { LINK, LOCAL_TEID, PORT, type RxWords } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { delivers } = receiver(world);
const families = [4, 6] as const;
test.beforeEach(() => start());
test.after.always(() => world.close());

function start(words: RxWords = {}, underlay: Partial<underlay> = {}): void {
  world.reset();
  world.maps.underlays.put(LINK, { ...zero('underlay'), ...underlay });
  for (const family of families) {
    world.rx(words, { local: ours[family] });
    world.endpoint(ours[family], PORT, { flags: 0 });
  }
}

const PSC = (octets: string): string => `00000085${octets}`;
const E = 0x34;
const taken: Readonly<Record<string, (family: Family) => Packet>> = {
  'a plain header': (family) => arriving(family, gtp(plain[4])),
  'the other family inside': (family) => arriving(family, gtp(plain[family === 4 ? 6 : 4])),
  'a sequence number': (family) => arriving(family, gtp(plain[4], { flags: 0x32, more: '12340000' })),
  'a PDU Session Container of a downlink': (family) =>
    arriving(family, gtp(plain[4], { flags: E, more: PSC('01000900') })),
  'one with a PPI': (family) => arriving(family, gtp(plain[4], { flags: E, more: PSC('0200c9a000000000') })),
  'one of an uplink, and a number': (family) => arriving(family, gtp(plain[4], { flags: 0x36, more: PSC('01100900') })),
  'a datagram without checksum': () => arriving(4, gtp(plain[4]), { udp: { checksum: 0 } }),
  'a congestion mark': (family) =>
    arriving(family, gtp(bare().ip4(UE, SERVER, { tos: 2 }).udp().payload(64).bytes()), {
      ip4: { tos: 3 },
      ip6: { tos: 3 },
    }),
  'a full packet': (family) => arriving(family, gtp(bare().ip4(UE, SERVER).udp().payload(pattern(1440)).bytes())),
};

for (const family of families)
  for (const [what, make] of Object.entries(taken))
    test.serial(`IPv${family}: XDP takes ${what}`, (t) => {
      const frame = make(family);
      t.is(world.xdp(frame), 'redirect');
      start();
      const { verdict, counted } = world.send(t, 'underlay', frame);
      t.is(verdict, 'redirect');
      t.regex(counted[0] ?? '', /^rx /);
    });

const left: Readonly<Record<string, (family: Family) => Packet | Buffer>> = {
  'an unknown TEID': (family) => arriving(family, gtp(plain[4], { teid: LOCAL_TEID + 1 })),
  'another port': (family) => arriving(family, gtp(plain[4]), { dport: PORT + 1 }),
  'an Echo Request': (family) => arriving(family, gtp(Buffer.alloc(0), { type: 1, flags: 0x32, more: '00010000' })),
  'a wrong checksum': (family) => arriving(family, gtp(plain[4]), { udp: { checksum: 0x1234 } }),
  'an unknown extension header': (family) => arriving(family, gtp(plain[4], { flags: E, more: chain([0xc1, 1]) })),
  'two extension headers': (family) => arriving(family, gtp(plain[4], { flags: E, more: chain([0x85, 1], [0x85, 1]) })),
  'a length beyond the datagram': (family) => arriving(family, gtp(plain[4], { surplus: 1 })),
  'a congestion mark that nobody inside hears of': (family) =>
    arriving(family, gtp(plain[4]), { ip4: { tos: 3 }, ip6: { tos: 3 } }),
  'a packet longer than the inner end takes': (family) =>
    arriving(family, gtp(bare().ip4(UE, SERVER).udp().payload(pattern(1480)).bytes())),
  'a fragment': () => arriving(4, gtp(plain[4]), { ip4: { more: true } }),
};

for (const family of families)
  for (const [what, make] of Object.entries(left))
    test.serial(`IPv${family}: XDP leaves ${what} to tc`, (t) => {
      t.is(world.xdp(make(family)), 'pass');
    });

test.serial('XDP leaves to tc what came to another MAC address, or by a device that is not listened on', (t) => {
  const frame = arriving(4, gtp(plain[4]));
  start({}, { mac: Uint8Array.of(2, 0, 0, 0, 0, 1) });
  t.is(world.xdp(frame), 'pass');
  world.maps.underlays.delete(LINK);
  t.is(world.xdp(frame), 'pass');
});

test.serial(
  'XDP leaves sessions alone whose link says xdp off or deliver small, whose link has gone, or that carry frames',
  (t) => {
    const frame = arriving(4, gtp(plain[4]));
    for (const flags of [rx_flag.no_xdp, rx_flag.ether, rx_flag.small]) {
      start({ flags });
      t.is(world.xdp(frame), 'pass');
    }
    start();
    world.maps.devices.delete(LINK);
    t.is(world.xdp(frame), 'pass');
  },
);

test.serial('of a virtual device XDP takes nothing but sessions whose link says xdp on', (t) => {
  const frame = arriving(4, gtp(plain[4]));
  start({}, { is_virtual: 1 });
  t.is(world.xdp(frame), 'pass');
  start({ flags: rx_flag.xdp_on }, { is_virtual: 1 });
  t.is(world.xdp(frame), 'redirect');
});

test.serial('peer strict and antispoof hold: what they refuse is left to tc', (t) => {
  const frame = arriving(4, gtp(plain[4]));
  start({ flags: rx_flag.strict, remote: '192.0.2.99' });
  t.is(world.xdp(frame), 'pass');
  start({ flags: rx_flag.antispoof, ue4: '10.99.0.1/32' });
  t.is(world.xdp(frame), 'pass');
  start({ flags: rx_flag.antispoof, ue4: `${UE}/32` });
  t.is(world.xdp(frame), 'redirect');
});

for (const { name, bytes } of inners)
  test.serial(`from a virtual device: ${name} is delivered the same by XDP and tc`, (t) => {
    start({ flags: rx_flag.xdp_on }, { is_virtual: 1 });
    delivers(t, arriving(4, gtp(bytes)), bytes);
  });

test.serial('from a virtual device: a checksum that is still open, or may hide another one, goes by tc', (t) => {
  const ip = bare().ip4(UE, SERVER);
  const tcp = ip.tcp(1000, 80).payload(100).bytes();
  const open = openChecksum(tcp);
  for (const [packet, onVirtual, onNic] of [
    [tcp, 'redirect', 'redirect'],
    [open, 'pass', 'redirect'],
    [ip.udp(1, 2, { checksum: 0 }).payload(8).bytes(), 'pass', 'redirect'],
    [bare().ip4(UE, SERVER, { protocol: 132 }).payload(77).bytes(), 'pass', 'redirect'],
    [ip.icmp().payload(56).bytes(), 'redirect', 'redirect'],
  ] as const) {
    const frame = arriving(4, gtp(packet), { udp: { checksum: 0 } });
    start({ flags: rx_flag.xdp_on }, { is_virtual: 1 });
    t.is(world.xdp(frame), onVirtual);
    start();
    t.is(world.xdp(frame), onNic);
  }
});

/** TCP behind a plain IPv4 header, with the sum of the pseudo header where the checksum stands: what CHECKSUM_PARTIAL leaves. */
function openChecksum(packet: Buffer): Buffer {
  const open = Buffer.from(packet);
  const words = [12, 14, 16, 18].map((at) => open.readUInt16BE(at));
  let sum = words.reduce((all, word) => all + word, 0) + 6 + packet.length - 20;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  open.writeUInt16BE(sum, 36);
  return open;
}

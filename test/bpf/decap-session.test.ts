// SPDX-License-Identifier: MIT
import test from 'ava';
import { zero } from '../../src/datapath/codec';
import { rx_flag } from '../../src/datapath/layout.gen';
import { arriving, chain, delivered, type Family, gtp, ours } from './gtp';
import { sameFrame } from './harness';
import { plain } from './inners';
import { message0, type } from './messages';
import { A, A6, B, B6, bare, mapped, SERVER, SERVER6, UE, UE6 } from './packet';
import { receiver } from './receive';
import { hex, LINK, LOCAL_TEID, PORT, PORT0, portBits, prefixKey, type RxWords, txSession } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const { delivers, drops, dropsAtEndpoint } = receiver(world);
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

const families = [4, 6] as const;

/** Makes the session at both local addresses. */
function session(words: RxWords = {}): void {
  for (const family of families) world.rx(words, { local: ours[family] });
}

function innerWith(family: Family, tos: number): Buffer {
  const ip = family === 4 ? bare().ip4(UE, SERVER, { tos, id: 7 }) : bare().ip6(UE6, SERVER6, { tos, flow: 0xabcde });
  return ip.udp(1000, 53).payload(21).bytes();
}

// RFC 6040, 4.2: rows are the inner field, columns the outer: Not-ECT 0, ECT(1) 1, ECT(0) 2, CE 3.
const ecn: readonly (readonly (number | 'drop')[])[] = [
  [0, 0, 0, 'drop'],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
];

for (const outside of families)
  for (const inside of families)
    test.serial(`IPv${inside} in IPv${outside}: the ECN fields are joined by the table of RFC 6040 (X2)`, (t) => {
      session();
      for (const [inner, row] of ecn.entries())
        for (const [outer, result] of row.entries()) {
          const around = { ip4: { tos: 0x28 | outer }, ip6: { tos: 0x28 | outer } };
          const frame = arriving(outside, gtp(innerWith(inside, 0xb8 | inner)), around);
          if (result === 'drop') drops(t, frame, 'ecn');
          else delivers(t, frame, innerWith(inside, 0xb8 | result));
        }
    });

test.serial('the ECN fields are joined behind extension headers and in version 0 as well (X3)', (t) => {
  world.maps.config.put(0, { ...zero('config'), ports: portBits(PORT, PORT0) });
  session();
  world.rx({}, { local: B, tid: 5n });
  for (const [inner, row] of ecn.entries())
    for (const [outer, result] of row.entries()) {
      const [before, around] = [innerWith(4, inner), { ip4: { tos: outer } }];
      const v0 = message0(type.gpdu, before.toString('hex'), { tid: 5n });
      const runs = [
        world.send(t, 'underlay', arriving(4, gtp(before, { flags: 0x36, more: chain([0x85, 1], [0x20, 2]) }), around)),
        world.send(t, 'underlay', arriving(4, v0, { ...around, dport: PORT0 })),
      ];
      for (const run of runs) {
        if (result === 'drop') t.regex(run.counted[0] ?? '', /^ecn session /);
        else sameFrame(t, run.frame, delivered(innerWith(4, result)));
      }
    }
});

test.serial('the inner DSCP and TTL are left alone, and an outer TTL of 1 is no reason to drop (X4, X5)', (t) => {
  session();
  for (const inside of families) {
    delivers(t, arriving(4, gtp(plain[inside]), { ip4: { ttl: 1, tos: 0xfc } }), plain[inside]);
    delivers(t, arriving(6, gtp(plain[inside]), { ip6: { hops: 1, tos: 0xfc } }), plain[inside]);
  }
});

test.serial('an inner packet of another version than 4 and 6 is bad (G28)', (t) => {
  session();
  for (let version = 0; version < 16; version++)
    for (const inside of families) {
      const inner = Buffer.from(plain[inside]);
      inner[0] = (version << 4) | ((inner[0] ?? 0) & 15);
      if (version === inside) delivers(t, arriving(4, gtp(inner)), inner);
      else drops(t, arriving(6, gtp(inner)), 'bad_inner');
    }
});

test.serial('an inner IPv4 header shorter than 20 octets is bad (G28)', (t) => {
  session();
  for (let words = 0; words < 5; words++) {
    const inner = Buffer.from(plain[4]);
    inner[0] = 0x40 | words;
    drops(t, arriving(4, gtp(inner)), 'bad_inner');
  }
});

test.serial('an inner length beyond what the tunnel brought is bad, one within it is cut to (X13)', (t) => {
  session();
  for (const inside of families) {
    const at = inside === 4 ? 2 : 4;
    const right = plain[inside].readUInt16BE(at);
    for (const more of [1, 2, 500, 0xffff - right]) {
      const inner = Buffer.from(plain[inside]);
      inner.writeUInt16BE(right + more, at);
      drops(t, arriving(4, gtp(inner)), 'bad_inner');
    }
    for (const less of [1, 2, 30]) {
      const inner = Buffer.from(plain[inside]);
      inner.writeUInt16BE(right - less, at);
      delivers(t, arriving(4, gtp(inner)), inner.subarray(0, inner.length - less));
    }
  }
});

test.serial('an inner IPv4 length shorter than its header is bad (X13)', (t) => {
  session();
  for (const length of [0, 1, 19]) {
    const inner = Buffer.from(plain[4]);
    inner.writeUInt16BE(length, 2);
    drops(t, arriving(6, gtp(inner)), 'bad_inner');
  }
});

test.serial('fewer octets than an IP header are a bad inner packet, whatever they are', (t) => {
  session();
  for (let length = 1; length < 20; length++) drops(t, arriving(4, gtp(plain[4].subarray(0, length))), 'bad_inner');
  for (let length = 1; length < 40; length++) drops(t, arriving(6, gtp(plain[6].subarray(0, length))), 'bad_inner');
});

test.serial('peer any takes packets of every outer source (G22)', (t) => {
  session({ remote: A });
  for (const source of [A, '203.0.113.77', '10.0.0.0', B])
    delivers(t, arriving(4, gtp(plain[4]), { source }), plain[4]);
  delivers(t, arriving(6, gtp(plain[4])), plain[4]);
});

test.serial('peer strict takes packets of the remote alone', (t) => {
  world.rx({ flags: rx_flag.strict, remote: A }, { local: B });
  world.rx({ flags: rx_flag.strict, remote: A6 }, { local: B6 });
  delivers(t, arriving(4, gtp(plain[4])), plain[4]);
  delivers(t, arriving(6, gtp(plain[6])), plain[6]);
  for (const source of ['192.0.2.3', '192.0.3.1', '193.0.2.1', '1.0.0.0'])
    drops(t, arriving(4, gtp(plain[4]), { source }), 'wrong_peer');
  for (const source of ['2001:db8::b', '2001:db9::a']) drops(t, arriving(6, gtp(plain[6]), { source }), 'wrong_peer');
});

test.serial('the source port is no part of the peer (G23)', (t) => {
  session({ flags: rx_flag.strict, remote: A });
  for (const sport of [2152, 1, 65535]) delivers(t, arriving(4, gtp(plain[4]), { sport }), plain[4]);
});

test.serial('the session is found by local address, port and TEID (G22)', (t) => {
  const places = [
    { local: B, teid: 1 },
    { local: B, teid: 0xffffffff },
    { local: '192.0.2.22', teid: 1 },
    { local: B6, teid: 1 },
  ];
  const words = ['10.45.1.0/24', '10.45.2.0/24', '10.45.3.0/24', '10.45.4.0/24'];
  for (const [i, at] of places.entries()) world.rx({ flags: rx_flag.antispoof, ue4: words[i] ?? '' }, at);
  for (const [i, { local, teid }] of places.entries()) {
    const inner = bare()
      .ip4(`10.45.${i + 1}.5`, SERVER)
      .udp()
      .payload(1)
      .bytes();
    const frame = arriving(local.includes(':') ? 6 : 4, gtp(inner, { teid }), { destination: local });
    const run = world.send(t, 'underlay', frame);
    t.deepEqual(run.counted, [`rx ${hex(teid)}: 1 29`]);
    sameFrame(t, run.frame, delivered(inner));
  }
});

test.serial('an unknown TEID is dropped at an address of ours (G16)', (t) => {
  session();
  for (const family of families) world.endpoint(ours[family], PORT, { flags: 0 });
  for (const teid of [0, 1, LOCAL_TEID + 1, 0x01100000, 0xffffffff])
    for (const family of families) dropsAtEndpoint(t, arriving(family, gtp(plain[4], { teid })), 'unknown_teid');
});

type Spoof = readonly [title: string, ue: string, inside: readonly string[], outside: readonly string[]];

const spoofs: Readonly<Record<Family, readonly Spoof[]>> = {
  4: [
    ['one address', '10.45.0.2/32', ['10.45.0.2'], ['10.45.0.3', '10.45.0.0', '138.45.0.2', '0.0.0.0']],
    ['/31', '10.45.0.2/31', ['10.45.0.2', '10.45.0.3'], ['10.45.0.1', '10.45.0.4']],
    ['/24', '10.45.0.0/24', ['10.45.0.0', '10.45.0.255'], ['10.45.1.0', '10.44.255.255']],
    ['/17', '10.45.128.0/17', ['10.45.128.0', '10.45.255.255'], ['10.45.127.255', '10.46.128.0']],
    ['/1', '128.0.0.0/1', ['128.0.0.1', '255.255.255.255'], ['127.255.255.255', '0.0.0.0']],
    ['/0', '0.0.0.0/0', ['0.0.0.0', '255.255.255.255', '10.45.0.2'], []],
  ],
  6: [
    [
      'one address',
      '2001:db8:45::2/128',
      ['2001:db8:45::2'],
      ['2001:db8:45::3', '2001:db8:45:0:8000::2', 'a001:db8:45::2'],
    ],
    ['/127', '2001:db8:45::2/127', ['2001:db8:45::2', '2001:db8:45::3'], ['2001:db8:45::1', '2001:db8:45::4']],
    ['/97', '2001:db8:45::/97', ['2001:db8:45::7fff:ffff'], ['2001:db8:45::8000:0']],
    ['/96', '2001:db8:45::/96', ['2001:db8:45::ffff:ffff'], ['2001:db8:45::1:0:0']],
    ['/95', '2001:db8:45::/95', ['2001:db8:45::1:ffff:ffff'], ['2001:db8:45::2:0:0']],
    ['/65', '2001:db8:45::/65', ['2001:db8:45:0:7fff:ffff:ffff:ffff'], ['2001:db8:45:0:8000::']],
    [
      '/64, any interface id',
      '2001:db8:45::/64',
      ['2001:db8:45::', '2001:db8:45:0:ffff:ffff:ffff:ffff'],
      ['2001:db8:45:1::', '2001:db8:44::'],
    ],
    ['/63', '2001:db8:45::/63', ['2001:db8:45:1::'], ['2001:db8:45:2::']],
    ['/33', '2001:db8::/33', ['2001:db8:7fff::1'], ['2001:db8:8000::1']],
    ['/32', '2001:db8::/32', ['2001:db8:ffff::1'], ['2001:db9::1']],
    ['/1', '8000::/1', ['ffff::1', '8000::'], ['7fff::1']],
    ['/0', '::/0', ['::', 'ffff::1'], []],
  ],
};

for (const family of families)
  for (const [title, ue, inside, outside] of spoofs[family])
    for (const role of ['ggsn', 'sgsn'] as const)
      for (const many of [false, true])
        test.serial(
          `antispoof, role ${role}, IPv${family} ${title}${many ? ', among many prefixes' : ''} (G29)`,
          (t) => {
            const flags = rx_flag.antispoof | (role === 'sgsn' ? rx_flag.sgsn : 0);
            if (many) {
              session({ flags: flags | rx_flag.many });
              for (const local of [B, B6]) owns(ue, local, LOCAL_TEID);
            } else session({ flags, [`ue${family}`]: ue });
            for (const outer of families) {
              if (many && outer === 4) continue; // the entry names one local address: the last one, B6
              for (const address of inside)
                delivers(t, arriving(outer, gtp(packetOf(family, address, role))), packetOf(family, address, role));
              for (const address of outside)
                drops(t, arriving(outer, gtp(packetOf(family, address, role))), 'antispoof');
            }
          },
        );

/** Gives inner addresses to the session with that local end. */
function owns(ue: string, local: string, teid: number): void {
  const half = txSession({ local, remote: local === B ? A : A6, local_teid: teid });
  const [address = '', length = ''] = ue.split('/');
  const isOne = Number(length) === (address.includes(':') ? 128 : 32);
  if (isOne) world.maps.tx.put({ ifindex: LINK, addr: mapped(address) }, half);
  else world.maps.tx_prefix.put(prefixKey(ue), half);
}

/** A packet that has the user's address as its source (role ggsn: users send) or its destination (role sgsn). */
function packetOf(family: Family, user: string, role: 'ggsn' | 'sgsn'): Buffer {
  const other = family === 4 ? SERVER : SERVER6;
  const [source, destination] = role === 'ggsn' ? [user, other] : [other, user];
  const ip = family === 4 ? bare().ip4(source, destination) : bare().ip6(source, destination);
  return ip.udp(1000, 53).payload(9).bytes();
}

test.serial('antispoof refuses the family of which the session has no address (G29)', (t) => {
  session({ flags: rx_flag.antispoof, ue4: '0.0.0.0/0' });
  delivers(t, arriving(4, gtp(plain[4])), plain[4]);
  drops(t, arriving(4, gtp(plain[6])), 'antispoof');
  session({ flags: rx_flag.antispoof, ue6: '::/0' });
  delivers(t, arriving(4, gtp(plain[6])), plain[6]);
  drops(t, arriving(4, gtp(plain[4])), 'antispoof');
  session({ flags: rx_flag.antispoof });
  for (const inside of families) drops(t, arriving(4, gtp(plain[inside])), 'antispoof');
});

test.serial('without antispoof every inner address passes', (t) => {
  session({ ue4: '10.99.0.1/32', ue6: 'fd99::1/128' });
  for (const inside of families) delivers(t, arriving(4, gtp(plain[inside])), plain[inside]);
});

test.serial('among many prefixes an address of another session of the link is refused (G29)', (t) => {
  session({ flags: rx_flag.antispoof | rx_flag.many });
  owns('10.45.0.0/16', B, LOCAL_TEID);
  owns('10.45.0.2/32', B, LOCAL_TEID + 1);
  owns('10.45.7.0/24', B, LOCAL_TEID + 1);
  owns('10.45.8.0/24', '192.0.2.99', LOCAL_TEID);
  const from = (address: string) => packetOf(4, address, 'ggsn');
  delivers(t, arriving(4, gtp(from('10.45.0.3'))), from('10.45.0.3'));
  delivers(t, arriving(4, gtp(from('10.45.255.255'))), from('10.45.255.255'));
  for (const address of ['10.45.7.9', '10.45.8.9', '10.46.0.1']) drops(t, arriving(4, gtp(from(address))), 'antispoof');
  drops(t, arriving(6, gtp(from('10.45.0.3'))), 'antispoof');
});

test.serial(
  'among many prefixes the longest decides, not an exact entry of another session with a wider one here',
  (t) => {
    session({ flags: rx_flag.antispoof | rx_flag.many });
    owns('10.45.0.0/16', B, LOCAL_TEID);
    owns('10.45.0.2/32', B, LOCAL_TEID + 1);
    drops(t, arriving(4, gtp(packetOf(4, '10.45.0.2', 'ggsn'))), 'antispoof');
  },
);

test.serial('antispoof looks at the packet behind the extension headers (G28, G29)', (t) => {
  session({ flags: rx_flag.antispoof, ue4: `${UE}/32`, ue6: `${UE6}/64` });
  for (const inside of families)
    delivers(t, arriving(6, gtp(plain[inside], { flags: 0x34, more: chain([0x85, 2], [0x20, 1]) })), plain[inside]);
});

test.serial('the counters of the two directions are apart', (t) => {
  session();
  const old = world.maps.rx.get({ ...zero('rx_key'), local: mapped(B), id: BigInt(LOCAL_TEID), port: 2152, kind: 1 });
  t.is(old?.packets, 0n);
  for (let i = 1; i < 5; i++) delivers(t, arriving(4, gtp(plain[4])), plain[4]);
});

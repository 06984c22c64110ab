// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { keyOf } from '../../src/datapath/key';
import { form, kind, rx_flag, type Structs, tx_flag } from '../../src/datapath/layout.gen';
import { hasDetail } from '../../src/datapath/sessions';
import { PAYLOADS, PORTS } from '../../src/grammar';
import { detailOf, NO_OWN, rxConfig, sessionWords, txConfig } from '../../src/tunnels/config';
import { mtuArithmetic, overhead, plainOverhead } from '../../src/tunnels/mtu';
import type { OwnWords } from '../../src/tunnels/tunnel';
import { formatId, tunnels } from '../../src/tunnels/tunnels';
import type { LinkWords, SessionId, SessionWords, TunnelType } from '../../src/tunnels/words';
import { address, prefix } from '../../src/values';

const UNDERLAY = 7;
const NOBODY = address.parse('0.0.0.0');
const ends = {
  4: { local: address.parse('192.0.2.1'), remote: address.parse('192.0.2.2') },
  6: { local: address.parse('2001:db8::1'), remote: address.parse('2001:db8::2') },
} as const;
const inner = Uint8Array.of(2, 0, 0, 0, 0, 0x1e);
const far = Uint8Array.of(2, 0, 0, 0, 0, 0x2e);
const target = { ifindex: 9, dmac: inner, smac: new Uint8Array(6), here: false };
const SHARED = {
  ...{ antispoof: undefined, srcport: undefined, ttl: undefined, tos: undefined, udpcsum: undefined },
  ...{ ue: [], from: undefined, to: undefined, lladdr: undefined },
};

function linkOf(type: TunnelType): LinkWords {
  return {
    ...{
      type,
      frames: PAYLOADS[type] === 'ethernet',
      dev: [UNDERLAY, 1],
      local: ends[4].local,
      port: PORTS[type as keyof typeof PORTS] ?? 0,
    },
    ...{ role: 'ggsn', srcport: 'fixed', ttl: 64, tos: 0, udpcsum: undefined, df: 'set', gso: 'auto' },
    ...{ deliver: 'auto', xdp: 'auto', hairpin: true, errind_action: 'mark' },
  };
}

function session(id: SessionId, more: Partial<SessionWords> = {}): SessionWords {
  const isVlan = id.type === 'vlan';
  const where = isVlan ? { local: NOBODY, remote: NOBODY } : ends[4];
  const peer = isVlan || id.type === 'gtp' ? 'any' : 'strict';
  return { ...NO_OWN, ...SHARED, ...where, id, peer, payload: PAYLOADS[id.type], ...more };
}

const hold = (link: LinkWords, words: SessionWords) => ({
  tx: txConfig(link, words),
  rx: rxConfig(link, words, target),
  detail: detailOf(link, words, target),
});

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const portNumber = fc.integer({ min: 1, max: 65535 });
const vniNumber = fc.integer({ min: 0, max: 0xffffff });
const cookie = fc.constantFrom(0, 4, 8).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
const option = fc
  .tuple(
    fc.uint8Array({ minLength: 3, maxLength: 3 }),
    fc.integer({ min: 0, max: 5 }),
    fc.integer({ min: 0, max: 255 }),
  )
  .map(([start, words, fill]) => Uint8Array.of(...start, words, ...Array<number>(words * 4).fill(fill)));
const flag = fc.boolean();

type Made = readonly [SessionId, OwnWords];
const keys = fc.oneof(fc.constant([undefined, undefined] as const), fc.tuple(u32, u32));
const greOf = (type: 'gre' | 'gretap'): fc.Arbitrary<Made> =>
  fc.tuple(
    keys.map(([ikey, okey]) => ({ type, ikey, okey })),
    fc.record({ csum: flag, iseq: flag, oseq: flag }),
  );
const vniOf = <T extends 'geneve' | 'vxlan'>(type: T) =>
  fc.record({ type: fc.constant(type), vni: vniNumber, port: portNumber, dstport: portNumber });
const l2tpOf: fc.Arbitrary<Made> = fc
  .tuple(u32, u32, fc.constantFrom('udp' as const, 'ip' as const), portNumber, portNumber)
  .map(([session_id, peer_session_id, encap, sport, dport]) => {
    const ports = encap === 'udp' ? { udp_sport: sport, udp_dport: dport } : { udp_sport: 0, udp_dport: 0 };
    return { type: 'l2tp' as const, session_id, peer_session_id, encap, ...ports };
  })
  .chain((id) =>
    fc.tuple(
      fc.constant(id),
      fc.record({
        cookie,
        peer_cookie: cookie,
        l2spec_type: fc.constant('default' as const),
        l2tp_seq: fc.constantFrom<SessionWords['l2tp_seq']>('none', 'send', 'recv', 'both'),
      }),
    ),
  );
const vlanOf: fc.Arbitrary<Made> = fc.tuple(
  fc.record({
    type: fc.constant('vlan' as const),
    id: fc.integer({ min: 1, max: 4094 }),
    protocol: fc.constantFrom('802.1Q' as const, '802.1ad' as const),
  }),
  fc.constant({}),
);
const made: { readonly [type: string]: fc.Arbitrary<Made> } = {
  gre: greOf('gre'),
  gretap: greOf('gretap'),
  geneve: fc.tuple(vniOf('geneve'), fc.record({ opt: fc.array(option, { maxLength: 9 }) })),
  vxlan: fc.tuple(vniOf('vxlan'), fc.constant({})),
  l2tp: l2tpOf,
  vlan: vlanOf,
};
const outer = fc.record({
  ttl: maybe(fc.oneof(fc.constant('inherit' as const), fc.integer({ min: 1, max: 255 }))),
  tos: maybe(fc.oneof(fc.constant('inherit' as const), fc.integer({ min: 0, max: 255 }))),
  peer: fc.constantFrom<SessionWords['peer']>('any', 'strict'),
  family: fc.constantFrom<4 | 6>(4, 6),
});

for (const [type, ids] of Object.entries(made)) {
  for (const link of (['gtp', 'vxlan'] as const).map(linkOf)) {
    test(`${type} on a link of type ${link.type}: words come back from what the kernel holds`, (t) => {
      fc.assert(
        fc.property(ids, outer, flag, ([id, own], { family, ...more }, hasUe) => {
          const needsMac = PAYLOADS[id.type] === 'ethernet' && !link.frames;
          const words = session(id, {
            ...own,
            ...(id.type === 'vlan' ? {} : { ...more, ...ends[family] }),
            ue: hasUe ? [prefix.parse('10.0.0.1'), prefix.parse('fd00::/64')] : [],
            lladdr: needsMac ? far : undefined,
          });
          const held = hold(link, words);
          t.is(held.detail !== undefined, hasDetail(held.tx, held.rx));
          t.deepEqual(sessionWords(held, { ...SHARED, ue: words.ue }), words);
        }),
      );
    });
  }
}

const keyed = (t: ExecutionContext, words: SessionWords, key: Partial<Structs['rx_key']>) =>
  t.like(keyOf(txConfig(linkOf(words.id.type), words)), key);

const vni: SessionId = { type: 'vxlan', vni: 5, port: 4789, dstport: 4790 };
const noKey = { type: 'gretap', ikey: undefined, okey: undefined } as const;
const l2tpId = {
  type: 'l2tp',
  session_id: 7,
  peer_session_id: 8,
  encap: 'udp',
  udp_sport: 1702,
  udp_dport: 1703,
} as const;

// remote_mark of ::ffff:192.0.2.2 is octets 8 to 15 as they stand: the others are 0.
const MARK = { id: 0x020200c0_00000005n, scope: 0xffff0000 };

test('key of vxlan, strict: the remote is in it', keyed, session(vni), {
  ...MARK,
  port: 4789,
  kind: kind.vxlan,
});
test('key of vxlan from any peer', keyed, session(vni, { peer: 'any' }), { id: 5n, scope: 0 });
test('key of gretap without a key', keyed, session(noKey, { peer: 'any' }), {
  ...{ id: 0n, port: 0, kind: kind.gre, form: form.ether },
});
test('key of gre', keyed, session({ type: 'gre', ikey: 3, okey: 4 }, { peer: 'any' }), {
  id: 3n,
  form: form.key,
});
test('key of l2tp over UDP', keyed, session(l2tpId), { id: 7n, port: 1702, kind: kind.l2tp });
test('key of l2tp over IP', keyed, session({ ...l2tpId, encap: 'ip', udp_sport: 0, udp_dport: 0 }), {
  ...{ id: 7n, port: 0, kind: kind.l2tp_ip },
});
test('key of vlan', keyed, session({ type: 'vlan', id: 100, protocol: '802.1ad' }), {
  ...{ local: new Uint8Array(16), id: 100n, port: 0x88a8, kind: kind.vlan, scope: UNDERLAY },
});

test('the remote in a key over IPv6 is octets 8 to 15, and the others times a number', (t) => {
  const { id, scope } = keyOf(txConfig(linkOf('vxlan'), session(vni, ends[6])));
  const high = 0xb80d0120n;
  const mark = 0x0200000000000000n ^ BigInt.asUintN(64, high * 0x9e3779b97f4a7c15n);
  t.deepEqual([id, scope], [5n | (mark & 0xffffffff00000000n), Number(mark & 0xffffffffn)]);
});

test('frames on a link of packets have both MAC addresses in `details`', (t) => {
  const { tx, rx, detail } = hold(linkOf('gtp'), session(vni, { lladdr: far }));
  t.deepEqual([...(detail?.macs ?? [])], [...far, ...inner]);
  t.is(tx.flags & (tx_flag.detail | tx_flag.ether), tx_flag.detail | tx_flag.ether);
  t.is(rx.flags & (rx_flag.frames | rx_flag.many), 0);
});

test('a MAC address that chooses the session stands in no `details`, and the receive half does not tell it', (t) => {
  const { detail, rx } = hold(linkOf('vxlan'), session(vni, { lladdr: far }));
  t.is(detail, undefined);
  t.is(rx.flags & (rx_flag.frames | rx_flag.many), rx_flag.frames | rx_flag.many);
});

const summed = (t: ExecutionContext, id: SessionId, more: Partial<SessionWords>, over4: boolean, over6: boolean) => {
  const has = (family: 4 | 6) =>
    (txConfig(linkOf(id.type), session(id, { ...ends[family], ...more })).flags & tx_flag.csum) !== 0;
  t.deepEqual([has(4), has(6)], [over4, over6]);
};
test('UDP checksum of vxlan', summed, vni, {}, false, true);
test('UDP checksum of geneve (N7)', summed, { ...vni, type: 'geneve' }, {}, true, true);
test('UDP checksum of geneve with noudpcsum', summed, { ...vni, type: 'geneve' }, { udpcsum: false }, false, false);
test('UDP checksum of l2tp (L8)', summed, l2tpId, {}, true, true);
test('gre has none', summed, noKey, {}, false, false);
test('l2tp over IP has none', summed, { ...l2tpId, encap: 'ip', udp_sport: 0, udp_dport: 0 }, {}, false, false);

const arithmetic = (t: ExecutionContext, id: SessionId, more: Partial<SessionWords>, expected: string) => {
  const { tx, detail } = hold(linkOf(id.type), session(id, more));
  t.is(mtuArithmetic(1500, overhead(tx, 4, detail?.head_len ?? 0)), expected);
};
test('MTU of vxlan', arithmetic, vni, {}, '1500 - 20 IPv4 - 8 UDP - 8 VXLAN - 14 Ethernet = 1450');
test(
  'MTU of geneve with an option',
  arithmetic,
  { ...vni, type: 'geneve' },
  { opt: [Uint8Array.of(1, 2, 3, 1, 0, 0, 0, 0)] },
  '1500 - 20 IPv4 - 8 UDP - 16 Geneve with options - 14 Ethernet = 1442',
);
test(
  'MTU of geneve with IP packets',
  arithmetic,
  { ...vni, type: 'geneve' },
  { payload: 'ip' },
  '1500 - 20 IPv4 - 8 UDP - 8 Geneve = 1464',
);
test('MTU of gre', arithmetic, { ...noKey, type: 'gre' }, {}, '1500 - 20 IPv4 - 4 GRE = 1476');
test(
  'MTU of gretap with all options',
  arithmetic,
  { type: 'gretap', ikey: 1, okey: 2 },
  { csum: true, oseq: true },
  '1500 - 20 IPv4 - 16 GRE with csum and key and seq - 14 Ethernet = 1450',
);
test(
  'MTU of l2tp with a cookie',
  arithmetic,
  l2tpId,
  { cookie: new Uint8Array(8) },
  '1500 - 20 IPv4 - 8 UDP - 20 L2TPv3 with cookie and sublayer - 14 Ethernet = 1438',
);
test(
  'MTU of l2tp over IP without a sublayer',
  arithmetic,
  { ...l2tpId, encap: 'ip', udp_sport: 0, udp_dport: 0 },
  { l2spec_type: 'none' },
  '1500 - 20 IPv4 - 4 L2TPv3 - 14 Ethernet = 1462',
);
test('MTU of vlan', arithmetic, { type: 'vlan', id: 5, protocol: '802.1Q' }, {}, '1500');

test('before there is a session, a header with nothing but defaults counts', (t) => {
  const octets = (type: TunnelType) => plainOverhead(type, 4).reduce((sum, [, each]) => sum + each, 0);
  const all = Object.keys(tunnels).map((type) => [type, octets(type as TunnelType)]);
  t.deepEqual(Object.fromEntries(all), { gtp: 36, gre: 24, gretap: 38, geneve: 50, vxlan: 50, l2tp: 54, vlan: 0 });
});

test('receive halves as they are typed', (t) => {
  const ids: SessionId[] = [
    vni,
    noKey,
    { type: 'gre', ikey: 3, okey: 4 },
    l2tpId,
    { type: 'vlan', id: 100, protocol: '802.1Q' },
  ];
  t.deepEqual(ids.map(formatId), ['vni 5', 'gretap without a key', 'ikey 3', 'session_id 7', 'id 100']);
});

// SPDX-License-Identifier: MIT
import test from 'ava';
import { frame } from '../bpf/frames';
import { arriving, chain, gtp } from '../bpf/gtp';
import { plain } from '../bpf/inners';
import { A, B, octets } from '../bpf/packet';
import { carrying, hexOctets } from '../bpf/tunnel';
import { type Outcome, outcomeName } from './outcome';
import { receive } from './receive';
import { type Endpoint, makeTables, type Session, type TunnelKind, type TunnelSession } from './tables';

// The rules judge the program, so a few frames whose answers were written by hand judge the rules.
const local = octets(B).toString('hex');
const remote = octets(A).toString('hex');
const switches = { echo: true, errind: true, extnotify: true, zeroChecksum: false, restart: 5 };
const endpoints: readonly Endpoint[] = [
  { local, port: 2152, versions: [1], ...switches },
  { local, port: 3386, versions: [0], ...switches },
];
const session: Session = {
  version: 1,
  local,
  port: 2152,
  id: 0x1001n,
  remote,
  remoteTeid: 0xa0b0c0d0,
  strict: false,
  zeroChecksum: false,
  antispoof: false,
  role: 'ggsn',
  ue: [],
  hasLink: true,
  carries: 'packets',
  payload: 'ip',
};
const tunnel: TunnelSession = {
  ...session,
  kind: 'gre',
  port: 0,
  id: 0n,
  form: { key: false, frames: false },
  namesRemote: false,
  cookie: '',
  sublayer: false,
  wantsOrder: false,
};
const PORTS = { gre: 0, geneve: 6081, vxlan: 4789, l2tp: 1701, l2tp_ip: 0 } as const;
const tunnels = {
  endpoints: (['gre', 'geneve', 'vxlan', 'l2tp', 'l2tp_ip'] as const).map((kind) => ({
    kind,
    local,
    port: PORTS[kind],
  })),
  sessions: [
    tunnel,
    { ...tunnel, id: 5n, form: { key: true, frames: true }, carries: 'frames' as const },
    { ...tunnel, kind: 'geneve' as const, port: 6081, id: 7n },
    {
      ...tunnel,
      kind: 'l2tp' as const,
      port: 1701,
      id: 9n,
      cookie: 'a1a2a3a4',
      sublayer: true,
      carries: 'frames' as const,
    },
    { ...tunnel, kind: 'vlan' as const, local: '0'.repeat(32), port: 0x8100, id: 3n, carries: 'frames' as const },
  ],
};
const tables = makeTables(endpoints, [session], true, tunnels);

function judge(datagram: string | Buffer, dport = 2152): Outcome {
  const payload = typeof datagram === 'string' ? Buffer.from(datagram, 'hex') : datagram;
  return receive(arriving(4, payload, { sport: 4000, dport }).bytes(), tables);
}

function answerOf(outcome: Outcome): string | undefined {
  const packet =
    outcome.kind === 'answer' ? outcome.packet : outcome.kind === 'drop' ? outcome.sent?.packet : undefined;
  return packet?.toString('hex', 20);
}

test('a G-PDU of a session is delivered', (t) => {
  const outcome = judge(gtp(plain[4]));
  t.is(outcomeName(outcome), 'deliver: v1, 4 in 4');
  if (outcome.kind === 'deliver') t.deepEqual(outcome.inner, plain[4]);
});

test('an Echo Request is answered to the port it came from (G13)', (t) => {
  const wanted = '08680fa00016' + 'SUM_' + '320200060000000012340000' + '0e00';
  t.is(without(answerOf(judge('320100040000000012340000'))), without(wanted));
});

test('an Echo Request of version 0 is answered with the restart counter (Z3, Z4)', (t) => {
  const request = '1e01000012340000ffffffff0000000000000000';
  const wanted = '0d3a0fa0001eSUM_1e02000212340000ffffffff00000000000000000e05';
  t.is(without(answerOf(judge(request, 3386))), without(wanted));
});

test('a G-PDU of no session brings an Error Indication with the port it came from (G17)', (t) => {
  const wanted = `086808680024SUM_361a00140000000000000040010fa0001000001002850004${local}`;
  t.is(without(answerOf(judge(gtp(plain[4], { teid: 0x1002 })))), without(wanted));
});

test('an extension header that must be understood brings a Notification (G5)', (t) => {
  const wanted = '086808680021SUM_' + '321f00110000000000000000' + '8d0b03042040818283848586c0';
  t.is(without(answerOf(judge(gtp(plain[4], { flags: 0x34, more: chain([0xc1, 1]) })))), without(wanted));
});

test('an Error Indication about a session is consumed, one about none is dropped (G18)', (t) => {
  const message = (teid: string): string => `321a0010000000000000000010${teid}850004${remote}`;
  t.is(outcomeName(judge(message('a0b0c0d0'))), 'consume errinds: Error Indication');
  t.is(outcomeName(judge(message('a0b0c0d1'))), 'drop unknown_session endpoint: Error Indication');
});

const whole = frame(0x0800, plain[4]);

/** What becomes of octets behind UDP, or behind IP; `payload` follows the header in hex. */
function named(kind: TunnelKind, header: string, payload = plain[4]): string {
  return outcomeName(receive(carrying(kind, 4, Buffer.concat([hexOctets(header), payload])), tables));
}

test.serial('GRE: packets, frames by a key, and what is refused (R1, R2, R3, R4, R6)', (t) => {
  t.is(named('gre', '0000 0800'), 'deliver: gre, 4 in 4');
  t.is(named('gre', '2000 6558 00000005', whole), 'deliver: gre, 4 in 4, frame on frames');
  t.is(named('gre', '2000 6558 00000006', whole), 'drop unknown_key endpoint: no session, gre');
  t.is(named('gre', '4000 0800'), 'drop bad_header endpoint: bits of RFC 1701, gre');
  t.is(named('gre', '0001 0800'), 'other: gre');
  t.is(named('gre', '8000 0800 0000 0000'), 'drop bad_checksum session: GRE, gre');
  t.is(named('gre', '0000 0806'), 'drop bad_protocol session: payload, gre');
});

test.serial('Geneve: a critical option is one too many, lengths have to add up (N1 to N5)', (t) => {
  t.is(named('geneve', '0000 0800 000007 00'), 'deliver: geneve, 4 in 4');
  t.is(named('geneve', '0100 0800 000007 00 01048500'), 'deliver: geneve, 4 in 4');
  t.is(named('geneve', '0140 0800 000007 00 01048500'), 'drop unknown_option endpoint: critical, geneve');
  t.is(named('geneve', '0140 0800 000007 00 01040501'), 'drop bad_option endpoint: lengths, geneve');
  t.is(named('geneve', '0080 0800 000007 00'), 'drop control endpoint: O, geneve');
  t.is(named('geneve', '4000 0800 000007 00'), 'drop bad_version endpoint: of the header, geneve');
  t.is(named('geneve', '0000 0800 000008 00'), 'drop unknown_vni endpoint: no session, geneve');
});

test.serial("L2TP: cookie and sublayer are the session's, control is not ours (L1, L2, L4, L6)", (t) => {
  t.is(named('l2tp', '00030000 00000009 a1a2a3a4 00000000', whole), 'deliver: l2tp, 4 in 4, frame on frames');
  t.is(named('l2tp', '00030000 00000009 a1a2a3a5 00000000', whole), 'drop bad_cookie session: cookie, l2tp');
  t.is(named('l2tp', '00030000 00000000', whole), 'drop unknown_session endpoint: session 0, l2tp');
  t.is(named('l2tp', '80030000 00000009', whole), 'other: l2tp');
  t.is(named('l2tp_ip', '00000000', whole), 'other: l2tp_ip');
  t.is(named('l2tp_ip', '00000009', whole), 'drop unknown_session endpoint: no session, l2tp_ip');
});

test.serial('VLAN: the outermost tag names the session, and comes off', (t) => {
  const tagged = (tag: string): Buffer => Buffer.concat([whole.subarray(0, 12), hexOctets(tag), whole.subarray(12)]);
  const outcome = receive(tagged('8100 6003'), tables);
  t.is(outcomeName(outcome), 'deliver: vlan, 4 in 4, frame on frames');
  if (outcome.kind === 'deliver') t.deepEqual([outcome.header, outcome.inner], [whole.subarray(0, 14), plain[4]]);
  t.is(outcomeName(receive(tagged('8100 0004'), tables)), "pass: somebody else's tag");
  t.is(outcomeName(receive(tagged('88a8 0003'), tables)), "pass: somebody else's tag");
});

/** UDP without its checksum, which is at octets 7 and 8. */
function without(udp: string | undefined): string {
  return `${udp?.slice(0, 12)}${udp?.slice(16)}`;
}

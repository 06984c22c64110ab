// SPDX-License-Identifier: MIT
import test from 'ava';
import { arriving, chain, gtp } from '../bpf/gtp';
import { plain } from '../bpf/inners';
import { A, B, octets } from '../bpf/packet';
import { type Outcome, outcomeName } from './outcome';
import { receive } from './receive';
import { type Endpoint, makeTables, type Session } from './tables';

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
};
const tables = makeTables(endpoints, [session]);

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

/** UDP without its checksum, which is at octets 7 and 8. */
function without(udp: string | undefined): string {
  return `${udp?.slice(0, 12)}${udp?.slice(16)}`;
}

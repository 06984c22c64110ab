// SPDX-License-Identifier: MIT
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { buildOne, packetSocket, udpSocket } from '../agent';
import { ODD, socketAsker } from '../asker';
import { addressStats, closeFixture, gtpIn, using } from '../fixture';
import { gpdu, gtpFrame } from '../gtp-frame';
import {
  addressOctets,
  echoRequest,
  echoResponse,
  endMarker,
  errorIndication,
  notification,
  withExtension,
} from '../messages';
import { dropped, packets } from '../records';
import { waitFor } from '../run';
import { ends, type Family, macOf, outer, twoMachines } from '../topology';

test.after.always(closeFixture);

const unknown = gpdu(0xdead0001, Buffer.alloc(20));
const echo = echoRequest(1);

/** Octets of a message, what differs in the headers in front of it, and what it counts as. */
interface Silent {
  readonly message: Buffer;
  readonly ip?: string;
  readonly udp?: string;
  readonly counts: string;
}

const silent: Record<string, Silent> = {
  'a G-PDU with TEID 0': { message: gpdu(0, Buffer.alloc(20)), counts: 'unknown_teid' },
  'an End Marker of an unknown TEID': { message: endMarker(0xdead0001), counts: 'unknown_teid' },
  'an Error Indication': {
    message: errorIndication(0xdead0001, addressOctets('192.0.2.2')),
    counts: 'unknown_session',
  },
  'an Error Indication with a port': {
    message: errorIndication(0xdead0001, addressOctets('2001:db8:2::2'), ODD),
    counts: 'unknown_session',
  },
  'an Error Indication without its elements': {
    message: errorIndication(1, Buffer.alloc(0)).subarray(0, 12),
    counts: 'bad_length',
  },
  'a notification': { message: notification(0x85), counts: 'unexpected' },
  'an Echo Response': { message: echoResponse(1), counts: 'unexpected' },
  'a message of an unused type': {
    message: Buffer.concat([Buffer.from([0x32, 7]), echo.subarray(2)]),
    counts: 'unknown_message',
  },
  'version 2': { message: Buffer.concat([Buffer.from([0x52]), echo.subarray(1)]), counts: 'bad_version' },
  'GTP prime': { message: Buffer.concat([Buffer.from([0x22]), echo.subarray(1)]), counts: 'bad_version' },
  'an Echo Request without a number': { message: Buffer.from('3001000000000000', 'hex'), counts: 'bad_message' },
  'an Echo Request with a TEID': { message: Buffer.from('320100040000000100010000', 'hex'), counts: 'bad_message' },
  'an Echo Request that is cut short': { message: echo.subarray(0, 11), counts: 'bad_length' },
  'an Echo Request with a wrong checksum': { message: echo, udp: ',chksum=0x1234', counts: 'bad_checksum' },
  'an unknown TEID with a wrong checksum': { message: unknown, udp: ',chksum=0x1234', counts: 'bad_checksum' },
  'an Echo Request from port 0': { message: echo, udp: ',sport=0', counts: 'bad_source' },
};

/** Of one family: where no host sends from. */
const sources: Record<Family, Record<string, string>> = {
  4: {
    '224.0.0.1': 'bad_source',
    '255.255.255.255': 'bad_source',
    '0.0.0.0': 'bad_source',
    '192.0.2.255': 'unknown_teid',
  },
  6: { 'ff02::1': 'bad_source', '::': 'bad_source' },
};

for (const family of [4, 6] as const)
  test.serial(
    `over IPv${family}, what must not be answered is counted by name, and nothing leaves`,
    using(twoMachines)(async (t, m) => {
      const [local, remote] = outer[family];
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
      const wire = await packetSocket(m.m2, 'ul');
      const ether = `Ether(src='${await macOf(m.m2, 'ul')}',dst='${await macOf(m.m1, 'ul')}')`;
      const frame = (
        { message, ip = '', udp = '' }: Omit<Silent, 'counts'>,
        source: string = remote,
      ): Promise<Buffer> => {
        const ports = udp.includes('sport') ? 'dport=2152' : `sport=${ODD},dport=2152`;
        const network = `${family === 4 ? 'IP' : 'IPv6'}(src='${source}',dst='${local}'${ip})`;
        return buildOne(`${ether}/${network}/UDP(${ports}${udp})/plain('${message.toString('hex')}')`);
      };
      const expected: Record<string, number> = {};
      const send = async (octets: Buffer, counts: string, name: string): Promise<void> => {
        expected[counts] = (expected[counts] ?? 0) + 1;
        t.is(await wire.send(octets), undefined, name);
      };
      for (const [name, each] of Object.entries(silent)) await send(await frame(each), each.counts, name);
      for (const [source, counts] of Object.entries(sources[family]))
        await send(await frame({ message: unknown }, source), counts, `an unknown TEID from ${source}`);
      if (family === 4)
        await send(await frame({ message: unknown, ip: ',chksum=1' }), 'bad_checksum', 'a wrong IPv4 header');
      else await send(await frame({ message: echo, udp: ',chksum=0' }), 'zero_checksum', 'no checksum over IPv6');
      const stats = await waitFor(
        () => addressStats(m.m1, local),
        (now) => isDeepStrictEqual(dropped(now), expected),
      );
      t.deepEqual([dropped(stats), packets(stats.answered)], [expected, 0]);
      t.is(await wire.send(await frame({ message: echoRequest(9) })), undefined);
      const answers = (await wire.receive({ count: 1000, timeout: 0.2 })).flatMap(({ data }) => gtpFrame(data) ?? []);
      t.deepEqual(
        answers.map(({ outer: ip, destinationPort, gtp }) => [
          ip.destination,
          ip.payloadSum,
          destinationPort,
          gtp.type,
        ]),
        [[remote, 'right', ODD, 2]],
        'the last one is the first that is answered',
      );
      t.like((await addressStats(m.m1, local)).sent, { echo: 1, errind: 0, extnotify: 0 });
    }),
  );

/** word, what is asked, what it counts as where it is off */
const switches = [
  ['echo', echo, 'echo_off'],
  ['errind', unknown, 'unknown_teid'],
  ['extnotify', withExtension(0x11, 0xbf), undefined],
] as const;

for (const [word, question, counts] of switches)
  test.serial(
    `${word} off: no answer, and of two links on one address one that has it on is enough`,
    using(twoMachines)(async (t, m) => {
      const [local, address] = outer[4];
      const add = (name: string, ns: string, words: string): Promise<string> =>
        gtpIn(m.m1, `link add ${name} local ${local} netns ${ns} ${word} ${words}`);
      await add('gtp0', m.ue1, `off ${ends(0x11, 0x22, address)}`);
      const asker = await socketAsker(m.m2, address, local);
      const isAnswered = async (): Promise<boolean> => {
        const before = (await addressStats(m.m1, local)).sent[word];
        await asker.ask(question);
        const heard = await asker.heard(word === 'echo' ? ODD : 2152, 1, 0.1);
        const sent = (await addressStats(m.m1, local)).sent[word] - before;
        t.is(sent, heard.length);
        return heard.length === 1;
      };
      t.false(await isAnswered(), 'link add');
      if (counts !== undefined) t.deepEqual(dropped(await addressStats(m.m1, local)), { [counts]: 1 });
      await gtpIn(m.m1, `link set gtp0 ${word} on`);
      t.true(await isAnswered(), 'link set on');
      await gtpIn(m.m1, `link set gtp0 ${word} off`);
      t.false(await isAnswered(), 'link set off');
      await add('gtp1', m.ue2, 'on');
      t.true(await isAnswered(), 'another link has it on');
      await gtpIn(m.m1, `link set gtp1 ${word} off`);
      t.false(await isAnswered(), 'now none has');
      await gtpIn(m.m1, `link set gtp1 ${word} on`);
      t.true(await isAnswered());
      await gtpIn(m.m1, 'link del gtp1');
      t.false(await isAnswered(), 'it took its switch along');
    }),
  );

for (const bound of [outer[4][0], '0.0.0.0'])
  test.serial(
    `where a program is bound to ${bound} and the port, it gets everything and nothing is answered`,
    using(twoMachines)(async (t, m) => {
      const [local, address] = outer[4];
      await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
      const program = await udpSocket(m.m1, bound, 2152);
      const asker = await socketAsker(m.m2, address, local);
      const questions = [echo, unknown, withExtension(0, 0xbf), endMarker(5)];
      await asker.ask(...questions);
      const got = await program.receive({ count: questions.length });
      t.deepEqual(
        got.map(({ data }) => data),
        questions,
      );
      t.deepEqual([...(await asker.heard(ODD, 1, 0.1)), ...(await asker.heard(2152, 1, 0))], []);
      const stats = await addressStats(m.m1, local);
      t.deepEqual([packets(stats.passed), packets(stats.answered), dropped(stats)], [questions.length, 0, {}]);
      await program.close();
      await asker.ask(echo);
      t.is((await asker.heard(ODD)).length, 1, 'when it is gone, we answer');
    }),
  );

test.serial(
  'a burst of unknown TEIDs is counted to the last one, and answered no more often than the rate allows',
  using(twoMachines)(async (t, m) => {
    const [local, address] = outer[4];
    await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1}`);
    const asker = await socketAsker(m.m2, address, local);
    const begin = process.hrtime.bigint();
    await asker.ask(...Array.from({ length: 2000 }, (_, i) => gpdu(0x1000 + i, Buffer.alloc(20))));
    const stats = await waitFor(
      () => addressStats(m.m1, local),
      ({ drops }) => drops.unknown_teid === 2000,
    );
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    t.deepEqual(dropped(stats), { unknown_teid: 2000 });
    const heard = await asker.heard(2152, 2000, 0.3);
    t.is(heard.length, stats.sent.errind);
    t.true(heard.length >= 99 && heard.length <= 100 + 100 * seconds, `${heard.length} in ${seconds.toFixed(2)} s`);
    t.is(new Set(heard.map(({ message }) => message)).size, heard.length, 'each about another TEID');
  }),
);

// SPDX-License-Identifier: MIT
import test from 'ava';
import { udpSocket } from '../agent';
import { ODD, socketAsker } from '../asker';
import { capture } from '../capture';
import { closeFixture, gtpIn, gtpTry, scratch, sharing } from '../fixture';
import { gpdu } from '../gtp-frame';
import { echoRequest, echoRequest0, withExtension } from '../messages';
import { ends, type Family, keptMachines, outer, type TwoMachines, twoMachines, user } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

const inMachines = sharing(twoMachines, keptMachines);

/** Fields of Wireshark, without "gtp." in front; those that a message does not have are left out. */
type Fields = Readonly<Record<string, string | readonly string[]>>;

const fields = [
  'flags',
  'message',
  'length',
  'teid',
  'tid',
  'flow_label',
  'seq_number',
  'sndcp_number',
  'recovery',
  'teid_data',
  'gsn_ipv4',
  'gsn_ipv6',
  'ext_hdr.next',
  'ext_hdr.udp_port',
  'ext_hdr.pdu_ses_con.pdu_type',
  'ext_hdr.pdu_ses_con.qos_flow_id',
  'ext_hdr.pdu_ses_cont.rqi',
  'ext_hdr.pdu_ses_cont.ppi',
  'ext_hdr_type',
] as const;

const psc = 'ext_hdr.pdu_ses_con';
const container = { 'ext_hdr.next': ['0x85', '0x00'] };
const downlink = { ...container, [`${psc}.pdu_type`]: '0', [`${psc}t.rqi`]: '0' };

/** What our sessions send: the words, and what tshark reads in the G-PDU around 32 octets. */
const sessions: readonly (readonly [string, Fields])[] = [
  ['', { flags: '0x30', length: '32', teid: '0x00000200' }],
  ['qfi 9', { flags: '0x34', length: '40', teid: '0x00000201', ...downlink, [`${psc}.qos_flow_id`]: '9' }],
  [
    'qfi 63 rqi',
    {
      flags: '0x34',
      length: '40',
      teid: '0x00000202',
      ...downlink,
      [`${psc}.qos_flow_id`]: '63',
      [`${psc}t.rqi`]: '1',
    },
  ],
  [
    'qfi 1 ppi 5',
    { flags: '0x34', length: '44', teid: '0x00000203', ...downlink, [`${psc}.qos_flow_id`]: '1', [`${psc}t.ppi`]: '5' },
  ],
  [
    'qfi 2 psc ul',
    {
      flags: '0x34',
      length: '40',
      teid: '0x00000204',
      ...container,
      [`${psc}.pdu_type`]: '1',
      [`${psc}.qos_flow_id`]: '2',
    },
  ],
  ['seq', { flags: '0x32', length: '36', teid: '0x00000205', seq_number: '0x0000' }],
  [
    'seq qfi 7',
    { flags: '0x36', length: '40', teid: '0x00000206', seq_number: '0x0000', ...downlink, [`${psc}.qos_flow_id`]: '7' },
  ],
];

for (const family of [4, 6] as const)
  test.serial(
    `over IPv${family}, tshark reads every message that we send as we mean it`,
    inMachines(async (t, m) => {
      const [local, remote] = outer[family];
      await joinMany(m, family);
      const seen = await capture(m.m2, 'ul', `${scratch}/messages${family}.pcap`, `src host ${local} and udp`);
      const tap = await udpSocket(m.ue1, '10.45.0.1', 7000);
      for (const each of [...sessions.keys(), 100]) await tap.send(Buffer.from('four'), [`10.45.0.${10 + each}`, 7]);
      const asker = await socketAsker(m.m2, remote, local);
      await asker.ask(echoRequest(0x1234), gpdu(0xdead0001, Buffer.alloc(20)), withExtension(0x100, 0xbf));
      const old = await udpSocket(m.m2, remote, 3386);
      await old.send(echoRequest0(0x4321), [local, 3386]);
      await gtpTry(m.m1, `ping ${remote} count 1 timeout 0.1`);
      await gtpTry(m.m1, `ping ${remote} version 0 count 1 timeout 0.1`);
      await gtpIn(m.m1, 'session del dev gtp0 local-teid 0x100 endmarker');
      await seen.stop();
      t.deepEqual(await complaints(seen.file), []);
      const path = { teid: '0x00000000' };
      const answers: Fields[] = [
        { ...path, message: '0x02', flags: '0x32', length: '6', seq_number: '0x1234', recovery: '0' },
        {
          ...path,
          message: '0x1a',
          flags: '0x36',
          length: family === 4 ? '20' : '32',
          seq_number: '0x0000',
          'ext_hdr.next': ['0x40', '0x00'],
          'ext_hdr.udp_port': `${ODD}`,
          teid_data: '0xdead0001',
          [`gsn_ipv${family}`]: local,
        },
        {
          ...path,
          message: '0x1f',
          flags: '0x32',
          length: '17',
          seq_number: '0x0000',
          ext_hdr_type: ['3', '4', '32', '64', '129', '130', '131', '132', '133', '134', '192'],
        },
      ];
      const read = await dissected(seen.file);
      t.deepEqual(
        read.slice(0, sessions.length),
        sessions.map(([, each]) => ({ message: '0xff', ...each })),
      );
      t.deepEqual(read.slice(sessions.length), [
        {
          message: '0xff',
          flags: '0x1e',
          length: '32',
          seq_number: '0x0000',
          flow_label: '0x0007',
          sndcp_number: '0xff',
          tid: '1234567890123455',
        },
        ...answers,
        {
          message: '0x02',
          flags: '0x1e',
          length: '2',
          seq_number: '0x4321',
          flow_label: '0x0000',
          sndcp_number: '0xff',
          tid: '0000000000000000',
          recovery: '0',
        },
        { ...path, message: '0x01', flags: '0x32', length: '4', seq_number: read.at(-3)?.seq_number ?? '' },
        {
          message: '0x01',
          flags: '0x1e',
          length: '0',
          seq_number: read.at(-2)?.seq_number ?? '',
          flow_label: '0x0000',
          sndcp_number: '0xff',
          tid: '0000000000000000',
        },
        { message: '0xfe', flags: '0x30', length: '0', teid: '0x00000200' },
      ]);
    }),
  );

/** On one link a session for each line of the table (`ue` 10.45.0.10 on), and one of version 0 (10.45.0.110). */
async function joinMany(m: TwoMachines, family: Family): Promise<void> {
  const [local, remote] = outer[family];
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)}`);
  for (const [i, [words]] of sessions.entries())
    await gtpIn(
      m.m1,
      `session add dev gtp0 ${ends(0x100 + i, 0x200 + i, remote)} ue 10.45.0.${10 + i} ${words}`.trim(),
    );
  const v0 = `version 0 tid 0x2143658709214355 flow 7 remote-flow 7 remote ${remote}`;
  await gtpIn(m.m1, `session add dev gtp0 ${v0} ue 10.45.0.110`);
  await (await udpSocket(m.m1, local, 0)).send(Buffer.from('neighbour'), [remote, 9]);
}

async function dissected(file: string): Promise<Fields[]> {
  const names = fields.map((each) => `gtp.${each}` as const);
  const frames = await dissect(file, 'frame.protocols', ...names);
  return frames
    .filter((frame) => frame['frame.protocols'][0]?.includes('udp:gtp'))
    .map((frame) =>
      Object.fromEntries(
        fields.flatMap((each) => {
          const values = frame[`gtp.${each}`];
          return values.length === 0 ? [] : [[each, values.length === 1 ? `${values[0]}` : values]];
        }),
      ),
    );
}

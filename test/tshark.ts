// SPDX-License-Identifier: MIT
import { must } from './run';

/** One frame: for each field asked for, its values, the outer layer first; nothing in it: an empty list. */
export type Dissection<Field extends string> = Record<Field, string[]>;

/** Expert severities of Wireshark that a packet of ours must not cause. */
const warning = 0x600000;

/** Dissects a capture with every checksum validated and nothing reassembled. */
export function dissect<Field extends string>(file: string, ...fields: readonly Field[]): Promise<Dissection<Field>[]> {
  return dissectBy(file, false, fields);
}

/** As dissect, but fragments of IP are put together: the last one shows the whole packet. */
export function dissectWhole<Field extends string>(
  file: string,
  ...fields: readonly Field[]
): Promise<Dissection<Field>[]> {
  return dissectBy(file, true, fields);
}

/** As dissect, with more words for tshark: preferences, a filter, ports. */
export const dissectWith =
  (...words: readonly string[]): typeof dissect =>
  (file, ...fields) =>
    dissectBy(file, false, fields, words);

async function dissectBy<Field extends string>(
  file: string,
  defragment: boolean,
  fields: readonly Field[],
  words: readonly string[] = [],
): Promise<Dissection<Field>[]> {
  const checks = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const alone = [
    ...['ip', 'ipv6'].map((protocol) => `${protocol}.defragment:${defragment ? 'TRUE' : 'FALSE'}`),
    'tcp.analyze_sequence_numbers:FALSE',
    'tcp.desegment_tcp_streams:FALSE',
  ];
  const asked = fields.flatMap((field) => ['-e', field]);
  const text = await must([
    'tshark',
    '-n',
    '-r',
    file,
    ...checks,
    ...alone.flatMap((each) => ['-o', each]),
    ...words,
    // Else octets that are random look like somebody's protocol once in a while.
    '-d',
    'tcp.port==5001,data',
    '-T',
    'json',
    ...asked,
  ]);
  const parsed = JSON.parse(text) as { _source: { layers: Partial<Record<Field, string[]>> } }[];
  return parsed.map(
    ({ _source: { layers } }) =>
      Object.fromEntries(fields.map((field) => [field, layers[field] ?? []])) as Dissection<Field>,
  );
}

/** What tshark has to complain about in a capture, one text a frame and complaint; `take` is dissect or dissectWhole. */
export async function complaints(file: string, take: typeof dissect = dissect): Promise<string[]> {
  const sums = [
    'ip.checksum.status',
    'udp.checksum.status',
    'tcp.checksum.status',
    'icmp.checksum.status',
    'icmpv6.checksum.status',
    'gre.checksum.status',
  ] as const;
  const list = await take(
    file,
    'frame.number',
    'frame.protocols',
    '_ws.expert.severity',
    '_ws.expert.message',
    '_ws.malformed',
    ...sums,
  );
  return list.flatMap((frame) => {
    const messages = frame['_ws.expert.message'].join('; ');
    if (messages === MANGLED) return [];
    const where = `frame ${frame['frame.number'][0]} (${frame['frame.protocols'][0]})`;
    const severe = frame['_ws.expert.severity'].some((each) => Number(each) >= warning);
    const bad = sums.filter((name) => frame[name].some((status) => status === '0' || status === 'Bad'));
    return [
      ...(severe ? [`${where}: ${messages}`] : []),
      ...(frame['_ws.malformed'].length > 0 ? [`${where}: malformed`] : []),
      ...bad.map((name) => `${where}: ${name} bad`),
    ];
  });
}

// One packet in 65,536: where a device does not sum, the kernel (skb_checksum_help) writes a sum of 0 as UDP does for every protocol.
const MANGLED = 'TCP Checksum 0xffff instead of 0x0000 (see RFC 1624)';

// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { tx_flag } from '../../src/datapath/layout.gen';
import { sameFrame } from './harness';
import { etherType, type Inner, inners, plain } from './inners';
import { A, A6, B, B6, bare, container, eth, type Gtpu, type Ip4, type Ip6, MAC_A, SERVER, SERVER6, UE, UE6 } from './packet';
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
  return udp.gtpu({ teid: REMOTE_TEID, ...outer.gtpu }).payload(inner).bytes();
}

function framed(inner: Buffer, family: Family): Buffer {
  return eth({ type: etherType[family] }).payload(inner).bytes();
}

function encapsulates(
  t: ExecutionContext,
  inner: Pick<Inner, 'bytes' | 'family'>,
  family: Family,
  words: TxWords,
  outer: Outer,
  program = 'link',
): void {
  const flags = (words.flags ?? 0) | (family === 6 ? tx_flag.csum : 0);
  world.fallback({ ...remote[family], ...words, flags });
  const run = world.send(t, program, framed(inner.bytes, inner.family), { mark: program === 'shim' ? LINK : 0 });
  t.is(run.verdict, 'redirect');
  t.is(run.skb.mark, 0);
  t.deepEqual(run.counted, [`tx ${hex(REMOTE_TEID)}: 1 ${inner.bytes.length}`]);
  const checksum = (flags & tx_flag.csum) === 0 ? { checksum: 0 } : {};
  sameFrame(t, run.frame, wrapped(inner.bytes, family, { ...checksum, ...outer }));
}

for (const outer of [4, 6] as const)
  for (const inner of inners)
    if (inner.lco || outer === 4)
      test(`${inner.name} goes out in IPv${outer}`, encapsulates, inner, outer, {}, { ip4: { id: 0 } }, 'link');

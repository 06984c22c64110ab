// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { tx_flag } from '../../src/datapath/layout.gen';
import { FAR, frame, NEAR, userFrames } from './frames';
import { type Family, ours, theirs } from './gtp';
import { type Skb, sameFrame } from './harness';
import { inners } from './inners';
import { eth } from './packet';
import { hex, LINK } from './session';
import { all, linkOf, overUdp, sender, type Tunnel, VNI, wrapped } from './tunnel';
import { type Counted, makeWorld } from './world';

const world = makeWorld();
test.beforeEach(() => world.reset());
test.after.always(() => world.close());

const FAMILIES = [4, 6] as const;
const SEQ = 0x01020304;
const MACS = Buffer.concat([FAR, NEAR]);

/** What a tunnel does with its outer checksum: of IPv6 there is always one. */
function choices(tunnel: Tunnel, family: Family): readonly number[] {
  if (!overUdp(tunnel.kind)) return [0];
  return family === 4 ? [0, tx_flag.csum] : [tx_flag.csum];
}

function teidOf({ kind }: Tunnel): number {
  return kind === 'geneve' || kind === 'vxlan' ? VNI * 256 : 0xa0b0c0d0;
}

/** Wants the payload in the session's outer headers, made from scratch, and the payload counted. */
function sends(
  t: ExecutionContext,
  run: Counted,
  tunnel: Tunnel,
  family: Family,
  flags: number,
  payload: Buffer,
  title: string,
): void {
  t.is(run.verdict, 'redirect', title);
  t.deepEqual(run.counted, [`tx ${hex(teidOf(tunnel))}: 1 ${payload.length}`], title);
  const got = Buffer.concat([Buffer.alloc(12), run.frame.subarray(12)]);
  const wanted = wrapped(tunnel, family, payload, {
    direction: 'out',
    seq: SEQ,
    source: theirs[family],
    destination: ours[family],
    ip4: { id: got.readUInt16BE(18) },
    udp: flags & tx_flag.csum ? {} : { checksum: 0 },
  });
  sameFrame(t, got, Buffer.concat([Buffer.alloc(12), wanted.subarray(12)]));
}

function shimOf(isStraight: boolean, stack = ''): readonly (readonly [program: string, skb: Skb])[] {
  const shim = [`${stack}shim`, { mark: LINK }] as const;
  return isStraight ? [[`${stack}link`, {}], shim] : [shim];
}

function isStraight(tunnel: Tunnel, flags: number, lco: boolean): boolean {
  return lco || !((flags | tunnel.tx) & (tx_flag.csum | tx_flag.gre_csum));
}

for (const family of FAMILIES)
  for (const tunnel of all) {
    if (tunnel.payload === 'ethernet') {
      test.serial(
        `${tunnel.name} in IPv${family}: frames of every sort go out octet by octet (N7, N10, L7, R3, X10)`,
        (t) => {
          for (const flags of choices(tunnel, family))
            for (const one of userFrames) {
              world.reset();
              linkOf(world, 'frames');
              sender(world, tunnel, family, flags, { seq: SEQ });
              for (const [program, skb] of shimOf(isStraight(tunnel, flags, one.lco), 'stack ')) {
                sender(world, tunnel, family, flags, { seq: SEQ });
                const run = world.send(t, program, one.bytes, skb);
                sends(t, run, tunnel, family, flags, one.bytes, `${one.name} by ${program}, flags ${flags}`);
              }
            }
        },
      );
      test.serial(`${tunnel.name} in IPv${family}: packets get the Ethernet header of the session`, (t) => {
        for (const flags of choices(tunnel, family))
          for (const inner of inners) {
            world.reset();
            linkOf(world, 'packets');
            const given = eth({ type: inner.family === 4 ? 0x0800 : 0x86dd }).payload(inner.bytes);
            const wanted = frame(inner.family === 4 ? 0x0800 : 0x86dd, inner.bytes);
            for (const [program, skb] of shimOf(isStraight(tunnel, flags, inner.lco))) {
              sender(world, tunnel, family, flags, { seq: SEQ, macs: MACS });
              const run = world.send(t, program, given, skb);
              sends(t, run, tunnel, family, flags, wanted, `${inner.name} by ${program}, flags ${flags}`);
            }
          }
      });
    } else {
      for (const carries of ['packets', 'frames'] as const)
        test.serial(
          `${tunnel.name} in IPv${family}: packets of a link of ${carries} go out octet by octet (R3, R6)`,
          (t) => {
            for (const flags of choices(tunnel, family))
              for (const inner of inners) {
                world.reset();
                linkOf(world, carries);
                const given = eth({ type: inner.family === 4 ? 0x0800 : 0x86dd }).payload(inner.bytes);
                for (const [program, skb] of shimOf(isStraight(tunnel, flags, inner.lco))) {
                  sender(world, tunnel, family, flags, { seq: SEQ });
                  const run = world.send(t, program, given, skb);
                  sends(t, run, tunnel, family, flags, inner.bytes, `${inner.name} by ${program}, flags ${flags}`);
                }
              }
          },
        );
      test.serial(
        `${tunnel.name} in IPv${family}: a frame without a packet, or with a tag, is none of its own`,
        (t) => {
          for (const one of userFrames.filter(({ isIp }) => !isIp)) {
            linkOf(world, 'frames');
            sender(world, tunnel, family);
            const run = world.send(t, 'stack shim', one.bytes, { mark: LINK });
            t.is(run.verdict, 'shot');
            t.regex(run.counted.join(), /^not_ip session 0x[0-9a-f]+: 1 \d+$/, one.name);
          }
        },
      );
    }
  }

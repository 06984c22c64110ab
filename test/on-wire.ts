// SPDX-License-Identifier: MIT
import { buildOne, packetSocket, udpSocket } from './agent';
import { gtpIn } from './fixture';
import { type GtpFrame, gtpFrame } from './gtp-frame';
import { ends, type Family, inner, outer, type TwoMachines, user } from './topology';

/** An inner datagram, as far as a test cares. */
export interface Inner {
  readonly version?: Family;
  readonly ttl?: number;
  readonly tos?: number;
  readonly port?: number;
  readonly flags?: string;
  readonly size?: number;
  readonly more?: string;
}

/** What one inner datagram of user 0 looks like on the wire between two machines. */
export interface OnWire {
  sent(what: Inner): Promise<GtpFrame>;
}

/** Adds link gtp0 with a session of TEIDs 1 and 2 and these words. */
export async function linked(m: TwoMachines, family: Family, words = ''): Promise<OnWire> {
  return linkedBy(m, family, `${ends(1, 2, outer[family][1])} ${words}`.trim());
}

/** Adds link gtp0 with these words of its own or of its first session. */
export async function linkedBy(m: TwoMachines, family: Family, words: string): Promise<OnWire> {
  const [local, remote] = outer[family];
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${words}`);
  const [wire, tap] = [await packetSocket(m.m2, 'ul'), await packetSocket(m.ue1, 'eth0')];
  await (await udpSocket(m.m1, local, 0)).send(Buffer.from('neighbour'), [remote, 9]);
  return {
    sent: async (what) => {
      const marker = `mark ${Math.random()}`;
      await tap.send(await buildOne(expression(what, marker)));
      const [got] = await wire.receive({ contains: marker });
      const frame = got === undefined ? undefined : gtpFrame(got.data);
      if (frame === undefined) throw new Error(`nothing came for ${JSON.stringify(what)}`);
      return frame;
    },
  };
}

function expression(what: Inner, marker: string): string {
  const { version = 4, ttl = 64, tos = 0, port = 7, flags = '', size = 20, more = '' } = what;
  const ends = `src='${inner[version][0]}',dst='${inner[version][1]}'`;
  const ip =
    version === 4 ? `IP(${ends},ttl=${ttl},tos=${tos},flags='${flags}')` : `IPv6(${ends},hlim=${ttl},tc=${tos})`;
  const payload = `b'${marker}'.ljust(${Math.max(size, marker.length)},b'p')`;
  return `Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/${ip}/UDP(sport=${port},dport=9${more})/${payload}`;
}

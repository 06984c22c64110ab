// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { type Socket, transfer, udpSocket } from '../agent';
import { closeFixture, linkStats, links, using } from '../fixture';
import { dropped } from '../records';
import {
  type Family,
  inner,
  innerMtu,
  join,
  joinHairpin,
  mtuOf,
  oneMachine,
  ping,
  type TwoMachines,
  twoMachines,
} from '../topology';

test.after.always(closeFixture);

const families = [4, 6] as const;

/** Two users, joined, wherever their links are. */
interface Joined {
  readonly ue1: string;
  readonly ue2: string;
}

const overTheWire = (
  body: (t: ExecutionContext, users: TwoMachines, family: Family) => Promise<void>,
  family: Family,
) =>
  using(async () => {
    const m = await twoMachines();
    await join(m, family);
    return m;
  })((t, m) => body(t, m, family));

const hairpin = (body: (t: ExecutionContext, users: Joined, family: Family) => Promise<void>, family: Family) =>
  using(async () => {
    const m = await oneMachine();
    await joinHairpin(m, family);
    return m;
  })((t, m) => body(t, m, family));

for (const [where, place] of [
  ['over the wire', overTheWire],
  ['on one machine', hairpin],
] as const) {
  for (const family of families) {
    const title = `IPv${family} outer, ${where}:`;
    test.serial(`${title} ping both ways, IPv4 and IPv6`, place(pings, family));
    test.serial(`${title} TCP arrives whole`, place(tcp, family));
    test.serial(
      `${title} UDP with DF at the MTU arrives, one octet more is refused to the sender`,
      place(exactMtu, family),
    );
    test.serial(`${title} inner fragments are delivered`, place(fragments, family));
  }
}

for (const family of families) {
  test.serial(
    `IPv${family} outer: the inner MTU is what fits into 1500 octets`,
    overTheWire(async (t, m) => {
      t.is((await links(m.m1))[0]?.mtu, innerMtu[family]);
      t.is((await links(m.m2))[0]?.mtu, innerMtu[family]);
    }, family),
  );

  test.serial(
    `IPv${family} outer: pings are counted both ways and nothing is dropped`,
    overTheWire(async (t, m) => {
      t.is(await ping(m.ue1, inner[4][1], 5), 5);
      for (const machine of [m.m1, m.m2]) {
        const stats = await linkStats(machine);
        t.deepEqual(dropped(stats), {});
        t.true(stats.encap.packets >= 5 && stats.decap.packets >= 5);
      }
    }, family),
  );
}

async function pings(t: ExecutionContext, { ue1, ue2 }: Joined): Promise<void> {
  for (const version of families) {
    t.is(await ping(ue1, inner[version][1]), 3, `IPv${version} there`);
    t.is(await ping(ue2, inner[version][0]), 3, `IPv${version} back`);
  }
}

async function tcp(t: ExecutionContext, { ue1, ue2 }: Joined): Promise<void> {
  const size = 8_000_000;
  for (const version of families) {
    t.deepEqual(await transfer({ from: ue1, to: ue2, address: inner[version][1], size }), {
      equal: true,
      received: size,
    });
    t.deepEqual(await transfer({ from: ue2, to: ue1, address: inner[version][0], size }), {
      equal: true,
      received: size,
    });
  }
}

async function exactMtu(t: ExecutionContext, { ue1, ue2 }: Joined): Promise<void> {
  for (const version of families) {
    const payload = (await mtuOf(ue1)) - (version === 4 ? 28 : 48);
    const receiver = await udpSocket(ue2, inner[version][1], 7000);
    const sender = await udpSocket(ue1, inner[version][0], 7001);
    await neverFragment(sender, version);
    const to = [inner[version][1], 7000] as const;
    t.is(await sender.send(Buffer.alloc(payload, 'x'), to), undefined);
    t.deepEqual(
      (await receiver.receive()).map(({ data }) => data.length),
      [payload],
    );
    t.is(await sender.send(Buffer.alloc(payload + 1, 'x'), to), 'EMSGSIZE');
  }
}

async function fragments(t: ExecutionContext, { ue1, ue2 }: Joined): Promise<void> {
  for (const version of families) {
    const receiver = await udpSocket(ue2, inner[version][1], 7000);
    const sender = await udpSocket(ue1, inner[version][0], 7001);
    if (version === 4) await sender.setOption(0, 10, 0); // IP_MTU_DISCOVER = IP_PMTUDISC_DONT
    const sent = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    await sender.send(sent, [inner[version][1], 7000]);
    const [got] = await receiver.receive();
    t.true(got?.data.equals(sent), `IPv${version}`);
  }
}

// IP_MTU_DISCOVER = IP_PMTUDISC_DO, IPV6_MTU_DISCOVER = IPV6_PMTUDISC_DO
const neverFragment = (sender: Socket, version: Family): Promise<void> =>
  version === 4 ? sender.setOption(0, 10, 2) : sender.setOption(41, 23, 2);

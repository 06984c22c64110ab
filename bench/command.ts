// SPDX-License-Identifier: MIT
import { must, within } from '../test/run';
import { type Summary, summary } from './statistics';
import { toolPath } from './tools';
import { command, environment, gtp, namespace, veth } from './world';

/** CPU time, user and system, and wall time of one run of a command, in seconds. */
export interface CommandCost {
  readonly cpu: Summary;
  readonly wall: Summary;
}

/** What `gtp session add` costs beside a Node that does nothing, one after the other. */
export async function measureCommand(
  rounds: number,
  step: (what: string) => void,
): Promise<{ readonly ours: CommandCost; readonly node: CommandCost }> {
  const [machine, user] = [await namespace('cmd-m'), await namespace('cmd-u')];
  await veth({ ns: machine, dev: 'ul', address: '192.0.2.1/24' }, { ns: user, dev: 'far', address: '192.0.2.2/24' });
  await gtp(machine, `link add gtp0 local 192.0.2.1 netns ${user} address 10.9.0.1/24`);
  const [ours, node] = [times(), times()];
  for (let i = 0; i < rounds * RUNS; i++) {
    if (i % RUNS === 0) step(`command: round ${i / RUNS + 1} of ${rounds}`);
    note(node, await cost(machine, [process.execPath, '-e', '0']));
    const session = `local-teid ${i + 1} remote-teid ${i + 1} remote 192.0.2.2 ue 10.9.${i >> 8}.${i & 255}`;
    note(ours, await cost(machine, [...command, 'session', 'add', 'dev', 'gtp0', ...session.split(' ')]));
  }
  return { ours: costs(ours), node: costs(node) };
}

// In one round.
const RUNS = 6;

interface Times {
  readonly cpu: number[];
  readonly wall: number[];
}

const times = (): Times => ({ cpu: [], wall: [] });
const costs = ({ cpu, wall }: Times): CommandCost => ({ cpu: summary(cpu), wall: summary(wall) });

function note(into: Times, one: { cpu: number; wall: number }): void {
  into.cpu.push(one.cpu);
  into.wall.push(one.wall);
}

async function cost(ns: string, words: readonly string[]): Promise<{ cpu: number; wall: number }> {
  return JSON.parse(await must(within(ns, toolPath('rusage'), ...words), { env: environment })) as {
    cpu: number;
    wall: number;
  };
}

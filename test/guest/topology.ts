// SPDX-License-Identifier: MIT
import test, { type ExecutionContext } from 'ava';
import { namespace, using } from '../fixture';
import { must } from '../run';
import { ping } from '../topology';
import { boot, type Guest } from './boot';
import { type Kernel, whyNot } from './kernels';

/** A machine of ours with a user behind it, and at the other end of its wire (device `ul` on both) a guest. */
export interface Beside {
  readonly m1: string;
  readonly ue1: string;
  readonly guest: Guest;
}

type Body = (t: ExecutionContext, world: Beside) => Promise<void>;

/** Defines a test beside a guest with this kernel. It is skipped where the kernel cannot be had, and its title then says why. */
export function beside(kernel: Kernel, title: string, body: Body): void {
  const missing = whyNot(kernel);
  const wholeTitle = `${kernel.name}: ${title}`;
  if (missing !== undefined) test.serial.skip(`${wholeTitle} (NO KERNEL: ${missing})`, () => undefined);
  else test.serial(wholeTitle, using(() => machineAndGuest(kernel))(stopping(body)));
}

/** The guest goes before its namespace does, and after a failure its console is told. */
function stopping(body: Body): Body {
  return async (t, world) => {
    let failed = true;
    try {
      await body(t, world);
      failed = false;
    } finally {
      if (failed) t.log('console of the guest:', world.guest.console());
      await world.guest.stop();
    }
  };
}

/**
 * Are three pings answered within 10 s? With -W alone ping would wait for two round trips, and a guest that gets no CPU time takes
 * longer. With -w it asks on until it has three answers, so there may be more of them.
 */
export const answers = async (ns: string, address: string): Promise<boolean> =>
  (await ping(ns, address, 3, '-w', '10')) >= 3;

async function machineAndGuest(kernel: Kernel): Promise<Beside> {
  const quiet = ['net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0'];
  const [m1, ue1] = [await namespace('m1', ...quiet), await namespace('ue1', ...quiet)];
  const guest = await boot(kernel, m1, 'ul');
  const lines = ['addr add 192.0.2.1/24 dev ul', 'addr add 2001:db8:2::1/64 dev ul nodad', 'link set ul up'];
  await must(['ip', '-n', m1, '-b', '-'], { input: `${lines.join('\n')}\n` });
  try {
    await guest.ip(WIRE);
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return { m1, ue1, guest };
}

/**
 * The guest's end of the wire is a bridge over its NIC: a GTP driver counts its answer to an Echo Request in the tunnel
 * statistics of the device that the request came by, and the NIC of User Mode Linux has none (the guest would panic).
 */
const WIRE = [
  'link add ul type bridge mcast_snooping 0',
  'link set eth0 master ul up',
  'addr add 192.0.2.2/24 dev ul',
  'addr add 2001:db8:2::2/64 dev ul nodad',
  'link set ul up',
];

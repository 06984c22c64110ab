// SPDX-License-Identifier: MIT

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { KernelError } from '../../src/errors';
import { createVeth, listLinks } from '../../src/netlink/link';
import { openRoute } from '../../src/netlink/socket';
import { inNetns, listNamed, netnsCookie, openNetns, resolveNetns } from '../../src/netns';
import { readSysctl, writeSysctl } from '../../src/sysctl';
import { inScratch } from './scratch';

const HOME = '/proc/thread-self/ns/net';

test(
  'a name, a PID and a path lead to a namespace',
  inScratch((t, left) => {
    t.deepEqual(resolveNetns(left.name), { path: left.path, name: left.name });
    t.deepEqual(resolveNetns(left.path), { path: left.path, name: left.name });
    t.deepEqual(resolveNetns(String(process.pid)), { path: `/proc/${process.pid}/ns/net` });
    t.deepEqual(resolveNetns('/proc/self/ns/net'), { path: '/proc/self/ns/net' });
  }),
);

for (const [text, hint] of [
  ['gtpt-none', 'make it with: ip netns add gtpt-none'],
  ['4194999', 'no process has this PID'],
  ['/no/such/file', 'a path must be a file such as /proc/PID/ns/net'],
  ['..', 'make it with: ip netns add ..'],
] as const) {
  test(`the namespace ${text} does not exist`, (t) => {
    const error = t.throws(() => resolveNetns(text), { instanceOf: KernelError });
    t.is(error.message, `find network namespace ${text}: No such network namespace`);
    t.is(error.hint, hint);
  });
}

test('a PID that is gone is no namespace', async (t) => {
  const child = spawn('sleep', ['60']);
  const { pid } = child;
  t.is(resolveNetns(String(pid)).path, `/proc/${pid}/ns/net`);
  child.kill();
  await once(child, 'exit');
  t.throws(() => resolveNetns(String(pid)), { instanceOf: KernelError });
});

test(
  'a function runs inside and the thread comes home',
  inScratch((t, left) => {
    const home = statSync(HOME).ino;
    t.is(
      inNetns(left.path, () => statSync(HOME).ino),
      statSync(left.path).ino,
    );
    t.is(statSync(HOME).ino, home);
  }),
);

test(
  'the thread comes home when the function throws',
  inScratch((t, left) => {
    const home = statSync(HOME).ino;
    const fail = (): never => {
      throw new Error('inside');
    };
    t.throws(() => inNetns(left.path, fail), { message: 'inside' });
    t.is(statSync(HOME).ino, home);
  }),
);

test(
  'namespaces nest',
  inScratch((t, left, right) => {
    const inner = inNetns(left.path, () => [inNetns(right.path, netnsCookie), netnsCookie()]);
    t.deepEqual(inner, [inNetns(right.path, netnsCookie), inNetns(left.path, netnsCookie)]);
  }),
);

test(
  'a socket opened inside stays there',
  inScratch((t, left) => {
    createVeth(left.route, { name: 'only-here', peer: { name: 'b' } });
    const sock = inNetns(left.path, openRoute);
    t.true(listLinks(sock).some((link) => link.name === 'only-here'));
    sock.close();
    const home = openRoute();
    t.false(listLinks(home).some((link) => link.name === 'only-here'));
    home.close();
  }),
);

test('a file that is no namespace is refused with a hint', (t) => {
  const error = t.throws(() => inNetns('/etc/hostname', () => 1), { instanceOf: KernelError });
  t.is(error.message, 'enter network namespace /etc/hostname: this file is not a network namespace');
  t.regex(error.hint ?? '', /ip netns add/);
  t.throws(() => openNetns('/no/such/file'), {
    message: 'open network namespace /no/such/file: No such file or directory',
  });
});

test(
  'named namespaces are listed with their inode, files that are none are not',
  inScratch((t, left, right) => {
    const stale = `/run/netns/gtpt-${process.pid}-stale`;
    mkdirSync('/run/netns', { recursive: true });
    writeFileSync(stale, '');
    try {
      const named = listNamed();
      t.false(named.some(({ path }) => path === stale));
      for (const { name, path } of [left, right]) {
        t.deepEqual(
          named.find((entry) => entry.name === name),
          { name, path, inode: statSync(path).ino },
        );
      }
    } finally {
      rmSync(stale);
    }
  }),
);

test(
  'sysctls of the network follow the namespace',
  inScratch((t, left) => {
    inNetns(left.path, () => writeSysctl('net/ipv4/conf/lo/rp_filter', 2));
    t.is(
      inNetns(left.path, () => readSysctl('net/ipv4/conf/lo/rp_filter')),
      '2',
    );
    t.not(readSysctl('net/ipv4/conf/lo/rp_filter'), '2');
  }),
);

test('a sysctl that is not there, or does not take the value, is refused', (t) => {
  const missing = 'net/ipv4/conf/none/rp_filter';
  t.throws(() => readSysctl(missing), { message: `read sysctl ${missing}: No such file or directory` });
  t.throws(() => writeSysctl(missing, 1), { message: `write sysctl ${missing}: No such file or directory` });
  t.throws(() => writeSysctl('net/ipv4/conf/lo/rp_filter', 'x'), { message: /Invalid argument$/ });
});

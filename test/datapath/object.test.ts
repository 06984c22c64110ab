// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import test from 'ava';
import { describeFailure } from '../../src/cli/failure';
import { listCookies, lock, removeState, stateDir } from '../../src/datapath/bpffs';
import { openMaps } from '../../src/datapath/maps';
import { findBpffs } from '../../src/datapath/mountpoint';
import { attach, attached, detach, ensureLoaded, openProgram } from '../../src/datapath/object';
import { list } from '../../src/datapath/pins';
import { isErrno, KernelError } from '../../src/errors';
import { inNetns } from '../../src/netns';
import { privateBpffs, testObject } from './private';

const { root, close } = privateBpffs();
const netns = `gtp-test-${process.pid}`;
const dir = stateDir(5n, root);

test.before(() => {
  ip('netns', 'add', netns);
  ip('-n', netns, 'link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right');
  ensureLoaded(dir);
});
test.after.always(() => {
  ip('netns', 'delete', netns);
  close();
});

test.serial('maps and programs are pinned, and loading again changes nothing', (t) => {
  t.true(list(`${dir}/maps`).includes('rx'));
  t.true(list(`${dir}/programs`).includes('underlay'));
  const before = openProgram(dir, 'underlay');
  ensureLoaded(dir);
  t.true(openProgram(dir, 'underlay') > before);
  t.deepEqual(listCookies(root), [5n]);
});

test.serial('what a killed command left half done is completed', (t) => {
  const half = stateDir(6n, root);
  mkdirSync(`${half}/programs-work`, { recursive: true });
  mkdirSync(`${half}/maps`);
  ensureLoaded(half);
  openMaps(half).links.get(1);
  t.deepEqual(
    list(half).map((name) => name.replace(/^made-by-.*/, 'made-by')),
    ['made-by', 'maps', 'programs'],
  );
  removeState(half);
  t.false(existsSync(half));
});

test.serial('a hook is attached, listed and detached', (t) => {
  inside(() => attach(dir, 'underlay', 1, 'ingress', 'lo'));
  inside(() => attach(dir, 'local_out', 1, 'egress', 'lo-out'));
  const hooks = [
    { pin: 'lo', ifindex: 1, side: 'ingress', program: 'underlay' },
    { pin: 'lo-out', ifindex: 1, side: 'egress', program: 'local_out' },
  ] as const;
  t.deepEqual(attached(dir), [...hooks]);
  t.true(detach(dir, 'lo-out'));
  t.false(detach(dir, 'lo-out'));
  t.deepEqual(attached(dir), [hooks[0]]);
  detach(dir, 'lo');
});

test.serial('a hook whose device has gone has the index 0', (t) => {
  inside(() => attach(dir, 'link', indexOf('left'), 'ingress', 'left'));
  ip('-n', netns, 'link', 'delete', 'left');
  t.is(attached(dir)[0]?.ifindex, 0);
  detach(dir, 'left');
});

test.serial('a device that does not exist is refused and leaves no pin', (t) => {
  const error = t.throws(() => inside(() => attach(dir, 'link', 9999, 'ingress', 'none')));
  t.is(error.message, 'attach program to device 9999: No such device');
  t.deepEqual(attached(dir), []);
});

test.serial('one command at a time holds the lock', (t) => {
  const held = lock(dir);
  const error = t.throws(() => lock(dir, 0), { instanceOf: KernelError });
  t.true(isErrno(error, 'EAGAIN'));
  t.is(error.message, `lock ${dir}: another gtp command is at work`);
  held.release();
  lock(dir).release();
});

test.serial('a lock of a directory that was removed meanwhile is worth nothing', (t) => {
  const gone = stateDir(7n, root);
  const held = lock(gone);
  removeState(gone);
  const next = lock(gone, 0);
  t.true(existsSync(gone));
  next.release();
  held.release();
  removeState(gone);
});

test.serial('a rejected program is told in two useful lines of the log, or in all of it', (t) => {
  const object = testObject('rejected');
  const error = t.throws(() => object.load(), { instanceOf: KernelError });
  object.close();
  t.is(error.message, 'load BPF programs: Permission denied');
  t.regex(
    describeFailure(error, false).text,
    /^Error: load BPF programs: Permission denied\n {2}\d+: .*\n {2}R\d invalid mem access 'map_value_or_null'\n$/,
  );
  t.regex(describeFailure(error, true).text, /careless[\s\S]*R1=ctx/);
});

test.serial('GTP_BPFFS has to be a bpffs', (t) => {
  process.env['GTP_BPFFS'] = '/tmp';
  const error = t.throws(findBpffs, { instanceOf: KernelError });
  process.env['GTP_BPFFS'] = root;
  t.is(error.message, 'use GTP_BPFFS /tmp: not a directory on a bpffs');
  t.is(findBpffs(), root);
});

function inside<T>(act: () => T extends PromiseLike<unknown> ? never : T): T {
  return inNetns(`/run/netns/${netns}`, act);
}

function indexOf(name: string): number {
  return Number(/^(\d+):/.exec(ip('-n', netns, '-o', 'link', 'show', name))?.[1]);
}

function ip(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
  return stdout;
}

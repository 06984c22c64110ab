// SPDX-License-Identifier: MIT
import { constants } from 'node:os';
import test from 'ava';
import { errno, errnoName, isErrno, KernelError, strerror, UsageError } from '../src/errors';

test('a KernelError says what was tried and what errno means', (t) => {
  const error = new KernelError('create link ue1', { errno: 17 });
  t.is(error.message, 'create link ue1: File exists');
  t.like(error, { tried: 'create link ue1', errno: 17, said: 'File exists', hint: undefined, detail: undefined });
});

test("the kernel's own sentence wins over errno", (t) => {
  t.is(
    new KernelError('create link x', { errno: 95, said: 'Unknown device type' }).message,
    'create link x: Unknown device type',
  );
});

test('a KernelError keeps its cause, hint and detail', (t) => {
  const cause = new Error('below');
  t.like(new KernelError('load', { hint: 'try', detail: 'long', cause }), { cause, hint: 'try', detail: 'long' });
});

test('a UsageError keeps its hint', (t) => {
  t.like(new UsageError('no', { hint: 'try' }), { message: 'no', hint: 'try' });
});

test('errno names and numbers are those of this platform', (t) => {
  // Two names of one number: the kernel's own is kept.
  const synonyms = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);
  for (const [name, number] of Object.entries(constants.errno)) {
    if (synonyms.has(name)) continue;
    t.is(errnoName(number), name);
    t.is(errno(name), number);
  }
});

test('either sign names the same errno', (t) => {
  t.is(errnoName(-17), 'EEXIST');
  t.is(strerror(-2), 'No such file or directory');
});

test('an unknown errno is a number, an unknown name a bug', (t) => {
  t.is(errnoName(4711), '4711');
  t.is(strerror(4711), 'Unknown error 4711');
  t.throws(() => errno('ENOTHING'), { message: /ENOTHING/ });
});

test('isErrno looks at kernel errors only', (t) => {
  t.true(isErrno(new KernelError('x', { errno: 17 }), 'EEXIST'));
  t.false(isErrno(new KernelError('x', { errno: 2 }), 'EEXIST'));
  t.false(isErrno(new Error('EEXIST'), 'EEXIST'));
});

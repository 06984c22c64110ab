// SPDX-License-Identifier: MIT
import test from 'ava';
import { objGet, objPin } from '../../src/bindings/bpf-fd';
import { rawMap, update } from '../../src/bindings/bpf-map';
import { mapPath, stateDir } from '../../src/datapath/bpffs';
import { zero } from '../../src/datapath/codec';
import type { Structs } from '../../src/datapath/layout.gen';
import { openMaps, total } from '../../src/datapath/maps';
import { ensureLoaded } from '../../src/datapath/object';
import { makeDir } from '../../src/datapath/pins';
import { isErrno, KernelError } from '../../src/errors';
import { A, mapped } from '../bpf/packet';
import { privateBpffs, testObject } from './private';

const { root, close } = privateBpffs();
test.after.always(close);

const dir = stateDir(1n, root);
const maps = openMaps(dir);
test.before(() => ensureLoaded(dir));

const rxKey = (id: number): Structs['rx_key'] => ({ ...zero('rx_key'), local: mapped(A), id: BigInt(id) });

test.serial('an entry comes back as it was put', (t) => {
  const session = {
    ...zero('rx_session'),
    packets: 2n ** 60n,
    config: [zero('rx_config'), zero('rx_config')] as const,
  };
  maps.rx.put(rxKey(1), session);
  t.deepEqual(maps.rx.get(rxKey(1)), { ...session, config: [...session.config] as never });
  t.is(maps.rx.get(rxKey(2)), undefined);
  t.true(maps.rx.delete(rxKey(1)));
  t.false(maps.rx.delete(rxKey(1)));
});

test.serial('flags say whether a key may or must be there', (t) => {
  const label = { name: 'one' };
  maps.labels.put(rxKey(1), label, 'noexist');
  const twice = t.throws(() => maps.labels.put(rxKey(1), label, 'noexist'));
  t.true(isErrno(twice, 'EEXIST'));
  t.is(twice.message, 'write to map labels: File exists');
  t.true(
    isErrno(
      t.throws(() => maps.labels.put(rxKey(2), label, 'exist')),
      'ENOENT',
    ),
  );
  maps.labels.delete(rxKey(1));
});

test.serial('more entries than one batch holds are all written and read', (t) => {
  const wanted = Array.from({ length: 10_000 }, (_, i) => [rxKey(i), { name: `n${i}` }] as const);
  maps.labels.putAll(wanted);
  const found = new Map([...maps.labels.entries()].map(([key, { name }]) => [Number(key.id), name]));
  t.deepEqual(
    [...found].sort(([a], [b]) => a - b),
    wanted.map(([key, { name }]) => [Number(key.id), name]),
  );
  for (const [key] of wanted) maps.labels.delete(key);
  t.deepEqual([...maps.labels.entries()], []);
});

test.serial('a map of prefixes is written and listed', (t) => {
  const key = { prefixlen: 64 + 120, ifindex: 7, version: 4, addr: mapped('10.0.0.0') };
  maps.tx_prefix.putAll([[key, zero('tx_session')]]);
  t.deepEqual(
    [...maps.tx_prefix.entries()].map(([{ prefixlen, ifindex }]) => [prefixlen, ifindex]),
    [[184, 7]],
  );
  t.truthy(maps.tx_prefix.get({ ...key, prefixlen: 192, addr: mapped('10.0.0.9') }));
  maps.tx_prefix.delete(key);
});

test.serial('per-CPU values are summed', (t) => {
  const key = { ...zero('drop_key'), ifindex: 3 };
  const fd = objGet(mapPath(dir, 'drops')) as number;
  const cpus = rawMap(fd).valueBytes / 16;
  maps.drops.put(
    key,
    Array.from({ length: cpus }, (_, i) => ({ packets: BigInt(i + 1), bytes: 10n })),
  );
  const sum = BigInt((cpus * (cpus + 1)) / 2);
  t.deepEqual(total(maps.drops.get(key) ?? []), { packets: sum, bytes: 10n * BigInt(cpus) });
  maps.drops.delete(key);
});

test.serial('a buffer of another size than the map has never reaches the kernel', (t) => {
  const raw = rawMap(objGet(mapPath(dir, 'labels')) as number);
  t.throws(() => update(raw, Buffer.alloc(32), Buffer.alloc(63)), { instanceOf: RangeError });
  t.throws(() => update(raw, Buffer.alloc(33), Buffer.alloc(64)), {
    message: 'map labels: key has 33 octets instead of 32',
  });
});

test.serial('a map that is not there is named', (t) => {
  const error = t.throws(() => openMaps(stateDir(2n, root)).labels.get(rxKey(1)), { instanceOf: KernelError });
  t.regex(error.message, /^open map labels: .*\/gtp\/2\/v1\/maps\/labels does not exist$/);
});

test.serial('a map of another layout is refused with every difference named', (t) => {
  const other = stateDir(3n, root);
  pinForeign(other);
  const label = t.throws(() => openMaps(other).labels.get(rxKey(1)), { instanceOf: KernelError });
  t.regex(label.message, /^use map labels: it has another layout: /);
  t.regex(label.message, /type: char\[32\] instead of rx_key; /);
  t.regex(
    label.message,
    /label\.name: char\[60\] at 4 instead of char\[64\] at 0; label\.number: u32 at 0 instead of absent$/,
  );
  const endpoint = t.throws(() => openMaps(other).endpoints.get({ ...zero('endpoint_key') }), {
    instanceOf: KernelError,
  });
  t.regex(endpoint.message, /type: 2 instead of 1; key octets: 4 instead of 20; value octets: 8 instead of 48/);
});

function pinForeign(other: string): void {
  const object = testObject('foreign');
  object.load();
  makeDir(`${other}/maps`);
  for (const map of object.maps) objPin(map.fd(), mapPath(other, map.name));
  object.close();
}

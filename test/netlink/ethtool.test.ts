// SPDX-License-Identifier: MIT
import test from 'ava';
import { KernelError } from '../../src/errors';
import { getFeatures, setFeatures } from '../../src/netlink/ethtool';
import { resolveFamily } from '../../src/netlink/generic';
import { createVeth, findLink, type LinkInfo } from '../../src/netlink/link';
import { inScratch, look, type Scratch } from './scratch';

const pair = (left: Scratch, right: Scratch): LinkInfo =>
  createVeth(left.route, { name: 'w', peer: { name: 'w', netnsFd: right.fd } });

/** What `ethtool -k` prints, as far as it uses the kernel's names. */
function listed(scratch: Scratch, name: string): Map<string, { active: boolean; changeable: boolean }> {
  const lines = look(scratch, 'ethtool', '-k', name).matchAll(/^\s*([\w-]+): (on|off)( \[fixed\])?/gm);
  return new Map(
    [...lines].map(([, feature = '', state, fixed]) => [feature, { active: state === 'on', changeable: !fixed }]),
  );
}

test(
  'features are those of ethtool -k',
  inScratch((t, left, right) => {
    pair(left, right);
    const features = getFeatures(left.generic, findLink(left.route, 'w'));
    const theirs = listed(left, 'w');
    t.true(features.size > 40);
    const common = [...features].filter(([name]) => theirs.has(name));
    t.true(common.length > 30);
    for (const [name, feature] of common) t.deepEqual(feature, theirs.get(name), name);
  }),
);

test(
  'features are switched off and on, several at once',
  inScratch((t, left, right) => {
    const link = pair(left, right);
    const off = { 'tx-checksum-ip-generic': false, 'tx-tcp-segmentation': false, 'tx-udp_tnl-segmentation': false };
    const changed = setFeatures(left.generic, link, off);
    for (const name of Object.keys(off)) {
      t.is(changed.get(name), false, name);
      t.false(getFeatures(left.generic, link).get(name)?.active);
      t.false(listed(left, 'w').get(name)?.active ?? false);
    }
    t.is(setFeatures(left.generic, link, { 'tx-tcp-segmentation': false }).size, 0);
    t.is(setFeatures(left.generic, link, { 'tx-udp_tnl-segmentation': true }).get('tx-udp_tnl-segmentation'), true);
  }),
);

test(
  'GRO is switched on at an end in another namespace',
  inScratch((t, left, right) => {
    pair(left, right);
    const inner = findLink(right.route, 'w');
    t.false(getFeatures(right.generic, inner).get('rx-gro')?.active);
    t.deepEqual([...setFeatures(right.generic, inner, { 'rx-gro': true })], [['rx-gro', true]]);
    t.regex(look(right, 'ethtool', '-k', 'w'), /generic-receive-offload: on/);
  }),
);

test(
  'a feature that the device keeps is an error, and the others stay as they were',
  inScratch((t, left) => {
    const lo = findLink(left.route, 'lo');
    const before = getFeatures(left.generic, lo);
    const set = () => setFeatures(left.generic, lo, { 'tx-tcp-segmentation': false, loopback: false });
    t.throws(set, { instanceOf: KernelError });
    t.deepEqual(getFeatures(left.generic, lo), before);
  }),
);

test(
  "an unknown feature is refused in the kernel's words",
  inScratch((t, left, right) => {
    const set = () => setFeatures(left.generic, pair(left, right), { nonsense: true });
    t.throws(set, { message: 'set features nonsense of w: bit name not found' });
  }),
);

test(
  'an unknown device is refused',
  inScratch((t, left) => t.throws(() => getFeatures(left.generic, 4711), { message: /^read features of #4711: / })),
);

test(
  'no feature is no request',
  inScratch((t, left) => t.is(setFeatures(left.generic, 4711, {}).size, 0)),
);

test(
  'an unknown family of generic netlink is refused',
  inScratch((t, left) =>
    t.throws(() => resolveFamily(left.generic, 'nothing'), { message: /family nothing: No such file/ }),
  ),
);

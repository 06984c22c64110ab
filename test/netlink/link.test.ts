// SPDX-License-Identifier: MIT
import { closeSync, statSync } from 'node:fs';
import test from 'ava';
import { isErrno, KernelError } from '../../src/errors';
import { encodeAttributes, nest, string } from '../../src/netlink/attributes';
import {
  createVeth,
  deleteLink,
  findLink,
  getLink,
  IFF_LOOPBACK,
  IFF_NOARP,
  IFF_UP,
  listLinks,
  setLink,
} from '../../src/netlink/link';
import { locateNetns, netnsidOf, openRouteAt } from '../../src/netlink/nsid';
import { openNetns } from '../../src/netns';
import { inScratch, ipJson, look } from './scratch';

const mac = (text: string): Uint8Array => Buffer.from(text.replaceAll(':', ''), 'hex');

test(
  'one call makes a veth pair across namespaces with name, MTU, MAC, NOARP and no IPv6 address of its own',
  inScratch((t, left, right) => {
    const end = { noarp: true, inet6AddrGenNone: true, up: true };
    createVeth(left.route, {
      ...end,
      name: 'ue1',
      mtu: 1464,
      address: mac('02:00:00:00:00:01'),
      peer: { ...end, name: 'eth0', mtu: 1400, address: mac('02:00:00:00:00:02'), netnsFd: right.fd },
    });
    const [outer] = ipJson(left, 'link', 'show', 'ue1');
    const [inner] = ipJson(right, 'link', 'show', 'eth0');
    t.like(outer, { mtu: 1464, address: '02:00:00:00:00:01', operstate: 'UP', inet6_addr_gen_mode: 'none' });
    t.like(inner, { mtu: 1400, address: '02:00:00:00:00:02', operstate: 'UP', inet6_addr_gen_mode: 'none' });
    for (const link of [outer, inner]) t.regex(String(link?.['flags']), /NOARP/);
    t.is(ipJson(left, '-6', 'addr', 'show', 'dev', 'ue1').filter((record) => 'ifname' in record).length, 0);
    t.is(look(right, 'ip', '-6', 'addr', 'show', 'dev', 'eth0'), '');
  }),
);

test(
  'a pair is down and has ARP and IPv6 unless it is asked for',
  inScratch((t, left) => {
    const link = createVeth(left.route, { name: 'a', peer: { name: 'b' } });
    t.is(link.flags & (IFF_UP | IFF_NOARP), 0);
    t.is(link.netnsid, undefined);
    t.is(findLink(left.route, 'b').peerIndex, link.index);
    t.like(ipJson(left, 'link', 'show', 'a')[0], { inet6_addr_gen_mode: 'eui64', mtu: 1500 });
  }),
);

test(
  'the peer is found through index and number of its namespace',
  inScratch((t, left, right) => {
    const {
      peerIndex = 0,
      netnsid,
      index,
    } = createVeth(left.route, { name: 'a', peer: { name: 'b', netnsFd: right.fd } });
    t.like(getLink(left.route, { index: peerIndex }, { netnsid }), { name: 'b', kind: 'veth', peerIndex: index });
    t.is(netnsidOf(left.route, right.fd), netnsid);
    t.true(listLinks(left.route, { netnsid }).some((link) => link.name === 'b'));
  }),
);

test(
  'a link in another namespace is changed through its number',
  inScratch((t, left, right) => {
    const { peerIndex = 0, netnsid } = createVeth(left.route, { name: 'a', peer: { name: 'b', netnsFd: right.fd } });
    setLink(left.route, peerIndex, { mtu: 1300 }, { netnsid });
    t.like(ipJson(right, 'link', 'show', 'b')[0], { mtu: 1300 });
  }),
);

test(
  'a namespace is located by name, else by a process in it',
  inScratch((t, left, right) => {
    const { netnsid = -1 } = createVeth(left.route, { name: 'a', peer: { name: 'b', netnsFd: right.fd } });
    t.deepEqual(locateNetns(left.route, netnsid), { path: right.path, name: right.name });
    const home = openNetns('/proc/self/ns/net');
    const here = createVeth(left.route, { name: 'h', peer: { name: `gtpt${process.pid}`, netnsFd: home } });
    closeSync(home);
    const { path = '' } = locateNetns(left.route, here.netnsid ?? -1) ?? {};
    t.regex(path, /^\/proc\/\d+\/ns\/net$/);
    t.is(statSync(path).ino, statSync('/proc/self/ns/net').ino);
    t.is(locateNetns(left.route, 4711), undefined);
    t.throws(() => openRouteAt(left.route, 4711), { instanceOf: KernelError });
  }),
);

test(
  'a namespace without a number is answered with undefined',
  inScratch((t, left, right) => t.is(netnsidOf(left.route, right.fd), undefined)),
);

test(
  'a pair that cannot be finished is taken back',
  inScratch((t, left, right) => {
    createVeth(right.route, { name: 'taken', peer: { name: 'other' } });
    const make = () => createVeth(left.route, { name: 'a', peer: { name: 'taken', netnsFd: right.fd } });
    const error = t.throws(make, { instanceOf: KernelError });
    t.true(isErrno(error, 'EEXIST'));
    t.is(getLink(left.route, { name: 'a' }), undefined);
  }),
);

test(
  'an existing name is refused with File exists',
  inScratch((t, left) => {
    createVeth(left.route, { name: 'ue1', peer: { name: 'b' } });
    const again = () => createVeth(left.route, { name: 'ue1', peer: { name: 'c' } });
    t.throws(again, { instanceOf: KernelError, message: 'create link ue1: File exists' });
  }),
);

test(
  "the kernel's own sentence is in the error",
  inScratch((t, left) => {
    const link = createVeth(left.route, { name: 'a', peer: { name: 'b' } });
    t.throws(() => setLink(left.route, link, { mtu: 99999 }), {
      message: 'change link a: mtu greater than device maximum',
    });
  }),
);

test(
  'an unknown kind is refused with Unknown device type',
  inScratch((t, left) => {
    const schema = { name: [3, string], info: [18, nest({ kind: [1, string] })] } as const;
    const body = Buffer.concat([Buffer.alloc(16), encodeAttributes(schema, { name: 'x', info: { kind: 'nothing' } })]);
    t.throws(() => left.route.request('create link x', 16, body, 0x600), {
      message: 'create link x: Unknown device type',
    });
  }),
);

test(
  'a device that is not there is undefined to getLink and an error to findLink',
  inScratch((t, left) => {
    t.is(getLink(left.route, { name: 'nope' }), undefined);
    t.is(getLink(left.route, { index: 4711 }), undefined);
    t.is(getLink(left.route, { name: 'a-name-longer-than-any-device-has' }), undefined);
    t.throws(() => findLink(left.route, 'nope'), { message: 'find link nope: No such device' });
    t.throws(() => deleteLink(left.route, 4711), { message: 'delete link #4711: No such device' });
  }),
);

test(
  'a device is found by an alternative name',
  inScratch((t, left) => {
    createVeth(left.route, { name: 'a', peer: { name: 'b' } });
    look(left, 'ip', 'link', 'property', 'add', 'dev', 'a', 'altname', 'a-name-longer-than-fifteen');
    t.is(getLink(left.route, { name: 'a-name-longer-than-fifteen' })?.name, 'a');
  }),
);

test(
  'lo is a loopback without kind',
  inScratch((t, left) => {
    const lo = findLink(left.route, 'lo');
    t.like(lo, { index: 1, name: 'lo', mtu: 65536, operstate: 'down', kind: undefined, parentDev: undefined });
    t.is(lo.flags & IFF_LOOPBACK, IFF_LOOPBACK);
  }),
);

test(
  'a link can be changed, renamed, moved and deleted',
  inScratch((t, left, right) => {
    const link = createVeth(left.route, { name: 'a', peer: { name: 'b' } });
    setLink(left.route, link, { mtu: 1300, arp: false, address: mac('02:00:00:00:00:09') });
    t.like(ipJson(left, 'link', 'show', 'a')[0], { mtu: 1300, address: '02:00:00:00:00:09' });
    t.is(findLink(left.route, 'a').flags & IFF_NOARP, IFF_NOARP);
    setLink(left.route, link, { arp: true, name: 'c' });
    t.is(findLink(left.route, 'c').flags & IFF_NOARP, 0);
    setLink(left.route, link, { up: true });
    t.is(findLink(left.route, 'c').flags & IFF_UP, IFF_UP);
    setLink(left.route, link, { netnsFd: right.fd });
    t.like(ipJson(right, 'link', 'show', 'c')[0], { mtu: 1300 });
    deleteLink(right.route, findLink(right.route, 'c'));
    t.is(getLink(left.route, { name: 'b' }), undefined);
  }),
);

test(
  'a link in another namespace is deleted through its number',
  inScratch((t, left, right) => {
    const { peerIndex = 0, netnsid } = createVeth(left.route, { name: 'a', peer: { name: 'b', netnsFd: right.fd } });
    deleteLink(left.route, peerIndex, { netnsid });
    t.is(getLink(left.route, { name: 'a' }), undefined);
    t.is(getLink(right.route, { name: 'b' }), undefined);
  }),
);

test(
  'a pair with an MTU too small for IPv6 is made all the same',
  inScratch((t, left) => {
    const link = createVeth(left.route, { name: 'a', mtu: 600, inet6AddrGenNone: true, up: true, peer: { name: 'b' } });
    t.is(link.mtu, 600);
  }),
);

test(
  'two hundred devices are listed over several datagrams',
  inScratch((t, left) => {
    for (let number = 0; number < 100; number++)
      createVeth(left.route, { name: `a${number}`, peer: { name: `b${number}` } });
    const names = listLinks(left.route).map((link) => link.name);
    t.is(new Set(names).size, names.length);
    t.is(names.filter((name) => /^[ab]\d+$/.test(name)).length, 200);
  }),
);

// SPDX-License-Identifier: MIT
import test from 'ava';
import { isErrno, KernelError } from '../../src/errors';
import { addAddress, listAddresses } from '../../src/netlink/address';
import { createVeth, findLink, type LinkInfo, setLink } from '../../src/netlink/link';
import { neighbour } from '../../src/netlink/neighbour';
import { addQdisc } from '../../src/netlink/qdisc';
import { addRoute, routeTo } from '../../src/netlink/route';
import { address, interfaceAddress, prefix } from '../../src/values';
import { inScratch, ipJson, look, type Scratch } from './scratch';

const at = (text: string) => interfaceAddress.parse(text);
const to = (text: string) => address.parse(text);
const net = (text: string) => prefix.parse(text);

/** A veth pair that is up at both ends, with 192.0.2.1/24 and 2001:db8::1/64 on the left. */
function wire(left: Scratch, right: Scratch): LinkInfo {
  const link = createVeth(left.route, { name: 'w', up: true, peer: { name: 'w', up: true, netnsFd: right.fd } });
  setLink(left.route, findLink(left.route, 'lo'), { up: true });
  addAddress(left.route, link, at('192.0.2.1/24'));
  addAddress(left.route, link, at('2001:db8::1/64'));
  return link;
}

test(
  'addresses are added, usable at once, and listed',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    const seen = ipJson(left, 'addr', 'show', 'dev', 'w')[0]?.['addr_info'] as Record<string, unknown>[];
    t.like(seen[0], { family: 'inet', local: '192.0.2.1', prefixlen: 24 });
    const six = seen.find((record) => record['local'] === '2001:db8::1');
    t.like(six, { family: 'inet6', prefixlen: 64, nodad: true });
    const own = listAddresses(left.route, { index: link.index }).map((entry) => interfaceAddress.format(entry.prefix));
    t.true(['192.0.2.1/24', '2001:db8::1/64'].every((text) => own.includes(text)));
    t.true(listAddresses(left.route).length > own.length);
  }),
);

test(
  'an address that is there already is refused',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    for (const text of ['192.0.2.1/24', '2001:db8::1/64']) {
      const error = t.throws(() => addAddress(left.route, link, at(text)), { instanceOf: KernelError });
      t.true(isErrno(error, 'EEXIST'), text);
      t.true(error.message.startsWith(`add address ${text} to w: `));
    }
  }),
);

test(
  'the addresses of an unknown device are an error, not an empty list',
  inScratch((t, left) => t.throws(() => listAddresses(left.route, { index: 4711 }), { instanceOf: KernelError })),
);

test(
  'routes through a device lead there',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    addRoute(left.route, { dst: net('10.0.0.0/8'), family: 4, oif: link, scope: 'link' });
    addRoute(left.route, { dst: net('2001:db8:1::/48'), family: 6, oif: link });
    addRoute(left.route, { dst: 'default', family: 4, oif: link, scope: 'link' });
    addRoute(left.route, { dst: 'default', family: 6, oif: link });
    t.like(ipJson(left, 'route', 'show', '10.0.0.0/8')[0], { dst: '10.0.0.0/8', dev: 'w', scope: 'link' });
    t.like(ipJson(left, 'route', 'show', 'default')[0], { dst: 'default', dev: 'w', scope: 'link' });
    t.like(ipJson(left, '-6', 'route', 'show', '2001:db8:1::/48')[0], { dst: '2001:db8:1::/48', dev: 'w' });
    t.like(ipJson(left, '-6', 'route', 'show', 'default')[0], { dst: 'default', dev: 'w' });
    t.like(routeTo(left.route, to('10.1.2.3')), {
      type: 'unicast',
      oif: link.index,
      gateway: undefined,
      prefsrc: to('192.0.2.1'),
    });
    t.like(routeTo(left.route, to('2001:db8:1::7')), { type: 'unicast', oif: link.index, prefsrc: to('2001:db8::1') });
  }),
);

test(
  'a route with a gateway names it, and a learned or set MTU',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    addRoute(left.route, {
      dst: net('10.0.0.0/8'),
      family: 4,
      oif: link,
      gateway: to('192.0.2.2'),
      prefsrc: to('192.0.2.1'),
    });
    look(left, 'ip', 'route', 'add', '10.9.0.0/16', 'via', '192.0.2.2', 'mtu', '1280');
    look(left, 'ip', 'route', 'add', '10.8.0.0/16', 'via', 'inet6', '2001:db8::2', 'dev', 'w');
    t.deepEqual(routeTo(left.route, to('10.1.1.1')), {
      type: 'unicast',
      oif: link.index,
      gateway: to('192.0.2.2'),
      prefsrc: to('192.0.2.1'),
    });
    t.is(routeTo(left.route, to('10.9.1.1')).mtu, 1280);
    t.is(routeTo(left.route, to('10.9.1.1'), { entry: true }).mtu, 1280);
    t.is(routeTo(left.route, to('10.1.1.1'), { entry: true }).mtu, undefined);
    t.like(routeTo(left.route, to('10.8.1.1')).gateway, { family: 6 });
  }),
);

test(
  "this machine's own addresses are of type local",
  inScratch((t, left, right) => {
    wire(left, right);
    t.like(routeTo(left.route, to('192.0.2.1')), { type: 'local', oif: 1 });
    t.like(routeTo(left.route, to('2001:db8::1')), { type: 'local' });
    t.like(routeTo(left.route, to('127.0.0.1')), { type: 'local', oif: 1 });
  }),
);

test(
  'a broadcast address is of type broadcast',
  inScratch((t, left, right) => {
    wire(left, right);
    t.is(routeTo(left.route, to('192.0.2.255')).type, 'broadcast');
  }),
);

test(
  'no route is an error for both families',
  inScratch((t, left, right) => {
    wire(left, right);
    for (const text of ['203.0.113.1', '2001:db8:ffff::1']) {
      const error = t.throws(() => routeTo(left.route, to(text)), { instanceOf: KernelError });
      t.is(error.message, `find route to ${text}: Network is unreachable`);
    }
  }),
);

test(
  'a route that refuses says so by its error or its type',
  inScratch((t, left, right) => {
    wire(left, right);
    look(left, 'ip', 'route', 'add', 'unreachable', '10.7.0.0/16');
    look(left, 'ip', 'route', 'add', 'prohibit', '10.6.0.0/16');
    t.true(
      isErrno(
        t.throws(() => routeTo(left.route, to('10.7.0.1'))),
        'EHOSTUNREACH',
      ),
    );
    t.true(
      isErrno(
        t.throws(() => routeTo(left.route, to('10.6.0.1'))),
        'EACCES',
      ),
    );
  }),
);

test(
  'source, device and mark decide on the route',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    const other = createVeth(left.route, { name: 'v', up: true, peer: { name: 'v', up: true, netnsFd: right.fd } });
    look(left, 'ip', 'route', 'add', '10.0.0.0/8', 'dev', 'w');
    look(left, 'ip', 'route', 'add', '10.0.0.0/8', 'dev', 'v', 'metric', '100');
    look(left, 'ip', 'route', 'add', '10.0.0.0/8', 'dev', 'v', 'table', '100');
    look(left, 'ip', 'rule', 'add', 'fwmark', '7', 'table', '100');
    t.is(routeTo(left.route, to('10.0.0.1')).oif, link.index);
    t.is(routeTo(left.route, to('10.0.0.1'), { mark: 7 }).oif, other.index);
    t.is(routeTo(left.route, to('10.0.0.1'), { oif: other.index }).oif, other.index);
    t.is(routeTo(left.route, to('10.0.0.1'), { from: to('192.0.2.1') }).oif, link.index);
    t.throws(() => routeTo(left.route, to('10.0.0.1'), { from: to('198.51.100.1') }), { instanceOf: KernelError });
  }),
);

test(
  'a host bit in a route is refused with a reason',
  inScratch((t, left, right) => {
    const dst = at('10.0.0.1/8');
    const add = () => addRoute(left.route, { dst, family: 4, oif: wire(left, right), scope: 'link' });
    t.throws(add, { message: 'add route 10.0.0.1/8 dev w: Invalid prefix for given prefix length' });
  }),
);

test(
  'a neighbour is known by its state, or not at all',
  inScratch((t, left, right) => {
    const { index } = wire(left, right);
    look(left, 'ip', 'neigh', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'w', 'nud', 'permanent');
    look(left, 'ip', 'neigh', 'add', '2001:db8::2', 'lladdr', '02:00:00:00:00:02', 'dev', 'w', 'nud', 'stale');
    const found = neighbour(left.route, index, to('192.0.2.2'));
    t.is(found?.state, 'permanent');
    t.is(Buffer.from(found?.mac ?? []).toString('hex'), '020000000002');
    t.is(neighbour(left.route, index, to('2001:db8::2'))?.state, 'stale');
    t.is(neighbour(left.route, index, to('192.0.2.3')), undefined);
  }),
);

test(
  'a pfifo becomes the root qdisc, and again with another limit',
  inScratch((t, left, right) => {
    const link = wire(left, right);
    t.is(link.qdisc, 'noqueue');
    addQdisc(left.route, link, { kind: 'pfifo', limit: 1000 });
    addQdisc(left.route, link, { kind: 'pfifo', limit: 2000 });
    t.is(findLink(left.route, 'w').qdisc, 'pfifo');
    const seen = JSON.parse(look(left, 'tc', '-j', 'qdisc', 'show', 'dev', 'w')) as Record<string, unknown>[];
    t.deepEqual(
      seen.map(({ kind, root, options }) => ({ kind, root, options })),
      [{ kind: 'pfifo', root: true, options: { limit: 2000 } }],
    );
  }),
);

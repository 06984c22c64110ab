// SPDX-License-Identifier: MIT
import test from 'ava';
import { formatMessage, parseMessages } from 'netlink/dist/structs';
import { KernelError } from '../../src/errors';
import { encodeAttributes, s32, string, u32 } from '../../src/netlink/attributes';
import { NetlinkSocket, type Transport } from '../../src/netlink/socket';

const PORT = 77;
const ERROR = 2;
const DONE = 3;
const DUMP_INTERRUPTED = 0x10;
const ACK_TLVS = 0x200;
const CAPPED = 0x100;

type Reply = { type: number; flags?: number; data?: Uint8Array; seq?: number; port?: number };

/** A kernel that answers each request with the next list of datagrams; `seq` is the request's unless it is given. */
function fakeKernel(...answers: Reply[][][]): {
  sock: NetlinkSocket<'route'>;
  requests: { flags: number; seq: number }[];
} {
  const requests: { flags: number; seq: number }[] = [];
  let queue: Reply[][] = [];
  const transport: Transport = {
    port: PORT,
    send: (datagram) => {
      requests.push(...parseMessages(Buffer.from(datagram)));
      queue = answers.shift() ?? [];
    },
    receive: () => {
      const seq = requests.at(-1)?.seq ?? 0;
      const replies = queue.shift();
      if (replies === undefined) throw new Error('the kernel would block');
      const whole = { flags: 0, data: new Uint8Array(0), seq, port: PORT };
      return Buffer.concat(replies.flatMap((reply) => formatMessage({ ...whole, ...reply })));
    },
    close: () => undefined,
  };
  return { sock: new NetlinkSocket('route', transport), requests };
}

const acknowledgement: Reply = { type: ERROR, flags: CAPPED, data: Buffer.alloc(20) };
const done: Reply = { type: DONE, data: Buffer.alloc(4) };
const extendedAck = (text: string): Buffer =>
  encodeAttributes({ message: [1, string], offset: [2, u32] }, { message: text });
const object = (text: string): Reply => ({ type: 16, data: Buffer.from(text) });
const texts = (messages: { data: Buffer }[]): string[] => messages.map(({ data }) => data.toString());
const nothing = new Uint8Array(0);

test('a request returns what came before its acknowledgement', (t) => {
  const { sock } = fakeKernel([[object('abcd')], [acknowledgement]]);
  t.deepEqual(texts(sock.request('ask', 18, nothing)), ['abcd']);
});

test('a refusal carries errno and the text of the extended ACK behind a capped request', (t) => {
  const data = Buffer.concat([s32.encode(-95), Buffer.alloc(16), extendedAck('Unknown device type')]);
  const { sock } = fakeKernel([[{ type: ERROR, flags: CAPPED | ACK_TLVS, data }]]);
  const error = t.throws(() => sock.request('create link x', 16, nothing), { instanceOf: KernelError });
  t.is(error.message, 'create link x: Unknown device type');
  t.is(error.errno, 95);
});

test('the extended ACK is found behind a request that came back whole', (t) => {
  const request = Buffer.concat([u32.encode(22), Buffer.alloc(12), Buffer.alloc(8)]);
  const data = Buffer.concat([s32.encode(-22), request, extendedAck('behind')]);
  const { sock } = fakeKernel([[{ type: ERROR, flags: ACK_TLVS, data }]]);
  t.throws(() => sock.request('ask', 16, nothing), { message: 'ask: behind' });
});

test('a refusal without a text has the sentence of its errno', (t) => {
  const data = Buffer.concat([s32.encode(-17), Buffer.alloc(16)]);
  const { sock } = fakeKernel([[{ type: ERROR, flags: CAPPED, data }]]);
  t.throws(() => sock.request('create link x', 16, nothing), { message: 'create link x: File exists' });
});

test('a warning in an acknowledgement is not an error', (t) => {
  const data = Buffer.concat([Buffer.alloc(20), extendedAck('deprecated')]);
  const { sock } = fakeKernel([[{ type: ERROR, flags: CAPPED | ACK_TLVS, data }]]);
  t.deepEqual(sock.request('ask', 16, nothing), []);
});

test('an error at the end of a dump is thrown', (t) => {
  const data = Buffer.concat([s32.encode(-2), extendedAck('ipv4: FIB table does not exist')]);
  const { sock } = fakeKernel([[{ type: DONE, flags: ACK_TLVS, data }]]);
  t.throws(() => sock.dump('list routes', 26, nothing), { message: 'list routes: ipv4: FIB table does not exist' });
});

test('a dump is gathered over several datagrams', (t) => {
  const { sock } = fakeKernel([[object('abcd'), object('efgh')], [object('ijkl')], [done]]);
  t.deepEqual(texts(sock.dump('list', 18, nothing)), ['abcd', 'efgh', 'ijkl']);
});

test('a dump that was interrupted is read again from its start', (t) => {
  const interrupted = { ...object('half'), flags: DUMP_INTERRUPTED };
  const { sock, requests } = fakeKernel([[object('old.')], [interrupted], [done]], [[object('new.')], [done]]);
  t.deepEqual(texts(sock.dump('list', 18, nothing)), ['new.']);
  t.is(requests.length, 2);
});

test('a dump that is interrupted each time is given up', (t) => {
  const endless = Array.from({ length: 100 }, () => [[{ ...done, flags: DUMP_INTERRUPTED }]]);
  const { sock } = fakeKernel(...endless);
  t.throws(() => sock.dump('list links', 18, nothing), {
    message: 'list links: the table kept changing while it was read',
  });
});

test('messages with another sequence number or port are left alone', (t) => {
  const stale = { ...object('old.'), seq: 4000 };
  const foreign = { ...object('them'), port: 5 };
  const { sock } = fakeKernel([
    [stale, foreign, object('mine')],
    [{ ...acknowledgement, seq: 4000 }, acknowledgement],
  ]);
  t.deepEqual(texts(sock.request('ask', 18, nothing)), ['mine']);
});

test('each request has its own sequence number', (t) => {
  const { sock, requests } = fakeKernel([[acknowledgement]], [[acknowledgement]]);
  sock.request('one', 18, nothing);
  sock.request('two', 18, nothing);
  t.not(requests[0]?.seq, requests[1]?.seq);
});

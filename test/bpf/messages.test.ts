// SPDX-License-Identifier: MIT
// Supported Extension Headers Notifications both ways (G5), End Markers (G11), and which session they are about.
import test from 'ava';
import { endpoint_flag, rx_flag, session_state } from '../../src/datapath/layout.gen';
import { answering, atEndpoint, configure } from './answering';
import { type Around, arriving, chain, type Family, type Gtp, gtp, ours, theirs } from './gtp';
import { plain } from './inners';
import { answer, ie, message, type } from './messages';
import { network } from './network';
import { octetsOf } from './receive';
import { hex, LOCAL_TEID, rxKey } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'messages', ours);
const { answers, drops, notes, send } = answering(world, net);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(world, net);
  for (const family of families) {
    world.endpoint(ours[family]);
    world.rx({ remote: theirs[family] }, { local: ours[family] });
  }
});

const families = [4, 6] as const;
const unknown = chain([0x99, 1]);
// G5: every type that is known, in one list.
const notification = Buffer.from('321f001100000000000000008d0b03042040818283848586c0', 'hex');
const session = (reason: string): string => `${reason} session ${hex(LOCAL_TEID)}`;
const state = (family: Family): number | undefined => world.maps.rx.get(rxKey({ local: ours[family] }))?.state;

for (const family of families) {
  const sent = `sent_extnotify ${ours[family]}: 1`;

  test.serial(
    `IPv${family}: an extension header that must be known and is not is answered with those that are (G5)`,
    (t) => {
      for (const of of [0x80, 0x99, 0xbf, 0xc1, 0xc2, 0xff]) {
        const frame = arriving(family, gtp(plain[4], { flags: 0x34, more: chain([0x85, 1], [of, 2]) }));
        const counted = `${session('unknown_extension')}: 1 ${octetsOf(frame).length}`;
        answers(t, frame, answer(family, notification, 2152), counted, sent);
      }
    },
  );

  test.serial(`IPv${family}: the notification goes to port 2152, whatever the source port (G5)`, (t) => {
    for (const sport of [1, 2152, 50000]) {
      const frame = arriving(family, gtp(plain[4], { flags: 0x34, more: unknown }), { sport });
      const counted = `${session('unknown_extension')}: 1 ${octetsOf(frame).length}`;
      answers(t, frame, answer(family, notification, 2152), counted, sent);
    }
  });

  test.serial(`IPv${family}: an Echo Request with such an extension header is answered in the same way (G5)`, (t) => {
    const frame = arriving(family, message(type.echoRequest, '', { flags: 0x36, more: `0001009901000000` }));
    const counted = `${atEndpoint('unknown_extension')}: 1 ${octetsOf(frame).length}`;
    answers(t, frame, answer(family, notification, 2152), counted, sent);
  });

  test.serial(`IPv${family}: extension headers that may be skipped are not answered (G5)`, (t) => {
    for (const of of [0x05, 0x3f, 0x41, 0x7f]) {
      const run = send(t, arriving(family, gtp(plain[4], { flags: 0x34, more: chain([of, 1]) })));
      t.deepEqual([run.verdict, run.beside], ['redirect', []]);
    }
  });

  test.serial(`IPv${family}: a damaged packet, or one of a sender that is no host, is not answered (G19)`, (t) => {
    const datagram = gtp(plain[4], { flags: 0x34, more: unknown });
    drops(t, arriving(family, datagram, { udp: { checksum: 1 } }), session('bad_checksum'));
    const source = family === 4 ? '224.0.0.1' : 'ff02::1';
    drops(t, arriving(family, datagram, { source }), atEndpoint('bad_source'));
  });

  test.serial(`IPv${family}: a wrong peer of a strict session is not told either (G19)`, (t) => {
    world.rx({ flags: rx_flag.strict, remote: theirs[family] }, { local: ours[family] });
    const source = family === 4 ? '192.0.2.9' : '2001:db8::9';
    drops(t, arriving(family, gtp(plain[4], { flags: 0x34, more: unknown }), { source }), session('wrong_peer'));
  });

  test.serial(`IPv${family}: with extnotify off the packet is dropped and not answered`, (t) => {
    world.endpoint(ours[family], undefined, { flags: endpoint_flag.echo | endpoint_flag.errind });
    drops(t, arriving(family, gtp(plain[4], { flags: 0x34, more: unknown })), session('unknown_extension'));
  });

  test.serial(`IPv${family}: a notification from a peer is counted on it, and not answered (G5, G12)`, (t) => {
    world.peer(ours[family], theirs[family]);
    for (const elements of [
      ie.types(0x85),
      ie.types(),
      ie.types(0x85, 0xc0) + ie.private('00'),
      ie.recovery() + ie.types(1),
    ])
      for (const seq of [0, 77])
        notes(t, arriving(family, message(type.extNotify, elements, { seq })), `extnotifies ${theirs[family]}`);
  });

  test.serial(`IPv${family}: a notification from somebody without a session is unexpected`, (t) => {
    world.peer(ours[family], family === 4 ? '192.0.2.9' : '2001:db8::9');
    drops(t, arriving(family, message(type.extNotify, ie.types(0x85))), atEndpoint('unexpected'));
  });

  test.serial(`IPv${family}: a notification without its list, or cut short, is malformed (G12, G26)`, (t) => {
    world.peer(ours[family], theirs[family]);
    for (const elements of ['', ie.private('00'), '8d', '8d0185c0', '8d0385c0', '0085'])
      drops(t, arriving(family, message(type.extNotify, elements)), atEndpoint('bad_message'));
    for (const words of [{ teid: LOCAL_TEID }, { flags: 0x30, more: '' }, { flags: 0x31 }])
      drops(t, arriving(family, message(type.extNotify, ie.types(0x85), words)), atEndpoint('bad_message'));
  });
}

/** An End Marker for our session. */
function endMarker(family: Family, words: Gtp = {}, around: Around = {}) {
  return arriving(family, gtp(Buffer.alloc(0), { type: type.endMarker, ...words }), around);
}

for (const family of families) {
  const noted = `end_markers ${hex(LOCAL_TEID)}`;

  test.serial(
    `IPv${family}: an End Marker is counted and shown as the state of its session, which goes on receiving (G11)`,
    (t) => {
      t.is(state(family), session_state.up);
      notes(t, endMarker(family), noted);
      t.is(state(family), session_state.ended);
      t.is(state(family === 4 ? 6 : 4), session_state.up);
      t.is(send(t, arriving(family, gtp(plain[4]))).verdict, 'redirect');
    },
  );

  test.serial(`IPv${family}: an End Marker may have a container, a Private Extension, or a number (G11)`, (t) => {
    notes(t, endMarker(family, { flags: 0x34, more: chain([0x85, '1009']) }), noted);
    notes(t, endMarker(family, { flags: 0x32, more: '12340000' }), noted);
    notes(
      t,
      arriving(family, message(type.endMarker, ie.private('00'), { flags: 0x30, more: '', teid: LOCAL_TEID })),
      noted,
    );
  });

  test.serial(
    `IPv${family}: an End Marker that is not right is dropped on its session and changes nothing (G3, G4, G5)`,
    (t) => {
      drops(t, endMarker(family, { surplus: 1 }), session('bad_length'));
      drops(t, endMarker(family, { flags: 0x32 }), session('bad_length'));
      drops(t, endMarker(family, { flags: 0x34, more: '0000008500000000' }), session('bad_extension'));
      drops(t, endMarker(family, { flags: 0x34, more: unknown }), session('unknown_extension'));
      drops(t, endMarker(family, {}, { udp: { checksum: 1 } }), session('bad_checksum'));
      t.is(state(family), session_state.up);
    },
  );

  test.serial(
    `IPv${family}: an End Marker from another sender ends a session of peer any, not one of peer strict (G11, G22)`,
    (t) => {
      const source = family === 4 ? '192.0.2.9' : '2001:db8::9';
      world.rx({ flags: rx_flag.strict, remote: theirs[family] }, { local: ours[family] });
      drops(t, endMarker(family, {}, { source }), session('wrong_peer'));
      t.is(state(family), session_state.up);
      world.rx({ remote: theirs[family] }, { local: ours[family] });
      notes(t, endMarker(family, {}, { source }), noted);
      t.is(state(family), session_state.ended);
    },
  );
}

test.serial(
  'a session without an endpoint, as it is for a moment while it is made or goes, drops all the same',
  (t) => {
    for (const family of families) {
      const local = family === 4 ? '192.0.2.77' : '2001:db8::77';
      world.rx({}, { local });
      const frame = arriving(family, gtp(plain[4], { flags: 0x34, more: unknown }), { destination: local });
      drops(t, frame, session('unknown_extension'));
    }
  },
);

test.serial('what programs send by themselves are answers: an Echo Request of ours is not among them (G15)', (t) => {
  const types = Array.from({ length: 256 }, (_, i) => i);
  for (const family of families) {
    const frames = types.flatMap((of) => [
      arriving(family, message(of)),
      arriving(family, message(of, '', { teid: 9 })),
      arriving(family, message(of, '', { teid: LOCAL_TEID, flags: 0x36, more: '0000009901000000' })),
    ]);
    const at = 14 + (family === 4 ? 28 : 48) + 1;
    const made = frames.map((frame) => send(t, frame)).filter((run) => run.verdict === 'redirect');
    const wanted = [type.echoResponse, type.errorIndication, type.extNotify];
    t.deepEqual(
      [...new Set(made.map((run) => run.frame[at] ?? 0))].sort((a, b) => a - b),
      wanted,
    );
  }
});

test.serial('a change of the session makes it up again', (t) => {
  notes(t, endMarker(4), `end_markers ${hex(LOCAL_TEID)}`);
  const rx = world.maps.rx.get(rxKey({ local: ours[4] }))?.config[0];
  t.is(world.control('rx', { rx_key: rxKey({ local: ours[4] }), ...(rx && { rx }) }), 0);
  t.is(state(4), session_state.up);
});

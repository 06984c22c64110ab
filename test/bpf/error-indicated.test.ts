// SPDX-License-Identifier: MIT
// Error Indications that we receive (G18, G26), and what they do to a session.
import test, { type ExecutionContext } from 'ava';
import { rx_flag, session_state } from '../../src/datapath/layout.gen';
import { answering, atEndpoint, configure } from './answering';
import { type Around, arriving, type Family, gtp, ours, theirs } from './gtp';
import { etherType, plain } from './inners';
import { errorIndication, ie, message, type } from './messages';
import { network } from './network';
import { eth } from './packet';
import { octetsOf } from './receive';
import { hex, LINK, LOCAL_TEID, REMOTE_TEID, type RxWords, rxKey } from './session';
import { makeWorld } from './world';

const world = makeWorld();
const net = network(test, 'indicated', ours);
const { drops, notes, send } = answering(world, net);
test.after.always(() => world.close());
test.beforeEach(() => {
  world.reset();
  configure(world, net);
  session();
});

const families = [4, 6] as const;

/** A session with the peer over each family, both halves of it. */
function session(words: RxWords = {}): void {
  for (const family of families) {
    const [local, remote] = [ours[family], theirs[family]];
    world.endpoint(local);
    world.rx({ remote, ...words }, { local });
    world.peer(local, remote);
    world.remote({ local, remote, id: REMOTE_TEID }, LOCAL_TEID);
  }
}

function state(family: Family): number | undefined {
  return world.maps.rx.get(rxKey({ local: ours[family] }))?.state;
}

function setState(family: Family, value: number): void {
  const key = rxKey({ local: ours[family] });
  const old = world.maps.rx.get(key);
  if (old !== undefined) world.maps.rx.put(key, { ...old, state: value });
}

function indication(family: Family, teid = REMOTE_TEID, peer: string = theirs[family], around: Around = {}) {
  return arriving(family, errorIndication(teid, peer, 2152), { sport: 2152, ...around });
}

/** Wants it dropped by that name, with the session as it was. */
function refused(t: ExecutionContext, family: Family, frame: ReturnType<typeof indication>, reason: string): void {
  drops(t, frame, atEndpoint(reason));
  t.is(state(family), session_state.up);
}

for (const family of families) {
  const noted = [`errinds ${hex(LOCAL_TEID)}`, [`errinds ${theirs[family]}: 1`]] as const;

  test.serial(
    `IPv${family}: an Error Indication from the peer about its TEID marks the session, and no other (G18)`,
    (t) => {
      notes(t, indication(family), ...noted);
      t.is(state(family), session_state.error_indicated);
      t.is(state(family === 4 ? 6 : 4), session_state.up);
    },
  );

  test.serial(`IPv${family}: without extension header, with its S octets only, it is the same (G12, G18)`, (t) => {
    for (const seq of [0, 1, 0xffff]) {
      const elements = ie.teid(REMOTE_TEID) + ie.peer(theirs[family]);
      notes(t, arriving(family, message(type.errorIndication, elements, { seq })), ...noted);
    }
    t.is(state(family), session_state.error_indicated);
  });

  test.serial(`IPv${family}: a marked session goes on receiving (G18)`, (t) => {
    notes(t, indication(family), ...noted);
    t.is(send(t, arriving(family, gtp(plain[4]))).verdict, 'redirect');
  });

  test.serial(`IPv${family}: errind-action none counts it and changes nothing (G18)`, (t) => {
    session({ flags: rx_flag.errind_none });
    notes(t, indication(family), ...noted);
    t.is(state(family), session_state.up);
  });

  test.serial(`IPv${family}: errind-action del ends the session, which then neither receives nor sends (G18)`, (t) => {
    session({ flags: rx_flag.errind_del });
    // one that is no more has nothing to note
    const run = send(t, indication(family));
    t.deepEqual([run.counted, run.beside], [[`${noted[0]}: 1 0`], noted[1]]);
    t.is(state(family), session_state.deleted);
    t.is(world.maps.config.get(0)?.epoch, 1);
    drops(t, indication(family), atEndpoint('unknown_session'));
    const gpdu = arriving(family, gtp(plain[4]));
    t.deepEqual(send(t, gpdu).counted, [`${atEndpoint('unknown_teid')}: 1 ${octetsOf(gpdu).length}`]);
    world.fallback({ local: ours[family], remote: theirs[family] });
    const inner = eth({ type: etherType[4] }).payload(plain[4]).bytes();
    const out = net.inside(() => world.send(t, 'link', inner));
    t.deepEqual([out.verdict, out.counted], ['shot', [`no_session link ${LINK}: 1 ${inner.length}`]]);
  });

  test.serial(`IPv${family}: an Error Indication from anybody but the peer does nothing to its session (G18)`, (t) => {
    const sources = family === 4 ? ['192.0.2.9', '203.0.113.1'] : ['2001:db8::9', '2001:db8:f::1'];
    for (const source of sources)
      refused(t, family, indication(family, undefined, undefined, { source }), 'wrong_peer');
  });

  test.serial(`IPv${family}: an Error Indication about a TEID or an address of no session does nothing (G18)`, (t) => {
    for (const teid of [0, LOCAL_TEID, REMOTE_TEID + 1, 0xffffffff])
      refused(t, family, indication(family, teid), 'unknown_session');
    for (const peer of ['192.0.2.9', '2001:db8::9', ours[family]])
      refused(t, family, indication(family, REMOTE_TEID, peer), 'unknown_session');
  });

  test.serial(`IPv${family}: an Error Indication to another address of ours does nothing to the session (G18)`, (t) => {
    const destination = family === 4 ? '192.0.2.77' : '2001:db8::77';
    world.endpoint(destination);
    refused(t, family, indication(family, undefined, undefined, { destination }), 'unknown_session');
  });

  test.serial(
    `IPv${family}: an Error Indication that is damaged or has no proper sender does nothing (G19, X11)`,
    (t) => {
      refused(t, family, indication(family, undefined, undefined, { udp: { checksum: 1 } }), 'bad_checksum');
      const nobody = family === 4 ? '224.0.0.1' : 'ff02::1';
      refused(t, family, indication(family, undefined, undefined, { source: nobody }), 'bad_source');
    },
  );

  test.serial(`IPv${family}: elements may come in any order, with others that can be skipped between (G26)`, (t) => {
    const [teid, peer] = [ie.teid(REMOTE_TEID), ie.peer(theirs[family])];
    const right = [
      peer + teid,
      teid + ie.private('') + peer,
      teid + peer + ie.private('0011223344'),
      `e60001ff${teid}${peer}`,
      ie.recovery(7) + teid + peer,
      teid + peer + ie.types(0x85, 0xc0),
      teid + peer + ie.teid(1) + ie.peer('192.0.2.9'), // of repeated ones the first counts
    ];
    for (const elements of right) notes(t, arriving(family, message(type.errorIndication, elements)), ...noted);
  });

  test.serial(
    `IPv${family}: a mandatory element that is missing, cut or of a wrong length makes it malformed (G26)`,
    (t) => {
      const [teid, peer] = [ie.teid(REMOTE_TEID), ie.peer(theirs[family])];
      const wrong = [
        '',
        teid,
        peer,
        teid + peer.slice(0, -2),
        `${teid}850003${peer.slice(6, 12)}`,
        `${teid}850005${peer.slice(6, 16)}`,
        `${teid}850000`,
        `${teid}85ffff${peer.slice(6)}`,
        `${teid + peer}85`,
        `${teid + peer}8500`,
        peer + teid.slice(0, -2),
        `${teid + peer}10`,
      ];
      for (const elements of wrong)
        refused(t, family, arriving(family, message(type.errorIndication, elements)), 'bad_message');
    },
  );

  test.serial(`IPv${family}: an unknown element of the TV form cannot be skipped: malformed (G26)`, (t) => {
    const [teid, peer] = [ie.teid(REMOTE_TEID), ie.peer(theirs[family])];
    for (const of of ['00', '01', '0d', '11', '7f'])
      for (const elements of [`${of}00${teid}${peer}`, `${teid}${peer}${of}00`])
        refused(t, family, arriving(family, message(type.errorIndication, elements)), 'bad_message');
  });

  test.serial(`IPv${family}: more than eight elements are not walked (G26)`, (t) => {
    const [teid, peer] = [ie.teid(REMOTE_TEID), ie.peer(theirs[family])];
    const more = (count: number) =>
      arriving(family, message(type.errorIndication, teid + peer + ie.private('').repeat(count)));
    notes(t, more(6), ...noted);
    setState(family, session_state.up);
    refused(t, family, more(7), 'bad_message');
  });

  test.serial(`IPv${family}: an Error Indication without S, or with a TEID, is malformed (G12)`, (t) => {
    const elements = ie.teid(REMOTE_TEID) + ie.peer(theirs[family]);
    for (const words of [{ flags: 0x30, more: '' }, { flags: 0x31 }, { teid: 1 }, { teid: LOCAL_TEID }])
      refused(t, family, arriving(family, message(type.errorIndication, elements, words)), 'bad_message');
  });

  test.serial(
    `IPv${family}: an Error Indication with an extension header that must be known and is not is refused, unanswered (G5, G18)`,
    (t) => {
      const elements = ie.teid(REMOTE_TEID) + ie.peer(theirs[family]);
      const words = { flags: 0x36, more: `0000009901${'0000'}00` };
      refused(t, family, arriving(family, message(type.errorIndication, elements, words)), 'unknown_extension');
    },
  );

  test.serial(`IPv${family}: an Error Indication that says it is longer than it is is refused (G3)`, (t) => {
    const elements = ie.teid(REMOTE_TEID) + ie.peer(theirs[family]);
    refused(t, family, arriving(family, message(type.errorIndication, elements, { surplus: 1 })), 'bad_length');
  });
}

test.serial('a session of several peers with one TEID is told apart by the peer (G18)', (t) => {
  const other = '192.0.2.9';
  world.rx({ remote: other }, { local: ours[4], teid: 0x2002 });
  world.peer(ours[4], other);
  world.remote({ local: ours[4], remote: other, id: REMOTE_TEID }, 0x2002);
  notes(t, indication(4, REMOTE_TEID, other, { source: other }), 'errinds 0x2002', [`errinds ${other}: 1`]);
  t.is(state(4), session_state.up);
  t.is(world.maps.rx.get(rxKey({ local: ours[4], teid: 0x2002 }))?.state, session_state.error_indicated);
});

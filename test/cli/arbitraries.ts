// SPDX-License-Identifier: MIT
// Random values of every kind, and random requests of every command, for property tests.
import fc from 'fast-check';
import {
  type CommandSpec,
  FORMS,
  type Form,
  grammar,
  isLater,
  type Later,
  type ObjectName,
  type Row,
  typeOfForm,
} from '../../src/grammar';
import * as values from '../../src/values';

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes): values.Address => ({ family: 4, bytes })),
  fc
    .oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((octets) => Uint8Array.from(octets)),
    )
    .filter((bytes) => !isMapped(bytes))
    .map((bytes): values.Address => ({ family: 6, bytes })),
);
const ownPrefix = address.chain((at) =>
  fc.integer({ min: 0, max: at.bytes.length * 8 }).map((length): values.Prefix => ({ address: at, length })),
);
const network = ownPrefix
  .map((prefix) => values.maskPrefix(prefix))
  .filter((prefix) => !isMapped(prefix.address.bytes));
const plainText = (most: number) =>
  fc
    .string({ unit: fc.constantFrom(...'abcXYZ019-_.é'), minLength: 1, maxLength: most })
    .filter((text) => Buffer.byteLength(text) <= most && !/^(-|no)|^\.+$/.test(text) && !KEYWORDS.has(text));
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const orWord = (kind: values.Kind<unknown>, least: number, most: number) =>
  fc.oneof(fc.integer({ min: least, max: most }), fc.constantFrom(...(kind.choices ?? [])));

/** Every exported kind by name, with random values of it. */
export const kinds: { readonly [name: string]: readonly [values.Kind<unknown>, fc.Arbitrary<unknown>] } = {
  ifname: [values.ifname, plainText(15)],
  vrf: [values.vrf, plainText(63)],
  linkName: [values.linkName, plainText(15)],
  address: [values.address, address],
  prefix: [values.prefix, network],
  prefixOrDefault: [values.prefixOrDefault, fc.oneof(network, fc.constant('default'))],
  interfaceAddress: [values.interfaceAddress, ownPrefix],
  teid: [values.teid, fc.integer({ min: 0, max: 0xffffffff })],
  ownTeid: [values.ownTeid, fc.integer({ min: 1, max: 0xffffffff })],
  ownTeidOrAuto: [values.ownTeidOrAuto, orWord(values.ownTeidOrAuto, 1, 0xffffffff)],
  tid: [values.tid, fc.bigInt({ min: 1n, max: 0xffffffffffffffffn })],
  version: [values.version, fc.constantFrom(0, 1)],
  flow: [values.flow, fc.integer({ min: 0, max: 65535 })],
  hashSize: [values.hashSize, fc.integer({ min: 1, max: 131071 })],
  restartCount: [values.restartCount, fc.integer({ min: 0, max: 255 })],
  port: [values.port, fc.integer({ min: 1, max: 65535 })],
  mtu: [values.mtu, fc.integer({ min: 68, max: 65535 })],
  qfi: [values.qfi, fc.integer({ min: 0, max: 63 })],
  ppi: [values.ppi, fc.integer({ min: 0, max: 7 })],
  srcport: [values.srcport, orWord(values.srcport, 1, 65535)],
  ttl: [values.ttl, orWord(values.ttl, 1, 255)],
  count: [values.count, fc.integer({ min: 1, max: 0xffffffff })],
  seconds: [values.seconds, fc.double({ min: 0.01, max: 86400, noNaN: true })],
  tos: [values.tos, orWord(values.tos, 0, 255)],
  onOff: [values.onOff, fc.constantFrom('on', 'off')],
  mac: [
    values.mac,
    fc
      .uint8Array({ minLength: 6, maxLength: 6 })
      .filter((octets) => ((octets[0] ?? 1) & 1) === 0 && octets.some(Boolean)),
  ],
  label: [values.label, plainText(values.LABEL_MAX)],
  netns: [values.netns, plainText(30).map((text) => ({ text }))],
  hostPrefix: [values.hostPrefix, address.map((at): values.Prefix => ({ address: at, length: at.bytes.length * 8 }))],
  greKey: [values.greKey, fc.integer({ min: 0, max: 0xffffffff })],
  vni: [values.vni, fc.integer({ min: 0, max: 0xffffff })],
  l2tpId: [values.l2tpId, fc.integer({ min: 1, max: 0xffffffff })],
  vlanId: [values.vlanId, fc.integer({ min: 1, max: 4094 })],
  cookie: [values.cookie, fc.constantFrom(0, 4, 8).chain(octets)],
  geneveOption: [
    values.geneveOption,
    fc
      .integer({ min: 0, max: 31 })
      .chain((words) =>
        fc.tuple(octets(3), octets(words * 4)).map(([head, data]) => Uint8Array.from([...head, words, ...data])),
      ),
  ],
};

/** Every command that works, as [object, command, spec]. */
export const commands: readonly (readonly [ObjectName, string, CommandSpec])[] = (
  ['link', 'session', 'ping'] as const
).flatMap((object) =>
  Object.entries<CommandSpec | Later>(grammar[object].commands).flatMap(([command, spec]) =>
    isLater(spec) ? [] : [[object, command, spec] as const],
  ),
);

/** One word of a request: its row, and the typed values given for it (true or false for a flag). */
export type GivenWord = { readonly word: string; readonly row: Row; readonly values: readonly unknown[] };

/** A random complete request of a command, in random order but for a positional word. */
export function request(spec: CommandSpec): fc.Arbitrary<readonly GivenWord[]> {
  const rows = Object.entries(spec.words).filter((entry): entry is [string, Row] => !isLater(entry[1]));
  const hasForms = rows.some(([, { of }]) => of !== undefined);
  const [ways, shapes] = [spec.either ?? [undefined], hasForms ? FORMS : [undefined]];
  return fc
    .tuple(fc.constantFrom(...ways), fc.constantFrom(...shapes))
    .chain(([way, form]) => requestBy(spec, rows, way, form));
}

// `way`: which of the words that exclude each other is given; `form`: the type or version whose words they are.
function requestBy(
  spec: CommandSpec,
  all: [string, Row][],
  way: string | undefined,
  form: Form | undefined,
): fc.Arbitrary<readonly GivenWord[]> {
  const rows = all
    .filter(([, { of }]) => of === undefined || form === undefined || of.includes(form))
    .filter(([word, row]) => word === way || !(spec.either?.includes(word) || (row.with ?? way) !== way));
  const words = rows.map(([word, row]) => {
    const chosen = form === undefined ? undefined : choiceOf(word, form);
    if (chosen === undefined) return givenWord(word, row, row.required === true || word === way);
    return givenWord(word, row, row.default !== undefined && row.default !== chosen, fc.constant(chosen));
  });
  return fc.tuple(...words, fc.integer()).map((all) => {
    const given = all.slice(0, -1).filter((item): item is GivenWord => typeof item === 'object' && item !== null);
    const [first, ...rest] = withoutOrphans(
      given.filter((item) => !given.some((other) => other.row.not?.includes(item.word) && other.word < item.word)),
    );
    if (first === undefined || spec.exclusive) return first === undefined ? [] : [first];
    return first.row.positional
      ? [first, ...rotate(rest, Number(all.at(-1)))]
      : rotate([first, ...rest], Number(all.at(-1)));
  });
}

// What a chooser says for a form.
function choiceOf(word: string, form: Form): string | number | undefined {
  if (word === 'type') return typeOfForm(form);
  return word === 'version' && typeOfForm(form) === 'gtp' ? Number(form.split(' ')[1]) : undefined;
}

// Without the words that mean nothing without another one.
function withoutOrphans(given: readonly GivenWord[]): readonly GivenWord[] {
  return given.filter(({ row }) => row.with === undefined || given.some(({ word }) => word === row.with));
}

/** The words of a request as a user types them. */
export function typed(given: readonly GivenWord[]): string[] {
  return given.flatMap(({ word, row, values: all }) =>
    all.flatMap((value) => {
      if (row.flag) return [value ? word : `no${word}`];
      const text = row.kind?.format(value) ?? '';
      return row.positional ? [text] : [row.as ?? word, text];
    }),
  );
}

function givenWord(
  word: string,
  row: Row,
  needed: boolean,
  value?: fc.Arbitrary<unknown>,
): fc.Arbitrary<GivenWord | undefined> {
  const any = () =>
    row.flag ? (row.no ? fc.boolean() : fc.constant(true)) : arbitraryOf(row.kind as values.Kind<unknown>);
  const one = value ?? any();
  const some = row.repeat ? fc.array(one, { minLength: 1, maxLength: 3 }) : fc.tuple(one);
  const given = some.map((all): GivenWord => ({ word, row, values: all }));
  return needed ? given : fc.option(given, { nil: undefined });
}

function arbitraryOf(kind: values.Kind<unknown>): fc.Arbitrary<unknown> {
  const known = Object.values(kinds).find(([other]) => other === kind);
  if (known !== undefined) return known[1];
  if (kind.choices === undefined) throw new Error(`no random values of ${kind.expected}`);
  return fc.constantFrom(...kind.choices);
}

const KEYWORDS = new Set(
  commands.flatMap(([, , spec]) => Object.keys(spec.words)).concat('help', 'up', 'down', 'show'),
);

function rotate<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : Math.abs(by) % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 && bytes.subarray(0, 10).every((octet) => octet === 0) && bytes[10] === 255 && bytes[11] === 255
  );
}

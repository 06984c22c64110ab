// SPDX-License-Identifier: MIT
import { btfById, programInfo } from '../bindings/bpf-fd';
import type { RawMap } from '../bindings/bpf-map';
import { KernelError, tolerating } from '../errors';
import { type Btf, KIND, type Layout, type Notation, parseBtf } from './btf';
import { codecOf, structOf } from './codec';
import { control_what, structs } from './layout.gen';
import { typeOf } from './types';

/** What a map is known to be: BPF_MAP_TYPE_*, key and value. */
export interface MapDefinition {
  readonly type: number;
  readonly key: Notation;
  readonly value: Notation;
}

/**
 * How the map that the kernel has differs from `expected`, in words such as "tx_session.mtu: u16 at 24 instead of u32
 * at 20"; nothing when it does not. Sizes are compared first, then every field as the map's BTF tells; to who may not read that,
 * `isOurs` says whether this very build has made the map.
 */
export function differences(map: RawMap, expected: MapDefinition, isOurs: () => boolean): string[] {
  const { info } = map;
  const found = [
    ...differs('type', info.type, expected.type),
    ...differs('key octets', info.keySize, codecOf(expected.key).size),
    ...differs('value octets', info.valueSize, codecOf(expected.value).size),
  ];
  // Maps of devices have no BTF: their key and value are plain numbers.
  const btf = info.btfId === 0 ? undefined : readableBtf(info.btfId);
  if (btf === undefined) return info.btfId === 0 || isOurs() ? found : [...found, 'only CAP_SYS_ADMIN may read it'];
  return [
    ...found,
    ...typeDifferences(btf, info.btfKeyType, expected.key),
    ...typeDifferences(btf, info.btfValueType, expected.value),
  ];
}

/** The refusal that `differences` gives rise to. */
export function wrongLayout(name: string, found: readonly string[], hint: string): KernelError {
  return new KernelError(`use map ${name}`, { said: `it has another layout: ${found.join('; ')}`, hint });
}

/**
 * Throws KernelError, with a hint, if the program `control` behind `fd` takes changes in another layout than ours, or calls other things by
 * our numbers.
 */
export function refuseControl(fd: number, hint: () => string): void {
  const { btfId } = programInfo(fd);
  const found = btfId === 0 ? ['it does not tell its layout'] : controlDifferences(kernelBtf(btfId));
  if (found.length === 0) return;
  throw new KernelError('use program control', { said: `it has another layout: ${found.join('; ')}`, hint: hint() });
}

export interface KernelBtf extends Btf {
  /** The structs that are as they should be. */
  readonly right: Set<string>;
}

const parsed = new Map<number, KernelBtf>();

/** The BTF of that id, parsed once: all maps of one object share one. */
export function kernelBtf(id: number): KernelBtf {
  const btf = parsed.get(id) ?? { ...parseBtf(btfById(id)), right: new Set() };
  parsed.set(id, btf);
  return btf;
}

function controlDifferences(btf: KernelBtf): string[] {
  const id = btf.struct('control');
  const own = id === undefined ? ['control: absent'] : typeDifferences(btf, id, 'control');
  const what = id === undefined ? undefined : typeOf(btf, id);
  const field = what?.form === 'struct' ? what.fields.find(({ name }) => name === 'what')?.type : undefined;
  const names = field?.form === 'number' ? field.names : undefined;
  const moved = Object.entries(control_what).filter(
    ([name, number]) => names?.get(`CONTROL_${name.toUpperCase()}`) !== BigInt(number),
  );
  return [...own, ...moved.map(([name]) => `CONTROL_${name.toUpperCase()}: another number`)];
}

// Only CAP_SYS_ADMIN opens a BTF by its number. Without, it has to be this very build that has made the map.
function readableBtf(id: number): KernelBtf | undefined {
  return tolerating(['EPERM'], () => kernelBtf(id));
}

function typeDifferences(btf: KernelBtf, id: number, expected: Notation): string[] {
  try {
    return fits(btf, id, expected) ? [] : listDifferences(btf, id, expected);
  } catch (error) {
    // Something that no map of ours has, such as a pointer.
    if (error instanceof TypeError) return [`${expected}: ${error.message}`];
    throw error;
  }
}

// Every command comes by here with each map that it uses: this looks at each struct once and builds nothing, a third of
// what it takes to say what is different.
function fits(btf: KernelBtf, id: number, type: Notation): boolean {
  const kind = btf.kind(id);
  if (kind === KIND.struct) return btf.right.has(type) || structFits(btf, id, type);
  if (kind !== KIND.array) return structOf(type) === undefined && btf.notation(id) === type;
  const element = type.slice(0, type.lastIndexOf('['));
  return type === `${element}[${btf.word(id, 5)}]` && fits(btf, btf.word(id, 3), element);
}

function structFits(btf: KernelBtf, id: number, type: Notation): boolean {
  const name = structOf(type);
  if (name === undefined || btf.name(id) !== type || btf.word(id, 2) !== structs[name].size) return false;
  let at = 3;
  for (const [field, [offset, fieldType]] of Object.entries(structs[name].fields)) {
    const isSame = btf.text(btf.word(id, at)) === field && btf.word(id, at + 2) === offset * 8;
    if (!isSame || !fits(btf, btf.word(id, at + 1), fieldType)) return false;
    at += 3;
  }
  if (at !== 3 + btf.items(id) * 3) return false;
  btf.right.add(type);
  return true;
}

function listDifferences(btf: Btf, id: number, expected: Notation): string[] {
  const is = btf.notation(id);
  const name = structOf(expected);
  const isNamed = is === expected && name !== undefined;
  return isNamed ? layoutDifferences(btf, name, btf.layout(id), structs[name]) : differs('type', is, expected);
}

function layoutDifferences(btf: Btf, name: string, is: Layout, wanted: Layout): string[] {
  const fields = new Set([...Object.keys(wanted.fields), ...Object.keys(is.fields)]);
  const own = [...fields].flatMap((field) => differs(`${name}.${field}`, place(is, field), place(wanted, field)));
  const inner = Object.values(wanted.fields).map(([, type]) => structOf(type));
  const nested = [...new Set(inner)].flatMap((struct) => {
    const id = struct === undefined ? undefined : btf.struct(struct);
    return struct === undefined || id === undefined
      ? []
      : layoutDifferences(btf, struct, btf.layout(id), structs[struct]);
  });
  return [...differs(`${name} octets`, is.size, wanted.size), ...own, ...nested];
}

function place(layout: Layout, field: string): string {
  const found = layout.fields[field];
  return found === undefined ? 'absent' : `${found[1]} at ${found[0]}`;
}

function differs(what: string, is: string | number, wanted: string | number): string[] {
  return is === wanted ? [] : [`${what}: ${is} instead of ${wanted}`];
}

// SPDX-License-Identifier: MIT
import { btfById } from '../bindings/bpf-fd';
import type { RawMap } from '../bindings/bpf-map';
import { KernelError } from '../errors';
import { type Btf, type Layout, type Notation, parseBtf } from './btf';
import { codecOf, structOf } from './codec';
import { structs } from './layout.gen';

/** What a map is known to be: BPF_MAP_TYPE_*, key and value. */
export interface MapDefinition {
  readonly type: number;
  readonly key: Notation;
  readonly value: Notation;
}

/**
 * How the map that the kernel has differs from `expected`, in words such as "tx_session.mtu: u16 at 24 instead of u32
 * at 20"; nothing when it does not. Sizes are compared first, then every field as the map's BTF tells.
 */
export function differences(map: RawMap, expected: MapDefinition): string[] {
  const { info } = map;
  const found = [
    ...differs('type', info.type, expected.type),
    ...differs('key octets', info.keySize, codecOf(expected.key).size),
    ...differs('value octets', info.valueSize, codecOf(expected.value).size),
  ];
  // Maps of devices have no BTF: their key and value are plain numbers.
  if (info.btfId === 0) return found;
  const btf = kernelBtf(info.btfId);
  return [
    ...found,
    ...typeDifferences(btf, info.btfKeyType, expected.key),
    ...typeDifferences(btf, info.btfValueType, expected.value),
  ];
}

/** The refusal that `differences` gives rise to. */
export function wrongLayout(name: string, found: readonly string[]): KernelError {
  return new KernelError(`use map ${name}`, {
    said: `it has another layout: ${found.join('; ')}`,
    hint: 'made by another version of gtp: delete its links with that version',
  });
}

const parsed = new Map<number, Btf>();

// All maps of one object share one BTF.
function kernelBtf(id: number): Btf {
  const btf = parsed.get(id) ?? parseBtf(btfById(id));
  parsed.set(id, btf);
  return btf;
}

function typeDifferences(btf: Btf, id: number, expected: Notation): string[] {
  if (id === 0) return [];
  const name = structOf(expected);
  if (name === undefined) return differs('type', btf.notation(id), expected);
  return layoutDifferences(btf, name, btf.layout(id), structs[name]);
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

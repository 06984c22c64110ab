// SPDX-License-Identifier: MIT

/** What a hook is for: its pin is called after that and after its device. */
export type HookKind = 'link' | 'shim' | 'underlay' | 'local' | 'xdp';

/** The name of a hook's pin, such as "underlay-3". */
export function pinOf(kind: HookKind, index: number): string {
  return `${kind}-${index}`;
}

/** What the name of a pin says: the kind of hook, which may be one of another version, and the index of its device. */
export function readPin(pin: string): { readonly kind: string; readonly index: number } {
  const [, kind = '', index = '0'] = /^(.+)-(\d+)$/.exec(pin) ?? [];
  return { kind, index: Number(index) };
}

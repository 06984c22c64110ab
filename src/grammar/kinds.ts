// SPDX-License-Identifier: MIT

/** The types of links and sessions. */
export const TYPES = ['gtp', 'gre', 'gretap', 'geneve', 'vxlan', 'l2tp', 'vlan'] as const;
export type Type = (typeof TYPES)[number];

/** What a command may be about, each with words of its own: a type, or a version of gtp. */
export const FORMS = ['version 1', 'version 0', 'gre', 'gretap', 'geneve', 'vxlan', 'l2tp', 'vlan'] as const;
export type Form = (typeof FORMS)[number];

/** A value for each type that has one. */
export type ByType<T> = { readonly [K in Type]?: T };

/** The UDP ports that the types receive on by default; the others have none. */
export const PORTS = { gtp: 2152, geneve: 6081, vxlan: 4789, l2tp: 1701 } as const satisfies ByType<number>;

/** How the types that can choose an outer UDP source port do so by default. */
export const SOURCE_PORTS = { gtp: 'fixed', geneve: 'hash', vxlan: 'hash' } as const satisfies ByType<string>;

/** Whose packets the types take by default; a VLAN has no peer. */
export const PEERS = {
  gtp: 'any',
  gre: 'strict',
  gretap: 'strict',
  geneve: 'strict',
  vxlan: 'strict',
  l2tp: 'strict',
} as const satisfies ByType<string>;

/** What the packets of the types carry, unless `payload` says otherwise. */
export const PAYLOADS = {
  gtp: 'ip',
  gre: 'ip',
  gretap: 'ethernet',
  geneve: 'ethernet',
  vxlan: 'ethernet',
  l2tp: 'ethernet',
  vlan: 'ethernet',
} as const satisfies { readonly [K in Type]: string };

/** The type that a form belongs to. */
export function typeOfForm(form: Form): Type {
  return form === 'version 0' || form === 'version 1' ? 'gtp' : form;
}

/** The forms of a type. */
export function formsOfType(type: string): readonly Form[] {
  return FORMS.filter((form) => typeOfForm(form) === type);
}

/** Whether UDP has a checksum when nobody said so: RFC 7348 does without over IPv4, as GTP-U; null where there is no UDP. */
export function checksumOf(type: string, family: 4 | 6): boolean | null {
  if (!Object.hasOwn(PORTS, type)) return null;
  return family === 6 || type === 'geneve' || type === 'l2tp';
}

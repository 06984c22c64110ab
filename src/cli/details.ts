// SPDX-License-Identifier: MIT
import type { OutputRecord, OutputValue } from './command';
import { paintAddress } from './lines';
import type { Palette } from './palette';

/** The lines of -d that tell what no word says; what is not known is left out. */
export function detailLines(details: OutputValue | undefined, palette: Palette): string[] {
  if (!isObject(details)) return [];
  const silent = 'mtu' in details ? WITHIN_MTU : [];
  const keys = Object.keys(details).filter((key) => !silent.includes(key) && !IN_ONE_LINE.flat().includes(key));
  const together = IN_ONE_LINE.map((line) => line.flatMap((key) => tell(key, details[key] ?? null, palette)).join(' '));
  return [...keys.flatMap((key) => tell(key, details[key] ?? null, palette)), ...together];
}

/** What the line of the MTU says already, and the kind of hooks that stands with each. */
const WITHIN_MTU: readonly string[] = ['path_mtu', 'headers', 'hooks'];

const IN_ONE_LINE: readonly (readonly string[])[] = [
  ['oif', 'gateway', 'neighbour'],
  ['seen_qfi', 'seen_rqi', 'seen_ppi'],
];

function tell(key: string, value: OutputValue, palette: Palette): string[] {
  if (value === null || (typeof value === 'object' && Object.keys(value).length === 0)) return [];
  if (key === 'programs') return (value as readonly OutputRecord[]).map((each) => hookText(each, palette));
  return [`${key} ${SPECIAL[key]?.(value, palette) ?? plainText(value)}`];
}

const SPECIAL: { readonly [key: string]: (value: OutputValue, palette: Palette) => string } = {
  oif: (value, palette) => palette.name(String(value)),
  gateway: (value, palette) => paintAddress(String(value), palette),
  neighbour: (value, palette) => neighbourText(value as OutputRecord, palette),
  maps: (value) =>
    Object.entries(value as OutputRecord)
      .map(([name, id]) => `${name}=${id}`)
      .join(' '),
};

// As `ip neigh` tells one.
function neighbourText({ lladdr, state }: OutputRecord, palette: Palette): string {
  const mac = typeof lladdr === 'string' ? [palette.mac(lladdr)] : [];
  return [...mac, state === 'failed' ? palette.bad(state) : String(state)].join(' ');
}

// As `bpftool net` tells one.
function hookText({ program, dev, attach, prog_id, link_id, pin }: OutputRecord, palette: Palette): string {
  const link = link_id === null ? '' : ` link_id ${link_id}`;
  return `hook ${program}@${palette.name(String(dev))} ${attach} prog_id ${prog_id}${link} pin ${pin}`;
}

function plainText(value: OutputValue): string {
  if (Array.isArray(value)) return value.join(',');
  if (!isObject(value)) return String(value);
  return Object.entries(value)
    .map(([name, part]) => `${name} ${part}`)
    .join(' ');
}

function isObject(value: OutputValue | undefined): value is OutputRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

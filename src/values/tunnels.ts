// SPDX-License-Identifier: MIT
import { UsageError } from '../errors';
import { type Kind, kind, number } from './kind';

/** A key of GRE (RFC 2890): any 32 bits. */
export const greKey = number(0, 0xffffffff);
/** A virtual network identifier of Geneve and VXLAN: 24 bits. */
export const vni = number(0, 0xffffff);
/** A session ID of L2TPv3: 0 is control messages' (RFC 3931, 4.1.2.1). */
export const l2tpId = number(1, 0xffffffff);
/** A VLAN ID: 0 is a priority alone, 4095 is reserved (IEEE 802.1Q, 9.6). */
export const vlanId = number(1, 4094);

/** A cookie of L2TPv3 as on the wire, in hexadecimal as `ip l2tp` takes it: 4 or 8 octets, or none. */
export const cookie: Kind<Uint8Array> = kind({
  placeholder: '{ HEX | none }',
  expected: 'a cookie of 8 or 16 hexadecimal digits, or none',
  choices: ['none'],
  read: (text) => (text === 'none' ? new Uint8Array(0) : readHex(text, [4, 8])),
  format: (value) => (value.length === 0 ? 'none' : hexOf(value)),
});

/** The most octets of options that a Geneve header holds (RFC 8926, 3.4). */
export const GENEVE_OPTIONS_MAX = 252;

const OPTION_HEADER = 4;
const OPTION_DATA_MAX = 124;

/** One Geneve option with its header, as on the wire; written as iproute2 does, CLASS:TYPE:DATA in hexadecimal. */
export const geneveOption: Kind<Uint8Array> = {
  placeholder: 'CLASS:TYPE:HEX',
  expected: 'an option such as 0102:80:00112233',
  parse: readOption,
  format: (value) => `${hexOf(value.subarray(0, 2))}:${hexOf(value.subarray(2, 3))}:${hexOf(value.subarray(4))}`,
};

function readOption(text: string): Uint8Array {
  const [type = '', number = '', data, ...rest] = text.split(':');
  const head = [readHex(type, [2]), readHex(number, [1])];
  if (head.includes(undefined) || data === undefined || rest.length > 0 || !/^([0-9a-fA-F]{2})*$/.test(data)) {
    throw new UsageError(
      `expected CLASS:TYPE:HEX of 4, 2 and any number of hexadecimal digits, as in 0102:80:00112233, got "${text}"`,
    );
  }
  const octets = Buffer.from(data, 'hex');
  if (octets.length % 4 !== 0 || octets.length > OPTION_DATA_MAX) {
    throw new UsageError(
      `expected data of 0-${OPTION_DATA_MAX} octets, a multiple of 4, got ${octets.length} in "${text}"`,
    );
  }
  const [class2 = new Uint8Array(2), type1 = new Uint8Array(1)] = head;
  return Uint8Array.from([...class2, ...type1, octets.length / OPTION_HEADER, ...octets]);
}

// Hexadecimal digits of one of some lengths in octets.
function readHex(text: string, lengths: readonly number[]): Uint8Array | undefined {
  const isGood = /^[0-9a-fA-F]+$/.test(text) && lengths.includes(text.length / 2);
  return isGood ? Uint8Array.from(Buffer.from(text, 'hex')) : undefined;
}

function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

// SPDX-License-Identifier: MIT
import { nearest } from '../suggest';

/** Which words are meant by one that is not known: what it is called here if another program has it, else what is spelled nearly so. */
export function meant(text: string, candidates: readonly string[]): readonly string[] {
  const habits = Object.hasOwn(HABITS, text) ? (HABITS[text] ?? []) : [];
  const here = habits.filter((word) => candidates.includes(word));
  return here.length > 0 ? here : nearest(text, candidates);
}

// What people type who know ip, ping(8), gtp-tunnel of libgtpnl, or 3GPP.
const HABITS: Readonly<Record<string, readonly string[]>> = {
  tunnel: ['session'],
  tun: ['session'],
  pdp: ['session'],
  bearer: ['session'],
  interface: ['link', 'dev'],
  iface: ['link', 'dev'],
  device: ['link', 'dev'],
  link: ['dev'],
  peer: ['path'],
  peers: ['path'],
  echo: ['ping'],
  version: ['-Version'],
  always: ['-color=always'],
  auto: ['-color=auto'],
  never: ['-color=never'],
  '-h': ['help'],
  '-help': ['help'],
  '--help': ['help'],
  create: ['add'],
  new: ['add'],
  make: ['add'],
  remove: ['del'],
  rm: ['del'],
  destroy: ['del'],
  modify: ['change', 'set'],
  update: ['change', 'set'],
  change: ['set'],
  set: ['change'],
  up: ['set'],
  down: ['set'],
  clear: ['flush'],
  ns: ['netns'],
  mac: ['lladdr'],
  dst: ['remote'],
  src: ['local'],
  ip: ['address', 'ue'],
  i_tei: ['local-teid'],
  o_tei: ['remote-teid'],
  i_teid: ['local-teid'],
  o_teid: ['remote-teid'],
  peer_address: ['remote'],
  'peer-address': ['remote'],
  ms_address: ['ue'],
  'ms-address': ['ue'],
  vid: ['id'],
  '-c': ['count'],
  '-i': ['interval'],
  '-W': ['timeout'],
  '-w': ['timeout'],
  '-I': ['local', 'dev'],
  '-t': ['ttl'],
};

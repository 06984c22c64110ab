// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { mirrored } from '../agent';
import { gtpIn } from '../fixture';
import { must, within } from '../run';
import type { Family } from '../topology';
import type { Case } from './kinds';
import { addressLines, addressWords, type Site, userOf } from './sites';
import type { Beside } from './topology';

/** A case at work: our link, its inner end among our users, and their device. */
export interface Joint {
  readonly title: string;
  readonly link: string;
  readonly inner: string;
  readonly device: string;
  /** The addresses of our user and theirs. */
  readonly users: readonly [Readonly<Record<Family, string>>, Readonly<Record<Family, string>>];
}

/** Runs shell text where users are. */
export type Place = (text: string) => Promise<string>;

/** The users in a namespace. */
export const placeIn =
  (ns: string): Place =>
  (text) =>
    must(within(ns, '/bin/sh', '-c', text));

/**
 * Makes every case: our links and sessions one by one, their devices all by one program, as starting one there takes long. Theirs
 * are first, as a kernel that wants numbers in order misses those that it never saw; and up last, so that nothing is refused.
 */
export async function joinAll({ m1, ue1, guest }: Beside, site: Site, cases: readonly Case[]): Promise<Joint[]> {
  const joints = cases.map(({ title }, index): Joint => {
    const [n, tail] = [index + 1, `${site.number}n${index + 1}`];
    const users = [userOf(site, n, 1), userOf(site, n, 2)] as const;
    return { title, link: `t${tail}`, inner: `i${tail}`, device: `d${tail}`, users };
  });
  await guest.ip(
    cases.flatMap(({ theirs }, index) => theirs.map((line) => line.replace('DEV', joints[index]?.device ?? ''))),
  );
  for (const [index, { link, session }] of cases.entries()) {
    const joint = joints[index] as Joint;
    await gtpIn(m1, `link add ${joint.link} ${link} netns ${ue1} inner ${joint.inner} ${addressWords(joint.users[0])}`);
    if (session !== undefined) await gtpIn(m1, `session add dev ${joint.link} ${session}`);
  }
  await guest.ip(joints.flatMap(({ device, users }) => [`link set ${device} up`, ...addressLines(users[1], device)]));
  return joints;
}

/** What is to be pinged: from where, to where, with IP packets of how many octets. */
export type Ping = readonly [source: string, destination: string, size: number, device?: string];

const PINGS = readFileSync('test/guest/pings.py', 'utf8');
const ROUNDS = 3;

/** Seconds that a round waits for answers which are to come; an emulated guest needs one when the machine is busy. */
const PATIENCE = 4;

/** Pings all at once, three times; true for each that was answered each time, else how often, or the errno. */
export async function pings(place: Place, list: readonly Ping[], seconds: number): Promise<(true | number | string)[]> {
  const words = list.map((each) => each.join(',')).join(' ');
  const told = await place(`/usr/bin/python3 -IS - ${ROUNDS} ${seconds} ${words} <<'END'\n${PINGS}\nEND\n`);
  return (JSON.parse(told) as (number | string)[]).map((each) => each === ROUNDS || each);
}

/** Those of the pings that were not answered each time. */
export async function unanswered(place: Place, list: readonly Ping[]): Promise<string[]> {
  const answers = await pings(place, list, PATIENCE);
  const told = list.map(([source, destination], index) => `${source} to ${destination}: ${answers[index]}`);
  return told.filter((_, index) => answers[index] !== true);
}

const FAMILIES = [4, 6] as const;
const SIZE = 1_000_000;

/** What fails, by title: pings from both sides, small ones and as large as the MTU allows, then TCP there and back. */
export async function failuresOf({ ue1, guest }: Beside, joints: readonly Joint[]): Promise<Record<string, string>> {
  const places = [placeIn(ue1), guest.must];
  const [ours = new Map(), theirs = new Map()] = await Promise.all(places.map(mtusAt));
  const answers = await Promise.all(
    places.map((place, from) =>
      pings(
        place,
        joints.flatMap((joint) =>
          requests(joint, from, Math.min(ours.get(joint.inner) ?? 0, theirs.get(joint.device) ?? 0)),
        ),
        PATIENCE,
      ),
    ),
  );
  const failures: Record<string, string> = {};
  for (const [index, { title, users }] of joints.entries()) {
    const [here = [], there = []] = answers.map((list) => list.slice(4 * index, 4 * index + 4));
    if ([...here, ...there].every((answer) => answer === true)) {
      for (const family of FAMILIES) {
        const { equal, received } = await mirrored(ue1, users[1][family], 5003, SIZE);
        if (!equal) failures[title] = `${received} of ${SIZE} octets came back by TCP over IPv${family}`;
      }
    } else failures[title] = `answers here: ${here.join(' ')}, there: ${there.join(' ')}`;
  }
  return failures;
}

const requests = ({ users }: Joint, from: number, mtu: number): Ping[] =>
  FAMILIES.flatMap((family) =>
    [104, mtu].map((size): Ping => {
      const [ours, theirs] = [users[0][family], users[1][family]];
      return from === 0 ? [ours, theirs, size] : [theirs, ours, size];
    }),
  );

/** The MTU of each device of a place. */
async function mtusAt(place: Place): Promise<Map<string, number>> {
  const devices = JSON.parse(await place('ip -j link')) as { ifname: string; mtu: number }[];
  return new Map(devices.map(({ ifname, mtu }) => [ifname, mtu]));
}

// SPDX-License-Identifier: MIT
import { link_flag } from '../datapath/layout.gen';
import {
  activeTx,
  isReserved,
  macOf,
  macPlace,
  type Place,
  pairPlace,
  placeOf,
  prefixOf,
  readPlace,
  SLOTS,
  slotPlace,
} from '../datapath/places';
import { isOf, type Stored, slotIn } from '../datapath/sessions';
import { errno, KernelError, UsageError } from '../errors';
import { fromMapped, fromMappedPrefix, mappedLength, toMapped } from '../tunnels/address';
import { formatId, tunnels, typeOf } from '../tunnels/tunnels';
import type { Selectors, SessionId, SessionWords, TxConfig } from '../tunnels/words';
import { address as addressKind, mac as macKind, type Prefix, prefix as prefixKind } from '../values';
import type { LiveLink } from './links';
import type { State } from './state';

/** The flags of a link that say that it has sessions. */
export const ANY_SESSION = link_flag.default | link_flag.select | link_flag.pair;

/** Where a session stands for sending; the slot first, and alone it is no session. */
export function placesOf(live: LiveLink, words: Selectors, slot: number | undefined): Place[] {
  const { index } = live.device;
  const chosen = chosenPlaces(live, words).map(({ place }) => place);
  if (chosen.length === 0) return [{ in: 'fallback', ifindex: index }];
  return [...(slot === undefined ? [] : [slotPlace(index, slot)]), ...chosen];
}

/** What the places of a session say of its words. */
export function selectorsOf(places: readonly Place[]): Selectors {
  const pair = places.find((place) => place.in === 'tx_pair');
  return {
    ue: places.flatMap((place) => {
      const found = prefixOf(place);
      return found === undefined ? [] : [fromMappedPrefix(found.addr, found.length)];
    }),
    from: pair === undefined ? undefined : fromMapped(pair.key.from),
    to: pair === undefined ? undefined : fromMapped(pair.key.to),
    lladdr: places.map(macOf).find((mac) => mac !== undefined),
  };
}

/**
 * The slot of a session on a link of frames, unless it takes everything: the one it has or the lowest that is free. Throws
 * KernelError when there is none.
 */
export function slotFor(state: State, live: LiveLink, words: SessionWords, was?: Stored): number | undefined {
  if (!live.link.frames || chosenPlaces(live, words).length === 0) return undefined;
  const own = was === undefined ? undefined : slotIn(was.rxConfig);
  if (own !== undefined) return own;
  const { name, index } = live.device;
  const used = state.maps.links.get(index)?.config.slots ?? 0n;
  for (let slot = 0; slot < SLOTS; slot++) if (!((used >> BigInt(slot)) & 1n)) return slot;
  throw new KernelError(`add session ${formatId(words.id)} to ${name}`, {
    errno: errno('ENOSPC'),
    said: `${name} has ${SLOTS} sessions already, all that a link of Ethernet frames can have`,
    hint: 'make another link for it: gtp link add',
  });
}

/** Throws KernelError EEXIST where another session stands at a place that the words ask for. */
export function checkPlaces(state: State, live: LiveLink, words: SessionWords, tried: string, own?: Stored): void {
  const isOwn = (place: Place): boolean => {
    const found = readPlace(state.maps, place);
    return found === undefined || (own !== undefined && isOf(found, own.key));
  };
  checkReserved(words.ue);
  const chosen = chosenPlaces(live, words);
  if (chosen.length === 0) {
    const others = (state.maps.links.get(live.device.index)?.config.flags ?? 0) & ANY_SESSION;
    const alone = own === undefined ? others === 0 : isOwn({ in: 'fallback', ifindex: live.device.index });
    if (!alone) throw notAlone(live, tried);
  }
  for (const { place, text, one } of chosen) {
    const found = isOwn(place) ? undefined : readPlace(state.maps, place);
    if (found === undefined) continue;
    throw new KernelError(tried, {
      errno: errno('EEXIST'),
      said: `${text} belongs to session ${formatId(idOf(activeTx(found)))}`,
      hint: `one ${one} belongs to one session of a link; another link may have it, too`,
    });
  }
}

/** The ID of the session that a send half belongs to. */
export function idOf(tx: TxConfig): SessionId {
  return tunnels[typeOf(tx)].idOf(tx);
}

type Chosen = { readonly place: Place; readonly text: string; readonly one: string };

// Without the slot, which nobody asks for.
function chosenPlaces({ device: { index }, link }: LiveLink, { ue, from, to, lladdr }: Selectors): Chosen[] {
  const pair = from === undefined || to === undefined ? [] : [{ from, to }];
  const macs = lladdr === undefined || !link.frames ? [] : [lladdr];
  return [
    ...ue.map((prefix) => ({
      place: placeOf(index, toMapped(prefix.address), mappedLength(prefix)),
      text: `ue ${prefixKind.format(prefix)}`,
      one: 'prefix',
    })),
    ...pair.map((each) => ({
      place: pairPlace(index, toMapped(each.from), toMapped(each.to)),
      text: `from ${addressKind.format(each.from)} to ${addressKind.format(each.to)}`,
      one: 'pair of addresses',
    })),
    ...macs.map((mac) => ({ place: macPlace(index, mac), text: `lladdr ${macKind.format(mac)}`, one: 'MAC address' })),
  ];
}

function checkReserved(ue: readonly Prefix[]): void {
  const reserved = ue.find((prefix) => isReserved(toMapped(prefix.address)));
  if (reserved !== undefined) {
    const own = prefixKind.format(reserved);
    throw new UsageError(
      `ue: expected an address outside ::fffd:0:0:0/80 and ::fffe:0:0:0/80, which stand for MAC addresses here, got "${own}"`,
    );
  }
}

function notAlone({ device: { name }, link }: LiveLink, tried: string): KernelError {
  const isPlain = !link.frames;
  return new KernelError(tried, {
    errno: errno('EEXIST'),
    said: `${name} has a session already, and this one has no ${isPlain ? 'ue' : 'lladdr, ue or from and to'}`,
    hint: `give ${isPlain ? 'ue PREFIX' : 'lladdr MAC'}, so that the link can tell its sessions apart`,
  });
}

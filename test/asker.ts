// SPDX-License-Identifier: MIT
import { build, type Socket, udpSocket } from './agent';
import { packet } from './gtp-frame';

/** An answer: its octets, who sent it, and to which of the asker's ports. */
export interface Answer {
  readonly from: string;
  readonly port: number;
  readonly to: number;
  readonly message: string;
}

/** Somebody who sends messages to an endpoint from an odd port, and hears what comes to that and to the standard port. */
export interface Asker {
  ask(...messages: readonly Buffer[]): Promise<void>;
  /** What comes to a port, up to `count` within the time (one, 2 s). */
  heard(to: number, count?: number, timeout?: number): Promise<Answer[]>;
}

/** The port that an asker asks from. */
export const ODD = 40_001;

/** Asks by sockets; where `standard` is false nobody listens at the asker's port 2152. */
export async function socketAsker(
  ns: string,
  address: string,
  local: string,
  standard = true,
  port = 2152,
): Promise<Asker> {
  const odd = await udpSocket(ns, address, ODD);
  const sockets = new Map([[ODD, odd]]);
  if (standard) sockets.set(port, await udpSocket(ns, address, port));
  return {
    ask: async (...messages) => {
      const failure = await odd.send(messages, [local, port]);
      if (failure !== undefined) throw new Error(`send to ${local}: ${failure}`);
    },
    heard: async (to, count = 1, timeout = 2) => {
      const got = (await sockets.get(to)?.receive({ count, timeout })) ?? [];
      return got.map(({ data, from }) => ({ from: from[0], port: from[1], to, message: data.toString('hex') }));
    },
  };
}

/** Asks by whole IP packets that scapy makes, for a device without link header; only answers with right sums are heard. */
export function packetAsker(device: Socket, address: string, local: string): Asker {
  const ip = local.includes(':') ? 'IPv6' : 'IP';
  return {
    ask: async (...messages) => {
      const header = `${ip}(src='${address}',dst='${local}')/UDP(sport=${ODD},dport=2152)`;
      await device.send(await build(...messages.map((each) => `${header}/plain('${each.toString('hex')}')`)));
    },
    heard: async (to, count = 1, timeout = 2) => {
      const ports = Buffer.alloc(4);
      ports.writeUInt16BE(2152, 0);
      ports.writeUInt16BE(to, 2);
      const got = await device.receive({ count, timeout, contains: ports });
      return got.flatMap(({ data }) => {
        const { source, destination, payload, headerSum, payloadSum } = packet(data);
        if (destination !== address || headerSum === 'wrong' || payloadSum !== 'right') return [];
        return [{ from: source, port: payload.readUInt16BE(0), to, message: payload.subarray(8).toString('hex') }];
      });
    },
  };
}

// SPDX-License-Identifier: MIT
import test from 'ava';
import { build, packetSocket, transfer, udpSocket } from '../agent';
import { capture } from '../capture';
import { closeFixture, scratch, using } from '../fixture';
import { must, within } from '../run';
import { type Family, inner, join, outer, ping, type TwoMachines, twoMachines } from '../topology';
import { complaints, dissect } from '../tshark';

test.after.always(closeFixture);

/** Inner frames that no socket sends; scapy makes them. */
const crafted: Record<string, string> = {
  'UDP without a checksum': `IP(src='10.45.0.1',dst='10.45.0.2')/UDP(sport=5,dport=6,chksum=0)/b'unsummed'`,
  'IPv4 fragments': `fragment(IP(src='10.45.0.1',dst='10.45.0.2',id=7)/UDP(sport=5,dport=6)/(b'f'*3000),fragsize=1400)`,
  'IPv6 fragments': `fragment6(IPv6(src='fd45::1',dst='fd45::2')/IPv6ExtHdrFragment(id=7)/UDP(sport=5,dport=6)/(b'f'*3000),1400)`,
  'IPv4 options': `IP(src='10.45.0.1',dst='10.45.0.2',options=[IPOption_NOP()])/UDP(sport=5,dport=6)/b'x'`,
};

const variants = [
  [4, ''],
  [4, 'udpcsum'],
  [4, 'srcport hash'],
  [6, ''],
] as const;

for (const [family, words] of variants) {
  test.serial(
    `IPv${family} outer${words && `, ${words}`}: tshark finds nothing to complain about in what we send`,
    using(twoMachines)(async (t, m) => {
      await join(m, family, { m1: words, m2: words });
      const seen = await capture(m.m2, 'ul', `${scratch}/ours-${family}${words.replace(' ', '-')}.pcap`);
      await traffic(m);
      await seen.stop();
      t.deepEqual(await complaints(seen.file), []);
      const list = await dissect(
        seen.file,
        'frame.protocols',
        'gtp.message',
        'gtp.teid',
        'gtp.flags',
        'ip.src',
        'ipv6.src',
        'udp.checksum.status',
      );
      const protocols = new Set(list.map((frame) => frame['frame.protocols'][0]?.split(':').slice(2).join(':')));
      const ip = family === 4 ? 'ip' : 'ipv6';
      for (const wanted of [
        'ip:icmp:data',
        'ipv6:icmpv6:data',
        'ip:tcp',
        'ipv6:tcp',
        'ip:udp:data',
        'ipv6:udp:data',
        'ip:data',
        'ipv6:ipv6.fraghdr:data',
      ]) {
        t.true(protocols.has(`${ip}:udp:gtp:${wanted}`), `${wanted} among ${[...protocols].join(' ')}`);
      }
      t.true(list.every((frame) => frame['gtp.message'][0] === '0xff' && frame['gtp.flags'][0] === '0x30'));
      const right = family === 6 || words === 'udpcsum' ? '1' : '3';
      t.true(
        list.every((frame) => frame['udp.checksum.status'][0] === right),
        'outer UDP checksums',
      );
    }),
  );
}

/** One of everything, both ways. */
async function traffic(m: TwoMachines): Promise<void> {
  for (const version of [4, 6] as const) {
    const [near, far] = inner[version];
    await ping(m.ue1, far, 2);
    await transfer({ from: m.ue1, to: m.ue2, address: far, size: 300_001 });
    await datagrams(m, version, near, far);
  }
  const tap = await packetSocket(m.ue1, 'eth0');
  const header = (frame: Buffer) =>
    Buffer.from(`020000000002020000000001${(frame[0] ?? 0) >> 4 === 6 ? '86dd' : '0800'}`, 'hex');
  for (const frame of await build(...Object.values(crafted))) await tap.send(Buffer.concat([header(frame), frame]));
}

async function datagrams(m: TwoMachines, version: Family, near: string, far: string): Promise<void> {
  const [sender, receiver] = [await udpSocket(m.ue1, near, 0), await udpSocket(m.ue2, far, 7000)];
  for (const size of [0, 1, 2, 999, 1000]) {
    await sender.send(Buffer.alloc(size, 'd'), [far, 7000]);
    await receiver.receive();
  }
  await sender.close();
  await receiver.close();
  await must(within(m.m1, 'ping', '-c1', '-W2', '-q', outer[version][1]));
}

// SPDX-License-Identifier: MIT
import test from 'ava';
import { build } from '../agent';
import { faultless, faults, judgeFrames } from '../capture';
import { closeFixture } from '../fixture';

test.after.always(closeFixture);

// A checker that finds nothing proves nothing: here it has to find one fault each.

const outer = {
  4: "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/IP(src='192.0.2.1',dst='192.0.2.2')/UDP(sport=2152,dport=2152)",
  6: "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/IPv6(src='2001:db8::1',dst='2001:db8::2')/UDP(sport=2152,dport=2152)",
};
const segment = (number: number, more = '', tcp = ''): string =>
  `IP(src='10.45.0.1',dst='10.45.0.2',id=${number}${more})/TCP(sport=1,dport=2,flags='A',seq=${number * 100}${tcp})/(b'x'*100)`;
const segment6 = "IPv6(src='fd45::1',dst='fd45::2')/TCP(sport=1,dport=2,flags='A',seq=1)/(b'x'*100)";

test.serial('nothing is found in frames that scapy made right, over a wrap of every number', async (t) => {
  for (const family of [4, 6] as const) {
    const wrapping = [0, 1, 2, 3].map((n) =>
      segment((65_534 + n) % 65_536).replace(/seq=\d+/, `seq=${(4_294_967_096 + 100 * n) % 2 ** 32}`),
    );
    const report = judgeFrames(await build(...wrapping.map((inner) => `${frame(family)}/${inner}`)));
    t.deepEqual(faults(report), faultless);
    t.is(report.gpdus, 4);
    t.is(report.octets, 400);
    t.deepEqual([...report.lengths], [[100, 4]]);
    const [six] = await build(`${frame(family)}/${segment6}`);
    t.deepEqual(faults(judgeFrames([six ?? Buffer.alloc(0)])), faultless);
  }
});

const mistakes: Record<string, readonly string[]> = {
  gtpLength: [`${frame(4, 'length=999')}/${segment(1)}`],
  innerLength: [`${frame(4, 'gtp_type=255')}/plain(bytes(${segment(1)}).hex())/b'surplus'`],
  innerHeaderSum: [`${frame(4)}/${segment(1, ',chksum=1')}`],
  innerPayloadSum: [`${frame(4)}/${segment(1, '', ',chksum=1')}`],
  outerHeaderSum: [`${frame(4).replace("'192.0.2.2'", "'192.0.2.2',chksum=1")}/${segment(1)}`],
  outerUdpSum: [`${frame(6).replace('dport=2152', 'dport=2152,chksum=1')}/${segment(1)}`],
  outerUdpLength: [`${frame(4).replace('dport=2152', 'dport=2152,chksum=0,len=20')}/${segment(1)}`],
  idTwice: [`${frame(4)}/${segment(1)}`, `${frame(4)}/${segment(1).replace('seq=100', 'seq=200')}`],
  idMissing: [`${frame(4)}/${segment(1)}`, `${frame(4)}/${segment(3).replace('seq=300', 'seq=200')}`],
  holes: [`${frame(4)}/${segment(1)}`, `${frame(4)}/${segment(2).replace('seq=200', 'seq=201')}`],
};

for (const [fault, expressions] of Object.entries(mistakes)) {
  test.serial(`${fault} is found, and nothing else`, async (t) => {
    const found = faults(judgeFrames(await build(...expressions)));
    t.deepEqual(found, { ...faultless, [fault]: 1 });
  });
}

function frame(family: 4 | 6, more = ''): string {
  return `${outer[family]}/GTP_U_Header(teid=1${more && `,${more}`})`;
}

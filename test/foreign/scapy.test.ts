// SPDX-License-Identifier: MIT
import test from 'ava';
import { build, buildOne, packetSocket, udpSocket } from '../agent';
import { closeFixture, gtpIn, linkStats, using } from '../fixture';
import { dropped } from '../records';
import { ends, type Family, outer, twoMachines } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);
const v4 = `IP(src='10.45.0.2',dst='10.45.0.1'`;
const v6 = `IPv6(src='fd45::2',dst='fd45::1'`;

/** Inner packets as another program makes them; each has to come out octet by octet. */
const inners: Record<string, string> = {
  ICMP: `${v4})/ICMP(id=1,seq=2)/b'ping'`,
  ICMPv6: `${v6})/ICMPv6EchoRequest(id=1,seq=2,data=b'ping')`,
  'UDP, odd length': `${v4})/UDP(sport=1,dport=2)/b'odd'`,
  'UDP over IPv6, odd length': `${v6})/UDP(sport=1,dport=2)/b'odd'`,
  'UDP without a checksum': `${v4})/UDP(sport=1,dport=2,chksum=0)/b'unsummed'`,
  'UDP with a wrong checksum': `${v4})/UDP(sport=1,dport=2,chksum=0x1234)/b'wrong'`,
  'TCP with options': `${v4},tos=3,ttl=1,id=0xffff)/TCP(sport=1,dport=2,flags='SEC',options=[('MSS',1460),('WScale',7)])`,
  'TCP over IPv6': `${v6},tc=0xb9,fl=0xfffff,hlim=255)/TCP(sport=1,dport=2,flags='PA')/b'data'`,
  'IPv4 options': `${v4},options=[IPOption_RR(length=11,routers=['0.0.0.0','0.0.0.0'])])/UDP()/b'x'`,
  'IPv6 extension headers': `${v6})/IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/UDP()/b'x'`,
  'a first fragment': `${v4},flags='MF',id=5)/UDP(len=100)/(b'f'*24)`,
  'a later fragment': `${v4},frag=4,proto=17,id=5)/(b'g'*24)`,
  'an IPv6 fragment': `${v6})/IPv6ExtHdrFragment(id=9,offset=3,m=1,nh=17)/(b'h'*24)`,
  SCTP: `${v4})/SCTP(sport=1,dport=2)/SCTPChunkData(data=b'x')`,
  ESP: `${v4})/ESP(spi=5,seq=6,data=b'secret')`,
  'an unassigned protocol': `${v4},proto=253)/b'experiment'`,
  'a bare IPv4 header': `${v4},proto=59)`,
  'a packet of 1444 octets': `${v4})/UDP()/(b'm'*1416)`,
  'GTP-U in GTP-U': `${v4})/UDP(sport=2152,dport=2152)/GTP_U_Header(teid=5)/IP(src='1.1.1.1',dst='2.2.2.2')/UDP()/b'deep'`,
};

/** GTP-U headers as another program makes them; all of them are to be taken off, whatever is optional. */
const headers: Record<string, string> = {
  plain: 'GTP_U_Header(teid=1)',
  S: 'GTP_U_Header(teid=1,S=1,seq=0xffff)',
  PN: 'GTP_U_Header(teid=1,PN=1,npdu=255)',
  'S and PN': 'GTP_U_Header(teid=1,S=1,PN=1,seq=5,npdu=6)',
  'a downlink container': 'GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=0,QFI=63)',
  'an uplink container and S': 'GTP_U_Header(teid=1,E=1,S=1,seq=9)/GTPPDUSessionContainer(type=1,QFI=1)',
  'a container with RQI and PPI': 'GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=0,QFI=5,RQI=1,PPP=1,PPI=3)',
  'a container with time stamps':
    'GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=1,QMP=1,QFI=5,dlSendTimeRpt=1,dlRecvTime=2,ulSendTime=3)',
};

for (const family of [4, 6] as const) {
  test.serial(
    `IPv${family} outer: inner packets that scapy made come out octet by octet`,
    inMachines(async (t, m) => {
      const { deliver } = await endpoint(m, family);
      for (const [name, inner] of Object.entries(inners)) {
        const octets = await buildOne(inner);
        t.deepEqual(await deliver(await buildOne(`GTP_U_Header(teid=1)/${inner}`)), [octets.toString('hex')], name);
      }
      const stats = await linkStats(m.m1);
      t.is(stats.decap.packets, Object.keys(inners).length);
      t.deepEqual(dropped(stats), {});
    }),
  );

  test.serial(
    `IPv${family} outer: every header that scapy makes is taken off whole`,
    inMachines(async (t, m) => {
      const { deliver } = await endpoint(m, family);
      for (const [name, header] of Object.entries(headers)) {
        for (const inner of [inners.ICMP, inners.ICMPv6]) {
          const [octets, message] = await build(`${inner}`, `${header}/${inner}`);
          t.deepEqual(await deliver(message ?? Buffer.alloc(0)), [octets?.toString('hex')], name);
        }
      }
      t.deepEqual(dropped(await linkStats(m.m1)), {});
    }),
  );
}

/** A session on m1, and a way to send one message to it from a socket on m2 and see what the user gets. */
async function endpoint(m: { m1: string; m2: string; ue1: string }, family: Family) {
  const [local, remote] = outer[family];
  await gtpIn(
    m.m1,
    `link add gtp0 local ${local} netns ${m.ue1} address 10.45.0.1/24 address fd45::1/64 ${ends(1, 2, remote)}`,
  );
  const [peer, user] = [await udpSocket(m.m2, remote, 2152), await packetSocket(m.ue1, 'eth0')];
  const deliver = async (message: Buffer): Promise<string[]> => {
    await peer.send(message, [local, 2152]);
    const got = await user.receive({ count: 1, timeout: 1 });
    return got.map(({ data }) => data.subarray(14).toString('hex'));
  };
  return { deliver };
}

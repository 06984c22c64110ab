// SPDX-License-Identifier: MIT
import test from 'ava';
import { build, buildOne, packetSocket, udpSocket } from '../agent';
import { ODD, socketAsker } from '../asker';
import { addressStats, closeFixture, gtpIn, linkStats, machineStats, sessions, using } from '../fixture';
import { echoRequest0, echoResponse, echoResponse0, hex, notification } from '../messages';
import { dropped, packets, type SessionRecord } from '../records';
import { ends, type Family, outer, type TwoMachines, twoMachines, user } from '../topology';

test.after.always(closeFixture);

const inMachines = using(twoMachines);

/**
 * Headers that scapy makes, and what is shown of the session then: QFI, RQI, PPI. Scapy has layers for PDU Session Containers, PDCP
 * numbers and UDP ports only, so the other extension headers are octets.
 */
const containers: readonly (readonly [header: string, qfi: number, rqi: number, ppi?: number])[] = [
  ['GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=0,QFI=5)', 5, 0],
  ['GTP_U_Header(teid=1,E=1,S=1,seq=7)/GTPPDUSessionContainer(type=0,QFI=63,RQI=1)', 63, 1],
  ['GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=0,QFI=6,PPP=1,PPI=3)', 6, 0, 3],
  ['GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=0,QFI=7,QMP=1,dlSendTime=5,SNP=1,dlQFISeqNum=9)', 7, 0],
  ['GTP_U_Header(teid=1,E=1,PN=1)/GTPPDUSessionContainer(type=1,QFI=8)', 8, 0],
  [
    'GTP_U_Header(teid=1,E=1)/GTPPDUSessionContainer(type=1,QFI=9,QMP=1,dlSendTimeRpt=1,dlRecvTime=2,ulSendTime=3)',
    9,
    0,
  ],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0xc0)/GTP_PDCP_PDU_ExtensionHeader(pdcp_pdu=5,next_ex=0x85)/GTPPDUSessionContainer(QFI=10)',
    10,
    0,
  ],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x40)/GTP_UDPPort_ExtensionHeader(udp_port=5,next_ex=0x85)/GTPPDUSessionContainer(QFI=11,RQI=1)',
    11,
    1,
  ],
  ['GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x20)/plain("01000085")/GTPPDUSessionContainer(QFI=12)', 12, 0],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x03)/plain("0200000000000085")/GTPPDUSessionContainer(QFI=13)',
    13,
    0,
  ],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x81)/plain("0200000000000085")/GTPPDUSessionContainer(QFI=14)',
    14,
    0,
  ],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x83)/plain("01000084")/plain("0200000000000085")/GTPPDUSessionContainer(QFI=15)',
    15,
    0,
  ],
  [
    'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x7f)/plain("030000000000000000000085")/GTPPDUSessionContainer(QFI=16)',
    16,
    0,
  ],
];

const inside = `IP(src='10.45.0.2',dst='10.45.0.1')/UDP(sport=1,dport=2)/b'inside'`;

test.serial(
  'containers that scapy makes are shown, in whatever company they come, and what they carry is delivered',
  inMachines(async (t, m) => {
    await joined(m, 4);
    const [peer, tap] = [await udpSocket(m.m2, outer[4][1], 2152), await packetSocket(m.ue1, 'eth0')];
    const octets = (await buildOne(inside)).toString('hex');
    for (const [header, qfi, rqi, ppi] of containers) {
      await peer.send(await buildOne(`${header}/${inside}`), [outer[4][0], 2152]);
      const [got] = await tap.receive();
      t.is(got?.data.subarray(14).toString('hex'), octets, header);
      const { seen_qfi, seen_rqi, seen_ppi } = await details(m);
      t.deepEqual([seen_qfi, seen_rqi, seen_ppi], [qfi, rqi === 1 ? true : null, ppi ?? null], header);
    }
    t.deepEqual(dropped(await machineStats(m.m1)), {});
  }),
);

/** RAN containers and PDU Session Containers may come alone (G8). */
const alone = [
  'GTP_U_Header(teid=1,E=1,gtp_type=255)/GTPPDUSessionContainer(type=0,QFI=5)',
  'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x81)/plain("01000000")',
  'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x83)/plain("01000000")',
  'GTP_U_Header(teid=1,E=1,gtp_type=255,next_ex=0x84)/plain("0200000000000000")',
];

test.serial(
  'containers without a T-PDU are counted as empty, and nothing is answered',
  inMachines(async (t, m) => {
    await joined(m, 4);
    const asker = await socketAsker(m.m2, outer[4][1], outer[4][0]);
    await asker.ask(...(await build(...alone)));
    t.deepEqual(dropped(await linkStats(m.m1)), { empty: alone.length });
    t.deepEqual(await asker.heard(2152, 1, 0.1), []);
  }),
);

for (const family of [4, 6] as const)
  test.serial(
    `over IPv${family}, signalling that scapy makes is understood`,
    inMachines(async (t, m) => {
      const [local, remote] = outer[family];
      await joined(m, family);
      const asker = await socketAsker(m.m2, remote, local);
      const ask = async (expression: string): Promise<void> => asker.ask(await buildOne(expression));
      const state = async (): Promise<string | undefined> => (await sessions(m.m1))[0]?.state;
      await ask('GTPHeader(gtp_type=1,S=1,seq=0x1111)/GTPEchoRequest()');
      await ask('GTPHeader(gtp_type=1,S=1,seq=0x2222)/GTPEchoRequest()/IE_PrivateExtension()');
      const heard = (await asker.heard(ODD, 2)).map(({ message }) => message);
      t.deepEqual(heard, [echoResponse(0x1111).toString('hex'), echoResponse(0x2222).toString('hex')]);
      await ask('GTPHeader(gtp_type=2,S=1,seq=3)/GTPEchoResponse(IE_list=[IE_Recovery(restart_counter=5)])');
      t.deepEqual(dropped(await addressStats(m.m1, local)), { unexpected: 1 });
      const address = family === 4 ? `length=4,ipv4_address='${remote}'` : `length=16,ipv6_address='${remote}'`;
      const about = `GTPErrorIndication(IE_list=[IE_TEIDI(TEIDI=2),IE_GSNAddress(${address})])`;
      t.is(await state(), 'up');
      await ask(`GTP_U_Header(gtp_type=26,S=1)/${about}`);
      t.is(await state(), 'error_indicated');
      await ask(`GTP_U_Header(gtp_type=26,S=1,E=1,next_ex=0x40)/GTP_UDPPort_ExtensionHeader(udp_port=5)/${about}`);
      await ask(`GTP_U_Header(gtp_type=26,S=1)/${about}/IE_PrivateExtension()`);
      await ask('GTP_U_Header(gtp_type=254,teid=1)');
      t.is(await state(), 'ended');
      await asker.ask(notification(0x85));
      const stats = await machineStats(m.m1);
      t.deepEqual([packets(stats.answered), dropped(stats)], [2 + 3 + 1 + 1, { unexpected: 1 }]);
      t.deepEqual(await asker.heard(2152, 1, 0.1), [], 'errors are not answered');
    }),
  );

test.serial(
  "scapy's own notification, whose list has a length of two octets where one belongs, is dropped by name",
  inMachines(async (t, m) => {
    await joined(m, 4);
    const asker = await socketAsker(m.m2, outer[4][1], outer[4][0]);
    await asker.ask(await buildOne('GTPHeader(gtp_type=31,S=1)/GTPSupportedExtensionHeadersNotification()'));
    t.deepEqual(dropped(await addressStats(m.m1, outer[4][0])), { bad_message: 1 });
  }),
);

// scapy has no version 0
test.serial(
  'version 0: T-PDUs that were made octet by octet are delivered, Echo Requests answered with the restart counter',
  inMachines(async (t, m) => {
    await gtpIn(m.m1, `link add gtp0 local ${outer[4][0]} netns ${m.ue1} ${user(0)} restart_count 42`);
    await gtpIn(m.m1, `session add dev gtp0 version 0 tid 0x2143658709214355 flow 7 remote ${outer[4][1]}`);
    const [peer, tap] = [await udpSocket(m.m2, outer[4][1], 3386), await packetSocket(m.ue1, 'eth0')];
    const octets = await buildOne(inside);
    for (const head of ['1eff 0022 0000 0007 ff', '1fff 0022 ffff 0009 05']) {
      await peer.send(Buffer.concat([hex(`${head} ffffff 2143658709214355`), octets]), [outer[4][0], 3386]);
      t.deepEqual((await tap.receive())[0]?.data.subarray(14), octets, head);
    }
    await peer.send(echoRequest0(0x0102), [outer[4][0], 3386]);
    t.deepEqual((await peer.receive({ contains: hex('1e02') }))[0]?.data, echoResponse0(0x0102, 42));
  }),
);

/** One session on m1 without `ue`: 1 is its TEID, 2 the peer's. */
async function joined(m: TwoMachines, family: Family): Promise<void> {
  const [local, remote] = outer[family];
  await gtpIn(m.m1, `link add gtp0 local ${local} netns ${m.ue1} ${user(0)} ${ends(1, 2, remote)}`);
}

async function details(m: TwoMachines): Promise<Record<string, unknown>> {
  const [record] = JSON.parse(await gtpIn(m.m1, '-j -d session show')) as (SessionRecord & {
    details: Record<string, unknown>;
  })[];
  return record?.details ?? {};
}

// SPDX-License-Identifier: MIT
import test from 'ava';
import { describeFailure } from '../../src/cli/failure';
import { parse } from '../../src/cli/parse';
import { KernelError, UsageError } from '../../src/errors';
import { golden } from './golden';

const SESSION = 'dev ue1 local-teid 1 remote-teid 2 remote 10.0.0.2';

// One mistake a line; errors.golden.txt holds what the user reads.
const MISTAKES = [
  '',
  'lnik',
  'x y z',
  'link ad',
  'link remove ue1',
  'session destroy',
  '-x link',
  '-jsno link',
  '- link',
  '-j=1 link',
  '-c=red link',
  '-n',
  '-b',
  '-force -b file link show',
  '-t link',
  'monitor',
  'mon all',
  'gateway run',
  'session save',
  'link add',
  'link add local 10.0.0.1',
  'link add -j',
  'link add a-name-too-long-for-linux',
  'link add ue1 local 10.0.0.256',
  'link add ue1 local ::ffff:10.0.0.1',
  'link add ue1 local',
  'link add ue1 local 10.0.0.1 local 10.0.0.2',
  'link add ue1 udpcsum noudpcsum',
  'link add ue1 nodf',
  'link add ue1 mut 1500',
  'link add ue1 mtu 1500x',
  'link add ue1 mtu 65536',
  'link add ue1 role upff',
  'link add ue1 type foo',
  'link add ue1 type gre vni 5 remote 10.0.0.2',
  'link add ue1 type gre port 5000',
  'link add ue1 type l2tp srcport hash',
  'link add ue1 type vxlan remote 10.0.0.2',
  'link add ue1 type vxlan vni 5',
  'link add ue1 type vlan id 5 remote 10.0.0.2',
  'link add ue1 vni 5 remote 10.0.0.2',
  'link add ue1 type l2tp session_id 5',
  'link add ue1 hsize 1024',
  'link add ue1 datapath kernel hsize 0',
  'link add ue1 xdp maybe',
  'link add ue1 leader 1',
  'link add ue1 srcport 0',
  'link add ue1 ttl 0',
  'link add ue1 lladdr 01:00:00:00:00:00',
  'link add ue1 route 10.0.0.0/33',
  'link add ue1 local-teid 1',
  'link add ue1 remote 10.0.0.2',
  'link add ue1 dev eth0 ue 10.45.0.1 local-teid 0 remote-teid 2 remote 10.0.0.2',
  'link set',
  'link set ue1',
  'link set ue1 up down',
  'link set ue1 type gtp',
  'link set ue1 netns left',
  'link del',
  'link del ue1 ue2',
  'link del dev ue1',
  'link show ue1 type gtp',
  'link show -j',
  'link flush all',
  'session add',
  'session add dev ue1',
  'session add dev ue1 local-teid 1 remote-teid 2',
  `session add ${SESSION} remote 10.0.0.3`,
  `session add ${SESSION} mtu 1500`,
  `session add ${SESSION} key 5`,
  `session add ${SESSION} from 10.0.0.0/8 to 10.0.0.0/8`,
  `session add ${SESSION} qfi 64`,
  `session add ${SESSION} peer foo`,
  `session add ${SESSION} antispof`,
  `session add ${SESSION} version 0`,
  `session add ${SESSION} version 2`,
  `session add ${SESSION} tid 5`,
  `session add ${SESSION} flow 5`,
  'session add dev ue1 tid 5 remote 10.0.0.2',
  'session add dev ue1 version 0 remote 10.0.0.2',
  'session add dev ue1 version 0 tid 5',
  'session add dev ue1 version 0 tid 0 remote 10.0.0.2',
  'session add dev ue1 version 0 tid 5 remote-flow 65536 remote 10.0.0.2',
  'session add dev ue1 version 0 tid 5 remote 10.0.0.2 remote-teid 2',
  'session add dev ue1 version 0 tid 5 remote 10.0.0.2 noseq',
  'session add dev ue1 version 0 tid 5 remote 10.0.0.2 qfi 9',
  'session add dev ue1 version 0 tid 5 remote 10.0.0.2 floww 9',
  'session add dev ue1 version 1 tid 5 remote 10.0.0.2',
  'session replace dev ue1 version 0 version 0',
  'link add ue1 version 0',
  'link add ue1 version 0 tid 5',
  'link add ue1 tid 5 remote 10.0.0.2',
  'link add ue1 restart_count 256',
  'session change dev ue1 tid 5 qfi 9',
  'session change dev ue1 version 0 tid 5',
  'session change dev ue1 version 0 local-teid 5',
  'session change dev ue1 version 0',
  `session add ${SESSION} name it's`,
  'session change dev ue1 local-teid auto',
  'session del dev ue1 local-teid 1 remote 10.0.0.2',
  'session del dev ue1 local-teid 1 tid 5',
  'session del dev ue1 local-teid 1 noendmarker',
  'session get dev ue1 tid 0x',
  'session get dev ue1 version 1 tid 5',
  'session show ue 10.45.0.0/16',
  'session show type foo',
  'session add dev ue1 vni 16777216',
  'session add dev ue1 vni 5 key 5',
  'session add dev ue1 type gre vni 5',
  'session add dev ue1 type vlan',
  'session add dev ue1 vni 5',
  'session add dev ue1 id 0',
  'session add dev ue1 id 4095',
  'session add dev ue1 id 5 remote 10.0.0.2',
  'session add dev ue1 remote 10.0.0.2 id 5',
  'session add dev ue1 id 5 protocol 802.1x',
  'session add dev ue1 key 5 okey 6 remote 10.0.0.2',
  'session add dev ue1 ikey 5 remote 10.0.0.2',
  'session add dev ue1 key 4294967296',
  'session add dev ue1 key 5 udpcsum',
  'session add dev ue1 key 5 srcport hash',
  'session add dev ue1 vni 5 opt 0102:80:001122',
  'session add dev ue1 vni 5 opt 102:80:00112233',
  'session add dev ue1 vni 5 opt 0102:80',
  'session add dev ue1 vni 5 opt 0102:80: dstport 0',
  'session add dev ue1 vni 5 csum',
  'session add dev ue1 session_id 0',
  'session add dev ue1 session_id 1 remote 10.0.0.2',
  'session add dev ue1 session_id 1 seq sometimes',
  'session add dev ue1 session_id 1 seq',
  'session add dev ue1 session_id 1 seq both seq send',
  'session add dev ue1 session_id 1 noseq',
  'session add dev ue1 session_id 1 cookie 001122',
  'session add dev ue1 session_id 1 peer_cokie 00112233',
  `session add ${SESSION} seq both`,
  `session add ${SESSION} lladdr 01:00:5e:00:00:01`,
  `session add ${SESSION} from 10.0.0.1`,
  `session add ${SESSION} to 10.0.0.1`,
  'session add dev ue1 version 0 tid 5 remote 10.0.0.2 payload ethernet',
  'session change dev ue1 key 5',
  'session change dev ue1 ikey 5 key 6',
  'session change dev ue1 vni 5',
  'session change dev ue1 key 5 dstport 6',
  'session del dev ue1 type gtp',
  'session del dev ue1 type geneve',
  'session del dev ue1 vni 5 id 5',
  'session get dev ue1 session_id 1 remote 10.0.0.2',
  'ping',
  'ping count 3',
  'ping nowhere',
  'ping 10.0.0.0/8',
  'ping run 10.0.0.1',
  'ping 10.0.0.1 dev ue1',
  'ping 10.0.0.1 local-teid 1',
  'ping dev ue1 tid 1 local-teid 1',
  'ping 10.0.0.1 tid 1',
  'ping dev ue1 10.0.0.1',
  'ping 10.0.0.1 count 0',
  'ping 10.0.0.1 count',
  'ping 10.0.0.1 interval -1',
  'ping 10.0.0.1 interval 0.001',
  'ping 10.0.0.1 timeout 0',
  'ping 10.0.0.1 port 0',
  'ping 10.0.0.1 version 2',
  'ping 10.0.0.1 cuont 3',
  'ping 10.0.0.1 remote 10.0.0.2',
  'ping -j 10.0.0.1',
  'gtp link show',
  'tunnel add',
  'pdp add',
  'LINK show',
  '-jp link',
  '-v',
  '-C link',
  '--netns=alice link',
  'help lnk',
  'help link foo',
  'link create gtp0',
  'link up gtp0',
  'link ADD gtp0',
  'link add name ue1 local 10.0.0.1',
  'link set dev ue1 up',
  'link show dev ue1',
  'link add ue1 teid 5',
  'link add ue1 adress 10.0.0.1',
  'link add ue1 local-t 5',
  'link add ue1 local-teid=5',
  'link add ue1 local 10.0.0.1 --json',
  'link add ue1 type gtpu',
  'link add ue1 role UPF',
  'link add ue1 echo true',
  'link add ue1 local 10.0.0.1/24',
  'link add ue1 local fe80::1%eth0',
  'link add ue1 local upf.example.com',
  'link add ue1 address 10.0.0.1/255.255.255.0',
  'link add ue1 address 2001:db8::1/129',
  'link add ue1 lladdr 02-00-00-00-00-01',
  'link add ue1 lladdr 0200.0000.0001',
  'link add ue1 mtu -5',
  'session add ue1 local-teid 1',
  'session add link ue1 local-teid 1',
  'session show ue1',
  'session add dev ue1 i_teid 1',
  'session add dev ue1 local_teid 1',
  'session add dev ue1 local-teid deadbeef',
  'session add dev ue1 local-teid 007',
  'session add dev ue1 local-teid 4294967296',
  `session add ${SESSION} peer strickt`,
  'ping 10.0.0.1 -c 3',
  'path show dev ue1',
  'version',
  '-c always link',
  'link --help',
  'link add ue1 --help',
  'link -j show',
  'link set up ue1',
  'link add ue1 udpcsum on',
  'link add ue1 ttl 256',
  'session flush all',
];

test('wrong words are answered as the golden file says', (t) => {
  golden(t, 'errors.golden.txt', `${MISTAKES.map((line) => `$ gtp ${line}\n${complaint(line)}`).join('\n')}`);
});

test('every complaint about words is one line of error, at most one of hint, and status 1', (t) => {
  for (const line of MISTAKES) t.regex(complaint(line), /^Error: [^\n]+\n(Hint: [^\n]+\n)?$/, line);
});

test('a word that is wrong is quoted, with what was expected', (t) => {
  for (const line of MISTAKES) {
    t.regex(complaint(line), /"[^"]+"/, line);
    if (!complaint(line).includes('not supported yet') && !line.startsWith('-j='))
      t.regex(complaint(line), /expected /, line);
  }
});

const refused = new KernelError('load gtp.bpf.o', {
  errno: 13,
  detail:
    '0: R1=ctx()\n1: (b7) r0 = 0\n\n2: invalid access\nR1 min value is negative\nprocessed 3 insns (limit 1000000)\n',
});

test('a refusal of the kernel has status 2 and the last two useful lines of its log', (t) => {
  const { text, status } = describeFailure(refused, false);
  t.is(text, 'Error: load gtp.bpf.o: Permission denied\n  2: invalid access\n  R1 min value is negative\n');
  t.is(status, 2);
});

test('with -d the log of a refusal is whole', (t) => {
  t.is(describeFailure(refused, true).text.split('\n').length, 7);
});

test('an error of several lines is told in one', (t) => {
  t.is(describeFailure(new UsageError('a\n  b'), false).text, 'Error: a b\n');
});

test('anything else thrown is a bug of ours: status 70, with the stack', (t) => {
  const { text, status } = describeFailure(new TypeError('boo'), false);
  t.is(status, 70);
  t.regex(text, /^Error: this is a bug in gtp: boo\n {4}at /);
});

function complaint(line: string): string {
  try {
    parse(line === '' ? [] : line.split(' '));
  } catch (error) {
    const { text, status } = describeFailure(error, false);
    if (status === 1) return text;
    throw error;
  }
  return 'accepted\n';
}

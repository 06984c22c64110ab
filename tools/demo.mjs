// SPDX-License-Identifier: MIT
// The first page of the manual, typed for you: node tools/demo.mjs [--keep | --remove]
import { abandonedLabs, buildLab, endProcesses, PICTURE, pinDirectories, remainders, removalLines } from './lab.mjs';
import {
  bin,
  calm,
  during,
  indented,
  openTerminal,
  say,
  tryQuietly,
  type,
  until,
  wasInterrupted,
} from './terminal.mjs';

const USAGE = 'usage: npm run demo [-- --keep | -- --remove]';
const acts = { '': () => demo(false), '--keep': () => demo(true), '--remove': removeAbandoned };

try {
  const act = acts[process.argv.slice(2).join(' ')];
  if (act === undefined) throw new Error(USAGE);
  openTerminal();
  await act();
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = wasInterrupted() ? 130 : 1;
}

async function demo(isToBeKept) {
  const prefix = `demo${process.pid}-`;
  let isWhole = false;
  try {
    const names = buildLab(prefix);
    introduce(prefix);
    await firstTunnel(names);
    await sameAddresses(names);
    await transfer(names);
    await look(names);
    await onTheWire(names);
    await sameMachine(names);
    isWhole = true;
  } finally {
    calm();
    if (isToBeKept && !wasInterrupted()) tellHowToRemove(prefix);
    else await remove(prefix, isWhole);
  }
}

function introduce(prefix) {
  say(`Two machines, m1 and m2, with a wire between them, and two users behind each.
All are network namespaces, made for this page and called ${prefix}m1,
${prefix}ue1 and so on; your own network stays as it is.

${PICTURE}`);
}

async function firstTunnel({ m1, m2, ue1, ue2 }) {
  say(`A tunnel has two ends, and each end is one command. It makes an interface in
the user's namespace, gives it addresses and the right MTU, and tells the kernel
what to put around its packets. TEIDs cross over: local here is remote there.`);
  await type(`gtp -n ${m1} link add gtp0 netns ${ue1} \\
    address 10.45.0.1/24 address fd45::1/64 \\
    local-teid 0x11 remote-teid 0x22 remote 192.0.2.2`);
  await type(`gtp -n ${m2} link add gtp0 netns ${ue2} \\
    address 10.45.0.2/24 address fd45::2/64 \\
    local-teid 0x22 remote-teid 0x11 remote 192.0.2.1`);
  say('IPv4 and IPv6, both ways:');
  await type(ping(ue1, '10.45.0.2'));
  await type(ping(ue2, '10.45.0.1'));
  await type(ping(ue1, 'fd45::2'));
  await type(ping(ue2, 'fd45::1'));
}

async function sameAddresses({ m1, m2, ue3, ue4 }) {
  say(`The other two users have the very same addresses. Each link is a world of its
own, so nothing has to be told apart. This tunnel runs over IPv6, and one side
takes a TEID that is free and that nobody can guess:`);
  const said = await type(`gtp -n ${m1} link add gtp1 netns ${ue3} address 10.45.0.1/24 \\
    local-teid auto remote-teid 0x44 remote 2001:db8::2`);
  const teid = /^local-teid (0x\w+)$/m.exec(said)?.[1];
  if (teid === undefined) throw new Error('gtp told no TEID');
  await type(`gtp -n ${m2} link add gtp1 netns ${ue4} address 10.45.0.2/24 \\
    local-teid 0x44 remote-teid ${teid} remote 2001:db8::1`);
  await type(ping(ue3, '10.45.0.2'));
  await type(ping(ue4, '10.45.0.1'));
}

async function transfer({ ue1, ue2 }) {
  say(`TCP keeps its segmentation offload: the stack cuts behind the tunnel header, and
every packet on the wire is right.`);
  await bulk(ue1, ue2, '10.45.0.2');
}

async function look({ m1 }) {
  say(`No process of gtp is running: this is what the kernel holds. The words that show
prints are the words that add accepts.`);
  await type(`gtp -n ${m1} link show`);
  await type(`gtp -n ${m1} -s session show`);
}

async function onTheWire({ m1, ue1 }) {
  say(`The wire, seen by somebody else's program: outer and inner addresses, the port,
the TEID, the inner packet.`);
  await during(`ip netns exec ${ue1} ping -q -i 0.1 -c 150 10.45.0.2`, () =>
    type(`ip netns exec ${m1} tshark -n -i wire -c 2 -f 'udp port 2152' -T fields \\
    -e ip.src -e ip.dst -e udp.dstport -e gtp.teid -e _ws.col.Info 2> /dev/null`),
  );
}

async function sameMachine({ m3, client, server }) {
  say(`Client and server on one machine, m3. Nothing is bound to UDP port 2152, so any
number of endpoints live side by side, here on two loopback addresses. No outer
header is ever built: packets go straight from one namespace into the other.`);
  await type(`gtp -n ${m3} link add gtp1 netns ${client} address 10.60.0.1/24 \\
    local 127.0.0.2 local-teid 1 remote-teid 2 remote 127.0.0.3`);
  await type(`gtp -n ${m3} link add gtp2 netns ${server} address 10.60.0.2/24 \\
    local 127.0.0.3 local-teid 2 remote-teid 1 remote 127.0.0.2`);
  await type(ping(client, '10.60.0.2'));
  await bulk(client, server, '10.60.0.2');
}

function ping(namespace, address) {
  return `ip netns exec ${namespace} ping -q -c 3 -i 0.1 ${address}`;
}

async function bulk(from, to, address) {
  await type(`ip netns exec ${to} iperf3 -s -1 -D`);
  await until(`ip netns exec ${to} ss -Hltn sport = :5201`, /LISTEN/);
  await type(`ip netns exec ${from} iperf3 -c ${address} -t 1 -i 0`);
  await until(`ip netns pids ${to}`, /^$/);
}

/** Removes a lab, whatever state it is in. One that came to its end must be empty of processes. */
async function remove(prefix, isWhole) {
  const pins = pinDirectories(prefix);
  const running = endProcesses(prefix);
  if (isWhole) say('Away with it. The last link of a machine takes along all that gtp made there.');
  for (const line of removalLines(prefix)) await (isWhole ? type(line) : tryQuietly(line));
  const left = [...(isWhole ? running : []), ...remainders(prefix, pins)];
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  if (!isWhole) return say('Broken off. All is removed.');
  say('Nothing is left. Now by hand: npm run shell, or "First tunnel" in README.md.');
}

function tellHowToRemove(prefix) {
  say(`All of it stays. To look around, have gtp on your path:

  $ export PATH=${bin}:$PATH

To remove it: npm run demo -- --remove, or by hand:

${indented(
  removalLines(prefix)
    .map((line) => `$ ${line}`)
    .join('\n'),
)}`);
}

async function removeAbandoned() {
  calm();
  const prefixes = abandonedLabs('demo');
  for (const prefix of prefixes) {
    const pins = pinDirectories(prefix);
    endProcesses(prefix);
    for (const line of removalLines(prefix)) await type(line);
    const left = remainders(prefix, pins);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  }
  say(prefixes.length === 0 ? 'There is no demo to remove.' : 'Nothing is left.');
}

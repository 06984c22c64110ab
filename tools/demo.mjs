// SPDX-License-Identifier: MIT
// The first page of the manual, typed for you: node tools/demo.mjs [--keep | --remove]
import { abandonedLabs, buildLab, commandOnPath, endProcesses, pinDirectories, removalLines, remainders } from './lab.mjs';
import { openTerminal } from './terminal.mjs';

const { bin, env } = commandOnPath();
const terminal = openTerminal(env);
const { say, type, until } = terminal;

const USAGE = 'usage: npm run demo [-- --keep | -- --remove]';
const words = process.argv.slice(2);
const acts = { '': () => demo(`demo${process.pid}`, false), '--keep': () => demo(`demo${process.pid}`, true), '--remove': removeAll };
try {
  const act = acts[words.join(' ')];
  if (act === undefined) throw new Error(USAGE);
  await act();
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = terminal.isInterrupted() ? 130 : 1;
}

async function demo(prefix, isToBeKept) {
  let pins = [];
  let isWhole = false;
  try {
    const names = buildLab(prefix);
    pins = pinDirectories(prefix);
    await introduce(names);
    await firstTunnel(names);
    await sameAddresses(names);
    await transfer(names);
    await look(names);
    await onTheWire(names);
    await sameMachine(names);
    isWhole = true;
  } finally {
    if (isToBeKept && !terminal.isInterrupted()) tellHowToRemove(prefix);
    else await remove(prefix, pins, isWhole);
  }
}

async function introduce({ m1 }) {
  const p = m1.slice(0, -3);
  say(`Two machines, m1 and m2, with a wire between them, and two users behind each. All are network namespaces,
made for this page and called ${p}-m1, ${p}-ue1 and so on; your own network stays as it is.

   ue1 10.45.0.1 --+                                        +-- 10.45.0.2 ue2
                   +-- m1 192.0.2.1 ==wire== 192.0.2.2 m2 --+
   ue3 10.45.0.1 --+    2001:db8::1          2001:db8::2    +-- 10.45.0.2 ue4`);
}

async function firstTunnel({ m1, m2, ue1, ue2 }) {
  say(`A tunnel has two ends, and each end is one command. It makes an interface in the user's namespace, gives it the
addresses and the right MTU, and tells the kernel what to put around its packets. TEIDs cross over: what m1
calls local, m2 calls remote.`);
  await type(`gtp -n ${m1} link add gtp0 netns ${ue1} address 10.45.0.1/24 address fd45::1/64 \\
      local-teid 0x11 remote-teid 0x22 remote 192.0.2.2`);
  await type(`gtp -n ${m2} link add gtp0 netns ${ue2} address 10.45.0.2/24 address fd45::2/64 \\
      local-teid 0x22 remote-teid 0x11 remote 192.0.2.1`);
  say('IPv4 and IPv6, both ways:');
  await type(ping(ue1, '10.45.0.2'));
  await type(ping(ue2, '10.45.0.1'));
  await type(ping(ue1, 'fd45::2'));
  await type(ping(ue2, 'fd45::1'));
}

async function sameAddresses({ m1, m2, ue3, ue4 }) {
  say(`The other two users have the very same addresses. Each link is a world of its own, so nothing has to be told apart.
This tunnel runs over IPv6, and takes a free TEID that nobody can guess on one side:`);
  const said = await type(`gtp -n ${m1} link add gtp1 netns ${ue3} address 10.45.0.1/24 \\
      local-teid auto remote-teid 0x44 remote 2001:db8::2`);
  const teid = /local-teid (\S+)/.exec(said)?.[1];
  if (teid === undefined) throw new Error('gtp told no TEID');
  await type(`gtp -n ${m2} link add gtp1 netns ${ue4} address 10.45.0.2/24 \\
      local-teid 0x44 remote-teid ${teid} remote 2001:db8::1`);
  await type(ping(ue3, '10.45.0.2'));
  await type(ping(ue4, '10.45.0.1'));
}

async function transfer({ ue1, ue2 }) {
  say("TCP. The sender's segmentation offload stays on: the stack cuts behind the tunnel header.");
  await type(`ip netns exec ${ue2} iperf3 -s -1 -D`);
  await until(`ip netns exec ${ue2} ss -Hltn sport = :5201`, /LISTEN/);
  await type(`ip netns exec ${ue1} iperf3 -c 10.45.0.2 -t 1 -i 0`);
}

async function look({ m1 }) {
  say(`All commands have ended, and no process of ours is left: this is what the kernel holds. What show prints, add
accepts.`);
  await type(`gtp -n ${m1} link show`);
  await type(`gtp -n ${m1} -s session show`);
}

async function onTheWire({ m1, ue1 }) {
  say('On the wire, seen by a program that is not ours: outer and inner addresses, TEID, inner packet.');
  const background = terminal.start(`ip netns exec ${ue1} ping -q -i 0.1 -c 100 10.45.0.2`);
  await type(`ip netns exec ${m1} tshark -n -i wire -c 2 -f 'udp port 2152' -T fields \\
      -e ip.src -e ip.dst -e udp.dstport -e gtp.teid -e _ws.col.Info 2> /dev/null`);
  await background.end();
}

async function sameMachine({ m3, client, server }) {
  say(`Client and server on one machine, m3: nothing is bound to UDP port 2152, so any number of endpoints live side by
side, here on two loopback addresses. No outer header is ever built: packets go straight from one namespace into
the other.`);
  await type(`gtp -n ${m3} link add gtp1 netns ${client} address 10.60.0.1/24 local 127.0.0.2 \\
      local-teid 1 remote-teid 2 remote 127.0.0.3`);
  await type(`gtp -n ${m3} link add gtp2 netns ${server} address 10.60.0.2/24 local 127.0.0.3 \\
      local-teid 2 remote-teid 1 remote 127.0.0.2`);
  await type(ping(client, '10.60.0.2'));
  await type(`ip netns exec ${server} iperf3 -s -1 -D`);
  await until(`ip netns exec ${server} ss -Hltn sport = :5201`, /LISTEN/);
  await type(`ip netns exec ${client} iperf3 -c 10.60.0.2 -t 1 -i 0`);
}

function ping(namespace, address) {
  return `ip netns exec ${namespace} ping -q -c 3 -i 0.1 -W 2 ${address}`;
}

/** Removes a lab, whatever state it is in. A lab that came to its end must be empty of processes. */
async function remove(prefix, pins, isWhole) {
  terminal.calm();
  const running = endProcesses(prefix);
  if (isWhole) say('Away with it. The last link takes all that gtp made along.');
  for (const line of removalLines(prefix)) await (isWhole ? type(line) : terminal.tryQuietly(line));
  const left = [...(isWhole ? running : []), ...remainders(prefix, pins)];
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  say(isWhole ? 'Nothing is left. Now try it by hand: README.md, "First tunnel", or npm run shell.' : 'All is removed.');
}

function tellHowToRemove(prefix) {
  say(`All of it stays. To look around, put gtp on your path:

  $ export PATH=${bin}:$PATH

To remove it: npm run demo -- --remove, or by hand:

${removalLines(prefix).map((line) => `  $ ${line.replaceAll('\n', '\n  ')}`).join('\n')}`);
}

async function removeAll() {
  terminal.calm();
  const prefixes = abandonedLabs('demo');
  for (const prefix of prefixes) {
    const pins = pinDirectories(prefix);
    endProcesses(prefix);
    for (const line of removalLines(prefix)) await type(line);
    const left = remainders(prefix, pins);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  }
  say(prefixes.length === 0 ? 'There is no demo to remove.' : 'All is removed.');
}

// SPDX-License-Identifier: MIT
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { scratch } from '../fixture';
import { must, type Result, within } from '../run';
import { folderOf, type Kernel, vmWords } from './kernels';

/** A machine with a kernel of its own, the files of this machine read-only, and one NIC, eth0. */
export interface Guest {
  /** Runs shell text in it. The folder that it starts in is the guest's to write. */
  run(text: string): Promise<Result>;
  /** As run, but everything other than status 0 throws. */
  must(text: string): Promise<string>;
  /** Runs lines of iproute2; starting a program takes a guest a while. */
  ip(lines: readonly string[]): Promise<string>;
  /** What its console has said. */
  console(): string;
  /** Takes it away, with all that is in it. */
  stop(): Promise<void>;
}

/** Seconds that a guest can at most live, whatever happens to this process. */
export const LIFE = 300;

/** Seconds that it may take to boot or to run a command. */
const PATIENCE = 60;
const NIC = 10;
const READY = /^guest: ready\r?$/m;

/** Starts a guest whose NIC is the other end of a tap, made as `dev` in a namespace; it takes commands at return. */
export async function boot(kernel: Kernel, ns: string, dev: string): Promise<Guest> {
  const job = `${scratch}/guest${count++}`;
  prepare(kernel, job);
  await must(within(ns, 'ip', 'tuntap', 'add', 'dev', dev, 'mode', 'tap'));
  const guest = start(kernel, ns, dev, job);
  try {
    await guest.says(READY);
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return guest;
}

let count = 0;
const running = new Set<ChildProcess>();

/** Writes what init.sh needs. */
function prepare(kernel: Kernel, job: string): void {
  mkdirSync(job, { recursive: true });
  writeFileSync(`${job}/init`, readFileSync('test/guest/init.sh'), { mode: 0o755 });
  const modprobe = `#!/bin/sh\nexec modprobe -d /run/host${folderOf(kernel)} "$@"\n`;
  writeFileSync(`${job}/modprobe`, modprobe, { mode: 0o755 });
}

interface Started extends Guest {
  /** Waits until the console says something. */
  says(wanted: RegExp): Promise<RegExpExecArray>;
}

function start(kernel: Kernel, ns: string, dev: string, job: string): Started {
  const [program = '', ...words] = within(ns, '/usr/bin/python3', resolve('test/guest/tap.py'), dev, `${NIC}`);
  const vm = vmWords(kernel, `${job}/init`, job, NIC);
  const child = spawn(program, [...words, ...enclosed(vm)], { stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part.toString()));
  child.stdin.on('error', () => undefined); // one that has died takes no command, and `says` tells
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  const text = (): string => parts.join('');
  const says = (wanted: RegExp) => heard(child, text, wanted);
  const commands = commandsOf(job, (number) => {
    child.stdin.write(`${number}\n`);
    return says(new RegExp(`^guest: ${number} ended with (\\d+)\\r?$`, 'm'));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
    running.delete(child);
  };
  return { ...commands, console: text, says, stop };
}

/**
 * The words that run a command in a process namespace: all of it dies with the first process, and that one with us. The first
 * process is a shell, and the kernel in a session of its own: a User Mode Linux that panics signals its process group, and would
 * go on for ever where signals of its own cannot end it.
 */
function enclosed(command: readonly string[]): string[] {
  const shell = `ulimit -c 0; timeout --signal=KILL ${LIFE} setsid "$@"; exit $?`;
  return ['unshare', '--pid', '--fork', '--kill-child=KILL', '/bin/sh', '-c', shell, 'guest', ...command];
}

function commandsOf(
  job: string,
  ask: (number: number) => Promise<RegExpExecArray>,
): Pick<Guest, 'run' | 'must' | 'ip'> {
  let last = 0;
  const run = async (text: string): Promise<Result> => {
    const number = ++last;
    writeFileSync(`${job}/${number}.command`, text);
    const [, status] = await ask(number);
    const [stdout, stderr] = ['stdout', 'stderr'].map((name) => readFileSync(`${job}/${number}.${name}`, 'utf8'));
    return { status: Number(status), stdout: stdout ?? '', stderr: stderr ?? '' };
  };
  const must = async (text: string): Promise<string> => {
    const { status, stdout, stderr } = await run(text);
    if (status !== 0) throw new Error(`in the guest: ${text}: status ${status}\n${stderr}${stdout}`);
    return stdout;
  };
  return { run, must, ip: (lines) => must(`ip -b - <<'END'\n${lines.join('\n')}\nEND\n`) };
}

function heard(child: ChildProcess, text: () => string, wanted: RegExp): Promise<RegExpExecArray> {
  return new Promise((done, failed) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      child.stdout?.off('data', look);
      child.off('close', gone);
      settle();
    };
    const look = (): void => {
      const found = wanted.exec(text());
      if (found !== null) end(() => done(found));
    };
    const fail = (why: string) => end(() => failed(new Error(`the guest ${why} before ${wanted}:\n${text()}`)));
    const gone = (): void => fail('died');
    const timer = setTimeout(() => fail(`took ${PATIENCE} s`), PATIENCE * 1000);
    child.stdout?.on('data', look);
    child.once('close', gone);
    look();
  });
}

// A test process that dies early has no time for promises; its guests end all the same.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

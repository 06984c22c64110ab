// SPDX-License-Identifier: MIT
// argv to exit status: the only file that prints or sets the status.
import { writeSync } from 'node:fs';
import { version } from '../package.json';
import type { Command, OutputRecord } from './cli/command';
import { describeFailure, STATUS } from './cli/failure';
import { choosePalette } from './cli/palette';
import { type Parsed, parse } from './cli/parse';
import { printRecords } from './cli/print';
import { KernelError } from './errors';
import { type CommandSpec, grammar, type ObjectName } from './grammar';

type Run = Extract<Parsed, { ask: 'run' }>;

// Loaded when asked for: a command pays for no other one.
const objects = {
  link: () => import('./commands/link'),
  session: () => import('./commands/session'),
  path: () => import('./commands/path'),
} as const satisfies { readonly [O in ObjectName]: () => Promise<object> };

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});

async function main(argv: readonly string[]): Promise<number> {
  let details = false;
  try {
    const parsed = parse(argv);
    if (parsed.ask === 'run') details = parsed.options.details;
    answer(parsed.ask === 'run' ? await runCommand(parsed) : await tell(parsed));
    return STATUS.done;
  } catch (error) {
    const { text, status } = describeFailure(error, details);
    write(2, text);
    return status;
  }
}

async function tell(parsed: Exclude<Parsed, Run>): Promise<string> {
  if (parsed.ask === 'help') return (await import('./cli/help')).help(parsed.object, parsed.command);
  return (await import('./cli/globals')).answerGlobals(parsed.ask, version);
}

async function runCommand({ object, command, words, options }: Run): Promise<string> {
  const name = object as ObjectName;
  const spec = (grammar[name].commands as { readonly [command: string]: CommandSpec })[command];
  const { commands } = await objects[name]();
  const run = (commands as unknown as { readonly [command: string]: Command<typeof words> })[command];
  if (run === undefined) throw new Error(`nothing carries out "${object} ${command}"`);
  const palette = await choosePalette(options);
  const notes: string[] = [];
  const call = () => run(words, { options, note: (text) => notes.push(`Note: ${text}\n`) });
  const inside = options.netns === undefined ? call : await within(options.netns, call);
  const records = spec?.changes ? undisturbed(inside) : inside();
  write(2, notes.join('')); // what a command that failed has done besides is undone
  const chose = words['local_teid'] === 'auto';
  return printRecords(records, { object: name, options, palette, changes: spec?.changes === true, chose });
}

type Call = () => readonly OutputRecord[];

async function within(netns: string, call: Call): Promise<Call> {
  const { inNetns, resolveNetns } = await import('./netns');
  return () => inNetns(resolveNetns(netns).path, call);
}

// A signal with a listener waits for the event loop, that is, until the synchronous command is done or undone.
function undisturbed(call: Call): readonly OutputRecord[] {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const wait = () => undefined;
  for (const signal of signals) process.on(signal, wait);
  try {
    return call();
  } finally {
    for (const signal of signals) process.off(signal, wait);
  }
}

function answer(text: string): void {
  const refused = write(1, text);
  // A reader that went away is nobody's error.
  if (refused !== undefined && refused.code !== 'EPIPE') {
    throw new KernelError('write the answer', { errno: Math.abs(refused.errno ?? 0), cause: refused });
  }
}

// Not process.stdout: its streams cost start-up time. They serve a pipe that is full and does not block.
function write(fd: 1 | 2, text: string): NodeJS.ErrnoException | undefined {
  const bytes = Buffer.from(text);
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at);
  } catch (error) {
    const refused = error as NodeJS.ErrnoException;
    if (refused.code !== 'EAGAIN') return refused;
    const stream = fd === 1 ? process.stdout : process.stderr;
    stream.on('error', () => undefined).write(bytes.subarray(at));
  }
  return undefined;
}

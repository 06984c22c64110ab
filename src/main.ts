// SPDX-License-Identifier: MIT
// argv to exit status: the only file that prints or sets the status.
import { writeSync } from 'node:fs';
import { version } from '../package.json';
import type { Command, GlobalOptions, OutputRecord, Run, Starter } from './cli/command';
import { describeFailure, STATUS } from './cli/failure';
import type { RecordObject } from './cli/lines';
import { choosePalette } from './cli/palette';
import { type Parsed, parse } from './cli/parse';
import { printJson, printRecords } from './cli/print';
import { KernelError } from './errors';
import { type CommandSpec, grammar, type ObjectName } from './grammar';

type Asked = Extract<Parsed, { ask: 'run' }>;

// Loaded when asked for: a command pays for no other one.
const objects = {
  link: () => import('./commands/link'),
  session: () => import('./commands/session'),
  ping: () => import('./commands/ping'),
  path: () => import('./commands/path'),
  completion: () => import('./commands/completion'),
} as const satisfies { readonly [O in ObjectName]: () => Promise<object> };

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});

async function main(argv: readonly string[]): Promise<number> {
  let details = false;
  try {
    const parsed = parse(argv);
    if (parsed.ask === 'run') details = parsed.options.details;
    if (parsed.ask === 'run') return await runCommand(parsed);
    answer(await tell(parsed));
    return STATUS.done;
  } catch (error) {
    const { text, status } = describeFailure(error, details);
    write(2, text);
    return status;
  }
}

async function tell(parsed: Exclude<Parsed, Asked>): Promise<string> {
  if (parsed.ask === 'help') return (await import('./cli/help')).help(parsed.object, parsed.command);
  return (await import('./cli/globals')).answerGlobals(parsed.ask, version);
}

async function runCommand({ object, command, words, options }: Asked): Promise<number> {
  const name = object as ObjectName;
  const spec = (grammar[name].commands as { readonly [command: string]: CommandSpec })[command];
  const { commands } = await objects[name]();
  const run = (commands as unknown as { readonly [command: string]: AnyCommand<typeof words> })[command];
  if (run === undefined) throw new Error(`nothing carries out "${object} ${command}"`);
  const palette = await choosePalette(options);
  const notes: string[] = [];
  const call = () => run(words, { options, note: (text) => notes.push(`Note: ${text}\n`) });
  const inside = options.netns === undefined ? call : await within(options.netns, call);
  const made = spec?.changes ? undisturbed(inside) : inside();
  write(2, notes.join('')); // what a command that failed has done besides is undone
  if (typeof made === 'function') return follow(made, options);
  const chose = words['local_teid'] === 'auto';
  const printing = { object: name as RecordObject, options, palette, changes: spec?.changes === true, chose };
  answer(printRecords(made, printing));
  return STATUS.done;
}

type AnyCommand<Words> = Command<Words> | Starter<Words>;
type Call = () => readonly OutputRecord[] | Run;

// Follows a command that prints while it runs. A reader who went away ends it, as Ctrl-C does.
async function follow(run: Run, { json, pretty }: GlobalOptions): Promise<number> {
  const stop = new AbortController();
  const end = () => stop.abort();
  let failure: unknown;
  const print = (text: string) => {
    try {
      if (!json && !answer(text)) end();
    } catch (error) {
      failure ??= error;
      end();
    }
  };
  for (const signal of ENDINGS) process.once(signal, end);
  const { records, failed } = await run({ print, stop: stop.signal });
  for (const signal of ENDINGS) process.off(signal, end);
  if (failure !== undefined) throw failure;
  if (json) answer(`${printJson(records, pretty)}\n`);
  return failed ? STATUS.kernel : STATUS.done;
}

const ENDINGS = ['SIGINT', 'SIGTERM'] as const;

async function within(netns: string, call: Call): Promise<Call> {
  const { inNetns, resolveNetns } = await import('./netns');
  return () => inNetns(resolveNetns(netns).path, call);
}

// A signal with a listener waits for the event loop, that is, until the synchronous command is done or undone.
function undisturbed(call: Call): ReturnType<Call> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const wait = () => undefined;
  for (const signal of signals) process.on(signal, wait);
  try {
    return call();
  } finally {
    for (const signal of signals) process.off(signal, wait);
  }
}

// Whether somebody still reads: a reader that went away is nobody's error.
function answer(text: string): boolean {
  const refused = write(1, text);
  if (refused !== undefined && refused.code !== 'EPIPE') {
    throw new KernelError('write the answer', { errno: Math.abs(refused.errno ?? 0), cause: refused });
  }
  return refused === undefined;
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

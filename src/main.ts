// SPDX-License-Identifier: MIT
// argv to exit status: the only file that sets it.
import { version } from '../package.json';
import type { Command, GlobalOptions, OutputRecord, Run, Starter } from './cli/command';
import { describeFailure, STATUS } from './cli/failure';
import type { RecordObject } from './cli/lines';
import { choosePalette } from './cli/palette';
import { type Batch, type Parsed, parse } from './cli/parse';
import { printJson, printRecords } from './cli/print';
import { type CommandSpec, grammar, type ObjectName } from './grammar';
import { answer, clearProgress, say } from './output';
import { ENDINGS, heardEndings } from './signals';

type Asked = Extract<Parsed, { ask: 'run' }>;

// Loaded when asked for: a command pays for no other one.
const objects = {
  link: () => import('./commands/link'),
  session: () => import('./commands/session'),
  ping: () => import('./commands/ping'),
  path: () => import('./commands/path'),
  completion: () => import('./commands/completion'),
} as const satisfies { readonly [O in ObjectName]: () => Promise<object> };

void attempt(() => parse(process.argv.slice(2))).then((status) => {
  process.exitCode = status;
});

// Does what was asked for, or tells why not.
async function attempt(read: () => Parsed): Promise<number> {
  let details = false;
  try {
    const parsed = read();
    if (parsed.ask === 'run') details = parsed.options.details;
    if (parsed.ask === 'run') return await runCommand(parsed);
    if (parsed.ask === 'batch') return await (await import('./batch')).runBatch(parsed, attempt);
    answer(await tell(parsed));
    return STATUS.done;
  } catch (error) {
    const { text, status } = describeFailure(error, details);
    say(text);
    return status;
  }
}

async function tell(parsed: Exclude<Parsed, Asked | Batch>): Promise<string> {
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
  say(notes.join('')); // what a command that failed has done besides is undone
  if (typeof made === 'function') return follow(made, options);
  const chose = words['local_teid'] === 'auto';
  const printing = { object: name as RecordObject, options, palette, changes: spec?.changes === true, chose };
  answer(
    printRecords(made, printing),
    spec?.changes ? 'what was asked for is done: only the answer is lost' : undefined,
  );
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
  const endings = heardEndings();
  for (const signal of endings) process.once(signal, end);
  clearProgress();
  const { records, failed } = await run({ print, stop: stop.signal });
  for (const signal of endings) process.off(signal, end);
  if (failure !== undefined) throw failure;
  if (json) answer(`${printJson(records, pretty)}\n`);
  return failed ? STATUS.kernel : STATUS.done;
}

async function within(netns: string, call: Call): Promise<Call> {
  const { inNetns, resolveNetns } = await import('./netns');
  return () => inNetns(resolveNetns(netns).path, call);
}

// A signal with a listener waits for the event loop, that is, until the synchronous command is done or undone.
function undisturbed(call: Call): ReturnType<Call> {
  const wait = () => undefined;
  for (const signal of ENDINGS) process.on(signal, wait);
  try {
    return call();
  } finally {
    for (const signal of ENDINGS) process.off(signal, wait);
  }
}

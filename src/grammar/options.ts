// SPDX-License-Identifier: MIT
import { type Later, later, type OptionSpec } from './types';

/** The global options in the order of the contract. */
export const globalOptions = [
  { name: 'Version', short: 'V', help: 'print the version' },
  { name: 'help', help: 'print what there is, and a line about each option' },
  { name: 'json', short: 'j', help: 'answer with one JSON array' },
  { name: 'pretty', short: 'p', help: 'indent the JSON' },
  { name: 'details', short: 'd', help: 'show all of a record; if the kernel refuses a program, its whole log' },
  { name: 'statistics', short: 's', help: 'show counters; twice: those that are zero as well' },
  { name: 'brief', short: 'br', help: 'one short line a record' },
  { name: 'oneline', short: 'o', help: 'one long line a record' },
  { name: 'human-readable', short: 'h', help: 'counters with k, M, G' },
  { name: 'iec', help: 'the same in powers of 1024' },
  { name: 'timestamp', short: 't', ...later },
  {
    name: 'color',
    short: 'c',
    value: { placeholder: '{auto|always|never}', form: 'equals' },
    help: 'colour the text; -c alone: always; not given: never',
  },
  {
    name: 'netns',
    short: 'n',
    value: { placeholder: '{ NAME | PID | PATH }', form: 'required' },
    help: 'do everything in that network namespace',
  },
  {
    name: 'batch',
    short: 'b',
    value: { placeholder: '{ FILE | - }', form: 'required' },
    help: 'carry out the commands in a file, or on stdin: one a line, without "gtp"',
  },
  { name: 'force', help: 'go on with a batch after a command that failed' },
] as const satisfies readonly (OptionSpec | (Later & { readonly name: string; readonly short?: string }))[];

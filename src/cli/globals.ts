// SPDX-License-Identifier: MIT
import type { OptionSpec } from '../grammar';
import { shownOptions, topHelp } from './help';

/**
 * What -V and -help print, by yargs from the rows of the table. Only they load yargs: it costs more start-up time
 * than a whole command. Everything else in argv is the grammar's, whose bare words yargs does not know.
 */
export async function answerGlobals(ask: 'version' | 'options', version: string): Promise<string> {
  const { default: yargs } = await import('yargs/yargs');
  const parser = yargs()
    .scriptName('gtp')
    .parserConfiguration({ 'boolean-negation': false })
    .options(Object.fromEntries(shownOptions().filter(isOrdinary).map(yargsOption)))
    .help('help', 'print this text')
    .version('Version', 'print the version', `gtp ${version}`)
    .alias('V', 'Version')
    .exitProcess(false)
    .wrap(100);
  return new Promise((resolve, reject) => {
    parser.parse([ask === 'version' ? '--Version' : '--help'], {}, (error, _, output) =>
      error ? reject(error) : resolve(`${ask === 'options' ? `${topHelp()}\n` : ''}${output}\n`),
    );
  });
}

function isOrdinary(option: OptionSpec): boolean {
  return option.name !== 'help' && option.name !== 'Version';
}

function yargsOption(option: OptionSpec): [string, object] {
  const { name, short, value, help } = option;
  return [
    name,
    {
      describe: help,
      ...(short === undefined ? {} : { alias: short }),
      ...(value === undefined ? { type: 'boolean' } : { type: 'string' }),
    },
  ];
}

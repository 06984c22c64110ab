// SPDX-License-Identifier: MIT
// What shells need: the files of completion as they are installed, and the values that only the kernel knows.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { completions } from '../../package.json';
import type { Commands, OutputRecord, Run } from '../cli/command';
import { KernelError } from '../errors';
import type * as Candidates from './candidates';

export const commands: Commands<'completion'> = {
  bash: () => file('bash'),
  zsh: () => file('zsh'),
  fish: () => file('fish'),
  values: (words) => {
    // Loaded only here: to print a file takes none of it.
    const { candidates } = require('./candidates') as typeof Candidates;
    const found = candidates(words);
    const lines = found.map(({ value, help }) => `${value}\t${help}\n`);
    return told(lines.join(''), found);
  },
};

function file(shell: keyof typeof completions): Run {
  const { file: name, place } = completions[shell];
  const script = read(join(completionsDir(), name), shell);
  return told(script, [{ shell, place, script }]);
}

function told(text: string, records: readonly OutputRecord[]): Run {
  return async ({ print }) => {
    print(text);
    return { records, failed: false };
  };
}

// Beside the folder of this program, whatever links led to it.
function completionsDir(): string {
  return join(dirname(__dirname), 'completions');
}

function read(path: string, shell: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const hint = 'it comes with the package: install gtp again';
    const { errno = 0 } = cause as NodeJS.ErrnoException;
    throw new KernelError(`read the completion of ${shell}, ${path}`, { errno: Math.abs(errno), cause, hint });
  }
}

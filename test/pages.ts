// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

/** A fenced block of a page of Markdown, and the headline that it stands under. */
export interface Block {
  readonly section: string;
  /** What stands behind the fence: `sh` for commands that can be pasted. */
  readonly language: string;
  readonly text: string;
}

/** All fenced blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  let section = '';
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$|^```(.*)\n((?:.*\n)*?)```$/gm)].flatMap(
    ([, headline, language, text]) => {
      if (headline !== undefined) section = headline;
      return language === undefined || text === undefined ? [] : [{ section, language, text }];
    },
  );
}

/** The commands in some sections of a page, as one script. */
export function commandsIn(page: string, ...sections: readonly string[]): string {
  return blocksOf(page)
    .filter(({ section, language }) => language === 'sh' && sections.includes(section))
    .map(({ text }) => text)
    .join('');
}

// SPDX-License-Identifier: MIT
import { must } from '../run';

const SEPARATOR = '\x1f';

/** What the engine offers behind each line of words, the last of which is the one that is being typed; all asked of one bash. */
export async function offered(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const script = `
    while IFS= read -r line; do
      IFS=$'\\x1f' read -r -a words <<<"$line"
      _gtp_complete gtp "\${words[@]}"
      printf '%s\\x1f' "\${found[@]%%$'\\t'*}"
      echo
    done`;
  const answer = await inBash(script, lines.map((words) => `${words.join(SEPARATOR)}${SEPARATOR}\n`).join(''));
  return answer.map((line) => line.split(SEPARATOR).filter((candidate) => candidate !== ''));
}

/** All words of commands, "link add" and the like, as the tables of the engine have them: as they are typed, those of flags with "no" as well. */
export async function tables(titles: readonly string[]): Promise<string[][]> {
  const script = `
    while IFS= read -r title; do
      rows=()
      _gtp_rows "$title"
      for ((i = 0; i < \${#rows[@]}; i += 10)); do
        printf '%s\\x1f' "\${rows[i + 1]:-\${rows[i + 8]}}"
        [[ \${rows[i + 3]} != *N* ]] || printf 'no%s\\x1f' "\${rows[i + 1]}"
      done
      echo
    done`;
  const answer = await inBash(script, titles.map((title) => `${title}\n`).join(''));
  return answer.map((line) => [...new Set(line.split(SEPARATOR).filter((word) => word !== ''))]);
}

async function inBash(script: string, input: string): Promise<string[]> {
  const whole = `source completions/gtp.bash\n${script}`;
  const answer = await must(['bash', '--norc', '-c', whole], {
    input,
    env: { ...process.env, SEPARATOR, LC_ALL: 'C.UTF-8' },
  });
  return answer.split('\n').slice(0, -1);
}

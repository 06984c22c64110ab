// SPDX-License-Identifier: MIT
// TAB in bash with bash-completion, in one without it and with options that are hard on scripts, in zsh and in fish: each position is a line that is typed, and what it becomes, or what is
// shown below it.
import test from 'ava';
import { lacking, type Shell, type Shown, type Typing, typeInto } from './terminal';

/** A line that TAB completes, or the words that it offers in any order; in zsh and fish some of them with their help. */
type Position = readonly [typed: string, becomes: string | readonly string[]];

const LINK_WORDS = ['type', 'local', 'dev', 'netns', 'inner', 'address', 'route', 'mtu'];

const POSITIONS: Readonly<Record<Shell, readonly Position[]>> = {
  bash: [
    ['gtp \t', ['link', 'session', 'ping', 'path', 'completion', 'help']],
    ['gtp se\t', 'gtp session '],
    ['gtp -js\t', 'gtp -json '],
    ['gtp --onel\t', 'gtp --oneline '],
    ['gtp -c=al\t', 'gtp -c=always '],
    ['gtp -n \t', ['left', 'right']],
    ['gtp -n le\t', 'gtp -n left '],
    ['gtp -n left link del \t', 'gtp -n left link del '],
    ['gtp -n left link del f\t', 'gtp -n left link del far '],
    ['gtp -n left session del dev far local-teid \t', 'gtp -n left session del dev far local-teid 0x00000099 '],
    ['gtp link \t', ['add', 'set', 'del', 'show', 'flush', 'help']],
    ['gtp s g\t', 'gtp s get '],
    ['gtp l dele\t', 'gtp l delete '],
    ['gtp help session fl\t', 'gtp help session flush '],
    ['gtp link add new ty\t', 'gtp link add new type '],
    ['gtp link add new type \t', ['gtp', 'gre', 'gretap', 'geneve', 'vxlan', 'l2tp', 'vlan']],
    ['gtp link add new type vlan i\t', ['id', 'inner']],
    ['gtp link add new local-teid 1 vn\t', 'gtp link add new local-teid 1 vn'],
    ['gtp link add new dev pl\t', ['plain0', 'plain1']],
    ['gtp link add new dev ev\t', 'gtp link add new dev evil0 '],
    ['gtp link add new netns r\t', 'gtp link add new netns right '],
    ['gtp link add new local 2001:\t', 'gtp link add new local 2001:db8::1 '],
    ['gtp link add new mtu \t', 'gtp link add new mtu '],
    ['gtp link del \t', ['mixed', 'six', 'ue1', 'help']],
    ['gtp link show netns l\t', 'gtp link show netns left '],
    ['gtp link show type gtp \t', 'gtp link show type gtp '],
    ['gtp session add dev s\t', 'gtp session add dev six '],
    [
      'gtp session add dev ue1 local-teid 5 remote-teid 6 noa\t',
      'gtp session add dev ue1 local-teid 5 remote-teid 6 noantispoof ',
    ],
    ['gtp session del dev ue1 local-teid \t', ['0x00000011', '0x00000012']],
    ['gtp session del dev six local-teid \t', 'gtp session del dev six local-teid 0x00000021 '],
    ['gtp session get dev mixed key \t', 'gtp session get dev mixed key 7 '],
    ['gtp session get dev mixed vni \t', 'gtp session get dev mixed vni 77 '],
    ['gtp session get dev mixed tid \t', 'gtp session get dev mixed tid 0x0000000000000009 '],
    ['gtp session change dev ue1 name \t', 'gtp session change dev ue1 name joe '],
    ['gtp session show remote 2001:db8::\t', 'gtp session show remote 2001:db8::2 '],
    ['gtp session show ue 10.45.\t', ['10.45.0.1', '10.45.0.2']],
    ['gtp ping 192.0.2.\t', ['192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6']],
    ['gtp path show local 2\t', 'gtp path show local 2001:db8::1 '],
    ['gtp link \\\x16\ndel si\t', 'gtp link \\\ndel six '],
    ["gtp session add dev ue1 name 'a b' local-t\t", "gtp session add dev ue1 name 'a b' local-teid "],
    ['gtp session show remote "2001:\t', 'gtp session show remote "2001:db8::2" '],
    ['gtp -batch /run/two\\ w\t', 'gtp -batch /run/two\\ words '],
    ['/run/decoy/gtp session del dev six local-teid \t', '/run/decoy/gtp session del dev six local-teid 0x00000021 '],
  ],
  'plain bash': [
    ['gtp -n le\t', 'gtp -n left '],
    ['gtp link add new type gtp seq rol\t', 'gtp link add new type gtp seq role '],
    ['gtp sess\t', 'gtp session '],
    ['gtp -color=n\t', 'gtp -color=never '],
    ['gtp session show remote 2001:\t', 'gtp session show remote 2001:db8::2 '],
    ['gtp completion \t', ['bash', 'zsh', 'fish', 'help']],
    ['echo x; gtp link del si\t', 'echo x; gtp link del six '],
  ],
  zsh: [
    ['gtp \t', ['link -- where a tunnel meets a namespace', 'session -- one tunnel', 'help -- what can be typed']],
    ['gtp sess\t', 'gtp session '],
    ['gtp -c=al\t', 'gtp -c=always '],
    ['gtp link \t', ['add', 'set', 'del', 'show', 'flush -- remove all links']],
    ['gtp -n le\t', 'gtp -n left '],
    ['gtp link add new \t', LINK_WORDS],
    ['gtp link add new dev ev\t', 'gtp link add new dev evil0 '],
    ['/run/decoy/gtp session del dev six local-teid \t', '/run/decoy/gtp session del dev six local-teid 0x00000021 '],
    ['gtp link add new mtu \t', ['N: MTU of the inner end; else computed from the sessions']],
    ['gtp link add new role s\t', 'gtp link add new role sgsn '],
    ['gtp link del \t', ['mixed', 'six', 'ue1', 'help']],
    ['gtp -n left link del f\t', 'gtp -n left link del far '],
    [
      'gtp session del dev ue1 local-teid \t',
      ['0x00000011 -- remote 192.0.2.2 ue 10.45.0.1/32 name joe', '0x00000012'],
    ],
    ['gtp session show remote 2001:\t', 'gtp session show remote 2001:db8::2 '],
    ['gtp path show local 2\t', 'gtp path show local 2001:db8::1 '],
  ],
  fish: [
    ['gtp \t', ['link (where a tunnel meets a namespace)', 'session (one tunnel)', 'ping']],
    ['gtp sess\t', 'gtp session '],
    ['gtp -js\t', 'gtp -json '],
    ['gtp link \t', ['add', 'set', 'flush (remove all links)']],
    ['gtp -n le\t', 'gtp -n left '],
    ['gtp link add new \t', LINK_WORDS],
    ['gtp link add new dev ev\t', 'gtp link add new dev evil0 '],
    ['/run/decoy/gtp session del dev six local-teid \t', '/run/decoy/gtp session del dev six local-teid 0x00000021 '],
    ['gtp link add new role s\t', 'gtp link add new role sgsn '],
    ['gtp link del \t', ['mixed', 'six', 'ue1']],
    ['gtp -n left link del f\t', 'gtp -n left link del far '],
    ['gtp session del dev ue1 local-teid \t', ['0x00000011 (remote 192.0.2.2 ue 10.45.0.1/32 name joe)']],
    ['gtp session show remote 2001:\t', 'gtp session show remote 2001:db8::2 '],
    ['gtp path show local 2\t', 'gtp path show local 2001:db8::1 '],
  ],
};

const typed = (shell: Shell): string[] => POSITIONS[shell].map(([keys]) => keys);
const typing: Typing = {
  bash: typed('bash'),
  'plain bash': typed('plain bash'),
  zsh: typed('zsh'),
  fish: typed('fish'),
};
let shown: ReadonlyMap<string, Shown> = new Map();

test.before('type', async () => {
  shown = await typeInto(typing);
});

for (const shell of Object.keys(POSITIONS) as Shell[]) {
  const why = lacking(shell);
  if (why !== undefined) test.skip(`TAB in ${shell}: ${why}`, () => undefined);
  else
    test(`TAB in ${shell}`, (t) => {
      for (const [keys, becomes] of POSITIONS[shell]) {
        const { line = '', below = '' } = shown.get(`${shell}: ${keys}`) ?? {};
        const about = `${shell}: ${JSON.stringify(keys)} gave ${JSON.stringify({ line, below })}`;
        if (typeof becomes === 'string') t.is(line, becomes, about);
        else if (shell.includes('bash')) t.deepEqual(wordsIn(below), [...becomes].sort(), about);
        else for (const word of becomes) t.true(below.replaceAll(/ +/g, ' ').includes(word), `${about}: no ${word}`);
      }
    });
}

// The list stands above the next prompt.
function wordsIn(below: string): string[] {
  return (below.split('READY> ')[0] ?? '').split(/\s+/).filter(Boolean).sort();
}

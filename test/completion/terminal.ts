// SPDX-License-Identifier: MIT
// Real shells in a terminal, on a machine with links, namespaces and sessions: what TAB does to a line.
import { existsSync } from 'node:fs';
import { onMachine } from '../machine';

export type Shell = 'bash' | 'plain bash' | 'zsh' | 'fish';

/** What is typed in each shell; TAB is a tab. */
export type Typing = Readonly<Record<Shell, readonly string[]>>;

/** What became of it: the lines that were shown below it, and the line in the end. */
export type Shown = { readonly below: string; readonly line: string };

/** Debian's own interpreter: one that comes first in PATH may lack modules. */
const PYTHON = '/usr/bin/python3';

const BINARIES = { bash: '/usr/share/bash-completion/bash_completion', zsh: '/usr/bin/zsh', fish: '/usr/bin/fish' };

/** Why a shell cannot be tested here; undefined if it can. */
export function lacking(shell: Shell): string | undefined {
  const needed = [PYTHON, ...(shell === 'plain bash' ? [] : [BINARIES[shell]])];
  const missing = needed.find((path) => !existsSync(path));
  return missing === undefined ? undefined : `${missing} is not there: node tools/setup.mjs test`;
}

/** Types into every shell that is there, and tells by shell and typing what came of it. */
export async function typeInto(typing: Typing): Promise<Map<string, Shown>> {
  const shells = (Object.keys(typing) as Shell[]).filter((shell) => lacking(shell) === undefined);
  const { status, stdout, stderr } = await onMachine(
    `${WORLD}\n${shells.map((shell) => asking(shell, typing[shell])).join('\n')}\n${END}`,
  );
  const answers = stdout.split('\n').filter((line) => line.startsWith('['));
  if (status !== 0 || answers.length !== shells.length || stderr !== '')
    throw new Error(`status ${status}: ${stderr}${stdout}`);
  return new Map(
    shells.flatMap((shell, at) =>
      (JSON.parse(answers[at] ?? '') as { screen: string; line: string }[]).map(({ screen, line }, each) => [
        `${shell}: ${typing[shell][each]}`,
        { below: screen.replaceAll('\b', '').split('\n').slice(1).join('\n'), line },
      ]),
    ),
  );
}

const WORLD = `
  mkdir -p /run/bin /run/home /run/lazy/completions
  ln -s "$PWD/dist/gtp.cjs" /run/bin/gtp
  ln -s "$PWD/completions/gtp.bash" /run/lazy/completions/gtp
  export HOME=/run/home PATH=/run/bin:$PATH
  ip addr add 192.0.2.1/24 dev lo
  ip addr add 2001:db8::1/64 dev lo nodad
  for ns in left right; do ip netns add $ns; ip -n $ns link set lo up; done
  ip link add plain0 type veth peer plain1
  ip link add evil0 type veth peer 'evil$(id>x)'
  ip link add 'evil;id' type veth peer 'evil|id'
  mkdir /run/decoy
  touch '/run/netns/le;id' '/run/netns/le$(id)' '/run/two words'
  printf '#!/bin/sh\necho 0x00000bad\n' > /run/decoy/gtp
  chmod +x /run/decoy/gtp
  gtp link add ue1 local 192.0.2.1 netns left local-teid 0x11 remote-teid 2 remote 192.0.2.2 ue 10.45.0.1 name joe
  gtp session add dev ue1 local-teid 0x12 remote-teid 3 remote 192.0.2.3 ue 10.45.0.2
  gtp link add six local 2001:db8::1 local-teid 0x21 remote-teid 4 remote 2001:db8::2
  gtp link add mixed type gre local 192.0.2.1
  gtp session add dev mixed key 7 remote 192.0.2.4 ue 10.46.0.1
  gtp session add dev mixed type vxlan vni 77 remote 192.0.2.5 ue 10.46.0.2 lladdr 02:00:00:00:00:77
  gtp session add dev mixed version 0 tid 9 remote 192.0.2.6 ue 10.46.0.3
  gtp -n left link add far local 127.0.0.1 local-teid 0x99 remote-teid 1 remote 127.0.0.5`;

const END = `
  gtp -n left link flush
  gtp link flush
  ip link del plain0
  ip link del evil0
  ip link del 'evil;id'
  rm '/run/netns/le;id' '/run/netns/le$(id)'
  ip netns del left
  ip netns del right`;

// The key that tells the line is Ctrl-T. One TAB is to do what two do: each asks anew.
const BASH = String.raw`
  PS1='READY> '
  bind 'set enable-bracketed-paste off' 'set page-completions off' 'set completion-query-items 0' 'set bell-style none'
  bind 'set show-all-if-ambiguous on'
  bind -x '"\C-t": printf "<<%s>>" "$READLINE_LINE"'`;

const SET_UP: Readonly<Record<Shell, string>> = {
  bash: `BASH_COMPLETION_USER_DIR=/run/lazy\nsource ${BINARIES.bash}\n${BASH}`,
  'plain bash': `source <(gtp completion bash)\n${BASH}\nset -euf\nshopt -s failglob`,
  zsh: `
    PS1='READY> '
    fpath=(/run/zsh $fpath)
    mkdir -p /run/zsh
    gtp completion zsh > /run/zsh/_gtp
    autoload -Uz compinit
    compinit -u -D
    LISTMAX=1000
    unsetopt auto_menu list_ambiguous
    tell() { print -rn -- "<<$BUFFER>>" }
    zle -N tell
    bindkey '^T' tell`,
  fish: String.raw`
    function fish_prompt; echo 'READY> '; end
    set -g fish_autosuggestion_enabled 0
    set -g fish_greeting
    gtp completion fish | source
    bind \ct 'echo -n "<<"(commandline)">>"'`,
};

function asking(shell: Shell, typing: readonly string[]): string {
  const setUp = `/run/${shell.replace(' ', '-')}.rc`;
  const program = shell === 'plain bash' ? 'bash' : shell;
  return `cat > ${setUp} <<'END'\n${SET_UP[shell]}\nEND
    ${PYTHON} test/completion/terminal.py ${program} ${setUp} <<'END'\n${JSON.stringify(typing)}\nEND`;
}

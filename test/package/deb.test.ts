// SPDX-License-Identifier: MIT
// The Debian package: made, judged by lintian, and installed, used and purged in a fresh Debian; the unit in one that boots.
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { closeFixture } from '../fixture';
import { must, run } from '../run';
import { FIRST_TUNNEL } from './first-tunnel';
import { booted, inRoot, whyNoRoot } from './root';

const env = {
  ...process.env,
  DEBFULLNAME: 'A Maintainer',
  DEBEMAIL: 'who@example.org',
  SOURCE_DATE_EPOCH: '1700000000',
};

const patient = { seconds: 180 }; // other tests run beside

/** Makes the package; gives its path. */
async function make(): Promise<string> {
  const said = await must([process.execPath, 'tools/deb.mjs'], { env, ...patient });
  return said.match(/^deb: (\S+\.deb), \d+ octets$/m)?.[1] ?? said;
}

let deb = '';
test.serial.before(async () => {
  deb = await make();
});
test.after.always(closeFixture);

test.serial('the same tree gives the same package', async (t) => {
  const first = readFileSync(deb);
  t.is(await make(), deb);
  t.true(first.equals(readFileSync(deb)));
});

test.serial('lintian has nothing to say', async (t) => {
  const { status, stdout } = await run(['lintian', '--fail-on', 'error,warning', deb], patient);
  t.is(stdout, '');
  t.is(status, 0);
});

const manPages = readdirSync('man').filter((name) => name.endsWith('.8'));
const APT = 'apt-get -q -o Dpkg::Use-Pty=0 --yes';

const reason = whyNoRoot();
const testInRoot = reason === undefined ? test.serial : test.serial.skip;
const title = (text: string): string => (reason === undefined ? text : `${text} (NO DEBIAN: ${reason})`);

/** All paths but those that apt and systemctl write themselves, and the namespaces of the test. */
const SNAPSHOT = `
  others='/(tmp|run/(netns|systemd)|var/log|var/cache/(apt|debconf)|var/lib/apt)'
  snapshot() {
    find / -xdev -regextype egrep -regex "$others" -prune -o -printf '%p %y %m %l\\n' | sort
  }`;

testInRoot(title('it is installed, runs, and is purged without a trace'), async (t) => {
  const { status, stdout, stderr } = await inRoot(
    deb,
    `${SNAPSHOT}
    snapshot > /tmp/before
    ${APT} install /gtp.deb
    mkdir /tmp/other
    ln -s /usr/bin/false /tmp/other/node
    PATH=/tmp/other:$PATH gtp -V
    grep etc/ /var/lib/dpkg/info/gtp.md5sums || echo 'conffiles have no sums'
    systemd-analyze verify --man=no gtp.service && echo "unit: $(systemctl is-enabled gtp || true)"
    for shell in bash zsh fish; do gtp completion $shell > /tmp/$shell; done
    cmp /tmp/bash /usr/share/bash-completion/completions/gtp
    cmp /tmp/zsh /usr/share/zsh/vendor-completions/_gtp
    cmp /tmp/fish /usr/share/fish/vendor_completions.d/gtp.fish
    bash -c '. /usr/share/bash-completion/bash_completion; _comp_load gtp; complete -p gtp'
    ls /usr/share/man/man8/gtp*.8.gz
    ${FIRST_TUNNEL}
    systemctl --quiet enable gtp
    echo '# mine' >> /etc/gtp/tunnels.batch
    ${APT} purge gtp
    snapshot > /tmp/after
    diff /tmp/before /tmp/after && echo 'no trace'`,
  );
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^gtp \d+\.\d+\.\d+$/m);
  t.regex(stdout, /^conffiles have no sums$/m);
  t.regex(stdout, /^unit: disabled$/m);
  t.regex(stdout, /^complete .*\bgtp$/m);
  for (const page of manPages) t.true(stdout.includes(`/usr/share/man/man8/${page}.gz\n`), page);
  t.regex(stdout, /3 packets transmitted, 3 received/);
  t.regex(stdout, /^no trace$/m);
});

/** Enables the unit, with a namespace that a drop-in makes, and tunnels from there. */
const ENABLE = `
  ${APT} install /gtp.deb
  systemctl --quiet enable gtp
  mkdir /etc/systemd/system/gtp.service.d
  printf '[Service]\\nExecStartPre=/usr/sbin/ip netns add phone\\n' > /etc/systemd/system/gtp.service.d/netns.conf
  cat > /etc/gtp/tunnels.batch << 'END'
# The far end, and a phone.
link add upf0 local 127.0.0.2 address 10.45.0.1/24 role upf
session add dev upf0 local-teid 1 remote-teid 2 remote 127.0.0.3 ue 10.45.0.2 qfi 9
link add ue0 netns phone address 10.45.0.2/24 role ue local 127.0.0.3 local-teid 2 remote-teid 1 remote 127.0.0.2
END`;

testInRoot(title('gtp.service makes tunnels at boot; an upgrade leaves them, a removal takes them down'), async (t) => {
  const result = await booted(
    deb,
    ENABLE,
    `systemctl show --property=ActiveState,Result gtp
    ping -c 3 -i 0.1 10.45.0.2
    ${APT} reinstall /gtp.deb
    echo "upgraded: $(systemctl is-active gtp)" /sys/class/net/upf[0-9]
    ${APT} purge gtp
    echo "purged:" /sys/class/net/* /sys/fs/bpf/gtp*`,
  );
  if (result === undefined) {
    t.log('NO CGROUP of version 2 that can be written: nothing was booted');
    t.pass();
    return;
  }
  const { status, stdout, stderr } = result;
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^ActiveState=active$/m, stderr);
  t.regex(stdout, /3 packets transmitted, 3 received/);
  t.regex(stdout, /^upgraded: active \/sys\/class\/net\/upf0$/m);
  t.regex(stdout, /^purged: \/sys\/class\/net\/lo \/sys\/fs\/bpf\/gtp\*$/m);
});

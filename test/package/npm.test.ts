// SPDX-License-Identifier: MIT
// The npm package: all is in it, and it works where it is installed.
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'ava';
import { closeFixture, scratch } from '../fixture';
import { NOTHING, onMachine } from '../machine';
import { must, run } from '../run';
import { FIRST_TUNNEL } from './first-tunnel';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** As from a shell of its own: npm hands its settings down to what it runs, and tools/test.mjs keeps certificates for it. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  ...(process.env['CA_CERTS_OF_NPM'] && { NODE_EXTRA_CA_CERTS: process.env['CA_CERTS_OF_NPM'] }),
};
let packed: Packed;

test.serial.before(async () => {
  await must(['mkdir', '-p', scratch]);
  // Without its scripts: other tests run what they would build.
  const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch];
  packed = (JSON.parse(await must(['npm', ...words], { env, seconds: 180 })) as [Packed])[0];
});
test.after.always(closeFixture);

test.serial('the npm package has all that is needed, and nothing of its making', (t) => {
  const files = new Set(packed.files.map(({ path }) => path));
  const all = (folder: string, pattern = /./): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && pattern.test(entry.name))
      .map((entry) => `${entry.parentPath}/${entry.name}`);
  const wanted = [
    ...['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json', 'dist/gtp.cjs', 'dist/gtp.bpf.o'],
    ...['completions/gtp.bash', 'completions/_gtp', 'completions/gtp.fish'],
    ...['packaging/gtp.service', 'packaging/tunnels.batch', 'man/gtp.8'],
    ...[...all('man', /\.8$/), ...all('docs'), ...all('examples')],
  ];
  t.deepEqual([...files].toSorted(), [...new Set(wanted)].toSorted());
});

test.serial('installed by npm, gtp runs', async (t) => {
  const place = resolve(scratch, 'installed');
  const words = ['--global', '--prefix', place, '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const install = await run(['npm', 'install', ...words, resolve(scratch, packed.filename)], { env, seconds: 180 });
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH)\b/.test(install.stderr)) {
    t.log(`NO REGISTRY, nothing was installed: ${install.stderr}`);
    t.pass();
    return;
  }
  t.is(install.status, 0, install.stderr);
  const { status, stdout, stderr } = await onMachine(`
    unset -f gtp
    PATH='${place}/bin':$PATH
    gtp -V
    gtp help
    gtp completion bash | cmp - completions/gtp.bash
    MANPATH='${place}/share/man' man -w gtp
    ${FIRST_TUNNEL}`);
  t.is(status, 0, stderr + stdout);
  t.regex(stdout, /^gtp \d+\.\d+\.\d+$/m);
  t.regex(stdout, /^Usage: gtp /m);
  t.true(stdout.includes(`${place}/lib/node_modules/gtp/man/gtp.8\n`), stdout); // where the link in share/man leads
  t.regex(stdout, /3 packets transmitted, 3 received/);
  t.regex(stdout, NOTHING);
});

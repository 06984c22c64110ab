// SPDX-License-Identifier: MIT
// Makes the Debian package from what is built, for this machine's processor: node tools/deb.mjs
// The same tree gives the same octets: its dates are SOURCE_DATE_EPOCH, else that of the last commit.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.mjs';
import { copyright } from './copyright.mjs';
import { modulesOf, runtimeFiles } from './modules.mjs';

const STAGE = 'dist/deb';
const HOME = 'usr/lib/gtp';
const DOC = 'usr/share/doc/gtp';
const CONFIGURATION = { 'packaging/tunnels.batch': 'etc/gtp/tunnels.batch' };
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

try {
  await makePackage();
} catch (error) {
  console.error(`deb: ${error.message}`);
  process.exitCode = 1;
}

async function makePackage() {
  const { name, version, engines, completions } = JSON.parse(readFileSync('package.json', 'utf8'));
  const [architecture, { maintainer, date }] = [architectureOf(process.arch), origin()];
  const fields = { name, version: `${version}-1`, architecture, maintainer, node: engines.node.replace(/^>=/, '') };
  rmSync(STAGE, { recursive: true, force: true });
  await putProgram();
  putWords(Object.values(completions));
  putDocuments(fields, date);
  put('packaging/gtp.service', 'usr/lib/systemd/system/gtp.service');
  put('packaging/debian/lintian-overrides', `usr/share/lintian/overrides/${name}`);
  for (const [from, to] of Object.entries(CONFIGURATION)) put(from, to);
  putControl(fields);
  const deb = `dist/${name}_${fields.version}_${architecture}.deb`;
  const env = { ...process.env, SOURCE_DATE_EPOCH: `${date}` };
  run('dpkg-deb', ['--root-owner-group', '--build', STAGE, deb], env);
  rmSync(STAGE, { recursive: true });
  console.log(`deb: ${deb}, ${statSync(deb).size} octets`);
}

/** The command with what it loads, in the order of folders that it knows from the source tree. */
async function putProgram() {
  const program = `${HOME}/dist/gtp.cjs`;
  const modules = modulesOf(await bundle(['src/main.ts'], { outfile: program, write: false }));
  // Debian's Node, which the package depends on, whatever else comes first in PATH.
  write(program, readFileSync('dist/gtp.cjs', 'utf8').replace(/^#!.*/, '#!/usr/bin/node'), 0o755);
  put('dist/gtp.bpf.o', `${HOME}/dist/gtp.bpf.o`);
  for (const file of modules.beside.flatMap(runtimeFiles)) put(file, `${HOME}/${file}`);
  write(`${DOC}/copyright`, copyright(modules, HOME));
  link('usr/bin/gtp', program);
}

/** Man pages, and completions where shells look for them. */
function putWords(completions) {
  for (const page of readdirSync('man').filter((name) => name.endsWith('.8')))
    write(`usr/share/man/man8/${page}.gz`, gzipSync(readFileSync(join('man', page)), { level: 9 }));
  for (const { file, place } of completions) {
    const to = relative('/', place);
    put(`completions/${file}`, to);
    link(`${HOME}/completions/${file}`, to);
  }
}

function putDocuments({ name, version, maintainer }, date) {
  put('README.md', `${DOC}/README.md`);
  for (const folder of ['docs', 'examples'])
    for (const path of files(folder)) put(path, `${DOC}/${path}`, isScript(path) ? 0o755 : 0o644);
  write(`${DOC}/changelog.gz`, gzipSync(readFileSync('CHANGELOG.md'), { level: 9 }));
  const when = new Date(date * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `${name} (${version}) unstable; urgency=medium\n\n  * What is new: changelog.gz\n\n -- ${maintainer}  ${when}\n`;
  write(`${DOC}/changelog.Debian.gz`, gzipSync(entry, { level: 9 }));
}

function putControl(fields) {
  const data = files(STAGE).map((path) => relative(STAGE, path));
  const size = data.reduce((sum, path) => sum + Math.ceil(statSync(join(STAGE, path)).size / 1024), 0);
  const configuration = Object.values(CONFIGURATION);
  const control = readFileSync('packaging/debian/control', 'utf8');
  write('DEBIAN/control', filled(control, { ...fields, size }));
  const kept = data.filter((path) => !configuration.includes(path));
  write('DEBIAN/md5sums', lines(kept.map((path) => `${md5(join(STAGE, path))}  ${path}`)));
  write('DEBIAN/conffiles', lines(configuration.map((path) => `/${path}`)));
  for (const script of SCRIPTS) put(`packaging/debian/${script}`, `DEBIAN/${script}`, 0o755);
}

function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

/** A text with the values of what stands in it as ${NAME}. */
function filled(text, values) {
  return text.replace(/\$\{(\w+)\}/g, (_, name) => {
    if (values[name] === undefined) throw new Error(`packaging/debian/control: what is ${name}?`);
    return values[name];
  });
}

function lines(list) {
  return list.map((line) => `${line}\n`).join('');
}

/** Who makes the package, and when: as Debian's tools are told, else as git knows of the last commit. */
function origin() {
  const { DEBFULLNAME, DEBEMAIL, SOURCE_DATE_EPOCH } = process.env;
  const told = DEBFULLNAME && DEBEMAIL ? `${DEBFULLNAME} <${DEBEMAIL}>` : undefined;
  const last = (format) => run('git', ['log', '-1', `--format=${format}`]).trim();
  return { maintainer: told ?? last('%an <%ae>'), date: Number(SOURCE_DATE_EPOCH ?? last('%ct')) };
}

/** Native parts are those of the running Node, so the package is for a machine like this one. */
function architectureOf(arch) {
  const known = { x64: 'amd64', arm64: 'arm64' }[arch];
  if (known === undefined) throw new Error(`no package for ${arch}: amd64 and arm64 are known`);
  return known;
}

function put(from, to, mode = 0o644) {
  write(to, readFileSync(from), mode);
}

function write(to, content, mode = 0o644) {
  const path = join(STAGE, to);
  makeFolder(dirname(path));
  writeFileSync(path, content);
  chmodSync(path, mode);
}

function isScript(path) {
  return readFileSync(path, 'latin1').startsWith('#!');
}

function link(from, to) {
  makeFolder(dirname(join(STAGE, from)));
  symlinkSync(relative(dirname(from), to), join(STAGE, from));
}

/** With the mode that it has to have, whatever the umask. */
function makeFolder(path) {
  mkdirSync(path, { recursive: true });
  for (let dir = path; dir !== dirname(STAGE); dir = dirname(dir)) chmodSync(dir, 0o755);
}

function files(folder) {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return found.map((entry) => join(entry.parentPath, entry.name)).toSorted();
}

function run(program, words, env = process.env) {
  const { status, error, stdout, stderr } = spawnSync(program, words, { env, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: status ${status}\n${stderr}`);
  return stdout;
}

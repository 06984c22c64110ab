// SPDX-License-Identifier: MIT
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { must } from '../test/run';

/** The yardstick programs, compiled. */
export const bareObject = 'dist/bench/bare.bpf.o';

/** Where a measuring program lies once it is built. */
export const toolPath = (name: ToolName): string => resolve(`dist/bench/${name}`);

/** Runs one of the measuring programs and reads what it prints. */
export async function tool<T>(name: ToolName, ...words: readonly string[]): Promise<T> {
  return JSON.parse(await must([toolPath(name), ...words])) as T;
}

/** Compiles the measuring programs and the yardstick programs. */
export async function buildTools(): Promise<void> {
  const { findClang } = (await build('toolchain.mjs')) as { findClang(): string | undefined };
  const { compileBpf } = (await build('compile.mjs')) as { compileBpf(source: string, object: string): void };
  const clang = findClang();
  if (clang === undefined) throw new Error('no clang: node tools/setup.mjs test installs it');
  mkdirSync('dist/bench', { recursive: true });
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
  for (const name of TOOLS) await must([clang, ...flags, `bench/c/${name}.c`, '-o', toolPath(name)]);
  compileBpf('bench/bare.bpf.c', bareObject);
}

const TOOLS = ['flood', 'echo', 'rusage', 'teids', 'testrun'] as const;
export type ToolName = (typeof TOOLS)[number];

const build = (file: string): Promise<unknown> => import(pathToFileURL(resolve('tools', file)).href);

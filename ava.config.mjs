// SPDX-License-Identifier: MIT
// The files with the longest tests first, so that none of them is left to run alone at the end.
const LONG = /\/(state\/(kill|fault)|guest\/(emulated|inside)|upgrade\/upgrade)\.test\./;

const rank = (file) => (LONG.test(file) ? 0 : 1);

export default {
  files: ['dist/test/**/*.test.cjs'],
  workerThreads: false,
  concurrency: 4,
  timeout: '5m',
  nodeArguments: ['--enable-source-maps'],
  sortTestFiles: (a, b) => rank(a) - rank(b) || a.localeCompare(b),
};

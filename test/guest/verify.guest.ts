// SPDX-License-Identifier: MIT
// What the verifier of the running kernel says of each program: node verify.cjs OBJECT prints one JSON object a line.
// Without the command's own loader, which keeps no logs of programs that are taken.
import { load } from 'koffi';

/** Processed instructions, and octets of stack by function: those of one chain of calls may have 512 in all. */
export interface Verified {
  readonly program: string;
  readonly instructions: number;
  readonly stack: string;
}

const LOG_SIZE = 1 << 16;
/** BPF_LOG_STATS of linux/bpf_verifier.h. */
const STATISTICS = 4;

const bpf = load('libbpf.so.1');
const openFile = bpf.func('void *bpf_object__open_file(const char *path, const void *opts)');
const loadObject = bpf.func('int bpf_object__load(void *object)');
const nextProgram = bpf.func('void *bpf_object__next_program(const void *object, void *program)');
const programName = bpf.func('const char *bpf_program__name(const void *program)');
const setLogLevel = bpf.func('int bpf_program__set_log_level(void *program, uint32_t level)');
const setLogBuf = bpf.func('int bpf_program__set_log_buf(void *program, void *buf, size_t size)');
const nextMap = bpf.func('void *bpf_object__next_map(const void *object, const void *map)');
const unsetPin = bpf.func('int bpf_map__set_pin_path(void *map, const void *path)');

const object = openFile(process.argv[2], null);
if (object === null) throw new Error(`cannot open ${process.argv[2]}`);
for (let map = nextMap(object, null); map !== null; map = nextMap(object, map)) unsetPin(map, null);
const logs: [string, Buffer][] = [];
for (let program = nextProgram(object, null); program !== null; program = nextProgram(object, program)) {
  const log = Buffer.alloc(LOG_SIZE);
  setLogLevel(program, STATISTICS);
  setLogBuf(program, log, LOG_SIZE);
  logs.push([programName(program), log]);
}
const status = loadObject(object);
for (const [program, log] of logs) {
  const text = log.toString('latin1', 0, log.indexOf(0));
  const instructions = Number(/^processed (\d+) insns/m.exec(text)?.[1] ?? 0);
  const stack = /^stack depth (.*)/m.exec(text)?.[1] ?? text.slice(-300);
  process.stdout.write(`${JSON.stringify({ program, instructions, stack } satisfies Verified)}\n`);
}
if (status < 0) {
  const said = logs.map(([, log]) => log.toString('latin1', 0, log.indexOf(0))).findLast((text) => text !== '');
  throw new Error(`the kernel refuses the object, status ${-status}: ${said?.slice(-2000)}`);
}

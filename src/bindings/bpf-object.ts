// SPDX-License-Identifier: MIT
import { errno, strerror } from '../errors';
import { koffi } from './koffi';
import { call, callAny, callForPointer, checked, failure } from './libbpf';

/** A BPF object file, opened and perhaps loaded; `close()` gives back every fd that was not pinned or kept by the kernel. */
export interface BpfObject {
  /** The maps and global variable sections of the file, `.bss` and the like included. */
  readonly maps: readonly ObjectMap[];
  readonly programs: readonly ObjectProgram[];
  /** Sends maps and programs to the kernel; a rejected program's verifier log comes with the error. */
  load(): void;
  /** The raw BTF of the file with what the compiler left to the loader, such as offsets of variables. */
  btf(): Buffer;
  close(): void;
}

/** A map of an object; `fd()` is valid after load. */
export interface ObjectMap {
  /** As in the C source; global variables: `bss`, `data` or `rodata`. */
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly flags: number;
  readonly maxEntries: number;
  /** Type ids in `btf()` of the object; 0 where a map has plain octets. */
  readonly btfKeyType: number;
  readonly btfValueType: number;
  fd(): number;
  /** Before load: use the map behind `fd` in place of a new one. The fd is duplicated. */
  reuse(fd: number): void;
  /** Before load: changes the size, for tests that need no millions. */
  setMaxEntries(entries: number): void;
}

export interface ObjectProgram {
  readonly name: string;
  fd(): number;
  /** Before load: asks the verifier what it took. What is returned gives its words, after load, whether that failed or not. */
  statistics(): () => string;
}

/** Opens an object file from its bytes (ELF). Nothing reaches the kernel before `load`. */
export function openObject(bytes: Buffer): BpfObject {
  const log: Log = { verifier: Buffer.allocUnsafeSlow(LOG_SIZE), messages: [] };
  log.verifier[0] = 0;
  const object = withMessages(log, () => open(bytes, log));
  return {
    maps: list(object, 'bpf_object__next_map').map(objectMap),
    programs: list(object, 'bpf_object__next_program').map(objectProgram),
    load: () => load(object, log),
    btf: () => rawBtf(object),
    close: () => void call('bpf_object__close', object),
  };
}

interface Log {
  readonly verifier: Buffer;
  readonly messages: string[];
}

// Memory is used only where the kernel writes; logs of rejected programs reach some megabytes.
const LOG_SIZE = 16 << 20;
const MESSAGE_SIZE = 4096;
const STATISTICS_SIZE = 1 << 16;
// linux/bpf_verifier.h
const BPF_LOG_STATS = 4;
// enum libbpf_print_level: what is above is said about every load.
const LEVEL_WARN = 0;
// struct bpf_object_open_opts of libbpf 1.0: offsets of kernel_log_buf, kernel_log_size.
const OPEN_OPTS_SIZE = 80;
const LOG_BUF_OFFSET = 56;

function open(bytes: Buffer, log: Log): bigint {
  const opts = openOpts(log.verifier);
  const object = callAny<bigint | null>('bpf_object__open_mem', bytes, BigInt(bytes.length), opts);
  if (object !== null) return object;
  const code = koffi().errno();
  // Above the kernel's numbers libbpf has its own, such as 4001: no ELF file.
  const said = code < 4000 ? strerror(code) : 'not a BPF object file';
  throw failure('open BPF object', code, { said, detail: log.messages.join('') });
}

function openOpts(log: Buffer): Buffer {
  const opts = Buffer.alloc(OPEN_OPTS_SIZE);
  opts.writeBigUInt64LE(BigInt(OPEN_OPTS_SIZE), 0);
  opts.writeBigUInt64LE(koffi().address(log), LOG_BUF_OFFSET);
  opts.writeBigUInt64LE(BigInt(log.length), LOG_BUF_OFFSET + 8);
  return opts;
}

function load(object: bigint, log: Log): void {
  const result = withMessages(log, () => call('bpf_object__load', object));
  if (result >= 0) return;
  const verifier = log.verifier.toString('latin1', 0, log.verifier.indexOf(0));
  const messages = log.messages.join('');
  // Without capabilities libbpf can only guess, and guesses wrong.
  const isRefused = -result === errno('EPERM');
  throw failure('load BPF programs', -result, { detail: isRefused ? verifier : messages + verifier });
}

function rawBtf(object: bigint): Buffer {
  const size = Buffer.alloc(4);
  const btf = callForPointer('find BTF of BPF object', 'bpf_object__btf', object);
  const data = callForPointer('read BTF of BPF object', 'btf__raw_data', btf, size);
  return Buffer.from(Buffer.from(koffi().view(data, size.readUInt32LE(0))));
}

// `next` is bpf_object__next_map or _next_program: null starts, null ends.
function list(object: bigint, next: 'bpf_object__next_map' | 'bpf_object__next_program'): bigint[] {
  const found: bigint[] = [];
  for (let one = step(null); one !== null; one = step(one)) found.push(one);
  return found;

  function step(from: bigint | null): bigint | null {
    return callAny<bigint | null>(next, object, from);
  }
}

function objectMap(map: bigint): ObjectMap {
  const name = callAny<string>('bpf_map__name', map);
  // A private object or one that pins by itself (object.ts) never wants libbpf to pin for it.
  checked(`unset pin path of ${name}`, call('bpf_map__set_pin_path', map, null));
  return {
    // Global variables are called after the object, "gtp_bpf.bss", and a name in a bpffs has no dots.
    name: name.replace(/^[^.]*\./, '').replaceAll('.', '_'),
    type: call('bpf_map__type', map),
    keySize: call('bpf_map__key_size', map),
    valueSize: call('bpf_map__value_size', map),
    flags: call('bpf_map__map_flags', map),
    maxEntries: call('bpf_map__max_entries', map),
    btfKeyType: call('bpf_map__btf_key_type_id', map),
    btfValueType: call('bpf_map__btf_value_type_id', map),
    fd: () => checked(`find map ${name}`, call('bpf_map__fd', map)),
    reuse: (fd) => void checked(`reuse map ${name}`, call('bpf_map__reuse_fd', map, fd)),
    setMaxEntries: (n) => void checked(`resize map ${name}`, call('bpf_map__set_max_entries', map, n)),
  };
}

function objectProgram(program: bigint): ObjectProgram {
  const name = callAny<string>('bpf_program__name', program);
  return {
    name,
    fd: () => checked(`find program ${name}`, call('bpf_program__fd', program)),
    statistics: () => {
      const log = Buffer.alloc(STATISTICS_SIZE);
      checked(`keep a log of program ${name}`, call('bpf_program__set_log_level', program, BPF_LOG_STATS));
      checked(`keep a log of program ${name}`, call('bpf_program__set_log_buf', program, log, BigInt(log.length)));
      return () => log.toString('latin1', 0, log.indexOf(0));
    },
  };
}

// libbpf prints to stderr what it has to say, through a va_list; here it is kept for the error instead.
function withMessages<T>(log: Log, act: () => T): T {
  const { register, unregister, pointer, proto, load: open } = koffi();
  const vsnprintf = open(null).func('int vsnprintf(void *text, size_t size, const void *format, void *args)');
  const print = (level: number, format: bigint, args: bigint): number => {
    const text = Buffer.alloc(MESSAGE_SIZE);
    vsnprintf(text, text.length, format, args);
    if (level === LEVEL_WARN) log.messages.push(text.toString('utf8', 0, text.indexOf(0)));
    return 0;
  };
  const callback = register(print, pointer(proto('int', ['int', 'void *', 'void *'])));
  call('libbpf_set_print', callback);
  try {
    return act();
  } finally {
    call('libbpf_set_print', null);
    unregister(callback);
  }
}

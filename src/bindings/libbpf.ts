// SPDX-License-Identifier: MIT
import { KernelError, type KernelErrorOptions } from '../errors';
import { FOR_BPF, isRefusal, missingHint } from './capabilities';
import { koffi, type Library } from './koffi';

/** Calls the libbpf function `name`; arguments as in its prototype, pointers as Buffers or null. */
export function call(name: FunctionName, ...args: Argument[]): number {
  return callAny<number>(name, ...args);
}

/** Like `call`, for functions that do not return an int: T has to be what koffi makes of the prototype's result. */
export function callAny<T>(name: FunctionName, ...args: Argument[]): T {
  const known = bound[name] ?? bindFunction(name);
  bound[name] = known;
  return known(...args) as T;
}

/** Like `call`, for functions that return a pointer; null is thrown as KernelError with the thread's errno. */
export function callForPointer(tried: string, name: FunctionName, ...args: Argument[]): bigint {
  const pointer = callAny<bigint | null>(name, ...args);
  if (pointer === null) throw failure(tried, koffi().errno());
  return pointer;
}

/** Returns `result` if it is no error; throws KernelError(tried) for -errno. */
export function checked(tried: string, result: number): number {
  if (result < 0) throw failure(tried, -result);
  return result;
}

/** A KernelError for `code`; with EPERM and EACCES the hint names the capabilities that this process lacks. */
export function failure(
  tried: string,
  code: number,
  more: Omit<KernelErrorOptions, 'errno' | 'hint'> = {},
): KernelError {
  const hint = isRefusal(code) ? missingHint(FOR_BPF) : undefined;
  return new KernelError(tried, { errno: code, ...more, ...(hint === undefined ? {} : { hint }) });
}

type Argument = Buffer | bigint | number | null;
type FunctionName = keyof typeof PROTOTYPES;
type Bound = (...args: Argument[]) => unknown;

const PROTOTYPES = {
  bpf_obj_get: 'int bpf_obj_get(const void *path)',
  bpf_obj_pin: 'int bpf_obj_pin(int fd, const void *path)',
  bpf_obj_get_info_by_fd: 'int bpf_obj_get_info_by_fd(int fd, void *info, void *size)',
  bpf_btf_get_fd_by_id: 'int bpf_btf_get_fd_by_id(uint32_t id)',
  bpf_link_create: 'int bpf_link_create(int program, int ifindex, int type, const void *opts)',
  bpf_link_detach: 'int bpf_link_detach(int link)',
  bpf_link_update: 'int bpf_link_update(int link, int program, const void *opts)',
  bpf_prog_query:
    'int bpf_prog_query(int target, int type, uint32_t flags, void *attach_flags, void *ids, void *count)',
  bpf_prog_test_run_opts: 'int bpf_prog_test_run_opts(int program, void *opts)',
  bpf_map_create:
    'int bpf_map_create(int type, const void *name, uint32_t key, uint32_t value, uint32_t entries, const void *opts)',
  bpf_map_lookup_elem: 'int bpf_map_lookup_elem(int fd, const void *key, void *value)',
  bpf_map_update_elem: 'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
  bpf_map_delete_elem: 'int bpf_map_delete_elem(int fd, const void *key)',
  bpf_map_get_next_key: 'int bpf_map_get_next_key(int fd, const void *key, void *next)',
  bpf_map_lookup_batch:
    'int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, void *count, const void *opts)',
  bpf_map_update_batch:
    'int bpf_map_update_batch(int fd, const void *keys, const void *values, void *count, const void *opts)',
  bpf_object__open_mem: 'void *bpf_object__open_mem(const void *bytes, size_t size, const void *opts)',
  bpf_object__load: 'int bpf_object__load(void *object)',
  bpf_object__close: 'void bpf_object__close(void *object)',
  bpf_object__next_map: 'void *bpf_object__next_map(const void *object, const void *map)',
  bpf_object__next_program: 'void *bpf_object__next_program(const void *object, void *program)',
  bpf_object__btf: 'void *bpf_object__btf(const void *object)',
  btf__raw_data: 'void *btf__raw_data(const void *btf, void *size)',
  bpf_map__name: 'const char *bpf_map__name(const void *map)',
  bpf_map__fd: 'int bpf_map__fd(const void *map)',
  bpf_map__type: 'int bpf_map__type(const void *map)',
  bpf_map__key_size: 'uint32_t bpf_map__key_size(const void *map)',
  bpf_map__value_size: 'uint32_t bpf_map__value_size(const void *map)',
  bpf_map__max_entries: 'uint32_t bpf_map__max_entries(const void *map)',
  bpf_map__map_flags: 'uint32_t bpf_map__map_flags(const void *map)',
  bpf_map__btf_key_type_id: 'uint32_t bpf_map__btf_key_type_id(const void *map)',
  bpf_map__btf_value_type_id: 'uint32_t bpf_map__btf_value_type_id(const void *map)',
  bpf_map__set_max_entries: 'int bpf_map__set_max_entries(void *map, uint32_t entries)',
  bpf_map__set_pin_path: 'int bpf_map__set_pin_path(void *map, const void *path)',
  bpf_map__reuse_fd: 'int bpf_map__reuse_fd(void *map, int fd)',
  bpf_program__name: 'const char *bpf_program__name(const void *program)',
  bpf_program__set_log_level: 'int bpf_program__set_log_level(void *program, uint32_t level)',
  bpf_program__set_log_buf: 'int bpf_program__set_log_buf(void *program, void *log, size_t size)',
  bpf_program__fd: 'int bpf_program__fd(const void *program)',
  libbpf_num_possible_cpus: 'int libbpf_num_possible_cpus()',
  libbpf_set_print: 'void *libbpf_set_print(void *callback)',
} as const;

const bound: Partial<Record<FunctionName, Bound>> = {};
let loaded: Library | undefined;

function bindFunction(name: FunctionName): Bound {
  loaded ??= attempt('load libbpf.so.1', 'apt install libbpf1', () => koffi().load('libbpf.so.1'));
  const library = loaded;
  return attempt(`find ${name} in libbpf.so.1`, 'libbpf 1.0 or later is needed', () => library.func(PROTOTYPES[name]));
}

// Koffi says what the dynamic linker said.
function attempt<T>(tried: string, hint: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new KernelError(tried, { said: (cause as Error).message, hint, cause });
  }
}

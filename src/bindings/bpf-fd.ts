// SPDX-License-Identifier: MIT
import { closeSync } from 'node:fs';
import { errno, KernelError } from '../errors';
import { missingHint } from './capabilities';
import { cString, koffi } from './koffi';
import { call, checked, failure } from './libbpf';

/** What BPF_OBJ_GET_INFO_BY_FD says of a map; sizes in octets. */
export interface MapInfo {
  readonly type: number;
  readonly id: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly name: string;
  readonly btfId: number;
  readonly btfKeyType: number;
  readonly btfValueType: number;
}

export interface ProgramInfo {
  readonly type: number;
  readonly id: number;
  readonly tag: string;
  readonly name: string;
  /** 0 if it was loaded without. */
  readonly btfId: number;
}

/** A link; `ifindex` is 0 when the device it was attached to is gone. `attachType` is that of tcx. */
export interface LinkInfo {
  readonly type: number;
  readonly id: number;
  readonly programId: number;
  readonly ifindex: number;
  readonly attachType: number;
}

/** Attach types of linux/bpf.h; libbpf before 1.3 has no tcx call, but bpf_link_create passes these through. */
export const BPF_TCX_INGRESS = 46;
export const BPF_TCX_EGRESS = 47;
export const BPF_XDP = 37;

/** enum bpf_link_type of linux/bpf.h. */
export const BPF_LINK_TYPE_XDP = 6;

/** The fd of a pinned map, program or link, or undefined if `path` does not exist. */
export function objGet(path: string): number | undefined {
  const fd = call('bpf_obj_get', cString(path));
  return fd === -errno('ENOENT') ? undefined : checked(`open ${path}`, fd);
}

/** Pins the object behind `fd` at `path`, which has to be on a bpffs and must not exist. */
export function objPin(fd: number, path: string): void {
  checked(`pin ${path}`, call('bpf_obj_pin', fd, cString(path)));
}

/**
 * Attaches a program by a link, BPF_TCX_INGRESS, BPF_TCX_EGRESS or BPF_XDP (native, never generic). The link's fd, or undefined if this
 * kernel has no tcx.
 */
export function linkCreate(programFd: number, ifindex: number, attachType: number): number | undefined {
  const fd = call('bpf_link_create', programFd, ifindex, attachType, attachType === BPF_XDP ? nativeXdp() : null);
  if (fd >= 0) return fd;
  if (fd === -errno('EINVAL') && attachType !== BPF_XDP && lacksTcx()) return undefined;
  throw failure(`attach program to device ${ifindex}`, -fd);
}

/** How many programs are attached to a device at an attach type; 0 where the kernel does not know that one. */
export function programsAt(ifindex: number, attachType: number): number {
  const count = Buffer.alloc(4);
  const result = call('bpf_prog_query', ifindex, attachType, 0, null, null, count);
  return result < 0 && result !== -errno('ENOSPC') ? 0 : count.readUInt32LE(0);
}

/** Puts another program behind a link, without a packet seeing none. */
export function linkUpdate(linkFd: number, programFd: number): void {
  checked('replace program of link', call('bpf_link_update', linkFd, programFd, null));
}

/** Takes a link's program off its device at once: letting go of the link does so some time after. */
export function linkDetach(linkFd: number): void {
  checked('detach program', call('bpf_link_detach', linkFd));
}

export function mapInfo(fd: number): MapInfo {
  const info = infoByFd(fd, MAP_INFO_SIZE);
  const u32 = (offset: number): number => info.readUInt32LE(offset);
  return {
    type: u32(0),
    id: u32(4),
    keySize: u32(8),
    valueSize: u32(12),
    maxEntries: u32(16),
    flags: u32(20),
    name: nameAt(info, 24),
    btfId: u32(64),
    btfKeyType: u32(68),
    btfValueType: u32(72),
  };
}

export function programInfo(fd: number): ProgramInfo {
  const info = infoByFd(fd, PROGRAM_INFO_SIZE);
  return {
    type: info.readUInt32LE(0),
    id: info.readUInt32LE(4),
    tag: info.toString('hex', 8, 16),
    name: nameAt(info, 64),
    btfId: info.readUInt32LE(128),
  };
}

export function linkInfo(fd: number): LinkInfo {
  const info = infoByFd(fd, LINK_INFO_SIZE);
  return {
    type: info.readUInt32LE(0),
    id: info.readUInt32LE(4),
    programId: info.readUInt32LE(8),
    ifindex: info.readUInt32LE(16),
    attachType: info.readUInt32LE(20),
  };
}

/** The raw BTF of id `id` as the kernel holds it. Needs CAP_SYS_ADMIN. */
export function btfById(id: number): Buffer {
  const tried = `open BTF ${id}`;
  const fd = call('bpf_btf_get_fd_by_id', id);
  if (fd === -errno('EPERM')) {
    throw new KernelError(tried, { errno: -fd, hint: missingHint(['CAP_SYS_ADMIN']) ?? 'see capabilities(7)' });
  }
  checked(tried, fd);
  try {
    const size = infoByFd(fd, BTF_INFO_SIZE).readUInt32LE(8);
    const raw = Buffer.alloc(size);
    const info = Buffer.alloc(BTF_INFO_SIZE);
    info.writeBigUInt64LE(koffi().address(raw), 0);
    info.writeUInt32LE(size, 8);
    infoByFd(fd, BTF_INFO_SIZE, info);
    return raw;
  } finally {
    closeSync(fd);
  }
}

// struct bpf_*_info of linux/bpf.h, all little-endian fields of known offset; the kernel accepts shorter ones.
const MAP_INFO_SIZE = 80;
const PROGRAM_INFO_SIZE = 136;
const LINK_INFO_SIZE = 32;
const BTF_INFO_SIZE = 32;
const NAME_LENGTH = 16;
// struct bpf_link_create_opts of libbpf 1.0: its size, then flags; of linux/if_link.h.
const LINK_OPTS_SIZE = 16;
const XDP_FLAGS_DRV_MODE = 4;
const LOOPBACK = 1;

function nativeXdp(): Buffer {
  const opts = Buffer.alloc(LINK_OPTS_SIZE);
  opts.writeBigUInt64LE(BigInt(LINK_OPTS_SIZE), 0);
  opts.writeUInt32LE(XDP_FLAGS_DRV_MODE, 8);
  return opts;
}

// Asked only when the kernel has refused something.
function lacksTcx(): boolean {
  return call('bpf_prog_query', LOOPBACK, BPF_TCX_INGRESS, 0, null, null, Buffer.alloc(4)) === -errno('EINVAL');
}

function infoByFd(fd: number, size: number, info = Buffer.alloc(size)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  checked('read object info', call('bpf_obj_get_info_by_fd', fd, info, length));
  return info;
}

function nameAt(info: Buffer, offset: number): string {
  return info.toString('latin1', offset, offset + NAME_LENGTH).replace(/\0.*$/s, '');
}

// SPDX-License-Identifier: MIT

/** An archive that Linux unpacks as its first root: format newc (Documentation/driver-api/early-userspace/buffer-format.rst). */
export function cpio(folders: readonly string[], programs: Readonly<Record<string, Buffer>>): Buffer {
  return Buffer.concat([
    ...folders.map((name) => entry(name, 0o040755)),
    ...Object.entries(programs).map(([name, data]) => entry(name, 0o100755, data)),
    entry('TRAILER!!!', 0),
  ]);
}

let inode = 0;

function entry(name: string, mode: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const [links, others] = [1, [0, 0]];
  const fields = [++inode, mode, ...others, links, 0, data.length, ...others, ...others, name.length + 1, 0];
  const header = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([padded(Buffer.from(`070701${header}${name}\0`)), padded(data)]);
}

const padded = (octets: Buffer): Buffer => Buffer.concat([octets, Buffer.alloc(-octets.length & 3)]);

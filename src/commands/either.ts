// SPDX-License-Identifier: MIT
import type { Context, OutputRecord } from '../cli/command';
import { KernelError } from '../errors';
import { findKernelLink, type KernelLink } from '../kernel/links';

/**
 * Does something to the link of a name, by what moves its packets: our programs, or the kernel's gtp driver. The driver is asked
 * only where ours has no such link, so that those of ours pay nothing for it.
 */
export function onEither<T>(
  name: string,
  { bpf, kernel }: { readonly bpf: () => T; readonly kernel: (link: KernelLink) => T },
): T {
  try {
    return bpf();
  } catch (error) {
    // A device of the driver is no link of ours, whatever the reason was; and one of ours is none of the driver.
    const link = error instanceof KernelError ? findKernelLink(name) : undefined;
    if (link === undefined) throw error;
    return kernel(link);
  }
}

/** The records of both. Where ours cannot be looked at (no bpffs, no BPF), those of the driver are told, and that they are not all. */
export function ofBoth(
  { note }: Pick<Context, 'note'>,
  { bpf, kernel }: { readonly bpf: () => readonly OutputRecord[]; readonly kernel: () => readonly OutputRecord[] },
): OutputRecord[] {
  const others = kernel();
  try {
    return [...bpf(), ...others];
  } catch (error) {
    if (!(error instanceof KernelError) || others.length === 0) throw error;
    note(`this is of datapath kernel alone: ${error.message}`);
    return [...others];
  }
}

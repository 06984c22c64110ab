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
    const link = error instanceof KernelError ? kernelLinkCalled(name) : undefined;
    if (link === undefined) throw error;
    return kernel(link);
  }
}

/** The link of the driver that has this name; undefined if there is none, or that cannot be found out. */
export function kernelLinkCalled(name: string): KernelLink | undefined {
  try {
    return findKernelLink(name);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** The records of both. Where one cannot be looked at (no bpffs, a namespace out of reach), those of the other are told, and that they are not all. */
export function ofBoth(
  { note }: Pick<Context, 'note'>,
  { bpf, kernel }: { readonly bpf: () => readonly OutputRecord[]; readonly kernel: () => readonly OutputRecord[] },
): OutputRecord[] {
  let others: readonly OutputRecord[] = [];
  try {
    others = kernel();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    note(`this is of datapath bpf alone: ${error.message}`);
  }
  try {
    return [...bpf(), ...others];
  } catch (error) {
    if (!(error instanceof KernelError) || others.length === 0) throw error;
    note(`this is of datapath kernel alone: ${error.message}`);
    return [...others];
  }
}

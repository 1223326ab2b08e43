/** What differs between kernels and matters for reaching them, asked of the kernel itself: no version is compared. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compressionOf, readBzImage } from '@livegraft/binfmt/bzimage';
import { compressionOfName } from './decompress.ts';
import type { KernelImage } from './image.ts';
import { parseConfig } from './prepare.ts';
import type { Kernel, ModuleInfo } from './types.ts';

export interface KernelProfile {
  /** Of the payload in the boot image: `xz`, `zstd` … */
  readonly imageCompression: string;
  /** How kallsyms stores addresses, in words. */
  readonly kallsyms: string;
  /** Of the modules; `none` for plain .ko. Several when they are mixed. */
  readonly moduleCompression: readonly string[];
  /** `__pfx_` symbols: functions with room before their entry (call thunks, FineIBT). */
  readonly paddedFunctions: number;
  /** Entries of .ibt_endbr_seal: landing pads that boot takes away on machines with IBT; 0 without. */
  readonly sealedLandingPads: number;
  /** Whether kbuild runs objtool on each unit or on what is linked. */
  readonly objtool: 'unit' | 'link';
}

export async function readProfile(
  kernel: Kernel,
  image: KernelImage,
  modules: readonly ModuleInfo[],
): Promise<KernelProfile> {
  const { vmlinuz, config, source } = kernel.paths;
  const [boot, configText, makefile] = await Promise.all([
    readFile(vmlinuz),
    readFile(config, 'utf8'),
    readFile(join(source, 'scripts/Makefile.lib'), 'utf8').catch(() => ''),
  ]);
  return {
    imageCompression: compressionOf(readBzImage(boot).compressed) ?? 'none',
    kallsyms: image.symbols.addressing,
    moduleCompression: [...new Set(modules.map(({ path }) => compressionOfName(path) ?? 'none'))],
    paddedFunctions: image.symbols.all.filter(({ name }) => name.startsWith('__pfx_')).length,
    // each entry is the distance to a landing pad, 4 bytes (tools/objtool/check.c, create_ibt_endbr_seal_sections)
    sealedLandingPads: (image.section('.ibt_endbr_seal')?.size ?? 0) / 4,
    objtool: objtoolRuns(makefile, configText),
  };
}

/** kbuild's own rule, out of scripts/Makefile.lib: `delay-objtool := $(or $(CONFIG_LTO_CLANG),$(CONFIG_X86_KERNEL_IBT))`. */
export function objtoolRuns(makefile: string, config: string): KernelProfile['objtool'] {
  const rule = /^delay-objtool\s*:?=\s*(.*)$/m.exec(makefile)?.[1] ?? '';
  const options = parseConfig(config);
  const delayed = [...rule.matchAll(/\$\((CONFIG_\w+)\)/g)].some(([, option]) => options.get(option!) === 'y');
  return delayed ? 'link' : 'unit';
}

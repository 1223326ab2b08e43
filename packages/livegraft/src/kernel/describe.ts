/** All that is known of a kernel in the cache, read from its files: for `kernel show`. */
import { readFile } from 'node:fs/promises';
import { readImage } from './image.ts';
import { readModuleIndex } from './modules.ts';
import { type KernelProfile, readProfile } from './profile.ts';
import type { Kernel, KernelPaths } from './types.ts';

export interface KernelDescription {
  readonly name: string;
  readonly release: string;
  readonly origin: string;
  readonly banner: string;
  readonly buildId: string;
  readonly compiler: string;
  readonly linker: string;
  readonly vermagic: string;
  readonly configHash: string;
  readonly symbols: { readonly count: number; readonly ambiguousNames: number };
  /** Bytes. */
  readonly textSize: number;
  readonly ftraceEntries: number;
  /** Types in BTF; 0 without. */
  readonly types: number;
  readonly exports: number;
  readonly modversions: boolean;
  readonly modules: number;
  readonly modulesWithBuildId: number;
  /** Options that decide what a livepatch can do; `n` for those that are not set. */
  readonly livepatch: readonly { readonly option: string; readonly value: string }[];
  /** The livepatch core clears relocations when a patched module goes (since 6.3), so that it can be loaded again. */
  readonly coreClears: boolean;
  readonly profile: KernelProfile;
  readonly paths: KernelPaths;
}

const options = [
  'LIVEPATCH',
  'DYNAMIC_FTRACE_WITH_REGS',
  'UNWINDER_ORC',
  'MODVERSIONS',
  'MODULE_SIG_FORCE',
  'X86_KERNEL_IBT',
  'RUST',
  'UBSAN',
];

export async function describeKernel(kernel: Kernel): Promise<KernelDescription> {
  const [image, modules, config] = await Promise.all([
    readImage(kernel),
    readModuleIndex(kernel),
    readFile(kernel.paths.config, 'utf8'),
  ]);
  const { facts } = kernel;
  const names = new Map<string, number>();
  for (const { name } of image.symbols.all) names.set(name, (names.get(name) ?? 0) + 1);
  const exported = [...image.exports.values()];
  return {
    name: kernel.name,
    release: kernel.release,
    origin: facts.origin.kind === 'debian' ? `${facts.origin.package} ${facts.origin.version}` : 'files',
    banner: facts.banner,
    buildId: facts.buildId,
    compiler: facts.compiler,
    linker: facts.linker,
    vermagic: facts.vermagic,
    configHash: facts.configHash,
    symbols: {
      count: image.symbols.all.length,
      ambiguousNames: [...names.values()].filter((count) => count > 1).length,
    },
    textSize: image.section('.text')?.size ?? 0,
    ftraceEntries: image.mcount.size,
    types: image.section('.BTF') === undefined ? 0 : image.btf.count,
    exports: exported.length,
    modversions: exported.some(({ crc }) => crc !== 0),
    modules: modules.length,
    modulesWithBuildId: modules.filter((module) => module.buildId !== '').length,
    livepatch: options.map((option) => ({
      option,
      value: new RegExp(`^CONFIG_${option}=(.*)$`, 'm').exec(config)?.[1] ?? 'n',
    })),
    coreClears: image.symbols.named('clear_relocate_add').length > 0,
    profile: await readProfile(kernel, image, modules),
    paths: kernel.paths,
  };
}

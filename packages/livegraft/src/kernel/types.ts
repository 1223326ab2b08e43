/** One kernel as the rest of livegraft sees it: where its files are, and what is known of it. */

export interface Kernel {
  /** What the user calls it: a Debian release (`6.1.0-55-amd64`) or the NAME given to `kernel add`. */
  readonly name: string;
  /** `uname -r`. */
  readonly release: string;
  /** The kernel's folder in the cache. */
  readonly dir: string;
  readonly facts: KernelFacts;
  readonly paths: KernelPaths;
}

export interface KernelPaths {
  /** The shipped boot image. */
  readonly vmlinuz: string;
  /** Its payload: an ELF without symbol table. */
  readonly vmlinux: string;
  readonly config: string;
  /** Module.symvers: exported symbols and their CRCs. */
  readonly symvers: string;
  /** The source tree, never written to. */
  readonly source: string;
  /** The prepared build tree (kbuild's O=) of that source. */
  readonly build: string;
  /** The folder `lib/modules/RELEASE` holds (with `kernel/` in it); absent when the kernel came without modules. */
  readonly modules?: string;
}

/** Stored as `kernel.json`; everything is read from the files themselves. */
export interface KernelFacts {
  readonly schema: 1;
  readonly name: string;
  readonly release: string;
  readonly origin:
    | { readonly kind: 'debian'; readonly package: string; readonly version: string }
    | { readonly kind: 'files' };
  /** `linux_banner` of the image, one line. */
  readonly banner: string;
  /** The image's GNU build-id, lower-case hex. */
  readonly buildId: string;
  /** sha256 of the configuration file, hex. */
  readonly configHash: string;
  /** As the banner names them: `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`, `GNU ld (GNU Binutils for Debian) 2.40`. */
  readonly compiler: string;
  readonly linker: string;
  /** Id of these tools out of packages (`toolchain-folder.ts`); absent: they are the machine's own. */
  readonly toolchain?: string;
  /** vermagic of the shipped modules, or of the build tree where there are none. */
  readonly vermagic: string;
  /** ISO 8601, when this kernel came into the cache. */
  readonly added: string;
}

/** One shipped module, read from its .ko without loading it. */
export interface ModuleInfo {
  /** As the kernel names it: `-` turned into `_`. */
  readonly name: string;
  /** Path of the .ko relative to `Kernel.paths.modules`. */
  readonly path: string;
  /** Names of the modules it needs, from `depends=`. */
  readonly depends: readonly string[];
  /** Names or aliases from `softdep=pre:`. */
  readonly softdepsPre: readonly string[];
  readonly aliases: readonly string[];
  readonly vermagic: string;
  /** GNU build-id, lower-case hex; empty when it has none. */
  readonly buildId: string;
}

/** Problems with a kernel: getting it, reading it, and whether its parts and the toolchain belong together. */
import { type Diagnostic, define, Exit } from './diagnostic.ts';

type Maker<D> = (data: D) => Diagnostic;

type Unknown = { release: string; nearest: readonly string[] };
export const kernelUnknown: Maker<Unknown> = define<Unknown>('kernel-unknown', {
  message: ({ release, nearest }) =>
    `The archive has no kernel ${release}${nearest.length === 0 ? '' : `; the nearest: ${nearest.join(', ')}`}`,
  hint: 'livegraft kernel list --available --all shows every release that can be fetched',
});

type Gone = { release: string; version: string; missing: readonly string[]; instead?: string };
export const kernelPartsGone: Maker<Gone> = define<Gone>('kernel-parts-gone', {
  message: ({ release, version, missing }) =>
    `The archive has the image of ${release} (version ${version}), but no longer ${missing.join(' and ')} of that version`,
  hint: ({ instead }) =>
    `${instead === undefined ? 'no other release of this series is whole; see `livegraft kernel list --available --all`' : `the nearest release of this series that is whole: livegraft kernel fetch ${instead}`}; or take this one from a bank (\`kernel fetch --bank\`), or from its files (\`kernel add\`)`,
});

type Package = { name: string; version: string };
export const packageGone: Maker<Package> = define<Package>('package-gone', {
  message: ({ name, version }) => `The archive no longer has ${name} ${version}`,
  hint: 'take it from a bank that was made while the archive had it (`livegraft kernel fetch RELEASE --bank`)',
});

type Unreachable = { output: string };
export const archiveUnreachable: Maker<Unreachable> = define<Unreachable>('archive-unreachable', {
  exit: Exit.failed,
  message: ({ output }) => `apt got no package lists${output === '' ? '' : `:\n${output}`}`,
  hint: 'check the network and /etc/apt/sources.list; kernels already fetched keep working',
});

type NotHere = { name: string; here: readonly string[] };
export const kernelNotHere: Maker<NotHere> = define<NotHere>('kernel-not-here', {
  message: ({ name, here }) =>
    `Kernel ${name} is not in the cache; here ${here.length === 0 ? 'are none yet' : `are: ${here.join(', ')}`}`,
  hint: ({ name }) => `livegraft kernel fetch ${name}`,
});

type Name = { name: string };
export const kernelNameInvalid: Maker<Name> = define<Name>('kernel-name-invalid', {
  exit: Exit.usage,
  message: ({ name }) =>
    `${JSON.stringify(name)} cannot be a kernel's name: letters, digits and . _ + ~ - are, beginning with a letter or digit`,
});
export const kernelExists: Maker<Name> = define<Name>('kernel-exists', {
  message: ({ name }) => `There is a kernel ${name} in the cache already`,
  hint: ({ name }) => `livegraft kernel remove ${name}, or choose another name`,
});

type File = { path: string; problem: string };
export const imageCorrupt: Maker<File> = define<File>('image-corrupt', {
  place: ({ path }) => path,
  message: ({ problem }) => `This kernel image cannot be read: ${problem}`,
  hint: 'fetch the kernel again, or give the vmlinuz exactly as it was shipped',
});
export const moduleCorrupt: Maker<File> = define<File>('module-corrupt', {
  place: ({ path }) => path,
  message: ({ problem }) => `This kernel module cannot be read: ${problem}`,
  hint: 'remove this kernel and fetch it again, or give the module exactly as it was shipped',
});
export const kernelFileUnreadable: Maker<File> = define<File>('kernel-file-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => problem,
});

type ModuleName = { name: string; kernel: string };
export const moduleUnknown: Maker<ModuleName> = define<ModuleName>('module-unknown', {
  message: ({ name, kernel }) => `Kernel ${kernel} has no module ${name}, neither loadable nor built in`,
});

type Outside = { address: string; size: number };
export const addressOutside: Maker<Outside> = define<Outside>('address-outside', {
  message: ({ address, size }) => `The image has no ${size} bytes at ${address}`,
});

type Mixed = { what: string; found: string; expected: string; source: string };
export const kernelMixed: Maker<Mixed> = define<Mixed>('kernel-mixed', {
  exit: Exit.provenance,
  message: ({ what, found, expected, source }) =>
    `${what} is ${JSON.stringify(found)}, but ${source} says ${JSON.stringify(expected)}`,
  hint: 'image, config, source, Module.symvers and modules must come from one build of one kernel',
});

type Drift = { options: readonly string[] };
export const configDrifts: Maker<Drift> = define<Drift>('config-drifts', {
  exit: Exit.provenance,
  message: ({ options }) =>
    `With this source and compiler the configuration does not stay what it was: ${options.slice(0, 12).join(', ')}${options.length > 12 ? ` and ${options.length - 12} more` : ''}`,
  hint: 'use the compiler the kernel was built with and the source of exactly its version',
});

export const sourceNotClean: Maker<{ path: string }> = define<{ path: string }>('source-not-clean', {
  place: ({ path }) => path,
  message: () => 'A kernel was configured or built inside this source tree; a clean one is needed',
  hint: 'unpack the source again, or run `make mrproper` in it (it deletes .config: keep a copy)',
});

type Tool = { program: string; wanted: string; install?: string };
const install = ({ install: packages }: { install?: string }): string | undefined =>
  packages === undefined ? undefined : `apt-get install ${packages}`;
export const compilerMissing: Maker<Tool> = define<Tool>('compiler-missing', {
  exit: Exit.provenance,
  message: ({ program, wanted }) => `${program} is not installed; this kernel was built with ${wanted}`,
  hint: install,
});
export const linkerMissing: Maker<Tool> = define<Tool>('linker-missing', {
  exit: Exit.provenance,
  message: ({ program, wanted }) => `${program} is not installed; this kernel was linked with ${wanted}`,
  hint: install,
});

type Differs = Tool & { found: string };
export const compilerDiffers: Maker<Differs> = define<Differs>('compiler-differs', {
  exit: Exit.provenance,
  message: ({ program, found, wanted }) => `${program} is ${found}; this kernel was built with ${wanted}`,
  hint: install,
});
export const linkerDiffers: Maker<Differs> = define<Differs>('linker-differs', {
  exit: Exit.provenance,
  message: ({ program, found, wanted }) => `${program} is ${found}; this kernel was linked with ${wanted}`,
  hint: install,
});

type ToolGone = { name: string; wanted: string; offered: readonly string[] };
export const toolGone: Maker<ToolGone> = define<ToolGone>('tool-gone', {
  exit: Exit.provenance,
  message: ({ name, wanted, offered }) =>
    `The archive no longer has ${name} for ${JSON.stringify(wanted)}; it has ${offered.length === 0 ? 'no version of it' : offered.join(', ')}`,
  hint: 'take this kernel with its compiler from a bank that was made while the archive had it (`livegraft kernel fetch RELEASE --bank`)',
});

type Dependency = { name: string; version: string; needs: string };
export const dependencyGone: Maker<Dependency> = define<Dependency>('dependency-gone', {
  exit: Exit.provenance,
  message: ({ name, version, needs }) => `The archive has ${name} ${version}, but not what that needs: ${needs}`,
  hint: 'take this kernel with its compiler from a bank that was made while the archive had it (`livegraft kernel fetch RELEASE --bank`)',
});

type ToolDiffers = { program: string; found: string; wanted: string };
export const toolchainDiffers: Maker<ToolDiffers> = define<ToolDiffers>('toolchain-differs', {
  exit: Exit.provenance,
  message: ({ program, found, wanted }) =>
    `${program} out of the packages says ${JSON.stringify(found)}; this kernel was built with ${JSON.stringify(wanted)}`,
  hint: 'this kernel cannot be rebuilt with what the archive has; take it from a bank, or install the right tools',
});
export const toolchainIncomplete: Maker<{ problem: string }> = define<{ problem: string }>('toolchain-incomplete', {
  exit: Exit.failed,
  message: ({ problem }) => `The packages of the compiler do not make a whole toolchain: ${problem}`,
  hint: 'install the compiler that the kernel’s banner names instead, and report this',
});

type ToolchainGone = { compiler: string; linker: string; id: string };
export const toolchainNotHere: Maker<ToolchainGone> = define<ToolchainGone>('toolchain-not-here', {
  exit: Exit.provenance,
  message: ({ compiler, linker, id }) =>
    `The compiler of this kernel (${compiler}, ${linker}) is no longer in the cache (toolchains/${id})`,
  hint: 'livegraft kernel fetch RELEASE brings it back',
});

type BankProblem = { path: string; problem: string };
export const bankUnreadable: Maker<BankProblem> = define<BankProblem>('bank-unreadable', {
  place: ({ path }) => path,
  message: ({ problem }) => `This bank cannot be read: ${problem}`,
  hint: 'give the folder or the .tar that `livegraft kernel bank` made',
});
type Lack = { path: string; what: string; has: string };
export const bankLacks: Maker<Lack> = define<Lack>('bank-lacks', {
  place: ({ path }) => path,
  message: ({ what, has }) => `This bank does not have ${what}; it was made for ${has}`,
  hint: 'make a bank for it where the archive can be reached: livegraft kernel bank RELEASE --output DIR',
});
type Damage = { path: string; file: string; found: string; expected: string };
export const bankDamaged: Maker<Damage> = define<Damage>('bank-damaged', {
  place: ({ path }) => path,
  message: ({ file, found, expected }) => `${file} in this bank has the sha256 ${found}; its manifest says ${expected}`,
  hint: 'copy the bank again from where it was made',
});
export const bankExists: Maker<{ path: string }> = define<{ path: string }>('bank-exists', {
  place: ({ path }) => path,
  message: () => 'There is something of that name already; a bank is made at once and never changed',
  hint: 'choose another name; one bank can hold several kernels',
});

type BuildTools = { missing: readonly string[]; packages: readonly string[] };
export const buildToolsMissing: Maker<BuildTools> = define<BuildTools>('build-tools-missing', {
  exit: Exit.failed,
  message: ({ missing }) =>
    `Preparing a kernel's build tree needs ${missing.join(', ')}, which this machine does not have`,
  hint: ({ packages }) => `apt-get install ${packages.join(' ')}`,
});

export const sourceVersionGone: Maker<{ name: string; version: string }> = define<{ name: string; version: string }>(
  'source-version-gone',
  {
    message: ({ name, version }) => `The archive no longer has ${name} ${version}`,
    hint: 'see what it has: apt-cache madison linux-source-6.1',
  },
);

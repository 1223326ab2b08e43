/** The programs and headers livegraft needs, the Debian package of each, and what for. `scripts/setup.mjs` installs the same packages. */

export interface Requirement {
  /** A program in PATH, or an absolute path. */
  readonly name: string;
  readonly package: string;
  readonly use: string;
}

export const requirements: readonly Requirement[] = [
  { name: 'gcc-12', package: 'gcc-12', use: 'compiles units of Debian 12’s kernels' },
  { name: 'gcc', package: 'gcc', use: 'compiles the tools that a build tree needs' },
  { name: 'make', package: 'make', use: 'asks the kernel’s own build system' },
  { name: 'ld', package: 'binutils', use: 'is checked against the kernel’s banner' },
  { name: 'flex', package: 'flex', use: 'prepares a build tree' },
  { name: 'bison', package: 'bison', use: 'prepares a build tree' },
  { name: 'bc', package: 'bc', use: 'prepares a build tree' },
  { name: 'python3', package: 'python3', use: 'prepares a build tree' },
  { name: '/usr/include/gelf.h', package: 'libelf-dev', use: 'is what the kernel’s objtool is built with' },
  { name: '/usr/include/openssl/ssl.h', package: 'libssl-dev', use: 'prepares a build tree' },
  { name: 'xz', package: 'xz-utils', use: 'unpacks images, sources, modules' },
  { name: 'zstd', package: 'zstd', use: 'unpacks newer kernels’ images and modules' },
  { name: 'lz4', package: 'lz4', use: 'unpacks some kernels’ images' },
  { name: 'git', package: 'git', use: 'applies patches' },
  { name: 'apt-get', package: 'apt', use: 'fetches kernels' },
  { name: 'dpkg-deb', package: 'dpkg', use: 'unpacks packages' },
  { name: 'flock', package: 'util-linux', use: 'keeps two livegrafts apart' },
  { name: 'setpriv', package: 'util-linux', use: 'ends a guest with livegraft' },
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', use: 'runs kernels in virtual machines' },
  { name: 'busybox', package: 'busybox-static', use: 'is the userland of the guests' },
  { name: 'mkfs.ext4', package: 'e2fsprogs', use: 'makes the disk of the demo' },
];

/** What load, revert and their like call; packaging/control.mjs has the packages. */
export const hostRequirements: readonly Requirement[] = [
  { name: 'insmod', package: 'kmod', use: 'loads the module' },
  { name: 'rmmod', package: 'kmod', use: 'unloads it' },
  { name: 'flock', package: 'util-linux', use: 'keeps two livegrafts apart' },
  { name: 'logger', package: 'bsdutils', use: 'writes to the system log' },
  { name: 'perl', package: 'perl-base', use: 'wakes single tasks (livegraft wake)' },
];

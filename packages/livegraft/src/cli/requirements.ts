/** The programs livegraft calls, the Debian package of each, and what for. `scripts/setup.mjs` installs the same packages. */

export interface Program {
  readonly name: string;
  readonly package: string;
  readonly use: string;
}

export const programs: readonly Program[] = [
  { name: 'gcc-12', package: 'gcc-12', use: 'compiles units of Debian 12’s kernels' },
  { name: 'make', package: 'make', use: 'asks the kernel’s own build system' },
  { name: 'ld', package: 'binutils', use: 'is checked against the kernel’s banner' },
  { name: 'flex', package: 'flex', use: 'prepares a build tree' },
  { name: 'bison', package: 'bison', use: 'prepares a build tree' },
  { name: 'xz', package: 'xz-utils', use: 'unpacks images, sources, modules' },
  { name: 'git', package: 'git', use: 'applies patches' },
  { name: 'apt-get', package: 'apt', use: 'fetches kernels' },
  { name: 'dpkg-deb', package: 'dpkg', use: 'unpacks packages' },
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', use: 'runs kernels in virtual machines' },
  { name: 'busybox', package: 'busybox-static', use: 'is the userland of the guests' },
  { name: 'mkfs.ext4', package: 'e2fsprogs', use: 'makes the disk of the demo' },
];

// The package's control file: what livegraft needs to work on the machine that is patched, and what only those need who build.

/** glibc and libstdc++ as the bundled Node asks for them (`objdump -T`): those of Debian 10 and later. */
const runtimeLibraries = ['libc6 (>= 2.28)', 'libgcc-s1', 'libstdc++6 (>= 8)'];

/** insmod and rmmod; flock and logger; `livegraft wake` speaks ptrace through perl, of which perl-base is enough. */
const host = ['kmod', 'util-linux', 'perl-base'];

/** What `build`, `try`, `vm` and `kernel fetch` call: `livegraft doctor` tells which of them are missing. */
const builders = [
  'gcc-12',
  'gcc',
  'make',
  'binutils',
  'libc6-dev',
  'flex',
  'bison',
  'bc',
  'python3',
  'libelf-dev',
  'libssl-dev',
  'xz-utils',
  'zstd',
  'lz4',
  'git',
  'diffutils',
  'qemu-system-x86',
  'busybox-static',
  'e2fsprogs',
];

export function control({ version, kilobytes }) {
  return `Package: livegraft
Version: ${version}
Architecture: amd64
Maintainer: the livegraft authors <livegraft@localhost>
Installed-Size: ${kilobytes}
Depends: ${[...runtimeLibraries, ...host].join(', ')}
Suggests: ${builders.join(', ')}
Section: admin
Priority: optional
Description: fix a running Linux kernel without a reboot
 livegraft turns a source patch into a livepatch module for exactly the
 kernel that runs, proves it on that kernel in a virtual machine, loads it,
 follows the transition, tells who holds it back, and takes it back when asked.
 .
 The package brings the Node.js runtime that it uses along. Loading livepatches
 needs nothing else; building them needs the compiler and the tools that are
 suggested (\`livegraft doctor\` tells which are missing).
 .
 Installing it loads nothing. At boot, livegraft.service loads the bundles
 that were enabled with \`livegraft enable\`.
`;
}

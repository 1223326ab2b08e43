// The kernels of the support matrix, oldest first: of each, the newest that the archive has whole, or the newest of the cache when the archive has none.
// `showsNeighbour`: one more kernel of that series is fetched, to see what a second one costs.
export const kernels = [
  { title: 'Debian 11', pattern: /^5\.10\.0-\d+-amd64$/ },
  { title: 'Debian 12', pattern: /^6\.1\.0-\d+-amd64$/, pinned: '6.1.0-55-amd64' },
  { title: 'Debian 12, backport', pattern: /^6\.12\.\d+\+deb12(\.\d+)?-amd64$/ },
  { title: 'Debian 13', pattern: /^6\.12\.\d+\+deb13(\.\d+)?-amd64$/, showsNeighbour: true },
  { title: 'Debian sid', pattern: /^7\.\d+\.\d+\+deb14(\.\d+)?-amd64$/ },
];

/** Units whose code is compared with the shipped one, built in and of a module; common ones, which the compiler treats in many ways. */
export const units = {
  vmlinux: [
    'fs/proc/meminfo.c',
    'fs/readdir.c',
    'fs/namei.c',
    'kernel/fork.c',
    'mm/vmalloc.c',
    'net/core/sock.c',
    'net/ipv4/tcp_input.c',
  ],
  ext4: ['fs/ext4/inode.c', 'fs/ext4/mballoc.c', 'fs/ext4/super.c'],
};

/** A unit that another compiler must compile to other code, and one that shows a changed option: `HardwareCorrupted:` is gone from /proc/meminfo. */
export const foreignCompiler = { unit: 'net/ipv4/tcp_input.c' };
export const changedConfig = { unit: 'fs/proc/meminfo.c', option: 'CONFIG_MEMORY_FAILURE' };

/** What the demo does to ext4 in the guest: writes to a small file system right after its cached pages were dropped. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../support/exec.ts';

/** The image's path in the guest. */
export const diskPath = '/disk.img';

/** Modules the workload needs; ext4 brings its own dependencies. */
export const workloadModules = ['loop', 'ext4'];

/** A shell script; ends with 0 when ext4 survived. May be run again on the same disk. */
export const workload = `set -e
mkdir -p /mnt/disk
mount -t ext4 -o loop ${diskPath} /mnt/disk
echo hello > /mnt/disk/a
sync
echo 3 > /proc/sys/vm/drop_caches
dd if=/dev/zero of=/mnt/disk/b bs=64k count=16 2>&1
sync
rm /mnt/disk/b
umount /mnt/disk
echo "1 MiB written to ext4 and synced"
`;

/** Makes a 32 MiB ext4 image, gives it to \`work\`, removes it. */
export async function withDisk<T>(work: (image: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'livegraft-demo-'));
  try {
    const image = join(folder, 'disk.img');
    await writeFile(image, '');
    await truncate(image, 32 << 20);
    // Debian keeps it out of an ordinary user's PATH
    const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
    await run('mkfs.ext4', ['-q', '-F', image], { env, ...(signal === undefined ? {} : { signal }) });
    return await work(image);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// systemd itself, in a guest that boots Debian 12 from a disk: the service loads what is enabled, is kept off, and unloads nothing.
// node packaging/boot.mjs DEB: needs root, debootstrap, e2fsprogs, QEMU and a kernel in livegraft's cache; some minutes under emulation.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));
const dist = (path) => import(pathToFileURL(join(repository, 'packages', path)).href);
const release = '6.1.0-55-amd64';
const name = 'livegraft_proof';

const proofUnit = `[Unit]
After=livegraft.service
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/root/boot.sh
TimeoutStartSec=infinity
`;

const [deb] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'livegraft-boot-'));
try {
  process.exitCode = (await boots(deb)) ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Each boot runs its part of proof.sh and switches the machine off. */
async function boots(path) {
  const { openKernel } = await dist('livegraft/dist/kernel/store.js');
  const kernel = await openKernel(release);
  const initrd = join(work, 'initrd');
  writeFileSync(initrd, await initramfs(kernel));
  const disk = makeDisk(path);
  let good = true;
  for (const [stage, append] of [
    ['enable', ''],
    ['loaded', ''],
    ['kept-off', 'livegraft=off'],
    ['file-off', ''],
    ['removed', ''],
  ]) {
    const log = await qemu({ kernel, initrd, disk, append: `proof=${stage} ${append}` });
    const lines = log.split(/\r?\n/).filter((line) => /^(?:ok|FAILED|\|) /.test(line));
    for (const line of lines) process.stdout.write(`${stage.padEnd(9)} ${line}\n`);
    if (!log.includes(`proof of ${stage} ends`)) {
      process.stdout.write(
        `${stage.padEnd(9)} FAILED the guest did not come to its end\n${log.split('\n').slice(-40).join('\n')}\n`,
      );
      return false;
    }
    good &&= lines.every((line) => !line.startsWith('FAILED'));
  }
  return good;
}

/** busybox loads what the disk needs and hands over to the disk's own init. */
async function initramfs(kernel) {
  const [{ guestModules }, { moduleFiles }, { writeCpio }] = await Promise.all([
    dist('livegraft/dist/trial/try.js'),
    dist('livegraft/dist/vm/guest-modules.js'),
    dist('binfmt/dist/cpio.js'),
  ]);
  const drivers = ['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4'];
  const text = new TextEncoder();
  const init = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for each in ${drivers.join(' ')}; do /bin/busybox modprobe $each; done
/bin/busybox mount -t ext4 /dev/vda /mnt || /bin/busybox poweroff -f
/bin/busybox umount /sys /proc
exec /bin/busybox switch_root /mnt /sbin/init
`;
  const files = await moduleFiles(kernel.release, await guestModules(kernel, drivers));
  const folders = ['bin', 'dev', 'proc', 'sys', 'mnt', 'lib', 'lib/modules', `lib/modules/${kernel.release}`];
  return writeCpio([
    ...folders.map((path) => ({ kind: 'dir', path, permissions: 0o755 })),
    { kind: 'char', path: 'dev/console', permissions: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'bin/busybox', permissions: 0o755, data: readFileSync('/bin/busybox') },
    { kind: 'file', path: 'init', permissions: 0o755, data: text.encode(init) },
    ...files.map(({ path, data }) => ({ kind: 'file', path, permissions: 0o644, data })),
  ]);
}

/** Debian 12 with systemd, the package, a bundle and proof.sh on an ext4 disk. */
function makeDisk(path) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'livegraft/packaging/roots');
  const base = join(cache, 'bookworm-systemd');
  if (!existsSync(base)) {
    mkdirSync(cache, { recursive: true });
    const unfinished = join(cache, `.tmp-${process.pid}-bookworm-systemd`);
    execFileSync(
      'debootstrap',
      ['--variant=minbase', '--include=systemd,systemd-sysv,udev,kmod', 'bookworm', unfinished],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    renameSync(unfinished, base);
  }
  const root = join(work, 'root');
  execFileSync('cp', ['-a', base, root]);
  copyFileSync(path, join(root, 'root/livegraft.deb'));
  execFileSync('chroot', [root, 'dpkg', '-i', '/root/livegraft.deb'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const patch = join(repository, 'examples/proc-meminfo/example.patch');
  const program = join(repository, 'packages/livegraft/bin/livegraft.js');
  execFileSync(
    process.execPath,
    [program, 'build', patch, '--kernel', release, '-o', join(root, 'root'), '--name', name, '--quiet'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  copyFileSync(new URL('boot.sh', import.meta.url), join(root, 'root/boot.sh'));
  chmodSync(join(root, 'root/boot.sh'), 0o755);
  writeFileSync(join(root, 'etc/systemd/system/proof.service'), proofUnit);
  mkdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'), { recursive: true });
  execFileSync('ln', [
    '-sf',
    '../proof.service',
    join(root, 'etc/systemd/system/multi-user.target.wants/proof.service'),
  ]);
  writeFileSync(join(root, 'etc/fstab'), '/dev/vda / ext4 defaults 0 1\n');
  const disk = join(work, 'disk');
  execFileSync('mkfs.ext4', ['-q', '-d', root, disk, '1600M']);
  rmSync(root, { recursive: true });
  return disk;
}

/** Boots to the power-off (no getty: it would hang up the line that the proof writes to) and returns what came out of the console. */
function qemu({ kernel, initrd, disk, append }) {
  const args = [
    ...[
      '-machine',
      'pc',
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
      '-accel',
      'tcg,thread=single',
      '-cpu',
      'max',
      '-m',
      '1024',
    ],
    ...[
      '-kernel',
      kernel.paths.vmlinuz,
      '-initrd',
      initrd,
      '-append',
      `console=ttyS0 panic=-1 quiet systemd.show_status=0 systemd.mask=serial-getty@ttyS0.service ${append}`,
    ],
    ...['-drive', `file=${disk},if=virtio,format=raw`, '-serial', 'stdio'],
  ];
  const { stdout } = spawnSync('qemu-system-x86_64', args, {
    encoding: 'utf8',
    timeout: 600_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (process.env.LIVEGRAFT_BOOT_LOG) appendFileSync(process.env.LIVEGRAFT_BOOT_LOG, stdout);
  return stdout;
}

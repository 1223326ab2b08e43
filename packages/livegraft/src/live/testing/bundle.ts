/** A bundle as a build leaves it, for tests: two functions of the kernel, one of a module. */
import type { Bundle } from '../../bundle/bundle.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { kernelId } from '../../host/testing/fake-host.ts';

export const bundleId = '22a8ec2abcdae7736b338628d99258c8bc8c1a73';
export const ext4Id = 'ee'.repeat(20);

export function testBundle(changes: Partial<Manifest> = {}): Bundle {
  const fn = { unit: 'fs/x.c', oldSize: 100, newSize: 120, why: 'changed', provenance: 'equal' } as const;
  const manifest: Manifest = {
    schema: 1,
    name: 'livegraft_fix',
    livegraft: '0.1.0',
    kernel: {
      name: '6.1.0-55-amd64',
      release: '6.1.0-55-amd64',
      buildId: kernelId,
      vermagic: '6.1.0-55-amd64 SMP preempt mod_unload modversions',
      configHash: '00',
      banner: 'Linux version 6.1.0-55-amd64',
    },
    module: { file: 'livegraft_fix.ko', size: 12000, sha256: '00', buildId: bundleId },
    patches: [],
    cves: [],
    replace: false,
    targets: [
      { object: 'vmlinux', buildId: kernelId, functions: 2, forgets: false },
      { object: 'ext4', buildId: ext4Id, functions: 1, forgets: false },
    ],
    units: [],
    functions: [
      { ...fn, name: 'pipe_read', object: 'vmlinux', sympos: 0 },
      { ...fn, name: 's_show', object: 'vmlinux', sympos: 3 },
      { ...fn, name: 'ext4_file_open', object: 'ext4', sympos: 0 },
    ],
    added: [],
    toolchain: { compiler: 'gcc', linker: 'ld' },
    findings: [],
    ...changes,
  };
  return { path: '/bundles/livegraft_fix', manifest, module: new Uint8Array(100) };
}

/** The kernel that compiler tests use: a source and a prepared build tree, named by the environment. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernel } from '../../kernel/types.ts';

/**
 * A kernel from LIVEGRAFT_TEST_SOURCE (source tree), LIVEGRAFT_TEST_BUILD (kbuild's O= of it, written to) and
 * LIVEGRAFT_TEST_COMPILER (`gcc-12`); undefined when they are not set.
 * @param dir the kernel's own folder
 */
export function testKernel(dir: string): Kernel | undefined {
  const {
    LIVEGRAFT_TEST_SOURCE: source,
    LIVEGRAFT_TEST_BUILD: build,
    LIVEGRAFT_TEST_COMPILER: compiler = 'gcc-12',
  } = process.env;
  if (source === undefined || build === undefined || !existsSync(join(build, 'include/config/auto.conf')))
    return undefined;
  const release = readFileSync(join(build, 'include/config/kernel.release'), 'utf8').trim();
  return {
    name: release,
    release,
    dir,
    facts: {
      schema: 1,
      name: release,
      release,
      origin: { kind: 'files' },
      banner: '',
      buildId: '',
      configHash: '',
      compiler: `${compiler} (test)`,
      linker: '',
      vermagic: '',
      added: '2026-01-01T00:00:00Z',
    },
    paths: {
      vmlinuz: '',
      vmlinux: '',
      config: join(build, '.config'),
      symvers: join(build, 'Module.symvers'),
      source,
      build,
    },
  };
}

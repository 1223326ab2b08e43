/** The kernel that `provide-kernel.ts` made ready. */
import { openKernel } from '../kernel/store.ts';
import type { Kernel } from '../kernel/types.ts';

export function testKernel(): Promise<Kernel> {
  const name = process.env['LIVEGRAFT_TEST_KERNEL'];
  if (name === undefined)
    throw new Error('LIVEGRAFT_TEST_KERNEL is not set: run these tests through vitest’s projects');
  return openKernel(name);
}

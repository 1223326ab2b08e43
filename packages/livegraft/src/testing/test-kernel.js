/** The kernel that `provide-kernel.ts` made ready. */
import { openKernel } from '../src/kernel/store.js';
export function testKernel() {
    const name = process.env['LIVEGRAFT_TEST_KERNEL'];
    if (name === undefined)
        throw new Error('LIVEGRAFT_TEST_KERNEL is not set: run these tests through vitest’s projects');
    return openKernel(name);
}
//# sourceMappingURL=test-kernel.js.map
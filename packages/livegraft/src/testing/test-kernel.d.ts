import type { Kernel } from '../kernel/types.ts';
export declare function testKernel(): Promise<Kernel>;
//# sourceMappingURL=test-kernel.d.ts.map
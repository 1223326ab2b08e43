import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const alias = [
  {
    find: /^@livegraft\/binfmt\/(.*)$/,
    replacement: fileURLToPath(new URL('./packages/binfmt/src/$1.ts', import.meta.url)),
  },
];

/**
 * Three projects, one after the other (`groupOrder`): unit (seconds), case (real compiler), vm (real kernels under emulation; slow: a guest keeps one
 * core busy). Two files at a time: vitest alone would leave one processor free, which is half of the machine that CI has.
 */
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'bench/**/*.test.mjs', 'packaging/*.test.mjs'],
          maxWorkers: 2,
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'case',
          include: ['packages/*/src/**/*.case.ts', 'packaging/*.case.mjs'],
          globalSetup: ['packages/livegraft/src/testing/provide-kernel.ts'],
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 900_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'vm',
          include: ['packages/*/src/**/*.vm.ts'],
          globalSetup: ['packages/livegraft/src/testing/provide-kernel.ts'],
          testTimeout: 600_000,
          hookTimeout: 1_800_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

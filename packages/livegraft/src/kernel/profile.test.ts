import { describe, expect, test } from 'vitest';
import { objtoolRuns } from './profile.ts';

describe('objtoolRuns', () => {
  const rule = 'objtool := x\ndelay-objtool := $(or $(CONFIG_LTO_CLANG),$(CONFIG_X86_KERNEL_IBT))\n';
  test("where kbuild's own rule says", () => {
    expect(objtoolRuns(rule, 'CONFIG_X86_KERNEL_IBT=y\n')).toBe('link');
    expect(objtoolRuns(rule, '# CONFIG_X86_KERNEL_IBT is not set\nCONFIG_KLP_BUILD=y\n')).toBe('unit');
    expect(objtoolRuns(rule.replace('))', '),$(CONFIG_KLP_BUILD))'), 'CONFIG_KLP_BUILD=y\n')).toBe('link');
    expect(objtoolRuns('', 'CONFIG_X86_KERNEL_IBT=y\n')).toBe('unit');
  });
});

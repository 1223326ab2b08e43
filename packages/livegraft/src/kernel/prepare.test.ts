import { describe, expect, test } from 'vitest';
import { driftedOptions, kbuildArguments } from './prepare.ts';

describe('driftedOptions', () => {
  test('values that differ; "is not set", absent and n are the same; comments do not count', () => {
    const before = '# Linux 6.1\nCONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_S="x y"\n';
    expect(driftedOptions(before, '# other\nCONFIG_A=y\nCONFIG_B=m\nCONFIG_S="x y"\n')).toEqual([]);
    expect(driftedOptions(before, 'CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\nCONFIG_D=1\n')).toEqual([
      'CONFIG_B: m → y',
      'CONFIG_S: "x y" → absent',
      'CONFIG_D: absent → 1',
    ]);
  });
});

test('kbuildArguments: the release is always given', () => {
  const args = kbuildArguments({ source: '/s', build: '/b' }, '6.1.0-55-amd64', { cc: 'gcc-12', ld: 'ld', prefix: '' });
  expect(args).toContain('KERNELRELEASE=6.1.0-55-amd64');
  expect(args.slice(0, 3)).toEqual(['-C', '/s', 'O=/b']);
});

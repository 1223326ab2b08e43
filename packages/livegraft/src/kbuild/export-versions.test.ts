import { expect, test } from 'vitest';
import { parseVersions } from './export-versions.ts';

test('versions are read in both of the forms that genksyms has had', () => {
  expect([...parseVersions('#SYMVER sock_release 0xfe9fb915\n#SYMVER a 0x1\n')]).toEqual([
    ['sock_release', 0xfe9fb915],
    ['a', 1],
  ]);
  expect([...parseVersions('__crc_sock_release = 0xfe9fb915;\n')]).toEqual([['sock_release', 0xfe9fb915]]);
});

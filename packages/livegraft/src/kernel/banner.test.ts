import { describe, expect, test } from 'vitest';
import { parseBanner } from './banner.ts';

describe('parseBanner', () => {
  test("Debian's line, with parentheses inside parentheses", () => {
    const text =
      'Linux version 6.1.0-55-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-14)\n';
    expect(parseBanner(text)).toEqual({
      text: text.trimEnd(),
      release: '6.1.0-55-amd64',
      compiler: 'gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0',
      linker: 'GNU ld (GNU Binutils for Debian) 2.40',
      build: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-14)',
    });
  });

  test.each([
    '',
    'Linux version 6.1',
    'Linux version 6.1 (a@b)',
    'Linux version 6.1 (a@b) (gcc',
    'Linux version 6.1 (a@b) (gcc 12) #1',
    'Darwin 1 (a) (b, c)',
  ])('no banner: %j', (text) => {
    expect(parseBanner(text)).toBeUndefined();
  });
});

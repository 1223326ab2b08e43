import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions, parseDepends, satisfies, upstreamVersion } from './packages.ts';

describe('compareVersions', () => {
  test('in this order (deb-version(7))', () => {
    const ordered = [
      '0:1.0~~',
      '1.0~rc1-1',
      '1.0',
      '1.0-0+deb12u1',
      '1.0-1~bpo12+1',
      '1.0-1',
      '1.0-1+b1',
      '1.0-9',
      '1.0-10',
      '1.0a-1',
      '1.0+dfsg-1',
      '1.0.1-1',
      '1.9-1',
      '1.10-1',
      '1:0.1-1',
    ];
    expect(ordered.toReversed().sort(compareVersions)).toEqual(ordered);
    expect(compareVersions('6.12.117-1~deb12u1', '6.12.117-1')).toBeLessThan(0);
  });

  test('as dpkg has it', () => {
    const version = fc.tuple(
      fc.constantFrom('', '', '1:'),
      fc.stringMatching(/^\d[a-z0-9.+~]{0,6}$/),
      fc.constantFrom('', '-1', '-1~deb12u1', '-10', '-2+b1'),
    );
    const dpkg = (a: string, relation: string, b: string): boolean => {
      try {
        execFileSync('dpkg', ['--compare-versions', a, relation, b]);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(version, version, (one, other) => {
        const [a, b] = [one.join(''), other.join('')];
        const order = compareVersions(a, b);
        expect(dpkg(a, order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq', b), `${a} ${b}`).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe('parseDepends', () => {
  test('alternatives, relations, architectures', () => {
    expect(
      parseDepends('libc6 (>= 2.38), gcc-14-base (= 14.2.0-19), a:any | b (<< 2) , , linux-initramfs-tool'),
    ).toEqual([
      [{ name: 'libc6', relation: '>=', version: '2.38' }],
      [{ name: 'gcc-14-base', relation: '=', version: '14.2.0-19' }],
      [{ name: 'a' }, { name: 'b', relation: '<<', version: '2' }],
      [{ name: 'linux-initramfs-tool' }],
    ]);
    expect(parseDepends('')).toEqual([]);
  });
});

describe('satisfies', () => {
  test('each relation', () => {
    const holds = (version: string, relation: string) => satisfies(version, { name: 'x', relation, version: '2' });
    expect(['<<', '<=', '=', '>=', '>>'].map((relation) => holds('2', relation))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(holds('2~rc', '>=')).toBe(false);
    expect(satisfies('1', { name: 'x' })).toBe(true);
  });
});

describe('upstreamVersion', () => {
  test('without epoch and revision', () => {
    expect(['2.44-3', '2:2.35.2-2', '2.47.50.20261021-1', '4.12'].map(upstreamVersion)).toEqual([
      '2.44',
      '2.35.2',
      '2.47.50.20261021',
      '4.12',
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { choose, nearestWhole, releasesOf } from './debian.ts';
import { parsePackages } from './packages.ts';

const stanza = (name: string, version: string, depends = ''): string =>
  `Package: ${name}\nSource: linux\nVersion: ${version}\n${depends === '' ? '' : `Depends: ${depends}\n`}Description: a kernel\n Filename: not this\nFilename: pool/main/l/linux/${name}_${version}_amd64.deb\nSize: 42\nSHA256: ${'ab'.repeat(32)}\n`;

const packages = parsePackages(
  [
    stanza('linux-image-6.1.0-55-amd64', '6.1.192-1', 'kmod, linux-base (>= 4.3~)'),
    stanza('linux-headers-6.1.0-55-amd64', '6.1.192-1', 'linux-headers-6.1.0-55-common (= 6.1.192-1)'),
    stanza('linux-image-6.1.0-9-amd64', '6.1.27-1'),
    stanza('linux-image-6.1.0-55-rt-amd64', '6.1.192-1'),
    stanza('linux-headers-6.1.0-55-rt-amd64', '6.1.192-1', 'linux-headers-6.1.0-55-common-rt (= 6.1.192-1)'),
    stanza('linux-source-6.1', '6.1.192-1'),
    stanza('linux-source-6.1', '6.1.192-2'),
    stanza('linux-image-6.12-amd64', '6.12.117-1~deb12u1', 'linux-image-6.12.117+deb12-amd64'),
    stanza('linux-image-6.1.0-55-amd64-unsigned', '6.1.192-1'),
    stanza('linux-image-6.1.0-55-amd64', '6.1.192-1'),
    'Package: linux-image-6.1.0-1-amd64\nVersion: 1',
  ].join('\n'),
);

describe('parsePackages', () => {
  test('one package a version, fields as they stand', () => {
    expect(packages.filter(({ name }) => name === 'linux-image-6.1.0-55-amd64')).toHaveLength(1);
    expect(packages.find(({ name }) => name === 'linux-image-6.1.0-9-amd64')).toEqual({
      name: 'linux-image-6.1.0-9-amd64',
      version: '6.1.27-1',
      depends: '',
      size: 42,
      sha256: 'ab'.repeat(32),
      file: 'linux-image-6.1.0-9-amd64_6.1.27-1_amd64.deb',
    });
    expect(parsePackages('')).toEqual([]);
  });
});

describe('releasesOf', () => {
  test('real images, oldest first; not the meta package, not the unsigned one', () => {
    expect(releasesOf(packages)).toEqual(['6.1.0-9-amd64', '6.1.0-55-amd64', '6.1.0-55-rt-amd64']);
  });
});

describe('choose', () => {
  test("headers and source of exactly the image's version", () => {
    const [choice] = choose(packages, '6.1.0-55-amd64');
    expect(choice?.offer.missing).toEqual([]);
    expect(choice?.plan).toMatchObject({
      version: '6.1.192-1',
      source: { name: 'linux-source-6.1', version: '6.1.192-1' },
    });
  });

  test('what is gone is named; an rt image has no source package', () => {
    expect(choose(packages, '6.1.0-9-amd64')[0]).toMatchObject({
      offer: { missing: ['linux-headers-6.1.0-9-amd64', 'linux-source-6.1'] },
      plan: undefined,
    });
    expect(choose(packages, '6.1.0-55-rt-amd64')[0]?.offer.missing).toEqual(['linux-source-6.1 with the rt patches']);
    expect(choose(packages, '6.1.0-77-amd64')).toEqual([]);
  });

  test('an image in parts (7.x): all of them', () => {
    const release = '7.2.13+deb14-amd64';
    const split = parsePackages(
      [
        stanza(
          `linux-image-${release}`,
          '7.2.13-1',
          `linux-base-${release} (= 7.2.13-1), linux-binary-${release} (= 7.2.13-1), linux-modules-${release} (= 7.2.13-1)`,
        ),
        ...['base', 'binary', 'modules', 'headers'].map((part) => stanza(`linux-${part}-${release}`, '7.2.13-1')),
        stanza('linux-source-7.2', '7.2.13-1'),
      ].join('\n'),
    );
    expect(choose(split, release)[0]?.plan?.image.map(({ name }) => name)).toEqual(
      ['image', 'base', 'binary', 'modules'].map((part) => `linux-${part}-${release}`),
    );
  });
});

describe('nearestWhole', () => {
  test('of the same series, Debian release and flavour: the next newer, else the newest', () => {
    const whole = [
      '6.12.107+deb13-amd64',
      '6.12.111+deb13-amd64',
      '6.12.95+deb12-amd64',
      '6.12.92+deb13-cloud-amd64',
      '6.1.0-56-amd64',
    ];
    expect(nearestWhole('6.12.90+deb13-amd64', whole)).toBe('6.12.107+deb13-amd64');
    expect(nearestWhole('6.12.118+deb13-amd64', whole)).toBe('6.12.111+deb13-amd64');
    expect(nearestWhole('6.12.90+deb12-amd64', whole)).toBe('6.12.95+deb12-amd64');
    expect(nearestWhole('6.1.0-3-rt-amd64', whole)).toBeUndefined();
  });
});
